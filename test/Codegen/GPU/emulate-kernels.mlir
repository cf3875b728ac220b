// RUN: weir-opt %s --weir-emulate-kernels --split-input-file --verify-diagnostics | FileCheck %s

//   CHECK-NOT: gpu.module
//       CHECK: llvm.func @k(%[[BLOCK:[^:]+]]: !llvm.ptr, %[[PLACES:[^:]+]]: !llvm.ptr)
//  CHECK-SAME:     weir.shared = array<i64: 256>
//       CHECK:   %[[PLACE:.*]] = llvm.load %{{.*}} : !llvm.ptr -> !llvm.ptr
//       CHECK:   %[[X:.*]] = llvm.load %[[PLACE]] : !llvm.ptr -> !llvm.ptr
//       CHECK:   %[[SHARED:.*]] = llvm.call @weir_simt_shared(%[[BLOCK]]
//       CHECK:   llvm.call @weir_simt_register(%[[BLOCK]]
//       CHECK:   %[[ADDRESS:.*]] = llvm.getelementptr %[[SHARED]]
//       CHECK:   llvm.call @weir_simt_store(%[[BLOCK]], %[[ADDRESS]]
//  CHECK-NEXT:   llvm.store %{{.*}}, %[[ADDRESS]] : f32, !llvm.ptr{{$}}
//       CHECK:   llvm.call @weir_simt_barrier(%[[BLOCK]]
//       CHECK:   llvm.call @weir_simt_load(%[[BLOCK]]
//       CHECK:   llvm.call @weir_simt_shuffle(%[[BLOCK]]
//   CHECK-NOT:   nvvm
gpu.module @kernels {
  llvm.mlir.global internal @s() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<64 x f32>
  llvm.func @k(%x: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    %all = llvm.mlir.constant(-1 : i32) : i32
    %one = llvm.mlir.constant(1 : i32) : i32
    %last = llvm.mlir.constant(31 : i32) : i32
    %s = llvm.mlir.addressof @s : !llvm.ptr<3>
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %v = llvm.load %x : !llvm.ptr -> f32
    %a = llvm.getelementptr %s[%t] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32
    llvm.store %v, %a : f32, !llvm.ptr<3>
    nvvm.barrier0
    %w = llvm.load %a : !llvm.ptr<3> -> f32
    %o = nvvm.shfl.sync bfly %all, %w, %one, %last : f32 -> f32
    llvm.store %o, %x : f32, !llvm.ptr
    llvm.return
  }
}

// -----

gpu.module @kernels {
  llvm.func @k(%x: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    // expected-error @below {{has no emulation; expected loads and stores of shared memory, barriers of a block, shuffles}}
    %t = nvvm.read.ptx.sreg.tid.y : i32
    llvm.store %t, %x : i32, !llvm.ptr
    llvm.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{is aligned to 1 bytes, expected 16 of a shared buffer}}
  llvm.mlir.global internal @s() {addr_space = 3 : i32} : !llvm.array<64 x i8>
  llvm.func @k() attributes {gpu.kernel, nvvm.kernel} {
    %s = llvm.mlir.addressof @s : !llvm.ptr<3>
    llvm.return
  }
}
