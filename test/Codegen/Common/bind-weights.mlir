// RUN: weir-opt %s --weir-bind-weights -split-input-file | FileCheck %s

// Offsets are multiples of 64 bytes, in the order of declaration; what nobody
// reads has none.

// CHECK: module attributes {weir.weights_bytes = 192 : i64}
// CHECK: weir.param @first {{.*}} {offset = 0 : i64}
weir.param @first : tensor<5xf32> = #weir.checkpoint<"first">
// CHECK: weir.param @unread : tensor<100xf32> = #weir.checkpoint<"unread">{{$}}
weir.param @unread : tensor<100xf32> = #weir.checkpoint<"unread">
// CHECK: weir.param @layers {{.*}} {offset = 64 : i64}
weir.param @layers : tensor<3x8xf32> = #weir.checkpoint<"l.*", [0, 1, 2]>

// CHECK-LABEL: func.func @whole_weight
// CHECK-SAME: (%[[FILE:.*]]: memref<?xi8> {weir.role = "weights"})
// CHECK: %[[AT:.*]] = arith.constant 0 : index
// CHECK: %[[VIEW:.*]] = memref.view %[[FILE]][%[[AT]]][] : memref<?xi8> to memref<5xf32>
// CHECK: %[[W:.*]] = bufferization.to_tensor %[[VIEW]] restrict : memref<5xf32> to tensor<5xf32>
// CHECK: return %[[W]]
func.func @whole_weight() -> tensor<5xf32> {
  %0 = weir.weight @first : tensor<5xf32>
  return %0 : tensor<5xf32>
}

// CHECK-LABEL: func.func @one_layer
// CHECK-SAME: (%[[L:.*]]: index, %[[FILE:.*]]: memref<?xi8> {weir.role = "weights"})
// CHECK-DAG: %[[AT:.*]] = arith.constant 64 : index
// CHECK-DAG: %[[BYTES:.*]] = arith.constant 32 : index
// CHECK: %[[START:.*]] = arith.muli %[[L]], %[[BYTES]]
// CHECK: %[[SHIFT:.*]] = arith.addi %[[AT]], %[[START]]
// CHECK: memref.view %[[FILE]][%[[SHIFT]]][] : memref<?xi8> to memref<8xf32>
func.func @one_layer(%l: index) -> tensor<8xf32> {
  %0 = weir.weight @layers[%l] : tensor<8xf32>
  return %0 : tensor<8xf32>
}

// Every public function takes the file, whether it reads or not.
// CHECK-LABEL: func.func @without_weights
// CHECK-SAME: (%{{.*}}: memref<?xi8> {weir.role = "weights"})
func.func @without_weights() {
  return
}

// CHECK: func.func private @outside(index)
func.func private @outside(index)
// CHECK: func.func private @helper() {
func.func private @helper() {
  return
}

// -----

// CHECK: module attributes {weir.weights_bytes = 0 : i64}
module {
}
