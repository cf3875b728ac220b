// RUN: weir-opt %s --allow-unregistered-dialect --weir-prefetch-blocks | FileCheck %s

// Rows of one head, 256 bytes each: four lines of each row of the next block.
// CHECK-LABEL: func.func @head
// CHECK-SAME: (%[[Q:.*]]: memref<1x?x4x64xf32>, %[[H:[a-z0-9]*]]: index
// CHECK: scf.for
// CHECK: %[[FIRST:.*]] = arith.muli
// CHECK: memref.subview
// CHECK: %[[NEXT:.*]] = arith.addi %[[FIRST]], %c16{{.*}}
// CHECK: scf.for %[[ROW:.*]] = %c0{{.*}} to %c16
// CHECK: %[[TOKEN:.*]] = arith.addi %[[NEXT]], %[[ROW]]
// CHECK: memref.prefetch %[[Q]][%{{.*}}, %[[TOKEN]], %[[H]], %{{.*}}], read, locality<2>, data
// CHECK-COUNT-3: memref.prefetch %[[Q]]
// CHECK-NOT: memref.prefetch
// CHECK: "test.use"
func.func @head(%q: memref<1x?x4x64xf32>, %h: index, %blocks: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  scf.for %i = %c0 to %blocks step %c1 {
    %first = arith.muli %i, %c16 : index
    %t = memref.subview %q[0, %first, %h, 0] [1, 16, 1, 64] [1, 1, 1, 1]
        : memref<1x?x4x64xf32>
          to memref<16x64xf32, strided<[256, 1], offset: ?>>
    "test.use"(%t) : (memref<16x64xf32, strided<[256, 1], offset: ?>>) -> ()
  }
  return
}

// Rows side by side come by themselves; what is not the loop's next block is
// not known; and a row shorter than a line has others in it.
// CHECK-LABEL: func.func @others
// CHECK-NOT: memref.prefetch
// CHECK: return
func.func @others(%q: memref<1x?x1x64xf32>, %k: memref<1x?x4x64xf32>,
                  %g: memref<1x?x4x8xf32>, %h: index, %blocks: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  scf.for %i = %c0 to %blocks step %c1 {
    %first = arith.muli %i, %c16 : index
    %a = memref.subview %q[0, %first, 0, 0] [1, 16, 1, 64] [1, 1, 1, 1]
        : memref<1x?x1x64xf32> to memref<16x64xf32, strided<[64, 1], offset: ?>>
    %b = memref.subview %k[0, %h, 0, 0] [1, 16, 1, 64] [1, 1, 1, 1]
        : memref<1x?x4x64xf32>
          to memref<16x64xf32, strided<[256, 1], offset: ?>>
    %c = memref.subview %g[0, %first, %h, 0] [1, 16, 1, 8] [1, 1, 1, 1]
        : memref<1x?x4x8xf32> to memref<16x8xf32, strided<[32, 1], offset: ?>>
    "test.use"(%a, %b, %c) : (memref<16x64xf32, strided<[64, 1], offset: ?>>,
        memref<16x64xf32, strided<[256, 1], offset: ?>>,
        memref<16x8xf32, strided<[32, 1], offset: ?>>) -> ()
  }
  return
}

// 16 rows over three loops in turn, of which either way has the last two: 6, 5
// and 5.
// CHECK-LABEL: func.func @loops
// CHECK: memref.subview
// CHECK: scf.for %{{.*}} = %c0{{.*}} to %c6
// CHECK: memref.prefetch
// CHECK: "test.first"
// CHECK: scf.if
// CHECK: scf.for %{{.*}} = %c6{{.*}} to %c11
// CHECK: memref.prefetch
// CHECK: "test.second"
// CHECK: scf.for %{{.*}} = %c11{{.*}} to %c16
// CHECK: memref.prefetch
// CHECK: "test.third"
// CHECK: else
// CHECK: scf.for %{{.*}} = %c6{{.*}} to %c16
// CHECK: memref.prefetch
// CHECK: "test.other"
// CHECK-NOT: memref.prefetch
// CHECK: return
func.func @loops(%q: memref<1x?x4x16xf32>, %h: index, %blocks: index,
                 %way: i1) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  scf.for %i = %c0 to %blocks step %c1 {
    %first = arith.muli %i, %c16 : index
    %t = memref.subview %q[0, %first, %h, 0] [1, 16, 1, 16] [1, 1, 1, 1]
        : memref<1x?x4x16xf32>
          to memref<16x16xf32, strided<[64, 1], offset: ?>>
    scf.for %j = %c0 to %blocks step %c1 {
      "test.first"(%t) : (memref<16x16xf32, strided<[64, 1], offset: ?>>) -> ()
    }
    scf.if %way {
      scf.for %j = %c0 to %blocks step %c1 {
        "test.second"() : () -> ()
      }
      scf.for %j = %c0 to %blocks step %c1 {
        "test.third"() : () -> ()
      }
    } else {
      scf.for %j = %c0 to %blocks step %c1 {
        "test.other"() : () -> ()
      }
    }
  }
  return
}
