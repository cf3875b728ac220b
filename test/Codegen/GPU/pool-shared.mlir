// RUN: weir-opt %s -pass-pipeline='builtin.module(gpu.module(weir-pool-shared))' \
// RUN:   | FileCheck %s

// CHECK: gpu.module @kernels
// CHECK: llvm.mlir.global external @weir_shared() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<0 x i8>
// CHECK-NOT: @a
// CHECK-NOT: @b
gpu.module @kernels {
  llvm.mlir.global internal @a() {addr_space = 3 : i32} : !llvm.array<20 x i8>
  llvm.mlir.global internal @b() {addr_space = 3 : i32} : !llvm.array<64 x i8>
  llvm.mlir.global internal @c() {addr_space = 3 : i32} : !llvm.array<8 x i8>

  // Buffers begin at multiples of 16 bytes.
  // CHECK: llvm.func @two()
  // CHECK-SAME: weir.shared = array<i64: 96>
  // CHECK: %[[P0:.*]] = llvm.mlir.addressof @weir_shared
  // CHECK: llvm.getelementptr %[[P0]][0]
  // CHECK: %[[P1:.*]] = llvm.mlir.addressof @weir_shared
  // CHECK: llvm.getelementptr %[[P1]][32]
  llvm.func @two() {
    %0 = llvm.mlir.addressof @a : !llvm.ptr<3>
    %1 = llvm.mlir.addressof @b : !llvm.ptr<3>
    %2 = llvm.load %0 : !llvm.ptr<3> -> f32
    llvm.store %2, %1 : f32, !llvm.ptr<3>
    llvm.return
  }

  // Each kernel has the pool for itself.
  // CHECK: llvm.func @one()
  // CHECK-SAME: weir.shared = array<i64: 16>
  // CHECK: llvm.getelementptr %{{.*}}[0]
  llvm.func @one() {
    %0 = llvm.mlir.addressof @c : !llvm.ptr<3>
    %1 = llvm.load %0 : !llvm.ptr<3> -> f32
    llvm.store %1, %0 : f32, !llvm.ptr<3>
    llvm.return
  }

  // CHECK: llvm.func @none()
  // CHECK-NOT: weir.shared
  llvm.func @none() {
    llvm.return
  }
}

// The widest alignment comes first.
// CHECK: gpu.module @tiles
// CHECK: @weir_shared() {addr_space = 3 : i32, alignment = 1024 : i64}
// CHECK: weir.shared = array<i64: 2080>
// CHECK-DAG: llvm.getelementptr %{{.*}}[2048]
// CHECK-DAG: llvm.getelementptr %{{.*}}[0]
gpu.module @tiles {
  llvm.mlir.global internal @a() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<20 x i8>
  llvm.mlir.global internal @b() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<2048 x i8>
  llvm.func @two() {
    %0 = llvm.mlir.addressof @a : !llvm.ptr<3>
    %1 = llvm.mlir.addressof @b : !llvm.ptr<3>
    %2 = llvm.load %0 : !llvm.ptr<3> -> f32
    llvm.store %2, %1 : f32, !llvm.ptr<3>
    llvm.return
  }
}
