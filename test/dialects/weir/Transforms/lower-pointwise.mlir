// RUN: weir-opt %s --weir-lower-pointwise | FileCheck %s

// The features of pairs are two slices.
// CHECK-LABEL: func.func @rotary_half
// CHECK-SAME: (%[[X:[^:]*]]: tensor<?x?x2x8xf32>
// CHECK: %[[A:.*]] = tensor.extract_slice %[[X]][0, 0, 0, 0] [%{{.*}}, %{{.*}}, 2, 3] [1, 1, 1, 1]
// CHECK: %[[B:.*]] = tensor.extract_slice %[[X]][0, 0, 0, 3] [%{{.*}}, %{{.*}}, 2, 3] [1, 1, 1, 1]
// CHECK: linalg.generic {{.*}} ins(%[[A]], %[[B]],
// Two features pass through.
// CHECK: tensor.extract_slice %[[X]][0, 0, 0, 6] [%{{.*}}, %{{.*}}, 2, 2] [1, 1, 1, 1]
func.func @rotary_half(%x: tensor<?x?x2x8xf32>, %p: tensor<?x?xi32>,
                       %f: tensor<3xf32>) -> tensor<?x?x2x8xf32> {
  %y = weir.rotary %x, %p, %f layout(half)
      : tensor<?x?x2x8xf32>, tensor<?x?xi32>, tensor<3xf32>
  return %y : tensor<?x?x2x8xf32>
}

// CHECK-LABEL: func.func @rotary_interleaved
// CHECK: tensor.extract_slice {{.*}}[0, 0, 0, 0] [%{{.*}}, %{{.*}}, 2, 4] [1, 1, 1, 2]
// CHECK: tensor.extract_slice {{.*}}[0, 0, 0, 1] [%{{.*}}, %{{.*}}, 2, 4] [1, 1, 1, 2]
func.func @rotary_interleaved(%x: tensor<?x?x2x8xf32>, %p: tensor<?x?xi32>,
                              %f: tensor<4xf32>) -> tensor<?x?x2x8xf32> {
  %y = weir.rotary %x, %p, %f layout(interleaved)
      : tensor<?x?x2x8xf32>, tensor<?x?xi32>, tensor<4xf32>
  return %y : tensor<?x?x2x8xf32>
}

// Ops that are tiled as they are, and those that look across time, stay.
// CHECK-LABEL: func.func @others
// CHECK: weir.quantize
// CHECK: weir.attention
// CHECK-NOT: weir.rms_norm
func.func @others(%x: tensor<?x?x64xf32>, %q: tensor<?x?x2x8xf32>)
    -> (tensor<?x?x64xi8>, tensor<?x?x2x8xf32>) {
  %n = weir.rms_norm %x eps(1.0e-5) : tensor<?x?x64xf32>
  %quants, %scales, %sums = weir.quantize %n group(32)
      : tensor<?x?x64xf32> -> tensor<?x?x64xi8>, tensor<?x?x2xf32>,
        tensor<?x?x2xi32>
  %o = weir.attention %q, %q, %q mask(<causal>) scale(1.0)
      : tensor<?x?x2x8xf32>, tensor<?x?x2x8xf32>, tensor<?x?x2x8xf32>
        -> tensor<?x?x2x8xf32>
  return %quants, %o : tensor<?x?x64xi8>, tensor<?x?x2x8xf32>
}
