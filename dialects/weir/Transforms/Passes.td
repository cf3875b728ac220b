//===- Passes.td - Passes of the weir dialect --------------*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TRANSFORMS_PASSES_TD
#define WEIR_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def LowerToReferencePass : Pass<"weir-lower-to-reference", "::mlir::ModuleOp"> {
  let summary = "replace ops of the dialect by their plain definitions";
  let description = [{
    Rewrites every op that implements ReferenceInterface into upstream dialects
    as its description says, unfused, in the element type of its operands.
    `weir.param`, `weir.weight` and `weir.slot` stay.

    ```mlir
    // old:
    %1 = weir.select_last %0, %lengths
      : tensor<?x?x8xf32>, tensor<?xi32> -> tensor<?x1x8xf32>
    // new:
    %1 = linalg.generic ... { tensor.extract %0[...] }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}

def WidenToF64Pass : Pass<"weir-widen-to-f64", "::mlir::ModuleOp"> {
  let summary = "compute in f64 what was f32";
  let description = [{
    Gives every f32 value inside functions the type f64. Weights are read as
    they are stored and extended; f32 arguments are extended at the entry and
    f32 results truncated at the return, so that the function's interface stays
    as it was. State slots become f64.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

def DeriveStreamingPass : Pass<"weir-derive-streaming", "::mlir::ModuleOp"> {
  let summary = "derive the state and the step functions of a sequence model";
  let description = [{
    From the function whose `weir.method` is `forward`, derives the state
    (`weir.slot`s), `@extend` and `@extend_last` (docs/adr/004). The time axis
    is followed by dataflow; each value whose past is read gets one history.
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

def SpecializeTimePass : Pass<"weir-specialize-time", "::mlir::ModuleOp"> {
  let summary = "copy step functions for a fixed number of tokens";
  let description = [{
    Adds to each function of method `extend` or `extend_last` a copy whose time
    extent is `time`, named `<name>_t<time>`; with `batch` also fixed,
    `<name>_b<batch>_t<time>`.
  }];
  let options = [
    Option<"time", "time", "int64_t", "1", "tokens of a step">,
    Option<"batch", "batch", "int64_t", "0", "rows, or 0 for any number">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::tensor::TensorDialect"];
}

#endif // WEIR_TRANSFORMS_PASSES_TD
