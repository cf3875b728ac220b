// RUN: weir-opt %s --weir-quantize-activations | FileCheck %s

// Two products that read the same share its quants; float weights keep floats.
// CHECK-LABEL: func.func @shared_input
// CHECK-SAME: (%[[X:[^:]*]]: tensor<1x?x64xf32>
// CHECK: %[[Q:.*]], %[[S:.*]], %[[T:.*]] = weir.quantize %[[X]] group(32)
// CHECK-NOT: weir.quantize
// CHECK: weir.packed_linear %[[Q]], {{.*}} input_scales(%[[S]] : tensor<1x?x2xf32>) input_sums(%[[T]] : tensor<1x?x2xi32>)
// CHECK: weir.packed_linear %[[Q]]
// CHECK: weir.packed_linear %[[X]]
func.func @shared_input(
    %x: tensor<1x?x64xf32>, %w: tensor<1x8x32x4xi8>, %s: tensor<1x2x32xf16>,
    %f: tensor<1x64x32xf32>)
    -> (tensor<1x?x32xf32>, tensor<1x?x32xf32>, tensor<1x?x32xf32>) {
  %0 = weir.packed_linear %x, %w scales(%s : tensor<1x2x32xf16>)
      bits(4) group(32)
      : tensor<1x?x64xf32>, tensor<1x8x32x4xi8> -> tensor<1x?x32xf32>
  %1 = weir.packed_linear %x, %w scales(%s : tensor<1x2x32xf16>)
      bits(4) group(32)
      : tensor<1x?x64xf32>, tensor<1x8x32x4xi8> -> tensor<1x?x32xf32>
  %2 = weir.packed_linear %x, %f bits(32) group(32)
      : tensor<1x?x64xf32>, tensor<1x64x32xf32> -> tensor<1x?x32xf32>
  return %0, %1, %2
      : tensor<1x?x32xf32>, tensor<1x?x32xf32>, tensor<1x?x32xf32>
}
