// RWKV-6 (arXiv:2404.05892): reads the state before the update, with a bonus
// for the token itself.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}2 passed, 0 failed

func.func @rwkv6(
    %r: tensor<?x?x3x16xf32> {weir.name = "r"},
    %k: tensor<?x?x3x16xf32> {weir.name = "k"},
    %v: tensor<?x?x3x24xf32> {weir.name = "v"},
    %w: tensor<?x?x3x16xf32> {weir.name = "w"},
    %u: tensor<3x16xf32> {weir.name = "u"})
    -> (tensor<?x?x3x24xf32> {weir.name = "o"},
        tensor<?x3x16x24xf32> {weir.name = "final_state"}) {
  %o, %state = weir.recurrence %r, %k, %v decay(%w : tensor<?x?x3x16xf32>)
      bonus(%u : tensor<3x16xf32>) scale(2.500000e-01) : tensor<?x?x3x16xf32>,
      tensor<?x?x3x16xf32>, tensor<?x?x3x24xf32> -> tensor<?x?x3x24xf32>,
      tensor<?x3x16x24xf32>
  return %o, %state : tensor<?x?x3x24xf32>, tensor<?x3x16x24xf32>
}

func.func @rwkv6_init(
    %r: tensor<?x?x3x16xf32> {weir.name = "r"},
    %k: tensor<?x?x3x16xf32> {weir.name = "k"},
    %v: tensor<?x?x3x24xf32> {weir.name = "v"},
    %w: tensor<?x?x3x16xf32> {weir.name = "w"},
    %u: tensor<3x16xf32> {weir.name = "u"},
    %initial: tensor<?x3x16x24xf32> {weir.name = "initial_state"})
    -> (tensor<?x?x3x24xf32> {weir.name = "o"},
        tensor<?x3x16x24xf32> {weir.name = "final_state"}) {
  %o, %state = weir.recurrence %r, %k, %v decay(%w : tensor<?x?x3x16xf32>)
      bonus(%u : tensor<3x16xf32>) init(%initial : tensor<?x3x16x24xf32>)
      scale(2.500000e-01) : tensor<?x?x3x16xf32>, tensor<?x?x3x16xf32>,
      tensor<?x?x3x24xf32> -> tensor<?x?x3x24xf32>, tensor<?x3x16x24xf32>
  return %o, %state : tensor<?x?x3x24xf32>, tensor<?x3x16x24xf32>
}
