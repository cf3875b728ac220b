//===- WeirPositionOps.td - Positions and rotations -*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIRPOSITIONOPS_TD
#define WEIR_IR_WEIRPOSITIONOPS_TD

include "weir/IR/WeirProjectionOps.td"

def Weir_PositionsOp : Weir_Op<"positions", [Pure,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface>,
    DeclareOpInterfaceMethods<Weir_StreamingInterface>]> {
  let summary = "the position of each token in its row";
  let description = [{
    `result[b, t] = offset[b] + t`, where `offset` is 0 unless given. Streaming
    gives it the number of tokens the row has seen. `like` only lends its first
    two extents.

    - (C1) `like` has at least two axes; `result` is i32 with the first two.
    - (C2) `offset`, where given, is `[batch]` of i32.
  }];
  let arguments = (ins AnyRankedTensor:$like, Optional<AnyRankedTensor>:$offset);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $like (`offset` `(` $offset^ `:` type($offset) `)`)? attr-dict
    `:` type($like) `->` type($result)
  }];
  let builders = [OpBuilder<(ins "::mlir::Value":$like,
                                 CArg<"::mlir::Value", "{}">:$offset)>];
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

def Weir_LongestOp : Weir_Op<"longest", [Pure,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface>]> {
  let summary = "the length of the longest row";
  let description = [{
    `result = max over b of lengths[b]`, and 0 of no rows. For what a model does
    otherwise in long sequences, such as rotating by other frequencies (longrope,
    arXiv:2402.13753): all rows of a batch then count as long as the longest. In
    a step, lengths include the tokens that rows have seen before; what was
    computed of these stays as it is.

    - (C1) `lengths` is `[batch]` of i32; `result` is one i32.
  }];
  let arguments = (ins AnyRankedTensor:$lengths);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = [{
    $lengths attr-dict `:` type($lengths) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Weir_RopeFrequenciesOp : Weir_Op<"rope_frequencies", [Pure,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface>]> {
  let summary = "rotary angular frequencies, in radians per position";
  let description = [{
    `result[i] = base^(-2i / dims)`, stretched as `scaling` says: `linear`
    (arXiv:2306.15595), `dynamic` NTK, `llama3`, `yarn` (arXiv:2309.00071) or
    `longrope` (arXiv:2402.13753). Folds to a constant.

    - (C1) `result` is `[dims / 2]`; `dims` is even and `base` positive.
    - (C2) `scaling` has the parameters its kind needs.
  }];
  let arguments = (ins F64Attr:$base, I64Attr:$dims,
    OptionalAttr<Weir_RopeScalingAttr>:$scaling);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = [{
    `base` `(` $base `)` `dims` `(` $dims `)`
    (`scaling` `(` $scaling^ `)`)? attr-dict `:` type($result)
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Weir_RotaryOp : Weir_PointwiseOp<"rotary", [
    AllTypesMatch<["input", "result"]> /*rotary_c1*/]> {
  let summary = "rotary position embedding";
  let description = [{
    Rotates pairs of features of each head by the angle
    `positions[b, t] * frequencies[i]` (Su et al., arXiv:2104.09864), cosine
    and sine multiplied by `scale`. Pair i is features (i, i + R/2) in the
    layout `half` and (2i, 2i + 1) in `interleaved`, where R is twice the number
    of frequencies. Features behind the first R pass through.

    - (C1) type(result) = type(input).
    - (C2) `input` is `[batch, time, heads, dim]`, `positions` `[batch, time]`.
    - (C3) `frequencies` is `[R / 2]` with R at most dim.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$positions,
    AnyRankedTensor:$frequencies, Weir_RotaryLayout:$layout,
    DefaultValuedAttr<F64Attr, "1.0">:$scale);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `,` $positions `,` $frequencies `layout` `(` $layout `)`
    (`scale` `(` $scale^ `)`)? attr-dict
    `:` type($input) `,` type($positions) `,` type($frequencies)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Reads the two features of each pair as two slices.
    ::mlir::FailureOr<::llvm::SmallVector<::mlir::Value>>
    buildLowering(::mlir::OpBuilder &builder);
  }];
  let hasFolder = 1;
}

#endif // WEIR_IR_WEIRPOSITIONOPS_TD
