//===- CPUPasses.td - Code generation for CPUs -------------*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_CODEGEN_CPUPASSES_TD
#define WEIR_CODEGEN_CPUPASSES_TD

include "mlir/Pass/PassBase.td"

def VectorizeContractions : Pass<"weir-vectorize-contractions"> {
  let summary = "turn matrix products on small tiles into vector loops";
  let description = [{
    Rewrites `linalg` contractions of two matrices with one axis summed over to
    loops over register tiles, on tensors:

    - outer products, where both the result and the second factor are
      contiguous along the columns: `rows` x two vectors of accumulators, an
      element of the first factor times whole vectors of the second;
    - dot products, where both factors are contiguous along the summed axis.

    The columns (outer products) or the summed axis (dot products) must be
    static, other extents may be dynamic. A `linalg.fill` of the result becomes
    the accumulators' start. Factors of narrower floats are widened on load.
    Other contractions stay as they are, with a remark.

    Accumulators are vectors of one axis, carried one by one, so that they stay
    in registers. Loops along the summed axis have `llvm.loop_annotation` say how
    many of their passes LLVM is to make one.

    ```mlir
    // old:
    %s = linalg.generic ins(%k : tensor<?x64xf32>, %q : tensor<64x96xf32>)
                        outs(%zero : tensor<?x96xf32>) // (i,k), (k,j), (i,j)
    // new:
    scf.for %i = 0 to %whole step 12 iter_args(%out) {
      scf.for %j = 0 to 96 step 32 {
        %acc:24 = scf.for %k = 0 to 64 {
          vector.transfer_read %q[%k, %j] : vector<16xf32>
          tensor.extract %k[%i, %k]
          vector.broadcast ; vector.fma ...
    ```
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "int64_t", "512",
           "Width of the target's vectors">,
    Option<"rows", "rows", "int64_t", "12",
           "Rows of a register tile of outer products">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect", "::mlir::vector::VectorDialect"];
}

def VectorizeTransposes : Pass<"weir-vectorize-transposes"> {
  let summary = "transpose matrices in registers";
  let description = [{
    Rewrites a `linalg.generic` or `linalg.transpose` that reads numbers of f32
    along one axis and writes them along another to loops over blocks with as
    many rows and columns as a vector has numbers. Each is read four numbers at a
    time, transposed in registers and written by rows; a body that works on single
    numbers works on the rows. What is left of extents that are no multiples of a
    block's stays an operation of its own. Extents below these stay, and all do
    with vectors of 128 bits.

    ```mlir
    // old:
    %t = linalg.generic ins(%x : tensor<32x64xf32>) outs(%e : tensor<64x32xf32>)
      // (i, j) -> (j, i), (i, j) -> (i, j)
    // new:
    scf.for %i = 0 to 32 step 16 iter_args(%e) {
      scf.for %j = 0 to 64 step 16 {
        vector.transfer_read %x[%i, %j] : vector<4xf32> // and 63 more
        %b = vector.shuffle ... : vector<16xf32>, vector<16xf32>
        vector.transfer_write %b, %t[%j, %i] // and 15 more rows
    ```
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "int64_t", "512",
           "Width of the target's vectors">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
    "::mlir::vector::VectorDialect"];
}

def VectorizeGenerics : Pass<"weir-vectorize-generics"> {
  let summary = "turn element-wise operations and row reductions into vectors";
  let description = [{
    Rewrites `linalg.generic` on tensors whose bodies are element-wise to loops,
    the last of them over vectors. Operands must run along their last axis with
    the last loop, or not at all. Reductions over the last loop (sum, maximum,
    minimum) run in a vector that is added up behind it, so that sums are in
    another order than written. Other operations stay as they are.

    ```mlir
    // old:
    %s = linalg.generic ins(%x : tensor<8x576xf32>) outs(%z : tensor<8xf32>)
      { %0 = arith.mulf %in, %in ; %1 = arith.addf %out, %0 }
    // new:
    scf.for %i = 0 to 8 iter_args(%t = %z) {
      %v = scf.for %k = 0 to 576 step 16 iter_args(%a = zero) {
        %r = vector.transfer_read %x[%i, %k] : vector<16xf32>
        ... arith.addf : vector<16xf32>
      }
      vector.reduction <add>, %v ; tensor.insert %sum into %t[%i]
    ```
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "int64_t", "512",
           "Width of the target's vectors">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect",
    "::mlir::vector::VectorDialect"];
}

def ExpandMath : Pass<"weir-expand-math"> {
  let summary = "compute functions of f32 by arithmetic that vectorises";
  let description = [{
    Rewrites `math.exp`, `math.log`, `math.log1p`, `math.tanh` and `math.erf` on
    f32, or on vectors of f32, to range reduction and polynomials. LLVM
    vectorises a loop with these, and not one with a call of `expf`. Results are
    within 1.5 units in the last place. They are NaN for NaN and where the
    function has no value, infinite at its poles, and keep the sign of zero;
    small arguments are exact to the last place. exp alone is 0 where the result
    is below the smallest normal number. AVX-512 multiplies by powers of two in
    one instruction.

    Functions of other types stay, and those of tensors.

    ```mlir
    // old:
    %y = math.exp %x : f32
    // new:
    %n = ... // round(%x / ln 2), in the low bits
    %r = math.fma %n, %minus_ln2, %x : f32
    %p = ... // polynomial in %r
    %y = arith.bitcast ... // exponent of %p plus %n
    ```
  }];
  let options = [
    Option<"avx512", "avx512", "bool", "false",
           "Whether vectors of 16 may use instructions of AVX-512">,
    Option<"angles", "angles", "bool", "false",
           "Whether sin and cos of f32 are computed so too">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::LLVM::LLVMDialect",
    "::mlir::math::MathDialect", "::mlir::vector::VectorDialect"];
}

def InlineScopes : Pass<"weir-inline-scopes"> {
  let summary = "remove scopes of stack memory that hold none";
  let description = [{
    The conversion of parallel loops to OpenMP wraps their bodies in
    `memref.alloca_scope`, which cannot hold the control flow that loops within
    become. Scopes without a `memref.alloca` of their own are replaced by their
    bodies.

    ```mlir
    // old:
    memref.alloca_scope {
      scf.for ...
    }
    // new:
    scf.for ...
    ```
  }];
}

def LowerPackedLinear : Pass<"weir-lower-packed-linear"> {
  let summary = "write the micro-kernels of packed matrix products";
  let description = [{
    Turns `weir.packed_linear` into loops of vector operations on tensors: over
    panels, over tiles of rows (12 rows of 32 columns with 32 registers of 512
    bits), over the reduction. Rows and panels may be dynamic; a last tile of
    fewer rows computes its last row several times. The bias is where
    accumulators start. A single row takes several steps of the reduction at
    once. Padded columns are not written.

    Quantised weights are turned into f32 in registers for a single row, and
    panel by panel into a buffer for several. Where the input is quantised too,
    both are multiplied by integer dot products, which the target must have.
    Quants with the code `e2m1` are looked up, 16 or more at once, as whole
    numbers that are twice theirs; with `byte-shuffle=false` they are computed.
    Those with the code `e4m3` become floats by their bits, exactly.

    ```mlir
    // old:
    %y = weir.packed_linear %x, %w bits(32) group(32)
       : tensor<1x132x64xf32>, tensor<4x64x32xf32> -> tensor<1x132x128xf32>
    // new:
    scf.for %panel = 0 to 4 iter_args(%y) {
      scf.for %row = 0 to 132 step 12 {
        %acc:24 = scf.for %k = 0 to 64 {
          vector.transfer_read %w[%panel, %k, 0] : vector<16xf32>
          tensor.extract %x[0, %row, %k]
          vector.broadcast ; vector.fma ...
        vector.transfer_write %acc#0, %y[0, %row, %column]
    ```
  }];
  let options = [
    Option<"vectorBits", "vector-bits", "int64_t", "512",
           "Width of the target's vectors">,
    Option<"fma", "fma", "bool", "true",
           "Whether the target multiplies and adds in one instruction">,
    Option<"vnni", "vnni", "bool", "true",
           "Whether the target has integer dot products of bytes">,
    Option<"bf16", "bf16", "bool", "true",
           "Whether the target has dot products of bf16">,
    Option<"byteShuffle", "byte-shuffle", "bool", "true",
           "Whether the target looks bytes up in a vector of 16 of them">,
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect", "::mlir::vector::VectorDialect"];
}

#endif // WEIR_CODEGEN_CPUPASSES_TD
