// RUN: weir-opt %s | weir-opt | FileCheck %s

// CHECK-LABEL: func.func @conv
// CHECK: weir.causal_conv %{{[^ ]+}}, %{{[^ ]+}} : tensor<?x?x8xf32>, tensor<8x4xf32> -> tensor<?x?x8xf32>, tensor<?x3x8xf32>
func.func @conv(%x: tensor<?x?x8xf32>, %w: tensor<8x4xf32>)
    -> tensor<?x?x8xf32> {
  %y, %tail = weir.causal_conv %x, %w
      : tensor<?x?x8xf32>, tensor<8x4xf32>
        -> tensor<?x?x8xf32>, tensor<?x3x8xf32>
  return %y : tensor<?x?x8xf32>
}

// Batch and time become static one value after the other.
// CHECK-LABEL: func.func @conv_all_parts
// CHECK: weir.causal_conv
// CHECK-SAME: bias(%{{[^ ]+}} : tensor<8xf32>)
// CHECK-SAME: init(%{{[^ ]+}} : tensor<2x4x8xf32>)
// CHECK-SAME: lengths(%{{[^ ]+}} : tensor<?xi32>)
// CHECK-SAME: activation(silu)
// CHECK-SAME: tensor<?x1x8xf32>
func.func @conv_all_parts(%x: tensor<?x1x8xf32>, %w: tensor<8x4xf32>,
    %b: tensor<8xf32>, %i: tensor<2x4x8xf32>, %n: tensor<?xi32>)
    -> tensor<2x?x8xf32> {
  %y, %tail = weir.causal_conv %x, %w bias(%b : tensor<8xf32>)
      init(%i : tensor<2x4x8xf32>) lengths(%n : tensor<?xi32>)
      activation(silu)
      : tensor<?x1x8xf32>, tensor<8x4xf32>
        -> tensor<2x?x8xf32>, tensor<?x4x8xf32>
  return %y : tensor<2x?x8xf32>
}

// CHECK-LABEL: func.func @shift
// CHECK: weir.shift %{{[^ ]+}} : tensor<?x?x2x4xbf16> -> tensor<?x2x4xbf16>
func.func @shift(%x: tensor<?x?x2x4xbf16>) -> tensor<?x?x2x4xbf16> {
  %y, %last = weir.shift %x : tensor<?x?x2x4xbf16> -> tensor<?x2x4xbf16>
  return %y : tensor<?x?x2x4xbf16>
}

// CHECK-LABEL: func.func @shift_all_parts
// CHECK: weir.shift
// CHECK-SAME: init(%{{[^ ]+}} : tensor<3x8xf32>)
// CHECK-SAME: lengths(%{{[^ ]+}} : tensor<3xi32>)
// CHECK-SAME: tensor<?x5x8xf32> -> tensor<?x8xf32>
func.func @shift_all_parts(%x: tensor<?x5x8xf32>, %i: tensor<3x8xf32>,
                           %n: tensor<3xi32>) -> tensor<?x8xf32> {
  %y, %last = weir.shift %x init(%i : tensor<3x8xf32>)
      lengths(%n : tensor<3xi32>) : tensor<?x5x8xf32> -> tensor<?x8xf32>
  return %last : tensor<?x8xf32>
}
