//===- GPUPasses.td - Code generation for GPUs -------------*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_CODEGEN_GPUPASSES_TD
#define WEIR_CODEGEN_GPUPASSES_TD

include "mlir/Pass/PassBase.td"

def ShareBuffers : Pass<"weir-share-buffers", "::mlir::func::FuncOp"> {
  let summary = "keep the buffers of a tile in shared memory";
  let description = [{
    A buffer made inside a parallel loop belongs to one of its points, which is
    a block of threads later. It moves to the memory that such a block shares.
    Extents that are not static need a bound, such as that of a last tile; the
    buffer is as large as that, and a view of it has the extents asked for. A
    buffer with an extent without a bound, as the scores of all keys, cannot be
    shared, which a remark says: at most `parts` blocks take the points in turn,
    and each has a part of one buffer in front of the loop. Such an extent has
    to be known there.

    Precondition: bufferised; each allocation's uses are views and accesses.
    Limits: the buffers of one outermost loop have at most `limit` bytes, and
    a buffer that a loop or a branch hands on is refused.

    ```mlir
    // old:
    scf.forall (%i) in (%n) {
      %a = memref.alloc() : memref<8x64xf32>
    // new:
    scf.forall (%i) in (%n) {
      %b = memref.alloc() : memref<2048xi8, #gpu.address_space<workgroup>>
      %a = memref.view %b[%c0][]
         : memref<2048xi8, #gpu.address_space<workgroup>>
        to memref<8x64xf32, #gpu.address_space<workgroup>>
    ```
  }];
  let options = [
    Option<"limit", "limit", "int64_t", "49152",
           "Bytes of shared memory a block may have">,
    Option<"parts", "parts", "int64_t", "512",
           "Blocks that a buffer of any size is made for: a few for each "
           "multiprocessor of a large GPU">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::gpu::GPUDialect", "::mlir::memref::MemRefDialect"];
}

def PoolShared : Pass<"weir-pool-shared", "::mlir::gpu::GPUModuleOp"> {
  let summary = "have launches give a kernel its shared memory, in one piece";
  let description = [{
    Shared memory that a kernel declares has a limit of 48 KiB, whatever the GPU
    has; what a launch asks for has not. The buffers of each kernel become parts
    of memory of no declared size, those with the widest alignment first, and an
    attribute says what to ask for.

    Precondition: kernels in the LLVM dialect, their buffers arrays of bytes.

    ```mlir
    // old:
    llvm.mlir.global @a() {addr_space = 3} : !llvm.array<2048 x i8>
    llvm.func @kernel() {
      %a = llvm.mlir.addressof @a : !llvm.ptr<3>
    // new:
    llvm.mlir.global external @weir_shared()
        {addr_space = 3, alignment = 16} : !llvm.array<0 x i8>
    llvm.func @kernel() attributes {weir.shared = array<i64: 2048>} {
      %p = llvm.mlir.addressof @weir_shared : !llvm.ptr<3>
      %a = llvm.getelementptr %p[0]
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def MapKernels : Pass<"weir-map-kernels", "::mlir::ModuleOp"> {
  let summary = "make kernels of what touches memory";
  let description = [{
    Each outermost `scf.forall` becomes a `gpu.launch` with a block for each of
    its points, each operation on whole buffers outside of one a launch whose
    threads share its elements, and each loop without parallel work a launch of
    one block. Loops around them, and arithmetic on extents, stay with the host,
    which sees no buffer's contents: a host that would have to is an error. What
    launches alone need of contents is read in each of them: elements, loops that
    sum such up, and branches that choose between buffers by them.
    Bodies still say what a block does; `weir-distribute-threads` says which
    thread does it.

    Every function gets an argument behind its others, the queue that launches
    go to.

    ```mlir
    // old:
    func.func @f(%x: memref<?x64xf32>, ...) {
      scf.forall (%i) in (%n) {
        linalg.generic ...
    // new:
    func.func @f(%x: memref<?x64xf32>, ..., %queue: !llvm.ptr) {
      gpu.launch blocks(%b, ...) in (%g = %n, ...) threads(...) in (128, 1, 1) {
        linalg.generic ...
    ```
  }];
  let options = [
    Option<"threads", "threads", "int64_t", "128", "Threads of a block">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::gpu::GPUDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect"];
}

def MapProducts : Pass<"weir-map-products"> {
  let summary = "compute products in kernels by tiles of registers or matrices";
  let description = [{
    Inside `gpu.launch`, a product with a packed weight becomes code that says
    what each thread does, in an `scf.execute_region` with the attribute
    `weir.by_thread`, which `weir-distribute-threads` leaves as it is. For each
    tile of at most 32 rows by one panel of 64 columns, both operands are copied
    to shared memory by `cp.async`, in a pipeline of `stages` stages of 128 bytes
    along the reduction, in places permuted so that no two lanes of a warp need
    different words of one bank. From there

    - factors of f32, or rounded ones with an f32 input, are multiplied in f32:
      a thread has four columns of several rows in registers. With at most four
      rows, threads share the reduction too;
    - factors that are both bf16 are multiplied by `mma.sync`, 16 rows by 8
      columns at a time, with sums in f32;
    - with `tf32`, so are factors of f32, rounded to tf32 before;
    - with `warpgroups`, factors that are both bf16 are multiplied by `wgmma`
      (sm_90a): a warpgroup has a tile of up to 128 rows, and one thread of a
      fifth warp copies boxes of both operands by `cp.async.bulk.tensor`. Barriers
      in memory tell who waits for whom. The host encodes maps of the tensors in
      front of the launch. The input has to be part of a whole buffer that the
      kernel does not write, with rows of a multiple of 16 bytes; with at most 8
      rows, and where a remark says so, `mma.sync` stays.

    Precondition: behind `weir-map-kernels`; the product is a `linalg.generic` as
    the plain definition of `weir.packed_linear` gives, with sums of f32 and an
    input that no block shares. Others stay as they are; a remark says why. A
    panel is of 64 columns. Launches have 128 threads.
    Limits: `limit` bytes of shared memory with what the launch has already;
    where they do not suffice, there are fewer stages, or the product stays.

    ```mlir
    // old:
    linalg.generic ins(%x : memref<?x576xf32>) outs(%y : memref<?x64xf32>) {
      %n = linalg.index 1 : index
      %w = memref.load %weight[%panel, %k, %lane] : memref<9x576x64xf32>
      ...
    // new:
    scf.execute_region {
      nvgpu.device_async_copy %x[%row, %k], %a[%stage, %i, %place], 4 : ...
      nvgpu.device_async_copy %weight[%panel, %k, %c], %b[...], 4 : ...
      %group = nvgpu.device_async_create_group
      %sums:4 = scf.for %step = %c0 to %steps step %c1 iter_args(...) {
        nvgpu.device_async_wait %group {numGroups = 1 : i32}
        gpu.barrier
        ... // begins the copies of a later step
        %w = vector.load %b[%stage, %k, %place] : ..., vector<4xf32>
        %s = vector.fma %v, %w, %sum : vector<4xf32>
        ...
      }
      scf.yield
    } {weir.by_thread}
    ```
  }];
  let options = [
    Option<"limit", "limit", "int64_t", "49152",
           "Bytes of shared memory a block may have">,
    Option<"stages", "stages", "int64_t", "3",
           "Steps of the reduction under way at once">,
    Option<"tf32", "tf32", "bool", "false",
           "Round factors of f32 to tf32, and multiply them as matrices">,
    Option<"warpgroups", "warpgroups", "bool", "false",
           "Multiply factors of bf16 by warpgroups (sm_90a)">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::gpu::GPUDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::memref::MemRefDialect",
    "::mlir::nvgpu::NVGPUDialect", "::mlir::NVVM::NVVMDialect",
    "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

def MapContractions : Pass<"weir-map-contractions"> {
  let summary = "compute contractions in kernels by tiles of registers";
  let description = [{
    Inside of a `gpu.launch` whose block does all of its body, a sum of products
    over buffers, such as a mixer's tiles have, becomes code that says what each
    thread does, in an `scf.execute_region` with the attribute `weir.by_thread`.
    A thread has the sums of up to four rows by two columns in registers, so that
    it loads a factor once for several of them; with more, ptxas spills a few of
    what attention keeps over its loops. Any body that is added up in f32 will do.

    With `rounding`, a product of two factors, of f32 or extended to it, is
    computed by `mma.sync` instead: its factors are rounded to tf32 or bf16, its
    sums are f32.

    Precondition: behind `weir-map-kernels`. Contractions with fewer tiles than
    threads stay as they are, for `weir-distribute-threads`.

    ```mlir
    // old: keys x queries
    linalg.generic ins(%k, %q : memref<?x16xf32>, memref<16x16xf32, #shared>)
        outs(%s : memref<?x16xf32, #shared>) { ... }
    // new:
    scf.execute_region {
      scf.for %tile = %thread to %tiles step %threads {
        %sums:8 = scf.for %d = %c0 to %c16 step %c1 iter_args(...) {
          %a = memref.load %k[%row, %d]
          %b = vector.load %q[%d, %column] : ..., vector<2xf32>
          ...
      }
      scf.yield
    } {weir.by_thread}
    ```
  }];
  let options = [
    Option<"rounding", "rounding", "std::string", "\"\"",
           "What factors are rounded to for matrices: tf32, bf16 or nothing">,
  ];
  let dependentDialects = ["::mlir::affine::AffineDialect",
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::memref::MemRefDialect", "::mlir::nvgpu::NVGPUDialect",
    "::mlir::NVVM::NVVMDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"];
}

def DistributeThreads : Pass<"weir-distribute-threads"> {
  let summary = "divide what a block does among its threads";
  let description = [{
    Inside `gpu.launch`, every operation on buffers becomes loops in which each
    thread computes its share of the results:

    - a result is one thread's, neighbours in memory those of neighbours;
    - with few results that are sums, products, minima or maxima over many
      elements, a result is a warp's, whose lanes combine theirs by shuffles.

    A region with the attribute `weir.by_thread` says itself what a thread does
    and stays as it is; what it touches counts.

    All threads go through the loops and branches around them, so that barriers
    are met by all. A barrier is placed where a thread may touch what another
    one wrote, or write what another one read; different buffers of a kernel do
    not overlap, and operations that deal out the elements of one shared buffer
    alike need none between them.

    ```mlir
    // old:
    linalg.generic ins(%x : memref<8x64xf32>) outs(%s : memref<8xf32, shared>)
      { arith.addf }
    linalg.generic ins(%x, %s) outs(%y : memref<8x64xf32>) { arith.divf }
    // new:
    scf.for %row = %warp to 8 step 4 {
      %part = scf.for %k = %lane to 64 step 32 iter_args(...) { arith.addf }
      %o, %valid = gpu.shuffle xor %part, %c16, %c32 : f32 // and 8, 4, 2, 1
      scf.if %first { memref.store %sum, %s[%row] }
    }
    gpu.barrier
    scf.for %i = %thread to 512 step 128 { ... arith.divf ... }
    ```
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect",
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"];
}

def LowerKernels : Pass<"weir-lower-kernels", "::mlir::gpu::GPUModuleOp"> {
  let summary = "turn kernels into the LLVM and NVVM dialects";
  let description = [{
    As upstream's `convert-gpu-to-nvvm`, except that functions are LLVM's own or
    arithmetic: no device library is needed. A function that has neither form is
    an error at its place. Maps of tensors that a kernel copies boxes by become
    parameters of 128 bytes, and tiles that boxes go to are aligned to 1024.

    ```mlir
    // old:
    gpu.func @f(%x: memref<8xf32>) kernel {
      %0 = math.sqrt %v : f32
      gpu.barrier
    // new:
    llvm.func @f(%x: !llvm.ptr, ...) attributes {nvvm.kernel} {
      %0 = llvm.intr.sqrt(%v) : (f32) -> f32
      nvvm.barrier0
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect",
    "::mlir::NVVM::NVVMDialect", "::mlir::cf::ControlFlowDialect",
    "::mlir::memref::MemRefDialect", "::mlir::nvgpu::NVGPUDialect"];
}

def LowerLaunches : Pass<"weir-lower-launches", "::mlir::ModuleOp"> {
  let summary = "launch kernels by their number";
  let description = [{
    Gathers the kernels of a module in one `gpu.module`, numbered in its order,
    and turns each `gpu.launch_func` into a call of the runtime, which gets the
    queue (the function's last argument), the kernel's number, the blocks, the
    threads of a block and the places of the arguments. Of a map of a tensor that
    is the place that the pointer tells.

    ```mlir
    // old:
    gpu.launch_func @f_kernel::@f_kernel blocks in (%n, %c1, %c1)
      threads in (%c128, %c1, %c1) : i64 args(%x : !llvm.ptr)
    // new:
    llvm.store %x, %place : !llvm.ptr, !llvm.ptr
    llvm.store %place, %places : !llvm.ptr, !llvm.ptr
    llvm.call @weir_rt_launch(%queue, %c0, %n, %c128, %places)
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def EmulateKernels : Pass<"weir-emulate-kernels", "::mlir::ModuleOp"> {
  let summary = "compile kernels for the SIMT emulator";
  let description = [{
    Turns the kernels of the `gpu.module` into functions of the host. What a
    thread does together with others (barriers, shuffles, `ldmatrix`, `mma.sync`,
    `wgmma`), copies that go on behind its back (`cp.async`,
    `cp.async.bulk.tensor`), barriers in memory and what it knows
    of itself (its number) become calls of the emulator, and so does a check in
    front of each access of shared memory. `weir.shared` of a function lists the
    bytes of its shared buffers. Everything else is the code that a GPU runs.

    ```mlir
    // old:
    llvm.func @f(%x: !llvm.ptr) attributes {nvvm.kernel} {
      %s = llvm.mlir.addressof @shared : !llvm.ptr<3>
      %v = llvm.load %s : !llvm.ptr<3> -> f32
      nvvm.barrier0
    // new:
    llvm.func @f(%block: !llvm.ptr, %places: !llvm.ptr) {
      %x = ... // loaded from its place
      %s = llvm.call @weir_simt_shared(%block, %c0, %c16)
      llvm.call @weir_simt_load(%block, %s, %c4, %c4, %site, %where)
      %v = llvm.load %s : !llvm.ptr -> f32
      llvm.call @weir_simt_barrier(%block, %site, %where)
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif // WEIR_CODEGEN_GPUPASSES_TD
