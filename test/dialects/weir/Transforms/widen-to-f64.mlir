// RUN: weir-opt %s --weir-widen-to-f64 -split-input-file | FileCheck %s

weir.param @norm : tensor<4xf32> = #weir.checkpoint<"norm">
weir.param @head : tensor<5x4xf32> = #weir.checkpoint<"head">

// Arguments and vectors are extended, matrices are read as they are, results
// are rounded.
// CHECK-LABEL: func.func @public_edges_stay
// CHECK-SAME: (%[[X:.*]]: tensor<?x4xf32>) -> tensor<?x5xf32>
// CHECK: %[[WIDE:.*]] = linalg.generic {{.*}} ins(%[[X]] : tensor<?x4xf32>) {{.*}} tensor<?x4xf64>
// CHECK: arith.extf
// CHECK: %[[NORM:.*]] = weir.weight @norm : tensor<4xf32>
// CHECK: %[[SCALE:.*]] = linalg.generic {{.*}} ins(%[[NORM]] : tensor<4xf32>) {{.*}} tensor<4xf64>
// CHECK: %[[HEAD:.*]] = weir.weight @head : tensor<5x4xf32>
// CHECK: %[[Y:.*]] = weir.rms_norm %[[WIDE]] weight(%[[SCALE]] : tensor<4xf64>) {{.*}} : tensor<?x4xf64>
// CHECK: %[[Z:.*]] = weir.linear %[[Y]], %[[HEAD]] : tensor<?x4xf64>, tensor<5x4xf32> -> tensor<?x5xf64>
// CHECK: %[[OUT:.*]] = linalg.generic {{.*}} ins(%[[Z]] : tensor<?x5xf64>)
// CHECK: arith.truncf
// CHECK: return %[[OUT]] : tensor<?x5xf32>
func.func @public_edges_stay(%x: tensor<?x4xf32>) -> tensor<?x5xf32> {
  %norm = weir.weight @norm : tensor<4xf32>
  %head = weir.weight @head : tensor<5x4xf32>
  %y = weir.rms_norm %x weight(%norm : tensor<4xf32>) eps(1.0e-5)
      : tensor<?x4xf32>
  %z = weir.linear %y, %head
      : tensor<?x4xf32>, tensor<5x4xf32> -> tensor<?x5xf32>
  return %z : tensor<?x5xf32>
}

// -----

// CHECK: weir.slot @carry carry : tensor<?x4xf64>
weir.slot @carry carry : tensor<?x4xf32>

// CHECK-LABEL: func.func @state_widens
// CHECK-SAME: (%[[S:.*]]: tensor<?x4xf64> {weir.slot = @carry}) -> (tensor<?x4xf64> {weir.slot = @carry})
// CHECK-NEXT: return %[[S]] : tensor<?x4xf64>
func.func @state_widens(%s: tensor<?x4xf32> {weir.slot = @carry})
    -> (tensor<?x4xf32> {weir.slot = @carry}) {
  return %s : tensor<?x4xf32>
}

// -----

// CHECK-LABEL: func.func private @private_functions_widen
// CHECK-SAME: (%[[X:.*]]: f64) -> f64
// CHECK: %[[C:.*]] = arith.constant 5.000000e-01 : f64
// CHECK: %[[Y:.*]] = arith.addf %[[X]], %[[C]] : f64
// CHECK-NEXT: return %[[Y]] : f64
func.func private @private_functions_widen(%x: f32) -> f32 {
  %c = arith.constant 0.5 : f32
  %w = arith.extf %x : f32 to f64
  %n = arith.truncf %w : f64 to f32
  %y = arith.addf %n, %c : f32
  return %y : f32
}

// -----

// Other types keep their width.
// CHECK-LABEL: func.func @halves_stay
// CHECK-SAME: (%[[X:.*]]: tensor<4xbf16>) -> tensor<4xbf16>
// CHECK-NEXT: return %[[X]]
func.func @halves_stay(%x: tensor<4xbf16>) -> tensor<4xbf16> {
  return %x : tensor<4xbf16>
}

// -----

// A decode loop over a public function gets its f32 logits and widens them.

// CHECK-LABEL: func.func @public_model
// CHECK-SAME: -> tensor<?x?x8xf32>
func.func @public_model(%ids: tensor<?x?xi32>,
                        %n: tensor<?xi32> {weir.role = "lengths"})
    -> tensor<?x?x8xf32> attributes {weir.method = "forward"} {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %ids, %c0 : tensor<?x?xi32>
  %t = tensor.dim %ids, %c1 : tensor<?x?xi32>
  %empty = tensor.empty(%b, %t) : tensor<?x?x8xf32>
  %0 = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x?x8xf32>)
      -> tensor<?x?x8xf32>
  return %0 : tensor<?x?x8xf32>
}

// CHECK-LABEL: func.func @loop
// CHECK: weir.generate @public_model
// CHECK-NEXT: ^bb0(%[[LOGITS:[^:]+]]: tensor<?x8xf32>, %{{.*}}: index):
// CHECK: %[[WIDE:.*]] = linalg.generic {{.*}} ins(%[[LOGITS]] : tensor<?x8xf32>)
// CHECK: weir.sample %[[WIDE]] : tensor<?x8xf64>
func.func @loop(%ids: tensor<?x?xi32>, %n: tensor<?xi32>) -> tensor<?x?xi32> {
  %tokens, %counts = weir.generate @public_model(%ids, %n) new(5) choose {
  ^bb0(%logits: tensor<?x8xf32>, %round: index):
    %next = weir.sample %logits : tensor<?x8xf32> -> tensor<?xi32>
    weir.yield %next : tensor<?xi32>
  } : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
  return %tokens : tensor<?x?xi32>
}
