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

// -----

// A map of a tensor is a parameter of the kernel, and tiles that boxes are
// copied to are aligned as their permutation repeats.
// CHECK-LABEL: gpu.module @boxes
//   CHECK-DAG:   {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<2048 x i8>
//   CHECK-DAG:   {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<16 x i8>
//       CHECK:   llvm.func @f(%{{.*}}: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<128 x i8>, nvvm.grid_constant}, %{{.*}}: i32)
//       CHECK:     nvvm.cp.async.bulk.tensor.shared.cluster.global
gpu.module @boxes {
  gpu.func @f(%map: !llvm.ptr, %c: i32)
      workgroup(%s : memref<2048xi8, #gpu.address_space<workgroup>>,
                %b : memref<16xi8, #gpu.address_space<workgroup>>) kernel {
    %0 = memref.extract_aligned_pointer_as_index %s : memref<2048xi8, #gpu.address_space<workgroup>> -> index
    %1 = arith.index_cast %0 : index to i64
    %2 = llvm.inttoptr %1 : i64 to !llvm.ptr<7>
    %3 = memref.extract_aligned_pointer_as_index %b : memref<16xi8, #gpu.address_space<workgroup>> -> index
    %4 = arith.index_cast %3 : index to i64
    %5 = llvm.inttoptr %4 : i64 to !llvm.ptr<3>
    nvvm.cp.async.bulk.tensor.shared.cluster.global %2, %map, %5, box[%c, %c] : !llvm.ptr<7>, !llvm.ptr
    gpu.return
  }
}
