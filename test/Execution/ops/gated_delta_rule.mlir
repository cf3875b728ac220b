// Gated DeltaNet (arXiv:2412.06464): decay, then correction.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}2 passed, 0 failed

func.func @gated_delta_rule(
    %q: tensor<?x?x3x16xf32> {weir.name = "q"},
    %k: tensor<?x?x3x16xf32> {weir.name = "k"},
    %v: tensor<?x?x3x24xf32> {weir.name = "v"},
    %g: tensor<?x?x3xf32> {weir.name = "g"},
    %beta: tensor<?x?x3xf32> {weir.name = "beta"})
    -> (tensor<?x?x3x24xf32> {weir.name = "o"},
        tensor<?x3x16x24xf32> {weir.name = "final_state"}) {
  %o, %state = weir.recurrence %q, %k, %v decay(%g : tensor<?x?x3xf32>)
      delta(%beta : tensor<?x?x3xf32>) scale(2.500000e-01)
      : tensor<?x?x3x16xf32>, tensor<?x?x3x16xf32>, tensor<?x?x3x24xf32>
      -> tensor<?x?x3x24xf32>, tensor<?x3x16x24xf32>
  return %o, %state : tensor<?x?x3x24xf32>, tensor<?x3x16x24xf32>
}

func.func @gated_delta_rule_init(
    %q: tensor<?x?x3x16xf32> {weir.name = "q"},
    %k: tensor<?x?x3x16xf32> {weir.name = "k"},
    %v: tensor<?x?x3x24xf32> {weir.name = "v"},
    %g: tensor<?x?x3xf32> {weir.name = "g"},
    %beta: tensor<?x?x3xf32> {weir.name = "beta"},
    %initial: tensor<?x3x16x24xf32> {weir.name = "initial_state"})
    -> (tensor<?x?x3x24xf32> {weir.name = "o"},
        tensor<?x3x16x24xf32> {weir.name = "final_state"}) {
  %o, %state = weir.recurrence %q, %k, %v decay(%g : tensor<?x?x3xf32>)
      delta(%beta : tensor<?x?x3xf32>) init(%initial : tensor<?x3x16x24xf32>)
      scale(2.500000e-01) : tensor<?x?x3x16xf32>, tensor<?x?x3x16xf32>,
      tensor<?x?x3x24xf32> -> tensor<?x?x3x24xf32>, tensor<?x3x16x24xf32>
  return %o, %state : tensor<?x?x3x24xf32>, tensor<?x3x16x24xf32>
}
