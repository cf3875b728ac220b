// RUN: weir-opt %s --weir-plan-memory -split-input-file | FileCheck %s

// Static buffers lie one behind the other, 64 bytes apart at least.

// CHECK-LABEL: func.func @static_extents
// CHECK-SAME: (%[[ARENA:.*]]: memref<?xi8> {weir.role = "arena"})
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK: memref.view %[[ARENA]][%[[C0]]][] : memref<?xi8> to memref<5xf32>
// CHECK: memref.view %[[ARENA]][%{{c64.*}}][] : memref<?xi8> to memref<32xf32>
// CHECK-NOT: memref.alloc
// CHECK-LABEL: func.func @static_extents__arena(%{{.*}}: memref<?xi8>) -> i64
// CHECK: %[[TOTAL:.*]] = arith.constant 192 : index
// CHECK: %[[BYTES:.*]] = arith.index_cast %[[TOTAL]] : index to i64
// CHECK: return %[[BYTES]]
func.func @static_extents() {
  %a = memref.alloc() : memref<5xf32>
  %b = memref.alloc() : memref<32xf32>
  memref.dealloc %a : memref<5xf32>
  return
}

// -----

// Dynamic ones are computed from the extents of arguments, once in the function
// and once in the function of sizes, rounded up to 64 bytes.

// CHECK-LABEL: func.func @dynamic_extents
// CHECK-SAME: (%[[X:.*]]: memref<?x8xf32>, %[[ARENA:.*]]: memref<?xi8> {weir.role = "arena"})
// CHECK: %[[ROW:.*]] = arith.constant 32 : index
// CHECK: %[[N:.*]] = memref.dim %[[X]]
// CHECK: %[[SIZE:.*]] = arith.muli %[[ROW]], %[[N]]
// CHECK: arith.addi %[[SIZE]]
// CHECK: arith.andi
// CHECK: memref.view %[[ARENA]][%{{.*}}][%{{.*}}] : memref<?xi8> to memref<?x8xf32>
// CHECK-LABEL: func.func @dynamic_extents__arena
// CHECK-SAME: (%[[Y:.*]]: memref<?x8xf32>, %{{.*}}: memref<?xi8>) -> i64
// CHECK: memref.dim %[[Y]]
// CHECK-NOT: memref.alloc
func.func @dynamic_extents(%x: memref<?x8xf32>) {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x8xf32>
  %a = memref.alloc(%n) : memref<?x8xf32>
  memref.copy %x, %a : memref<?x8xf32> to memref<?x8xf32>
  return
}

// -----

// Each thread has its own copy of a buffer in a parallel loop, behind the
// shared ones.

// CHECK-LABEL: func.func @buffer_per_thread
// CHECK-SAME: %[[ARENA:[^:]*]]: memref<?xi8> {weir.role = "arena"}
// CHECK: scf.parallel
// CHECK: %[[THREAD:.*]] = func.call @weir_rt_thread_index() : () -> index
// CHECK: %[[START:.*]] = arith.muli %[[THREAD]], %[[BYTES:.*]] : index
// CHECK: %[[PART:.*]] = arith.addi %[[START]], %[[SHARED:.*]] : index
// CHECK: %[[OWN:.*]] = memref.view %[[ARENA]][%[[PART]]][%[[BYTES]]]
// CHECK: memref.view %[[OWN]][%{{.*}}][] : memref<?xi8> to memref<16xf32>
// CHECK-LABEL: func.func @buffer_per_thread__arena
// CHECK: %[[THREADS:.*]] = call @weir_rt_num_threads() : () -> index
// CHECK: arith.muli %[[THREADS]], %{{.*}}
// CHECK-DAG: func.func private @weir_rt_num_threads() -> index
// CHECK-DAG: func.func private @weir_rt_thread_index() -> index
func.func @buffer_per_thread(%n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %shared = memref.alloc() : memref<16xf32>
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    %a = memref.alloc() : memref<16xf32>
    memref.copy %shared, %a : memref<16xf32> to memref<16xf32>
    scf.reduce
  }
  return
}

// -----

// Loops run one after the other: the buffers of each begin at the start of a
// thread's part, which is as long as the longest wants.

// CHECK-LABEL: func.func @loops_share
// CHECK: %[[C0:.*]] = arith.constant 0 : index
// CHECK: %[[C128:.*]] = arith.constant 128 : index
// CHECK: scf.parallel
// CHECK: %[[START:.*]] = arith.muli %{{.*}}, %[[C128]]
// CHECK: memref.view %{{.*}}[%[[C0]]][] : memref<?xi8> to memref<16xf32>
// CHECK: scf.parallel
// CHECK: %[[START:.*]] = arith.muli %{{.*}}, %[[C128]]
// CHECK: memref.view %{{.*}}[%[[C0]]][] : memref<?xi8> to memref<32xf32>
// CHECK-LABEL: func.func @loops_share__arena
// CHECK: arith.muli %{{.*}}, %{{.*}}
func.func @loops_share(%n: index, %x: memref<16xf32>, %y: memref<32xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    %a = memref.alloc() : memref<16xf32>
    memref.copy %x, %a : memref<16xf32> to memref<16xf32>
    scf.reduce
  }
  scf.parallel (%i) = (%c0) to (%n) step (%c1) {
    %a = memref.alloc() : memref<32xf32>
    memref.copy %y, %a : memref<32xf32> to memref<32xf32>
    scf.reduce
  }
  return
}

