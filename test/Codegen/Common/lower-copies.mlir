// RUN: weir-opt %s --weir-lower-copies | FileCheck %s

// CHECK-LABEL: func.func @contiguous_stays
// CHECK: memref.copy
func.func @contiguous_stays(%a: memref<4x8xf32>, %b: memref<4x8xf32>) {
  memref.copy %a, %b : memref<4x8xf32> to memref<4x8xf32>
  return
}

// CHECK-LABEL: func.func @strided_source
// CHECK-SAME: (%[[A:.*]]: memref<4x8xf32, strided<[16, 1]>>, %[[B:.*]]: memref<4x8xf32>)
// CHECK-NEXT: linalg.copy ins(%[[A]] : memref<4x8xf32, strided<[16, 1]>>) outs(%[[B]] : memref<4x8xf32>)
// CHECK-NEXT: return
func.func @strided_source(%a: memref<4x8xf32, strided<[16, 1]>>,
                          %b: memref<4x8xf32>) {
  memref.copy %a, %b
      : memref<4x8xf32, strided<[16, 1]>> to memref<4x8xf32>
  return
}

// CHECK-LABEL: func.func @strided_target
// CHECK: linalg.copy
// CHECK-NOT: memref.copy
func.func @strided_target(%a: memref<4x8xf32>,
                          %b: memref<4x8xf32, strided<[16, 1], offset: ?>>) {
  memref.copy %a, %b
      : memref<4x8xf32> to memref<4x8xf32, strided<[16, 1], offset: ?>>
  return
}
