// RUN: weir-opt %s --weir-keep-partial-writes | FileCheck %s
// RUN: weir-opt %s --weir-keep-partial-writes \
// RUN:   -one-shot-bufferize=bufferize-function-boundaries \
// RUN:   | FileCheck %s --check-prefix=BUFFERS

// A row of a tensor that is not ours to write: the others are still read.
// CHECK-LABEL: func.func @row
// CHECK: %[[I:.*]] = arith.addi %[[ZERO:.*]], %[[ZERO]]
// CHECK: vector.transfer_write %{{.*}}, %{{.*}}[%[[I]], %[[ZERO]]]
// BUFFERS-LABEL: func.func @row
// BUFFERS: %[[COPY:.*]] = memref.alloc
// BUFFERS: memref.copy %{{.*}}, %[[COPY]]
// BUFFERS: vector.transfer_write %{{.*}}, %[[COPY]]
// BUFFERS: vector.transfer_read %[[COPY]]
func.func @row(%t: tensor<7x8xf32> {bufferization.writable = false},
               %v: vector<8xf32>) -> vector<8xf32> {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  %p = arith.constant 0.0 : f32
  %0 = vector.transfer_write %v, %t[%c0, %c0] {in_bounds = [true]}
      : vector<8xf32>, tensor<7x8xf32>
  %1 = vector.transfer_read %0[%c4, %c0], %p {in_bounds = [true]}
      : tensor<7x8xf32>, vector<8xf32>
  return %1 : vector<8xf32>
}

// What writes all, or not at the origin, is told apart already.
// CHECK-LABEL: func.func @others
// CHECK-NOT: arith.addi
// CHECK: return
func.func @others(%t: tensor<7x8xf32>, %u: tensor<8xf32>, %v: vector<8xf32>)
    -> (tensor<7x8xf32>, tensor<8xf32>) {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  %0 = vector.transfer_write %v, %t[%c4, %c0] {in_bounds = [true]}
      : vector<8xf32>, tensor<7x8xf32>
  %1 = vector.transfer_write %v, %u[%c0] {in_bounds = [true]}
      : vector<8xf32>, tensor<8xf32>
  return %0, %1 : tensor<7x8xf32>, tensor<8xf32>
}
