// Lightning attention (arXiv:2405.17381): slopes that the caller gives.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

#h = affine_map<(h) -> (h)>

func.func @lightning_attn(
    %q: tensor<?x?x4x16xf32> {weir.name = "q"},
    %k: tensor<?x?x4x16xf32> {weir.name = "k"},
    %v: tensor<?x?x4x24xf32> {weir.name = "v"},
    %slopes: tensor<4xf32> {weir.name = "slopes"},
    %initial: tensor<?x4x16x24xf32> {weir.name = "initial_state"})
    -> (tensor<?x?x4x24xf32> {weir.name = "o"},
        tensor<?x4x16x24xf32> {weir.name = "final_state"}) {
  %e1 = tensor.empty() : tensor<4xf32>
  %decay = linalg.generic {
      indexing_maps = [#h, #h],
      iterator_types = ["parallel"]}
      ins(%slopes : tensor<4xf32>)
      outs(%e1 : tensor<4xf32>) {
  ^bb0(%slope: f32, %out: f32):
    %negative = arith.negf %slope : f32
    linalg.yield %negative : f32
  } -> tensor<4xf32>
  %o, %state = weir.recurrence %q, %k, %v decay(%decay : tensor<4xf32>)
      init(%initial : tensor<?x4x16x24xf32>) : tensor<?x?x4x16xf32>,
      tensor<?x?x4x16xf32>, tensor<?x?x4x24xf32> -> tensor<?x?x4x24xf32>,
      tensor<?x4x16x24xf32>
  return %o, %state : tensor<?x?x4x24xf32>, tensor<?x4x16x24xf32>
}
