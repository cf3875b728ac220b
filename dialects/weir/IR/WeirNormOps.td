//===- WeirNormOps.td - Normalisations over features -*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIRNORMOPS_TD
#define WEIR_IR_WEIRNORMOPS_TD

include "weir/IR/WeirProjectionOps.td"

def Weir_RMSNormOp : Weir_PointwiseOp<"rms_norm", [
    AllTypesMatch<["input", "result"]> /*rms_norm_c1*/]> {
  let summary = "root-mean-square normalisation of the last axis";
  let description = [{
    `result = input / sqrt(mean(input^2) + eps) * (weight + offset)` with the
    mean over the last axis (Zhang and Sennrich, arXiv:1910.07467). `offset` is
    1 in models that store the scale less one. Without `weight` nothing scales,
    whatever the offset.

    - (C1) type(result) = type(input).
    - (C2) `weight`, where given, has the extents of the last axis alone.
    - (C3) `eps` is not negative.
  }];
  let arguments = (ins AnyRankedTensor:$input,
    Optional<AnyRankedTensor>:$weight, F64Attr:$eps,
    DefaultValuedAttr<F64Attr, "0.0">:$offset);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input (`weight` `(` $weight^ `:` type($weight) `)`)?
    `eps` `(` $eps `)` (`offset` `(` $offset^ `)`)? attr-dict `:` type($input)
  }];
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

def Weir_LayerNormOp : Weir_PointwiseOp<"layer_norm", [
    AttrSizedOperandSegments,
    AllTypesMatch<["input", "result"]> /*layer_norm_c1*/]> {
  let summary = "mean and variance normalisation of the last axis";
  let description = [{
    `result = (input - mean) / sqrt(variance + eps) * weight + bias` with the
    biased variance (Ba et al., arXiv:1607.06450).

    - (C1) type(result) = type(input).
    - (C2) `weight` and `bias`, where given, have the extents of the last axis.
    - (C3) `eps` is not negative.
  }];
  let arguments = (ins AnyRankedTensor:$input,
    Optional<AnyRankedTensor>:$weight, Optional<AnyRankedTensor>:$bias,
    F64Attr:$eps);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input oilist(`weight` `(` $weight `:` type($weight) `)`
                  | `bias` `(` $bias `:` type($bias) `)`)
    `eps` `(` $eps `)` attr-dict `:` type($input)
  }];
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

#endif // WEIR_IR_WEIRNORMOPS_TD
