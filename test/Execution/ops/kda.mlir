// Kimi delta attention (arXiv:2510.26692): a decay per key feature, and two
// value heads that share a key head.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}2 passed, 0 failed

func.func @kda(
    %q: tensor<?x?x2x16xf32> {weir.name = "q"},
    %k: tensor<?x?x2x16xf32> {weir.name = "k"},
    %v: tensor<?x?x4x24xf32> {weir.name = "v"},
    %g: tensor<?x?x4x16xf32> {weir.name = "g"},
    %beta: tensor<?x?x4xf32> {weir.name = "beta"})
    -> (tensor<?x?x4x24xf32> {weir.name = "o"},
        tensor<?x4x16x24xf32> {weir.name = "final_state"}) {
  %o, %state = weir.recurrence %q, %k, %v decay(%g : tensor<?x?x4x16xf32>)
      delta(%beta : tensor<?x?x4xf32>) scale(2.500000e-01)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x24xf32>
      -> tensor<?x?x4x24xf32>, tensor<?x4x16x24xf32>
  return %o, %state : tensor<?x?x4x24xf32>, tensor<?x4x16x24xf32>
}

func.func @kda_init(
    %q: tensor<?x?x2x16xf32> {weir.name = "q"},
    %k: tensor<?x?x2x16xf32> {weir.name = "k"},
    %v: tensor<?x?x4x24xf32> {weir.name = "v"},
    %g: tensor<?x?x4x16xf32> {weir.name = "g"},
    %beta: tensor<?x?x4xf32> {weir.name = "beta"},
    %initial: tensor<?x4x16x24xf32> {weir.name = "initial_state"})
    -> (tensor<?x?x4x24xf32> {weir.name = "o"},
        tensor<?x4x16x24xf32> {weir.name = "final_state"}) {
  %o, %state = weir.recurrence %q, %k, %v decay(%g : tensor<?x?x4x16xf32>)
      delta(%beta : tensor<?x?x4xf32>) init(%initial : tensor<?x4x16x24xf32>)
      scale(2.500000e-01) : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>,
      tensor<?x?x4x24xf32> -> tensor<?x?x4x24xf32>, tensor<?x4x16x24xf32>
  return %o, %state : tensor<?x?x4x24xf32>, tensor<?x4x16x24xf32>
}
