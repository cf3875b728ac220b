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

// A convolution is a sum over slices, the first tokens apart; the input is not
// copied.
// CHECK-LABEL: func.func @convolution
// CHECK-SAME: (%[[X:[^:]*]]: tensor<?x?x8xf32>
// CHECK: %[[EARLY:.*]] = arith.minsi
// CHECK: %[[REST:.*]] = arith.subi %{{.*}}, %[[EARLY]]
// CHECK: %[[WINDOW:.*]] = tensor.insert_slice %{{.*}} into %{{.*}} : tensor<?x?x8xf32> into tensor<?x4x8xf32>
// CHECK: linalg.generic {{.*}} tensor<8xf32>
// CHECK: tensor.extract_slice %[[X]][0, 0, 0] [%{{.*}}, %[[REST]], 8]
// CHECK: tensor.extract_slice %[[X]][0, 1, 0] [%{{.*}}, %[[REST]], 8]
// CHECK: tensor.extract_slice %[[X]][0, 2, 0] [%{{.*}}, %[[REST]], 8]
// CHECK: linalg.generic
// CHECK-NOT: tensor.insert_slice %[[X]]
func.func @convolution(%x: tensor<?x?x8xf32>, %w: tensor<8x3xf32>)
    -> tensor<?x?x8xf32> {
  %y, %tail = weir.causal_conv %x, %w
      : tensor<?x?x8xf32>, tensor<8x3xf32>
        -> tensor<?x?x8xf32>, tensor<?x2x8xf32>
  return %y : tensor<?x?x8xf32>
}

// One token reads the window alone.
// CHECK-LABEL: func.func @convolution_of_a_token
// CHECK: tensor.insert_slice %{{.*}} : tensor<1x1x8xf32> into tensor<1x3x8xf32>
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel", "parallel"]
// CHECK-NOT: iterator_types = ["parallel", "parallel", "parallel"]
func.func @convolution_of_a_token(%x: tensor<1x1x8xf32>, %w: tensor<8x3xf32>,
                                  %i: tensor<1x2x8xf32>) -> tensor<1x1x8xf32> {
  %y, %tail = weir.causal_conv %x, %w init(%i : tensor<1x2x8xf32>)
      : tensor<1x1x8xf32>, tensor<8x3xf32>
        -> tensor<1x1x8xf32>, tensor<1x2x8xf32>
  return %y : tensor<1x1x8xf32>
}

// CHECK-LABEL: func.func @shift
// CHECK-NOT: weir.shift
// CHECK: tensor.insert_slice {{.*}} : tensor<?x?x8xf32> into tensor<?x?x8xf32>
func.func @shift(%x: tensor<?x?x8xf32>) -> tensor<?x?x8xf32> {
  %y, %last = weir.shift %x : tensor<?x?x8xf32> -> tensor<?x8xf32>
  return %y : tensor<?x?x8xf32>
}
