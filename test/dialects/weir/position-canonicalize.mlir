// RUN: weir-opt %s -canonicalize | FileCheck %s

// CHECK-LABEL: func.func @positions_zero_offset
// CHECK: weir.positions %{{[^ ]+}} : tensor<2x?xi32>
// CHECK: weir.positions %{{[^ ]+}} offset(
func.func @positions_zero_offset(%x: tensor<2x?xi32>)
    -> (tensor<2x?xi32>, tensor<2x?xi32>) {
  %zero = arith.constant dense<0> : tensor<2xi32>
  %some = arith.constant dense<[0, 1]> : tensor<2xi32>
  %0 = weir.positions %x offset(%zero : tensor<2xi32>)
      : tensor<2x?xi32> -> tensor<2x?xi32>
  %1 = weir.positions %x offset(%some : tensor<2xi32>)
      : tensor<2x?xi32> -> tensor<2x?xi32>
  return %0, %1 : tensor<2x?xi32>, tensor<2x?xi32>
}

// Without frequencies nothing rotates. Frequencies of zero rotate by nothing,
// but of an infinite feature they make no number.
// CHECK-LABEL: func.func @rotary_no_frequencies
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x?x2x4xf32>
// CHECK: %[[Y:.*]] = weir.rotary
// CHECK: return %[[X]], %[[Y]]
func.func @rotary_no_frequencies(%x: tensor<?x?x2x4xf32>, %p: tensor<?x?xi32>)
    -> (tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>) {
  %none = arith.constant dense<> : tensor<0xf32>
  %zero = arith.constant dense<0.0> : tensor<2xf32>
  %0 = weir.rotary %x, %p, %none layout(half) scale(2.0)
      : tensor<?x?x2x4xf32>, tensor<?x?xi32>, tensor<0xf32>
  %1 = weir.rotary %x, %p, %zero layout(half)
      : tensor<?x?x2x4xf32>, tensor<?x?xi32>, tensor<2xf32>
  return %0, %1 : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
}
