// A short convolution with bias and SiLU, whose state is four tokens, features
// first.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

#bdw = affine_map<(b, w, d) -> (b, d, w)>
#bwd = affine_map<(b, w, d) -> (b, w, d)>
#bwd_of_bdw = affine_map<(b, d, w) -> (b, w, d)>
#bdw_of_bdw = affine_map<(b, d, w) -> (b, d, w)>

func.func @causal_conv1d_silu(
    %x: tensor<?x?x24xf32> {weir.name = "x"},
    %weight: tensor<24x4xf32> {weir.name = "weight"},
    %bias: tensor<24xf32> {weir.name = "bias"},
    %initial: tensor<?x24x4xf32> {weir.name = "initial_state"})
    -> (tensor<?x?x24xf32> {weir.name = "y"},
        tensor<?x24x4xf32> {weir.name = "final_state"}) {
  %c0 = arith.constant 0 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x24xf32>
  %e1 = tensor.empty(%b) : tensor<?x4x24xf32>
  %before = linalg.generic {
      indexing_maps = [#bdw, #bwd],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%initial : tensor<?x24x4xf32>)
      outs(%e1 : tensor<?x4x24xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<?x4x24xf32>
  %y, %tail = weir.causal_conv %x, %weight bias(%bias : tensor<24xf32>)
      init(%before : tensor<?x4x24xf32>) activation(silu) : tensor<?x?x24xf32>,
      tensor<24x4xf32> -> tensor<?x?x24xf32>, tensor<?x4x24xf32>
  %e2 = tensor.empty(%b) : tensor<?x24x4xf32>
  %last = linalg.generic {
      indexing_maps = [#bwd_of_bdw, #bdw_of_bdw],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%tail : tensor<?x4x24xf32>)
      outs(%e2 : tensor<?x24x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<?x24x4xf32>
  return %y, %last : tensor<?x?x24xf32>, tensor<?x24x4xf32>
}
