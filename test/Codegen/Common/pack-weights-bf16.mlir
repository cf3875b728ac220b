// RUN: weir-opt %s --weir-pack-weights="panel=4 compute=bf16" | FileCheck %s
// RUN: weir-opt %s --weir-pack-weights="panel=4 compute=bf16 quantize=int8 group=8" \
// RUN:   | FileCheck %s --check-prefix=INT8

// Weights stored as bf16 are packed in pairs, and inputs are rounded.
// CHECK: weir.param @even_pairs : tensor<2x4x4x2xbf16> = #weir.pack<@even, pairs, panel = 4, bits = 16, group = 32>
// Quantised weights are not, whatever products of floats are computed in.
// INT8: weir.param @even_quants
// INT8-NOT: _pairs
weir.param @even : tensor<8x8xbf16> = #weir.checkpoint<"even">
// An odd number of input features is multiplied in f32.
// CHECK: weir.param @odd_values : tensor<2x7x4xbf16>
weir.param @odd : tensor<8x7xbf16> = #weir.checkpoint<"odd">
// So are other weights: they are not rounded.
// CHECK: weir.param @float_values : tensor<2x8x4xf32>
weir.param @float : tensor<8x8xf32> = #weir.checkpoint<"float">

// CHECK-LABEL: func.func @products
// CHECK: arith.truncf %{{.*}} : f32 to bf16
// CHECK: weir.packed_linear %{{.*}}, %{{.*}} bits(16) group(32) : tensor<?x8xbf16>, tensor<2x4x4x2xbf16> -> tensor<?x8xf32>
// CHECK: weir.packed_linear {{.*}} : tensor<?x7xf32>, tensor<2x7x4xbf16>
// CHECK: weir.packed_linear {{.*}} : tensor<?x8xf32>, tensor<2x8x4xf32>
func.func @products(%x: tensor<?x8xf32>, %z: tensor<?x7xf32>)
    -> (tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>) {
  %even = weir.weight @even : tensor<8x8xbf16>
  %odd = weir.weight @odd : tensor<8x7xbf16>
  %float = weir.weight @float : tensor<8x8xf32>
  %0 = weir.linear %x, %even
      : tensor<?x8xf32>, tensor<8x8xbf16> -> tensor<?x8xf32>
  %1 = weir.linear %z, %odd
      : tensor<?x7xf32>, tensor<8x7xbf16> -> tensor<?x8xf32>
  %2 = weir.linear %x, %float
      : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  return %0, %1, %2 : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>
}
