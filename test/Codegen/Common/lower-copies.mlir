// RUN: weir-opt %s --weir-lower-copies | FileCheck %s

// CHECK-LABEL: func.func @contiguous_stays
// CHECK: memref.copy
func.func @contiguous_stays(%a: memref<4x8xf32>, %b: memref<4x8xf32>) {
  memref.copy %a, %b : memref<4x8xf32> to memref<4x8xf32>
  return
}

// CHECK-LABEL: func.func @strided_source
// CHECK-SAME: (%[[A:.*]]: memref<4x8xf32, strided<[16, 1]>>, %[[B:.*]]: memref<4x8xf32>)
// CHECK: scf.for %[[I:.*]] =
// CHECK-NEXT: %[[ROW:.*]] = vector.load %[[A]][%[[I]], %{{.*}}] : memref<4x8xf32, strided<[16, 1]>>, vector<8xf32>
// CHECK-NEXT: vector.store %[[ROW]], %[[B]][%[[I]], %{{.*}}] : memref<4x8xf32>, vector<8xf32>
// CHECK-NOT: memref.copy
func.func @strided_source(%a: memref<4x8xf32, strided<[16, 1]>>,
                          %b: memref<4x8xf32>) {
  memref.copy %a, %b
      : memref<4x8xf32, strided<[16, 1]>> to memref<4x8xf32>
  return
}

// CHECK-LABEL: func.func @strided_target
// CHECK: vector.store
// CHECK-NOT: memref.copy
func.func @strided_target(%a: memref<4x8xf32>,
                          %b: memref<4x8xf32, strided<[16, 1], offset: ?>>) {
  memref.copy %a, %b
      : memref<4x8xf32> to memref<4x8xf32, strided<[16, 1], offset: ?>>
  return
}

// Rows of a dynamic number of short rows; what is left of one behind whole
// vectors is a shorter one.
// CHECK-LABEL: func.func @rest
// CHECK: %[[ROWS:.*]] = memref.dim
// CHECK: scf.for %[[I:.*]] = %{{.*}} to %[[ROWS]]
// CHECK: scf.for %[[AT:.*]] = %c0{{.*}} to %c32{{.*}} step %c16
// CHECK: vector.load %{{.*}}[%[[I]], %[[AT]]] : {{.*}}, vector<16xf32>
// CHECK: vector.load %{{.*}}[%[[I]], %c32{{.*}}] : {{.*}}, vector<4xf32>
func.func @rest(%a: memref<?x36xf32, strided<[64, 1]>>, %b: memref<?x36xf32>) {
  memref.copy %a, %b
      : memref<?x36xf32, strided<[64, 1]>> to memref<?x36xf32>
  return
}

// Elements apart stay apart.
// CHECK-LABEL: func.func @apart
// CHECK-NEXT: linalg.copy
func.func @apart(%a: memref<4x8xf32, strided<[1, 4]>>, %b: memref<4x8xf32>) {
  memref.copy %a, %b : memref<4x8xf32, strided<[1, 4]>> to memref<4x8xf32>
  return
}
