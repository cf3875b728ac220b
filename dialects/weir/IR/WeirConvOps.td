//===- WeirConvOps.td - Short memories of the input -*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIRCONVOPS_TD
#define WEIR_IR_WEIRCONVOPS_TD

include "weir/IR/WeirProjectionOps.td"

def Weir_ConvActivation : I32EnumAttr<"ConvActivation",
    "what a convolution does to its sums", [
    I32EnumAttrCase<"None", 0, "none">,
    I32EnumAttrCase<"SiLU", 1, "silu">
  ]> {
  let cppNamespace = "::weir";
}

def Weir_CausalConvOp : Weir_Op<"causal_conv", [Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface, ["buildLowering"]>,
    DeclareOpInterfaceMethods<Weir_StreamingInterface>]> {
  let summary = "short convolution along time, each feature by itself";
  let description = [{
    `result[b, t, d] = act(bias[d] + sum_w weight[d, w] * input[b, t - W + 1 + w, d])`

    Inputs before token 0 are those of `init`, whose last entry is the token
    right before it; without `init` they are zero. `tail` is what `init` would
    have to be to go on: the last L inputs, those before token 0 included.
    Between the mixers of Mamba (arXiv:2312.00752) and others.

    - (C1) `input` and `result` are `[B, T, D]` of one float type, `weight` is
      `[D, W]` and `bias`, where given, `[D]` of that type. D and W are static,
      W >= 1.
    - (C2) `tail`, and `init` where given, are `[B, L, D]` of that type with a
      static L >= max(W - 1, 1).
    - (C3) `lengths`, where given, is `[B]` of i32 from 0 to T. `tail` ends with
      token `lengths[b] - 1`, and results at or behind `lengths[b]` are zeros.
    - (C4) The sum, the bias and the activation are f32, or f64 for f64.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$weight,
    Optional<AnyRankedTensor>:$bias, Optional<AnyRankedTensor>:$init,
    Optional<AnyRankedTensor>:$lengths,
    DefaultValuedAttr<Weir_ConvActivation,
      "::weir::ConvActivation::None">:$activation);
  let results = (outs AnyRankedTensor:$result, AnyRankedTensor:$tail);
  let extraClassDeclaration = [{
    /// Inputs that a result is a sum over.
    int64_t getWidth();
    /// Inputs that are handed on.
    int64_t getTailLength();
    /// What becomes of the float `sum`.
    ::mlir::Value buildActivation(::mlir::OpBuilder &builder,
                                  ::mlir::Location loc, ::mlir::Value sum);
    /// Of ReferenceInterface.
    bool hasOwnLowering() { return true; }
  }];
  let assemblyFormat = [{
    $input `,` $weight
    oilist(`bias` `(` $bias `:` type($bias) `)`
           | `init` `(` $init `:` type($init) `)`
           | `lengths` `(` $lengths `:` type($lengths) `)`)
    (`activation` `(` $activation^ `)`)? attr-dict
    `:` type($input) `,` type($weight) `->` type($result) `,` type($tail)
  }];
  let hasVerifier = 1;
}

def Weir_ShiftOp : Weir_Op<"shift", [Pure, AttrSizedOperandSegments,
    AllTypesMatch<["input", "result"]> /*shift_c1*/,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface, ["buildLowering"]>,
    DeclareOpInterfaceMethods<Weir_StreamingInterface>]> {
  let summary = "the token before";
  let description = [{
    `result[b, t] = input[b, t - 1]`, where the token before the first is
    `init[b]`, or zero. `last` is the last token, or `init` without tokens: the
    token shift of RWKV (arXiv:2305.13048).

    - (C1) type(result) = type(input), floats `[B, T, ...]` with static extents
      behind T.
    - (C2) `last`, and `init` where given, are `[B, ...]`, `input` without time.
    - (C3) `lengths`, where given, is `[B]` of i32 from 0 to T: `last` is token
      `lengths[b] - 1`. Results behind it are what the first line says.
  }];
  let arguments = (ins AnyRankedTensor:$input,
    Optional<AnyRankedTensor>:$init, Optional<AnyRankedTensor>:$lengths);
  let results = (outs AnyRankedTensor:$result, AnyRankedTensor:$last);
  let extraClassDeclaration = [{
    /// Of ReferenceInterface.
    bool hasOwnLowering() { return true; }
  }];
  let assemblyFormat = [{
    $input oilist(`init` `(` $init `:` type($init) `)`
                  | `lengths` `(` $lengths `:` type($lengths) `)`)
    attr-dict `:` type($input) `->` type($last)
  }];
  let hasVerifier = 1;
}

#endif // WEIR_IR_WEIRCONVOPS_TD
