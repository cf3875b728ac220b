// RUN: weir-opt %s --weir-map-kernels | FileCheck %s

// A block for each point, the last index fastest.
// CHECK-LABEL: func.func @points
//  CHECK-SAME:     %[[N:[^:]+]]: index, %[[X:[^:]+]]: memref<?x32xf32>, %{{.*}}: !llvm.ptr)
//       CHECK:   %[[BLOCKS:.*]] = arith.muli
//       CHECK:   gpu.launch blocks(%[[B:[^,]+]], {{.*}} in (%{{.*}} = %[[BLOCKS]], {{.*}} threads({{.*}} = %c128
//  CHECK-SAME:   workgroup(%{{.*}} : memref<128xi8, #gpu.address_space<workgroup>>)
//       CHECK:     arith.remui %[[B]]
//       CHECK:     arith.divui %[[B]]
//       CHECK:     linalg.fill
//       CHECK:   } {weir.shared_by = "block"}
func.func @points(%n: index, %x: memref<?x32xf32>) {
  %zero = arith.constant 0.0 : f32
  scf.forall (%i, %j) = (0, 0) to (%n, 32) step (1, 8) {
    %a = memref.alloc() : memref<128xi8, #gpu.address_space<workgroup>>
    %part = memref.subview %x[%i, %j] [1, 8] [1, 1]
        : memref<?x32xf32> to memref<1x8xf32, strided<[32, 1], offset: ?>>
    linalg.fill ins(%zero : f32)
        outs(%part : memref<1x8xf32, strided<[32, 1], offset: ?>>)
  }
  return
}

// An operation on whole buffers: blocks share its elements.
// CHECK-LABEL: func.func @whole
//       CHECK:   gpu.launch
//       CHECK:     memref.copy
//       CHECK:   } {weir.shared_by = "grid"}
func.func @whole(%x: memref<?x32xf32>, %y: memref<?x32xf32>) {
  memref.copy %x, %y : memref<?x32xf32> to memref<?x32xf32>
  return
}

// A loop without parallel work is one block's, with what its bounds are read
// from; one that has such work is the host's.
// CHECK-LABEL: func.func @loops
//       CHECK:   gpu.launch
//       CHECK:     scf.for
//       CHECK:       memref.load
//       CHECK:       scf.for
//       CHECK:   scf.for
//       CHECK:     gpu.launch
func.func @loops(%n: memref<4xi32>, %x: memref<4x32xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %zero = arith.constant 0.0 : f32
  scf.for %i = %c0 to %c4 step %c1 {
    %0 = memref.load %n[%i] : memref<4xi32>
    %1 = arith.index_cast %0 : i32 to index
    scf.for %j = %c0 to %1 step %c1 {
      memref.store %zero, %x[%i, %j] : memref<4x32xf32>
    }
  }
  scf.for %i = %c0 to %c4 step %c1 {
    scf.forall (%j) in (32) {
      memref.store %zero, %x[%i, %j] : memref<4x32xf32>
    }
  }
  return
}

// An element that launches need is loaded in them.
// CHECK-LABEL: func.func @element
//   CHECK-NOT:   memref.load
//       CHECK:   gpu.launch
//       CHECK:     memref.load %{{.*}}[%{{.*}}] : memref<4xf32>
//       CHECK:     linalg.fill
func.func @element(%s: memref<4xf32>, %x: memref<64xf32>) {
  %c0 = arith.constant 0 : index
  %0 = memref.load %s[%c0] : memref<4xf32>
  linalg.fill ins(%0 : f32) outs(%x : memref<64xf32>)
  return
}

// So is what sums elements up, and what chooses between buffers by one.
// CHECK-LABEL: func.func @repeated
//   CHECK-NOT:   memref.load
//       CHECK:   gpu.launch
//       CHECK:     scf.for
//       CHECK:       memref.load %{{.*}}[%{{.*}}] : memref<4xi32>
//       CHECK:     %[[VIEW:.*]] = scf.if
//       CHECK:     memref.copy %[[VIEW]]
func.func @repeated(%n: memref<4xi32>, %x: memref<64xf32>, %y: memref<64xf32>,
    %z: memref<64xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %zero = arith.constant 0 : i32
  %sum = scf.for %i = %c0 to %c4 step %c1 iter_args(%s = %zero) -> i32 {
    %0 = memref.load %n[%i] : memref<4xi32>
    %1 = arith.addi %s, %0 : i32
    scf.yield %1 : i32
  }
  %any = arith.cmpi ne, %sum, %zero : i32
  %source = scf.if %any -> memref<64xf32> {
    scf.yield %x : memref<64xf32>
  } else {
    scf.yield %y : memref<64xf32>
  }
  memref.copy %source, %z : memref<64xf32> to memref<64xf32>
  return
}

// As many blocks as an extent needs that the host does not know: at most 64.
// CHECK-LABEL: func.func @part
//       CHECK:   gpu.launch blocks({{.*}} in (%{{.*}} = %c1{{[,_]}}
//       CHECK:     memref.load
//       CHECK:     linalg.fill
func.func @part(%n: memref<1xi32>, %x: memref<64xf32>) {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %zero = arith.constant 0.0 : f32
  %0 = memref.load %n[%c0] : memref<1xi32>
  %1 = arith.index_cast %0 : i32 to index
  %size = arith.minsi %1, %c64 : index
  %part = memref.subview %x[0] [%size] [1]
      : memref<64xf32> to memref<?xf32, strided<[1]>>
  linalg.fill ins(%zero : f32) outs(%part : memref<?xf32, strided<[1]>>)
  return
}

// The host has constants too: the kinds of layers, which it chooses by.
// CHECK-LABEL: func.func @kinds
//       CHECK:   scf.for
//       CHECK:     %[[KIND:.*]] = memref.load %{{.*}} : memref<4xindex>
//       CHECK:     scf.index_switch %[[KIND]]
//       CHECK:     case 0
//       CHECK:       gpu.launch
//       CHECK:     default
//       CHECK:       gpu.launch
memref.global "private" constant @order : memref<4xindex> = dense<[0, 1, 0, 1]>
func.func @kinds(%x: memref<64xf32>, %y: memref<64xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %zero = arith.constant 0.0 : f32
  %order = memref.get_global @order : memref<4xindex>
  scf.for %i = %c0 to %c4 step %c1 {
    %kind = memref.load %order[%i] : memref<4xindex>
    scf.index_switch %kind
    case 0 {
      scf.forall (%j) in (64) {
        memref.store %zero, %x[%j] : memref<64xf32>
      }
      scf.yield
    }
    default {
      scf.forall (%j) in (64) {
        memref.store %zero, %y[%j] : memref<64xf32>
      }
    }
  }
  return
}
