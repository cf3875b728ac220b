// RUN: weir-opt %s --weir-lower-launches --split-input-file --verify-diagnostics | FileCheck %s

// Kernels of several modules, two of one name, in one module, by their number.
//       CHECK: llvm.func @host(%[[X:[^:]+]]: !llvm.ptr, %[[N:[^:]+]]: i64, %[[Q:[^:]+]]: !llvm.ptr)
//       CHECK:   %[[SECOND:.*]] = llvm.mlir.constant(1 : i32)
//       CHECK:   llvm.call @weir_rt_launch(%[[Q]], %{{.*}}, %[[N]], %{{.*}}, %{{.*}})
//       CHECK:   llvm.call @weir_rt_launch(%[[Q]], %{{.*}}, %[[N]], %{{.*}}, %{{.*}})
//   CHECK-NOT:   gpu.launch_func
//       CHECK: gpu.module @kernels
//       CHECK:   llvm.func @k(
//       CHECK:   llvm.func @b_k(
module attributes {gpu.container_module} {
  llvm.func @host(%x: !llvm.ptr, %n: i64, %queue: !llvm.ptr) {
    %c1 = llvm.mlir.constant(1 : i64) : i64
    gpu.launch_func @a::@k blocks in (%n, %c1, %c1) threads in (%c1, %c1, %c1)
        : i64 args(%x : !llvm.ptr)
    gpu.launch_func @b::@k blocks in (%n, %c1, %c1) threads in (%c1, %c1, %c1)
        : i64 args(%x : !llvm.ptr, %n : i64)
    llvm.return
  }
  gpu.module @a {
    llvm.func @k(%x: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
      llvm.return
    }
  }
  gpu.module @b {
    llvm.func @k(%x: !llvm.ptr, %n: i64) attributes {gpu.kernel, nvvm.kernel} {
      llvm.return
    }
  }
}

// -----

// Of a map of a tensor the place passed is the map's own.
//       CHECK: llvm.func @host(%[[MAP:[^:]+]]: !llvm.ptr
//       CHECK:   %[[PLACES:.*]] = llvm.alloca %{{.*}} x !llvm.ptr
//       CHECK:   %[[FIRST:.*]] = llvm.getelementptr %[[PLACES]][0]
//       CHECK:   llvm.store %[[MAP]], %[[FIRST]]
module attributes {gpu.container_module} {
  llvm.func @host(%map: !llvm.ptr, %n: i64, %queue: !llvm.ptr) {
    gpu.launch_func @a::@k blocks in (%n, %n, %n) threads in (%n, %n, %n)
        : i64 args(%map : !llvm.ptr)
    llvm.return
  }
  gpu.module @a {
    llvm.func @k(%map: !llvm.ptr {llvm.byval = !llvm.array<128 x i8>}) attributes {gpu.kernel, nvvm.kernel} {
      llvm.return
    }
  }
}

// -----

module attributes {gpu.container_module} {
  llvm.func @host(%n: i64) {
    // expected-error @below {{is in no function whose last argument is a queue}}
    gpu.launch_func @a::@k blocks in (%n, %n, %n) threads in (%n, %n, %n) : i64
    llvm.return
  }
  gpu.module @a {
    llvm.func @k() attributes {gpu.kernel, nvvm.kernel} {
      llvm.return
    }
  }
}
