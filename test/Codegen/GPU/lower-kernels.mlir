// RUN: weir-opt %s --pass-pipeline='builtin.module(gpu.module(weir-lower-kernels))' --split-input-file --verify-diagnostics | FileCheck %s

// Functions are LLVM's own: no device library is called.
// CHECK-LABEL: gpu.module @m
//       CHECK:   llvm.mlir.global internal @{{.*}}() {addr_space = 3 : i32, alignment = 16 : i64}
//       CHECK:   llvm.func @f({{.*}}nvvm.kernel
//       CHECK:     nvvm.read.ptx.sreg.tid.x
//       CHECK:     llvm.intr.sqrt
//       CHECK:     nvvm.barrier0
//   CHECK-NOT:   __nv
gpu.module @m {
  gpu.func @f(%x: memref<8xf32>)
      workgroup(%s : memref<8xf32, #gpu.address_space<workgroup>>) kernel {
    %t = gpu.thread_id x
    %0 = memref.load %x[%t] : memref<8xf32>
    %1 = math.sqrt %0 : f32
    memref.store %1, %s[%t] : memref<8xf32, #gpu.address_space<workgroup>>
    gpu.barrier
    gpu.return
  }
}

// -----

gpu.module @m {
  gpu.func @f(%x: memref<8xf32>) kernel {
    %t = gpu.thread_id x
    %0 = memref.load %x[%t] : memref<8xf32>
    // expected-error @below {{has no GPU form for 'f32', expected a function that weir-expand-math computes}}
    %1 = math.atan %0 : f32
    memref.store %1, %x[%t] : memref<8xf32>
    gpu.return
  }
}