// -----

// A buffer in a sequential loop is the same one in each iteration, and extents
// are found behind reshapes.

// CHECK-LABEL: func.func @extent_of_a_reshaped_buffer
// CHECK-NOT: memref.alloc
// CHECK-NOT: memref.dim %{{.*}} : memref<?xf32>
// CHECK: scf.for
// CHECK: memref.view {{.*}} to memref<?xf32>
func.func @extent_of_a_reshaped_buffer(%x: memref<?x8xf32>, %k: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = memref.dim %x, %c0 : memref<?x8xf32>
  %a = memref.alloc(%n) : memref<?x8xf32>
  scf.for %i = %c0 to %k step %c1 {
    %flat = memref.collapse_shape %a [[0, 1]]
        : memref<?x8xf32> into memref<?xf32>
    %m = memref.dim %flat, %c0 : memref<?xf32>
    %b = memref.alloc(%m) : memref<?xf32>
    memref.copy %flat, %b : memref<?xf32> to memref<?xf32>
  }
  return
}

// -----

// A reshaped part of a buffer has the part's extents.
// CHECK-LABEL: func.func @extent_of_a_reshaped_part(
// CHECK: memref.view
// CHECK: memref.view
// CHECK-NOT: memref.alloc
func.func @extent_of_a_reshaped_part(%x: memref<?x8xf32>, %k: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = memref.dim %x, %c0 : memref<?x8xf32>
  %a = memref.alloc(%n) : memref<?x8x3xf32>
  scf.for %i = %c0 to %k step %c1 {
    %part = memref.subview %a[0, 0, 1] [%n, 8, 1] [1, 1, 1]
        : memref<?x8x3xf32> to memref<?x8x1xf32, strided<[24, 3, 1], offset: 1>>
    %flat = memref.collapse_shape %part [[0], [1, 2]]
        : memref<?x8x1xf32, strided<[24, 3, 1], offset: 1>>
          into memref<?x8xf32, strided<[24, 3], offset: 1>>
    %m = memref.dim %flat, %c0 : memref<?x8xf32, strided<[24, 3], offset: 1>>
    %b = memref.alloc(%m) : memref<?x8xf32>
    memref.copy %flat, %b
        : memref<?x8xf32, strided<[24, 3], offset: 1>> to memref<?x8xf32>
  }
  return
}

// -----

// CHECK-LABEL: func.func private @private_functions_have_no_arena() {
// CHECK: memref.alloc
func.func private @private_functions_have_no_arena() {
  %a = memref.alloc() : memref<4xf32>
  return
}

// -----

// A tile cut short at the end takes no more than a whole one.

// CHECK-LABEL: func.func @bounded_extent
// CHECK-LABEL: func.func @bounded_extent__arena
// CHECK: %[[BOUND:.*]] = arith.constant 128 : index
// CHECK: arith.muli %{{.*}}, %[[BOUND]]
func.func @bounded_extent(%x: memref<?x8xf32>) {
  %c0 = arith.constant 0 : index
  %c128 = arith.constant 128 : index
  %n = memref.dim %x, %c0 : memref<?x8xf32>
  scf.for %i = %c0 to %n step %c128 {
    %m = affine.min affine_map<(d0)[s0] -> (s0 - d0, 128)>(%i)[%n]
    %a = memref.alloc(%m) : memref<?x8xf32>
    memref.dealloc %a : memref<?x8xf32>
  }
  return
}

// -----

// So does one that begins late.

// CHECK-LABEL: func.func @bounded_rest
// CHECK-LABEL: func.func @bounded_rest__arena
// CHECK: %[[BOUND:.*]] = arith.constant 64 : index
// CHECK: arith.muli %{{.*}}, %[[BOUND]]
func.func @bounded_rest(%x: memref<?x8xf32>) {
  %c0 = arith.constant 0 : index
  %c64 = arith.constant 64 : index
  %n = memref.dim %x, %c0 : memref<?x8xf32>
  scf.for %i = %c0 to %n step %c64 {
    %last = arith.subi %n, %c64 : index
    %begin = arith.maxsi %i, %last : index
    %m = arith.subi %n, %begin : index
    %a = memref.alloc(%m) : memref<?x8xf32>
    memref.dealloc %a : memref<?x8xf32>
  }
  return
}
