// RUN: weir-opt %s --weir-hoist-invariants | FileCheck %s

// What depends on the layer or on what it carries stays.
// CHECK-LABEL: func.func @stack
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[C:.*]]: tensor<4xf32>)
// CHECK: %[[D:.*]] = arith.addf %[[C]], %[[C]]
// CHECK: %[[E:.*]] = arith.mulf %[[D]], %[[C]]
// CHECK: weir.stack
// CHECK: ^bb0(%{{.*}}: index, %[[H:.*]]: tensor<4xf32>):
// CHECK: arith.mulf %[[H]], %[[E]]
func.func @stack(%x: tensor<4xf32>, %c: tensor<4xf32>) -> tensor<4xf32> {
  %y = weir.stack (%x) order [0, 0] : tensor<4xf32> {
  ^bb0(%layer: index, %h: tensor<4xf32>):
    %d = arith.addf %c, %c : tensor<4xf32>
    %e = arith.mulf %d, %c : tensor<4xf32>
    %z = arith.mulf %h, %e : tensor<4xf32>
    weir.yield %z : tensor<4xf32>
  }
  return %y : tensor<4xf32>
}
