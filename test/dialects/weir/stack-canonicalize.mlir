// RUN: weir-opt %s -canonicalize | FileCheck %s

// CHECK-LABEL: func.func @no_layers
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x4xf32>
// CHECK-NEXT: return %[[X]]
func.func @no_layers(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = "weir.stack"(%x) <{order = array<i32>}>
      : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

weir.param @w : tensor<1x4xf32> = #weir.checkpoint<"w.*", [0]>

// CHECK-LABEL: func.func @one_layer
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x4xf32>
// CHECK: %[[ZERO:.*]] = arith.constant 0 : index
// CHECK: %[[W:.*]] = weir.weight @w[%[[ZERO]]]
// CHECK: %[[Y:.*]] = weir.rms_norm %[[X]] weight(%[[W]]
// CHECK: return %[[Y]]
func.func @one_layer(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = weir.stack(%x) order [0] : tensor<?x4xf32> {
  ^bb0(%layer: index, %a: tensor<?x4xf32>):
    %w = weir.weight @w[%layer] : tensor<4xf32>
    %b = weir.rms_norm %a weight(%w : tensor<4xf32>) eps(1.0e-5)
        : tensor<?x4xf32>
    weir.yield %b : tensor<?x4xf32>
  }
  return %0 : tensor<?x4xf32>
}

// What every kind hands through comes from outside.

// CHECK-LABEL: func.func @unchanged
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x4xf32>, %[[S:[^:]+]]: tensor<?x4xf32>
// CHECK: %[[Y:.*]] = weir.stack(%[[X]]) order [0, 1, 0] : tensor<?x4xf32> {
// CHECK-NEXT: ^bb0(%{{[^:]+}}: index, %[[A:[^:]+]]: tensor<?x4xf32>):
// CHECK: arith.addf %[[A]], %[[S]]
// CHECK: return %[[Y]], %[[S]]
func.func @unchanged(%x: tensor<?x4xf32>, %s: tensor<?x4xf32>)
    -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  %0:2 = weir.stack(%x, %s) order [0, 1, 0]
      : tensor<?x4xf32>, tensor<?x4xf32> {
  ^bb0(%layer: index, %a: tensor<?x4xf32>, %b: tensor<?x4xf32>):
    %c = arith.addf %a, %b : tensor<?x4xf32>
    weir.yield %c, %b : tensor<?x4xf32>, tensor<?x4xf32>
  }, {
  ^bb0(%layer: index, %a: tensor<?x4xf32>, %b: tensor<?x4xf32>):
    %c = weir.rms_norm %a eps(1.0e-5) : tensor<?x4xf32>
    weir.yield %c, %b : tensor<?x4xf32>, tensor<?x4xf32>
  }
  return %0#0, %0#1 : tensor<?x4xf32>, tensor<?x4xf32>
}

// What one kind changes is carried.

// CHECK-LABEL: func.func @changed_by_one_kind
// CHECK: weir.stack(%{{.*}}, %{{.*}}) order [0, 1, 0]
func.func @changed_by_one_kind(%x: tensor<?x4xf32>, %s: tensor<?x4xf32>)
    -> tensor<?x4xf32> {
  %0:2 = weir.stack(%x, %s) order [0, 1, 0]
      : tensor<?x4xf32>, tensor<?x4xf32> {
  ^bb0(%layer: index, %a: tensor<?x4xf32>, %b: tensor<?x4xf32>):
    %c = arith.addf %a, %b : tensor<?x4xf32>
    weir.yield %c, %b : tensor<?x4xf32>, tensor<?x4xf32>
  }, {
  ^bb0(%layer: index, %a: tensor<?x4xf32>, %b: tensor<?x4xf32>):
    weir.yield %b, %a : tensor<?x4xf32>, tensor<?x4xf32>
  }
  return %0#0 : tensor<?x4xf32>
}

// Nobody reads the second value, in no layer and behind none.

// CHECK-LABEL: func.func @unused
// CHECK-SAME: %[[X:[^:]+]]: tensor<?x4xf32>,
// CHECK: weir.stack(%[[X]]) order [0, 0]
func.func @unused(%x: tensor<?x4xf32>, %s: tensor<?x4xf32>)
    -> tensor<?x4xf32> {
  %0:2 = weir.stack(%x, %s) order [0, 0]
      : tensor<?x4xf32>, tensor<?x4xf32> {
  ^bb0(%layer: index, %a: tensor<?x4xf32>, %b: tensor<?x4xf32>):
    %c = arith.addf %a, %a : tensor<?x4xf32>
    weir.yield %c, %a : tensor<?x4xf32>, tensor<?x4xf32>
  }
  return %0#0 : tensor<?x4xf32>
}
