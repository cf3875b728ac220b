//===- Passes.td - Code generation passes ------------------*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_CODEGEN_PASSES_TD
#define WEIR_CODEGEN_PASSES_TD

include "mlir/Pass/PassBase.td"

def BindWeights : Pass<"weir-bind-weights", "::mlir::ModuleOp"> {
  let summary = "place weights in one file and read them from its mapping";
  let description = [{
    Gives every `weir.param` that is read an `offset` in the weights file, sets
    `weir.weights_bytes` on the module, appends an argument for the mapped file
    (`weir.role = "weights"`) to every public function, and turns `weir.weight`
    into a view of it. Offsets are multiples of 64 bytes; parameters nobody
    reads get none.

    ```mlir
    // old:
    weir.param @w : tensor<3x8xf32> = #weir.checkpoint<"w">
    func.func @f(%layer: index) -> tensor<8xf32> {
      %0 = weir.weight @w[%layer] : tensor<8xf32>
    // new:
    weir.param @w : tensor<3x8xf32> = #weir.checkpoint<"w"> {offset = 0 : i64}
    func.func @f(%layer: index, %file: memref<?xi8> {weir.role = "weights"})
      %shift = ... // %layer * 32 + 0
      %view = memref.view %file[%shift][] : memref<?xi8> to memref<8xf32>
      %0 = bufferization.to_tensor %view restrict : memref<8xf32> to tensor<8xf32>
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::bufferization::BufferizationDialect",
    "::mlir::memref::MemRefDialect"];
}

def CarryInPlace : Pass<"weir-carry-in-place", "::mlir::ModuleOp"> {
  let summary = "write loop-carried tensors back, and values where they go";
  let description = [{
    A tensor carried by `scf.for` whose next value is computed afresh would make
    bufferisation allocate in every iteration, and the buffers of two
    iterations alive at once. This pass ends such a body by writing the next
    value into the carried one, so that one buffer serves the whole loop.
    Values that one-shot bufferisation makes updates in place of the carried
    tensor are left alone. Where carried tensors change places, one of them is
    copied first. State slots of functions are treated like loops; slots that a
    function only reads, the memories of an encoder, are marked as not writable.

    Then it replaces each `tensor.empty` that a value is computed in, before the
    value is inserted into another tensor or written back, by its place there;
    not where that place may still be read, as bufferisation would copy all of
    it first, or refuse.

    Precondition: ops that one-shot bufferisation knows.

    ```mlir
    // old:
    scf.for ... iter_args(%x = %x0) {
      %y = linalg.generic ins(%x) outs(%empty) // reads %x[0] for each element
      scf.yield %y
    // new:
      %y = linalg.generic ins(%x) outs(%empty)
      %z = bufferization.materialize_in_destination %y in %x
      scf.yield %z
    ```
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect",
    "::mlir::tensor::TensorDialect"];
}

def LowerCopies : Pass<"weir-lower-copies", "::mlir::ModuleOp"> {
  let summary = "turn copies of strided buffers into loops";
  let description = [{
    `memref.copy` between contiguous buffers becomes a call of memcpy further
    down; of strided ones it would become a call of a library that Weir's
    runtime does not have. Rows of a static number of adjacent elements are
    moved by vectors here; all else turns into `linalg.copy`.

    ```mlir
    // old:
    memref.copy %a, %b : memref<4x16xf32, strided<[32, 1]>> to memref<4x16xf32>
    // new:
    scf.for %i = 0 to 4 step 1 {
      %0 = vector.load %a[%i, 0] : vector<16xf32>
      vector.store %0, %b[%i, 0] : vector<16xf32>
    }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"];
}

def DropSlotResults : Pass<"weir-drop-slot-results", "::mlir::ModuleOp"> {
  let summary = "return no state slot that was updated in place";
  let description = [{
    Behind bufferisation a step function returns each slot in the buffer it came
    in. Those results go; a slot returned in another buffer was copied, which is
    an error.

    ```mlir
    // old:
    func.func @extend(%s: memref<?x?x4xf32> {weir.slot = @kv}, ...)
        -> (memref<?x8xf32>, memref<?x?x4xf32> {weir.slot = @kv}) {
      return %y, %s
    // new:
    func.func @extend(%s: memref<?x?x4xf32> {weir.slot = @kv}, ...)
        -> memref<?x8xf32> {
      return %y
    ```
  }];
}

def PrefetchBlocks : Pass<"weir-prefetch-blocks"> {
  let summary = "fetch rows of the next block while one is worked on";
  let description = [{
    Where a loop goes through a buffer by blocks of rows that do not lie side by
    side, such as the tokens of one head, each step prefetches the rows of the
    next step into the second-level cache. Rows of all such buffers are dealt
    out over the loops within a step, and over those of both ways of a branch:
    a core that waits for too many lines at once does nothing else.

    ```mlir
    // old:
    scf.for %i = %c0 to %blocks step %c1 {
      %first = arith.muli %i, %c16 : index
      %t = memref.subview %q[0, %first, %h, 0] [1, 16, 1, 64] [1, 1, 1, 1]
    // new:
      %t = memref.subview %q[0, %first, %h, 0] [1, 16, 1, 64] [1, 1, 1, 1]
      %next = arith.addi %first, %c16 : index
      scf.for %row = %c0 to %c16 step %c1 {
        %token = arith.addi %next, %row : index
        memref.prefetch %q[%c0, %token, %h, %c0], read, locality<2>, data
        // ... and each further line of the row
      }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"];
}

def PlanMemory : Pass<"weir-plan-memory", "::mlir::ModuleOp"> {
  let summary = "give every buffer its place in an arena";
  let description = [{
    Appends an argument for scratch memory (`weir.role = "arena"`) to every
    public function, replaces each `memref.alloc` by a view of it, and adds
    `@<name>__arena` with the same arguments, which returns the bytes needed
    from the extents of the arguments alone. Nothing is allocated in a step.

    Every buffer has a place of its own, a multiple of 64 bytes. Buffers inside
    a parallel loop get one copy per thread, behind the shared part; those of
    other parallel loops lie in the same place. A buffer inside a sequential
    loop is reused by each iteration.

    Precondition: bufferised, one level of functions. An allocation whose size
    depends on data or on a loop counter is an error at its place.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::func::FuncDialect", "::mlir::memref::MemRefDialect"];
}

def SelectSchedule : Pass<"weir-select-schedule", "::mlir::func::FuncOp"> {
  let summary = "choose tiles, forms and where threads come in";
  let description = [{
    Writes `#weir.schedule` on every op that takes one and has none. Later
    passes only read it, and a person may write it by hand. Each choice is a
    remark with its reason.

    - `weir.packed_linear`: `panel`, with tiles of [rows, columns]. Columns are
      whole panels, cut evenly into a few pieces per thread.
      Inside of experts that threads share, tiles are a few panels for one
      thread.
    - `weir.experts`: `grouped` for many tokens, with the rows of a block and
      parts for threads; for one token `slots`, or `columns` where its experts
      do not divide evenly among the threads. With `grid` it is `grid`, and a
      tile of a product in it is one panel.
    - `weir.attention`: `row` for a single query, or `split` where its heads do
      not divide evenly among the threads; `flash` for more queries, with as
      many in a tile as fill whole vectors with the heads of a group. Along a
      path there are no parts, and tiles have few keys.
      With a list of blocks `list`, or `list_flash` where the queries that share
      one fill a vector; `list_sorted` where they do not, and blocks have 32
      keys: many queries sorted by the blocks that they name, with [queries,
      keys, queries of a block at once].
    - `weir.select_blocks`: `row`, with [queries, blocks] of which scores are
      computed at once.
    - `weir.delta_values`: `row` for a single token, `flash` for more.
    - `weir.recurrence`: `recurrent` for one token, `chunkwise` for more.
      Value features are halved until a tile's state has `state-bytes`.
      Where heads, of the rows that are known of, are at most half as many as
      threads and it is estimated to take 15% less, `parallel`: ranges of time
      side by side, with [tokens, value features, heads, ranges].
    - `weir.scan`: `scan` with tiles of its element-wise axes, or `parallel`
      with one number more, the ranges of time, where tiles are too few and the
      step is affine and element by element in the states. A remark for each
      state says what a step makes of it, and what it computes the coefficients
      with.

    Whether ranges of time do run side by side is also seen when running: not
    for short sequences, nor where rows of the batch fill the threads.

    ```mlir
    // old:
    %y = weir.packed_linear %x, %w bits(32) group(32)
       : tensor<1x1x64xf32>, tensor<4x64x32xf32> -> tensor<1x1x128xf32>
    // new:
    %y = weir.packed_linear %x, %w bits(32) group(32)
       schedule(<form = "panel", tiles = [132, 32], parallel = true>) ...
    ```
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "int64_t", "512",
           "Width of the target's vectors">,
    Option<"threads", "threads", "int64_t", "2", "Threads to plan for">,
    Option<"lineBits", "line-bits", "int64_t", "512",
           "Width of what threads take from each other when they write to it">,
    Option<"ranges", "ranges", "bool", "true",
           "Cut time into ranges where threads would be idle">,
    Option<"stateBytes", "state-bytes", "int64_t", "0",
           "Bytes that a tile's state of a recurrence has at most, half of them "
           "where each key feature decays by itself; 0: any number">,
    Option<"sort", "sort", "bool", "true",
           "Sort queries with lists of their own by the blocks that these name">,
    Option<"grid", "grid", "bool", "false",
           "Spread an expert's products over the blocks of a grid">,
    Option<"rows", "rows", "int64_t", "132",
           "Rows of a product that a tile takes at most; a multiple of those that "
           "registers take at once, 12 with vectors of 512 bits">,
  ];
}

def FuseElementwise : Pass<"weir-fuse-elementwise"> {
  let summary = "compute chains of element-wise operations in one loop";
  let description = [{
    Fuses element-wise `linalg.generic`s with the one operation that reads each,
    and moves reshapes out of the way, as upstream's
    `linalg-fuse-elementwise-ops` does. An operation with exp, log, log1p, tanh,
    erf, sin, cos or powf in its body stays apart where its reader spreads it
    over further axes of fewer than 256 elements: in one loop the function
    would be computed on scalars, apart it is on vectors.

    In the body of an op, an element-wise operation that a reduction over the
    same loops reads becomes part of that even when others read its result too,
    as long as they come later: the fused operation has both results. Operations
    on whole tensors are left as they are, to be cut into tiles.

    ```mlir
    // old:
    %s = linalg.generic ins(%x) outs(%e)    // (d) -> (d), softplus
    %y = linalg.generic ins(%s, %h) ...     // (d, n) -> (d), (d, n) -> (d, n)
    // new: the same; were %s read as (d, n) -> (d, n), one operation
    ```
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def TileAndFuse : Pass<"weir-tile-and-fuse"> {
  let summary = "spread products, norms and what surrounds them over threads";
  let description = [{
    Turns work outside of parallel loops into `scf.forall` over tiles: scheduled
    `weir.packed_linear`s together with the element-wise operations that alone
    read them (activation, gate, residual), cut along columns; and operations
    with many elements (norms, rotary positions), cut along rows, together with
    what they alone read. An operation with little to do stays.

    ```mlir
    // old:
    %g = weir.packed_linear %x, %wg ... schedule(<form = "panel", ...>)
    %u = weir.packed_linear %x, %wu ... schedule(<form = "panel", ...>)
    %y = linalg.generic ins(%g, %u) { silu(g) * u }
    // new:
    %y = scf.forall (%n) = (0) to (1536) step (192) shared_outs(%out = %e) {
      %gt = weir.packed_linear %x, %wg_slice ...
      %ut = weir.packed_linear %x, %wu_slice ...
      %yt = linalg.generic ins(%gt, %ut) outs(%out_slice) { silu(g) * u }
      scf.forall.in_parallel {
        tensor.parallel_insert_slice %yt into %out[0, 0, %n] ...
    ```
  }];
  let options = [
    Option<"worth", "worth", "int64_t", "32768",
           "Elements that make parallel tiles worth it">,
    Option<"elements", "elements", "int64_t", "8192",
           "Elements that a tile of rows has at least">,
  ];
  let dependentDialects = ["::mlir::affine::AffineDialect",
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}

def TileBlockMaps : Pass<"weir-tile-block-maps"> {
  let summary = "turn block maps into loops over tiles";
  let description = [{
    Rewrites every op that implements `BlockMapInterface` to `scf.forall` over
    the parallel points of its domain and, within, `scf.for` over blocks that
    hands the carry on. What happens to a block is the op's own; this pass names
    no op. Where the schedule cuts the carried loop in parts, one loop summarises
    each part and a second one composes the summaries. Where blocks write their
    own parts of results, parts are ranges of time: the first loop runs the
    first range and summarises those between it and the last, the second one
    runs all others, each from its true carry.

    Precondition: each op has a `#weir.schedule`.

    ```mlir
    // old:
    %o = weir.attention %q, %k, %v mask(#weir.mask<causal>) scale(0.125)
      schedule(#weir.schedule<form = "flash", tiles = [64, 96]>)
    // new:
    %o = scf.forall (%b, %h, %t) in (%batch, 8, %tiles) shared_outs(%out) {
      %place = tensor.extract_slice %out[...]
      %qt = ... // scaled query tile
      %carry:3 = scf.for %i = %first to %last step %c1
          iter_args(%max, %sum, %acc) { ... }
      %tile = linalg.generic ins(%carry#2, ...) outs(%place)
      scf.forall.in_parallel {
        tensor.parallel_insert_slice %tile into %out[...]
    ```
  }];
  let options = [
    Option<"blocks", "blocks", "bool", "false",
           "Map points to blocks of a GPU, so that a loop with one stays one">,
  ];
  let dependentDialects = ["::mlir::affine::AffineDialect",
    "::mlir::bufferization::BufferizationDialect",
    "::mlir::arith::ArithDialect", "::mlir::gpu::GPUDialect",
    "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect"];
}

def FuseIntoBlocks : Pass<"weir-fuse-into-blocks"> {
  let summary = "move element-wise work into the loops of block maps";
  let description = [{
    An element-wise `linalg.generic` whose result only one slice within a
    parallel loop reads, and each element of it at most once, is computed there,
    slice by slice. One that alone reads a result of the loop, at the same
    indices, and whose other operands are known in front of the loop, is applied
    to each tile before that is written. Neither tensor between them exists
    afterwards.

    ```mlir
    // old:
    %v = linalg.generic ins(%x, %rate) { arith.mulf }
    %o = scf.forall (%b, %h) in (%batch, 16) shared_outs(%out) {
      %t = tensor.extract_slice %v[%b, %i, %h, 0] [1, %n, 1, 64] [1, 1, 1, 1]
    // new:
    %o = scf.forall (%b, %h) in (%batch, 16) shared_outs(%out) {
      %xt = tensor.extract_slice %x[%b, %i, %h, 0] [1, %n, 1, 64] [1, 1, 1, 1]
      %rt = tensor.extract_slice %rate[%b, %i, %h] [1, %n, 1] [1, 1, 1]
      %t = linalg.generic ins(%xt, %rt) { arith.mulf }
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"];
}

def StageTransposes : Pass<"weir-stage-transposes"> {
  let summary = "transpose what steps of a loop read and write, block by block";
  let description = [{
    Within a `scf.forall`, an `scf.for` over time that reads one row a step of a
    `linalg.transpose` whose operand has time last, and each row in one point
    only, goes through time in blocks: what a block reads is transposed into a
    tile in front of its steps. Likewise a result that a step writes a row of,
    and that one `linalg.transpose` alone reads, which puts time last: a block's
    rows go to a tile, which is transposed into the result behind its steps. The
    tensors between do not exist afterwards. Extents of rows are static.

    ```mlir
    // old:
    %x = linalg.transpose ins(%wide) ... permutation = [1, 0]   // time last
    %y = scf.forall (%c) in (4) shared_outs(%out = %e) {
      %r = scf.for %t = %c0 to %n step %c1 iter_args(%o = %slice) {
        %row = tensor.extract_slice %x[%t, %i] [1, 256] [1, 1]
    // new:
    %y = scf.forall (%c) in (4) shared_outs(%out = %e) {
      %r = scf.for %b = %c0 to %n step %c16 iter_args(%o = %slice) {
        %part = tensor.extract_slice %wide[%i, %b] [256, %size] [1, 1]
        %tile = linalg.transpose ins(%part) ... permutation = [1, 0]
        scf.for %t = %c0 to %size step %c1 iter_args(%p = %o) {
          %row = tensor.extract_slice %tile[%t, 0] [1, 256] [1, 1]
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect"];
}

def TransposeCarried : Pass<"weir-transpose-carried"> {
  let summary = "carry matrices transposed whose rows are added up";
  let description = [{
    A matrix that an `scf.for` carries, and whose rows operations of its body
    reduce, is carried transposed: in front of the loop it is transposed, and
    behind it back. So are the matrices of its shape that go with it in the
    body; those from in front of the loop are transposed there. Each row of
    vectors then holds many results of a reduction. Rows come by multiples of
    16, and all operations that touch the matrix are `linalg.generic`s that take
    its rows in parallel; other matrices stay.

    ```mlir
    // old:
    %h = scf.for ... iter_args(%s = %start) -> tensor<64x16xf32> {
      %next = linalg.generic ins(%a, %b) outs(%s)  // (d, n) -> (d, n), (n)
      %y = linalg.generic ins(%next, %c) ...       // sums along n
    // new:
    %t = linalg.transpose ins(%start) ... permutation = [1, 0]
    %r = linalg.transpose ins(%a) ... permutation = [1, 0]
    %u = scf.for ... iter_args(%s = %t) -> tensor<16x64xf32> {
      %next = linalg.generic ins(%r, %b) outs(%s)  // (d, n) -> (n, d), (n)
      %y = linalg.generic ins(%next, %c) ...
    %h = linalg.transpose ins(%u) outs(%start) permutation = [1, 0]
    ```
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"];
}

def KeepPartialWrites : Pass<"weir-keep-partial-writes"> {
  let summary = "have bufferisation copy what a write of vectors leaves alone";
  let description = [{
    One-shot bufferisation of LLVM 22 holds a write of a vector at the origin for
    one of the whole tensor if the vector is as long as the tensor's first axis,
    whatever further axes there are, and does not copy the rest of a tensor that
    it cannot write in place. Such writes get an index that is no constant, for
    which it makes no such claim; canonicalisation folds it later on.

    ```mlir
    // old: rows from 1 on of the result are lost where %t is not writable.
    %r = vector.transfer_write %v, %t[%c0, %c0] : vector<8xf32>, tensor<7x8xf32>
    // new:
    %i = arith.addi %c0, %c0 : index
    %r = vector.transfer_write %v, %t[%i, %c0] : vector<8xf32>, tensor<7x8xf32>
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def LowerLoops : Pass<"weir-lower-loops"> {
  let summary = "Rewrite structured loops and choices to branches";
  let description = [{
    Precondition: buffers. Effect: no `scf` operation is left. A counted loop is
    entered if it has an iteration, and tests for the next one at its end, the
    form that LLVM brings loops to at a greater cost. There stand the loop's
    attributes of the dialect `llvm`, such as `llvm.loop_annotation`.

    ```mlir
    // old:
    scf.for %i = %lb to %ub step %s { "body"(%i) }
    // new:
      %any = arith.cmpi slt, %lb, %ub
      cf.cond_br %any, ^entry, ^end
    ^entry:
      cf.br ^body(%lb)
    ^body(%i: index):
      "body"(%i)
      %next = arith.addi %i, %s
      %more = arith.cmpi slt, %next, %ub
      cf.cond_br %more, ^body(%next), ^exit
    ^exit:
      cf.br ^end
    ^end:
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::cf::ControlFlowDialect", "::mlir::LLVM::LLVMDialect"];
}

def PackWeights : Pass<"weir-pack-weights", "::mlir::ModuleOp"> {
  let summary = "lay weights out for the micro-kernels, quantised if asked for";
  let description = [{
    Gives each `weir.weight` that is the matrix of a `weir.linear` parameters in
    `#weir.pack` form, and turns the `weir.linear` into a `weir.packed_linear`
    that reads them. Other readers of the parameter (an embedding tied to the
    output layer) keep the plain form.

    `quantize` chooses the stored numbers: `none` keeps f32, and 16-bit floats
    where the parameter is declared or stored so; `bf16`, `int8` and `int4` are
    what they say; `stored` follows the parameter's attribute `stored`, the
    lower-case name of the type it has in the checkpoint: `q4_0` and `q4_1` give
    4 bits and `q8_0` 8 bits without requantising, and so does `mxfp4`, whose
    4 bits are e2m1 and whose scales stay exponents; `f8_e4m3` keeps its numbers
    and scales of f32, in groups of 128, 64 or 32, whichever is the largest to
    divide the input features; other block types give 8 bits, `bf16` and `f16`
    keep theirs, the rest is f32. A matrix whose input features are no multiple
    of the group is not quantised, with a missed remark.

    With `compute=bf16`, weights stored as bf16 are packed in pairs and the
    inputs of their products are rounded to bf16; other weights are multiplied
    in f32, with a missed remark.

    ```mlir
    // old:
    weir.param @up : tensor<3x112x64xf32> = #weir.checkpoint<...>
    %w = weir.weight @up[%layer] : tensor<112x64xf32>
    %y = weir.linear %x, %w : tensor<?x?x64xf32>, tensor<112x64xf32>
                            -> tensor<?x?x112xf32>
    // new:
    weir.param @up_values : tensor<3x4x64x32xf32>
      = #weir.pack<@up, values, panel = 32, bits = 32, group = 32>
    %v = weir.weight @up_values[%layer] : tensor<4x64x32xf32>
    %y = weir.packed_linear %x, %v bits(32) group(32)
       : tensor<?x?x64xf32>, tensor<4x64x32xf32> -> tensor<?x?x112xf32>
    ```
  }];
  let options = [
    Option<"panel", "panel", "int64_t", "32",
           "Output features side by side: two vectors of the target">,
    Option<"quantize", "quantize", "std::string", "\"none\"",
           "none, stored, bf16, int8 or int4">,
    Option<"compute", "compute", "std::string", "\"f32\"",
           "What float weights are multiplied in: f32 or bf16">,
    Option<"group", "group", "int64_t", "32", "Elements that share a scale">,
    Option<"halfScales", "half-scales", "bool", "true",
           "Keep scales and mins in f16, as checkpoints do">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def PackOperands : Pass<"weir-pack-operands"> {
  let summary = "lay the second factors of large products out for the micro-kernels";
  let description = [{
    Precondition: weights are packed. A product whose second factor is no weight
    (`linalg.matmul`, `linalg.batch_matmul` or any contraction of their kind with
    sums of f32; a `weir.linear` with a computed matrix) becomes a copy of that
    factor into panels and a `weir.packed_linear`. That pays from `least-rows`
    rows and `least-elements` elements of the factor on; extents of rows and of
    the batch may be dynamic, where they count as many. What a contraction adds
    to is added behind it. Products of a batch follow each other in a loop.

    With `compute=bf16` all factors are rounded to bf16 and multiplied in pairs
    along the sums, if these are of an even number; with `pairs`, those that are
    bf16.

    Contractions with other axes, with columns or sums of dynamic extent or of
    other types stay as they are, with a missed remark. Those in bodies of other
    operations are tiles already.

    ```mlir
    // old:
    %c = linalg.matmul ins(%a, %b : tensor<?x64xf32>, tensor<64x96xf32>)
                       outs(%zeros : tensor<?x96xf32>) -> tensor<?x96xf32>
    // new:
    %0 = tensor.expand_shape %b [[0], [1, 2]]
       : tensor<64x96xf32> into tensor<64x3x32xf32>
    %v = linalg.generic ins(%0) outs(%e : tensor<3x64x32xf32>) // (p, k, j)
    %c = weir.packed_linear %a, %v bits(32) group(32)
       : tensor<?x64xf32>, tensor<3x64x32xf32> -> tensor<?x96xf32>
    ```
  }];
  let options = [
    Option<"panel", "panel", "int64_t", "32",
           "Columns side by side: two vectors of the target">,
    Option<"pairs", "pairs", "bool", "false",
           "Multiply factors of bf16 as they are, in pairs along the sums">,
    Option<"compute", "compute", "std::string", "\"f32\"",
           "What factors of f32 are multiplied in: f32 or bf16">,
    Option<"leastRows", "least-rows", "int64_t", "8",
           "Rows that repay the copy">,
    Option<"leastElements", "least-elements", "int64_t", "4096",
           "Elements of the factor below which it fits the nearest cache">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect", "::weir::WeirDialect"];
}

def QuantizeActivations : Pass<"weir-quantize-activations"> {
  let summary = "quantise what products with quantised weights read";
  let description = [{
    Gives every `weir.packed_linear` with quantised weights and a float input
    the quants that `weir.quantize` makes of its input, in the weights' groups.
    Products of one block that read the same share them. This changes results:
    it is what `--compute=int8` asks for. Weights of e4m3 are no integers: their
    products stay as they are, with a missed remark.

    ```mlir
    // old:
    %y = weir.packed_linear %x, %w scales(%s) bits(4) group(32)
       : tensor<1x1x576xf32>, ... -> tensor<1x1x1536xf32>
    // new:
    %q, %t, %u = weir.quantize %x group(32) : tensor<1x1x576xf32> -> ...
    %y = weir.packed_linear %q, %w scales(%s) input_scales(%t) input_sums(%u)
       bits(4) group(32) : tensor<1x1x576xi8>, ... -> tensor<1x1x1536xf32>
    ```
  }];
}

#endif // WEIR_CODEGEN_PASSES_TD
