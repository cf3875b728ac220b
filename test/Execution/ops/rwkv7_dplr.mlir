// RWKV-7 (arXiv:2503.14456): a diagonal and a rank one, both on the previous
// state.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}2 passed, 0 failed

func.func @rwkv7_dplr(
    %q: tensor<?x?x3x16xf32> {weir.name = "q"},
    %k: tensor<?x?x3x16xf32> {weir.name = "k"},
    %v: tensor<?x?x3x24xf32> {weir.name = "v"},
    %gk: tensor<?x?x3x16xf32> {weir.name = "gk"},
    %a: tensor<?x?x3x16xf32> {weir.name = "a"},
    %b: tensor<?x?x3x16xf32> {weir.name = "b"})
    -> (tensor<?x?x3x24xf32> {weir.name = "o"},
        tensor<?x3x16x24xf32> {weir.name = "final_state"}) {
  %o, %state = weir.recurrence %q, %k, %v decay(%gk : tensor<?x?x3x16xf32>)
      read_key(%a : tensor<?x?x3x16xf32>) write_key(%b : tensor<?x?x3x16xf32>)
      scale(2.500000e-01) reads(previous) : tensor<?x?x3x16xf32>,
      tensor<?x?x3x16xf32>, tensor<?x?x3x24xf32> -> tensor<?x?x3x24xf32>,
      tensor<?x3x16x24xf32>
  return %o, %state : tensor<?x?x3x24xf32>, tensor<?x3x16x24xf32>
}

func.func @rwkv7_dplr_init(
    %q: tensor<?x?x3x16xf32> {weir.name = "q"},
    %k: tensor<?x?x3x16xf32> {weir.name = "k"},
    %v: tensor<?x?x3x24xf32> {weir.name = "v"},
    %gk: tensor<?x?x3x16xf32> {weir.name = "gk"},
    %a: tensor<?x?x3x16xf32> {weir.name = "a"},
    %b: tensor<?x?x3x16xf32> {weir.name = "b"},
    %initial: tensor<?x3x16x24xf32> {weir.name = "initial_state"})
    -> (tensor<?x?x3x24xf32> {weir.name = "o"},
        tensor<?x3x16x24xf32> {weir.name = "final_state"}) {
  %o, %state = weir.recurrence %q, %k, %v decay(%gk : tensor<?x?x3x16xf32>)
      read_key(%a : tensor<?x?x3x16xf32>) write_key(%b : tensor<?x?x3x16xf32>)
      init(%initial : tensor<?x3x16x24xf32>) scale(2.500000e-01) reads(previous)
      : tensor<?x?x3x16xf32>, tensor<?x?x3x16xf32>, tensor<?x?x3x24xf32>
      -> tensor<?x?x3x24xf32>, tensor<?x3x16x24xf32>
  return %o, %state : tensor<?x?x3x24xf32>, tensor<?x3x16x24xf32>
}
