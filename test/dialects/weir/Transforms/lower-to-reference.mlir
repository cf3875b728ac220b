// RUN: weir-opt %s --weir-lower-to-reference | FileCheck %s

// What the definitions compute is tested in Execution/interpret; here, that
// nothing but parameters is left, and what loops look like.

// CHECK: weir.param @w
weir.param @w : tensor<5x4xf32> = #weir.checkpoint<"w">
// CHECK: weir.slot @s
weir.slot @s history : tensor<?x?x4xf32>

// CHECK-LABEL: func.func @weights_stay
// CHECK-SAME: (%[[X:.*]]: tensor<?x4xf32>)
// CHECK: %[[W:.*]] = weir.weight @w
// CHECK: %[[ROWS:.*]] = tensor.dim %[[X]], %{{.*}}
// CHECK: %[[INIT:.*]] = tensor.empty(%[[ROWS]]) : tensor<?x5xf32>
// CHECK: %[[ZERO:.*]] = linalg.fill {{.*}} outs(%[[INIT]]
// CHECK: linalg.generic {{.*}} ins(%[[X]], %[[W]] : {{.*}} outs(%[[ZERO]]
// CHECK: arith.mulf
// CHECK: arith.addf
// CHECK-NOT: weir.linear
func.func @weights_stay(%x: tensor<?x4xf32>) -> tensor<?x5xf32> {
  %w = weir.weight @w : tensor<5x4xf32>
  %y = weir.linear %x, %w
      : tensor<?x4xf32>, tensor<5x4xf32> -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}

// The index of a layer within its kind counts up as its kind runs.
// CHECK-LABEL: func.func @layers_become_a_loop
// CHECK: scf.for
// CHECK: scf.index_switch
// CHECK-NOT: weir.stack
// CHECK-NOT: weir.rms_norm
// CHECK: return
func.func @layers_become_a_loop(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %y = weir.stack(%x) order [0, 1, 0] : tensor<?x4xf32> {
  ^bb0(%layer: index, %a: tensor<?x4xf32>):
    weir.yield %a : tensor<?x4xf32>
  }, {
  ^bb0(%layer: index, %a: tensor<?x4xf32>):
    %b = weir.rms_norm %a eps(1.0e-5) : tensor<?x4xf32>
    weir.yield %b : tensor<?x4xf32>
  }
  return %y : tensor<?x4xf32>
}

// Sums of 16-bit floats are f32.
// CHECK-LABEL: func.func @sums_are_wide
// CHECK: linalg.fill {{.*}} : tensor<?x5xf32>
// CHECK: arith.extf
// CHECK: arith.truncf %{{.*}} : f32 to bf16
func.func @sums_are_wide(%x: tensor<?x4xbf16>, %w: tensor<5x4xbf16>)
    -> tensor<?x5xbf16> {
  %y = weir.linear %x, %w
      : tensor<?x4xbf16>, tensor<5x4xbf16> -> tensor<?x5xbf16>
  return %y : tensor<?x5xbf16>
}
