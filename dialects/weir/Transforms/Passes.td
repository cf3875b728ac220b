//===- Passes.td - Passes of the weir dialect -*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TRANSFORMS_PASSES_TD
#define WEIR_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def LowerToReferencePass : Pass<"weir-lower-to-reference"> {
  let summary = "replace ops by their plain definitions";
  let description = [{
    Rewrites every op that implements `ReferenceInterface` to its definition in
    upstream dialects: unfused, every intermediate spelt out. The result is the
    oracle that optimised lowerings are judged against. What is left of the
    dialect is `weir.param`, `weir.weight` and `weir.slot`.

    ```mlir
    // old:
    %y = weir.select_last %x, %lengths
        : tensor<?x?x4xf32>, tensor<?xi32> -> tensor<?x1x4xf32>
    // new:
    %empty = tensor.empty(%batch) : tensor<?x1x4xf32>
    %y = linalg.generic ... outs(%empty : tensor<?x1x4xf32>) {
      %last = ... // max(lengths[b], 1) - 1
      %entry = tensor.extract %x[%b, %last, %d]
      linalg.yield %entry
    }
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::func::FuncDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}

def WidenToF64Pass : Pass<"weir-widen-to-f64", "::mlir::ModuleOp"> {
  let summary = "compute in f64 what is written in f32";
  let description = [{
    Turns f32 values of all functions into f64, constants included, so that a
    lowering behind this pass has rounding errors far below those of f32.
    Numbers from outside stay as they are: weights are read in their own type
    and extended, public arguments are f32 and extended on entry, and public
    results are rounded at the return. The matrices of linear maps and
    embeddings are not even extended: these convert number by number. Slots of
    the state become f64, since rounding them would lose what the wider steps
    gained. Run it before `weir-lower-to-reference`. Bitcasts of f32, and calls
    of public functions with f32 arguments or results, are errors.

    ```mlir
    // old:
    %w = weir.weight @w : tensor<8xf32>
    %y = weir.rms_norm %x weight(%w : tensor<8xf32>) eps(1.0e-5)
        : tensor<?x?x8xf32>
    // new:
    %w = weir.weight @w : tensor<8xf32>
    %wide = linalg.generic ... ins(%w) { arith.extf } -> tensor<8xf64>
    %y = weir.rms_norm %x weight(%wide : tensor<8xf64>) eps(1.0e-5)
        : tensor<?x?x8xf64>
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def DeriveStreamingPass : Pass<"weir-derive-streaming", "::mlir::ModuleOp"> {
  let summary = "derive the state and the step functions of a sequence model";
  let description = [{
    From the function whose `weir.method` is `forward`, derives the state
    (`weir.slot`s), `@extend` and `@extend_last` (docs/adr/004), which are
    private when the function is. The time axis
    is followed by dataflow; each value whose past is read gets one history.
    Tokens that a `weir.list_tokens` lists are a sequence with positions of its
    own: what is remembered of them are these tokens alone (docs/adr/009).
    Of a function of several sequences, such as an encoder's and a decoder's,
    `@encode` computes what depends on all but that of the results, and steps
    read the part of it that they need as slots of the kind `memory`
    (docs/adr/014).
    Each `weir.generate` over the function goes over to `@extend_last`.
    What cannot stream is an error at its location, or with `require=false` a
    missed remark and the module attribute `weir.no_streaming`.
  }];
  let options = [
    Option<"require", "require", "bool", "true",
           "fail on a model that cannot stream">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def LowerPointwisePass : Pass<"weir-lower-pointwise"> {
  let summary = "rewrite ops that treat positions one by one";
  let description = [{
    Rewrites ops that treat time positions one by one, such as norms and rotary
    positions, to `linalg` on tensors, in the form that vectorises best
    (`buildLowering` of `ReferenceInterface`), and those that look across time
    whose `hasOwnLowering` says that they are such operations on slices, such as
    a short convolution. Left are others that look across time and those that
    are cut into tiles as they are (`TilingInterface`).

    ```mlir
    // old:
    %y = weir.rotary %x, %positions, %frequencies layout(half) : ...
    // new:
    %a = tensor.extract_slice %x[0, 0, 0, 0] ...
    %b = tensor.extract_slice %x[0, 0, 0, 32] ...
    %r:2 = linalg.generic ins(%a, %b, %cosines, %sines) ...
    ```
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect"
  ];
}

def HoistInvariantsPass : Pass<"weir-hoist-invariants"> {
  let summary = "move what all layers share out of a stack";
  let description = [{
    Operations in a region of `weir.stack` that have no side effect and depend
    on nothing in the stack, such as the cosines of rotary positions, move in
    front of it and run once.

    ```mlir
    // old:
    %y = weir.stack (%x) order [0, 0] : tensor<?x?x8xf32> {
    ^bb0(%layer: index, %h: tensor<?x?x8xf32>):
      %cos = linalg.generic ins(%positions, %frequencies) ...
    // new:
    %cos = linalg.generic ins(%positions, %frequencies) ...
    %y = weir.stack (%x) order [0, 0] : tensor<?x?x8xf32> {
    ```
  }];
}

def SpecializeTimePass : Pass<"weir-specialize-time", "::mlir::ModuleOp"> {
  let summary = "copy step functions for a fixed number of tokens";
  let description = [{
    Adds to each function of method `extend` or `extend_last` a copy whose time
    extent is `time`, named `<name>_t<time>`; with `batch` also fixed,
    `<name>_b<batch>_t<time>`. With `method`, only functions of that method.
  }];
  let options = [
    Option<"time", "time", "int64_t", "1", "tokens of a step">,
    Option<"batch", "batch", "int64_t", "0", "rows, or 0 for any number">,
    Option<"method", "method", "std::string", "\"\"",
           "the method to specialise; empty for both">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def MergeProjectionsPass : Pass<"weir-merge-projections", "::mlir::ModuleOp"> {
  let summary = "one matrix product for linears that read the same input";
  let description = [{
    Linears of one block with the same input whose matrices are weights of the
    same layer become one, on a parameter that joins theirs (`#weir.concat`), and
    slices of its result: query, key and value; gate and up. Where some have a
    bias, the others get zeros. Weights of different element or stored types, and
    parameters that something else reads too, are left alone.

    ```mlir
    // old:
    %q = weir.linear %x, %wq : tensor<?x?x64xf32>, tensor<64x64xf32> -> ...
    %k = weir.linear %x, %wk : tensor<?x?x64xf32>, tensor<16x64xf32> -> ...
    // new:
    weir.param @q_k : tensor<3x80x64xf32> = #weir.concat<[@q, @k], axis = 1>
    %w = weir.weight @q_k[%layer] : tensor<80x64xf32>
    %qk = weir.linear %x, %w
    %q = tensor.extract_slice %qk[0, 0, 0] [%b, %t, 64] [1, 1, 1]
    %k = tensor.extract_slice %qk[0, 0, 64] [%b, %t, 16] [1, 1, 1]
    ```
  }];
  let dependentDialects = ["::mlir::tensor::TensorDialect"];
}

#endif // WEIR_TRANSFORMS_PASSES_TD
