// RUN: weir-opt %s --weir-share-buffers | FileCheck %s

// CHECK-LABEL: func.func @static
//       CHECK:   scf.forall
//       CHECK:     %[[MEMORY:.*]] = memref.alloc() : memref<2048xi8, #gpu.address_space<workgroup>>
//       CHECK:     %[[VIEW:.*]] = memref.view %[[MEMORY]][{{.*}}][] : {{.*}} to memref<8x64xf32, #gpu.address_space<workgroup>>
//       CHECK:     %[[ROW:.*]] = memref.subview %[[VIEW]]{{.*}} to memref<1x64xf32, strided<[64, 1], offset: ?>, #gpu.address_space<workgroup>>
//       CHECK:     linalg.fill {{.*}} outs(%[[ROW]]
func.func @static(%n: index, %x: memref<64xf32>) {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i) in (%n) {
    %a = memref.alloc() {alignment = 64 : i64} : memref<8x64xf32>
    %row = memref.subview %a[%i, 0] [1, 64] [1, 1]
        : memref<8x64xf32> to memref<1x64xf32, strided<[64, 1], offset: ?>>
    linalg.fill ins(%zero : f32)
        outs(%row : memref<1x64xf32, strided<[64, 1], offset: ?>>)
  }
  return
}

// A last tile: the buffer is as large as others.
// CHECK-LABEL: func.func @bounded
//       CHECK:   %[[MEMORY:.*]] = memref.alloc() : memref<512xi8, #gpu.address_space<workgroup>>
//       CHECK:   memref.view %[[MEMORY]][{{.*}}][%{{.*}}] : {{.*}} to memref<?x4xf32, #gpu.address_space<workgroup>>
func.func @bounded(%n: index) {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i) = (0) to (%n) step (32) {
    %rows = affine.min affine_map<(i)[n] -> (n - i, 32)>(%i)[%n]
    %a = memref.alloc(%rows) : memref<?x4xf32>
    linalg.fill ins(%zero : f32) outs(%a : memref<?x4xf32>)
  }
  return
}

// What is made outside of parallel loops is for all blocks.
// CHECK-LABEL: func.func @outside
//       CHECK:   memref.alloc() : memref<8xf32>
func.func @outside(%n: index) {
  %zero = arith.constant 0.0 : f32
  %a = memref.alloc() : memref<8xf32>
  scf.forall (%i) in (%n) {
    memref.store %zero, %a[%i] : memref<8xf32>
  }
  return
}

// Scores of all keys fit no shared memory: the points are taken in turn, by
// blocks that have a part each of a buffer in front of the loop.
// CHECK-LABEL: func.func @unbounded
//  CHECK-SAME:     %[[N:[^:]+]]: index, %[[KEYS:[^:]+]]: index
//       CHECK:   %[[POINTS:.*]] = arith.ceildivsi %[[N]], %{{.*}}
//       CHECK:   %[[PARTS:.*]] = arith.minsi %[[POINTS]], %{{.*}}
//       CHECK:   %[[BYTES:.*]] = arith.muli %{{.*}}, %{{c64.*}} : index
//       CHECK:   %[[SIZE:.*]] = arith.muli %[[BYTES]], %[[PARTS]]
//       CHECK:   %[[ALL:.*]] = memref.alloc(%[[SIZE]]) : memref<?xi8>
//       CHECK:   scf.forall (%[[PART:.*]]) in (%[[PARTS]]) {
//       CHECK:     scf.for %[[POINT:.*]] = %[[PART]] to %[[POINTS]] step %[[PARTS]] {
//       CHECK:       %[[I:.*]] = arith.muli %[[POINT]], %{{c32.*}}
//       CHECK:       affine.min #{{.*}}(%[[I]])[%[[N]]]
//       CHECK:       %[[START:.*]] = arith.muli %[[PART]], %[[BYTES]]
//       CHECK:       memref.view %[[ALL]][%[[START]]][%{{.*}}, %[[KEYS]]] : memref<?xi8> to memref<?x?xf32>
//   CHECK-NOT:   workgroup
func.func @unbounded(%n: index, %keys: index) {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i) = (0) to (%n) step (32) {
    %rows = affine.min affine_map<(i)[n] -> (n - i, 32)>(%i)[%n]
    %a = memref.alloc(%rows, %keys) : memref<?x?xf32>
    linalg.fill ins(%zero : f32) outs(%a : memref<?x?xf32>)
  }
  return
}
