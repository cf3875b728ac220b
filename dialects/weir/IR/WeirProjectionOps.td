//===- WeirProjectionOps.td - Linear maps and embeddings -*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIRPROJECTIONOPS_TD
#define WEIR_IR_WEIRPROJECTIONOPS_TD

include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/TilingInterface.td"
include "weir/IR/WeirAttrs.td"
include "weir/IR/WeirDialect.td"
include "weir/IR/WeirInterfaces.td"

/// An op that treats time positions one by one.
class Weir_PointwiseOp<string mnemonic, list<Trait> traits = []>
    : Weir_Op<mnemonic, !listconcat([Pure,
        DeclareOpInterfaceMethods<Weir_ReferenceInterface>,
        DeclareOpInterfaceMethods<Weir_StreamingInterface,
                                  ["isTimePointwise"]>], traits)> {
  let extraClassDefinition = [{
    ::weir::HistoryNeed $cppClass::getHistoryNeed(::mlir::OpOperand &) {
      return ::weir::HistoryNeed::pointwise();
    }
    ::mlir::FailureOr<::llvm::SmallVector<::mlir::Value>>
    $cppClass::buildStep(::mlir::OpBuilder &builder,
                         ::weir::StreamingContext &context) {
      return ::weir::buildPointwiseStep(builder, *this, context);
    }
    bool $cppClass::isTimePointwise() { return true; }
  }];
}

def Weir_LinearOp : Weir_PointwiseOp<"linear"> {
  let summary = "matrix product with a weight, and a bias";
  let description = [{
    `result[..., n] = sum_k input[..., k] * weight[n, k] + bias[n]`

    The sum is accumulated in f32, or in f64 when the input is f64. The weight
    is stored output features first, as Hugging Face stores `nn.Linear`.

    - (C1) `weight` is a matrix `[N, K]`; the last axis of `input` has extent K.
    - (C2) `result` has `input`'s shape but for its last axis, N, and `input`'s
      element type.
    - (C3) `bias`, where given, is `[N]`.
    - (C4) An empty sequence gives an empty result.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$weight,
    Optional<AnyRankedTensor>:$bias,
    OptionalAttr<Weir_ScheduleAttr>:$schedule);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `,` $weight (`bias` `(` $bias^ `:` type($bias) `)`)?
    (`schedule` `(` $schedule^ `)`)? attr-dict
    `:` type($input) `,` type($weight) `->` type($result)
  }];
  let hasVerifier = 1;
}

def Weir_QuantizeOp : Weir_PointwiseOp<"quantize", [
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface,
      ["reifyResultShapes"]>,
    DeclareOpInterfaceMethods<TilingInterface, [
      "getLoopIteratorTypes", "getIterationDomain", "getTiledImplementation",
      "getResultTilePosition"]>]> {
  let summary = "symmetric 8-bit quantisation of groups along the last axis";
  let description = [{
    For each group g of `group` neighbours along the last axis,

    ```
    scales[..., g] = max |input| / 127
    quants[..., i] = round_to_even(input[..., i] / scales[..., g])
    sums[..., g]   = sum of the group's quants
    ```

    It is what `weir.packed_linear` reads when weights and activations are both
    multiplied as bytes.

    - (C1) `input` is of f32, its last axis a static multiple of `group`.
    - (C2) `quants` is of i8 with `input`'s shape; `scales` and `sums` are of
      f32 and i32 with the groups as their last axis.
    - (C3) A group whose largest magnitude is below 1e-30 gives zeros. One that
      holds what is not finite gives a scale that is not.
  }];
  let arguments = (ins AnyRankedTensor:$input, I64Attr:$group);
  let results = (outs AnyRankedTensor:$quants, AnyRankedTensor:$scales,
    AnyRankedTensor:$sums);
  let assemblyFormat = [{
    $input `group` `(` $group `)` attr-dict `:` type($input) `->`
    type($quants) `,` type($scales) `,` type($sums)
  }];
  let builders = [OpBuilder<(ins "::mlir::Value":$input, "int64_t":$group)>];
  let hasVerifier = 1;
}

def Weir_PackedLinearOp : Weir_PointwiseOp<"packed_linear", [
    AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface,
      ["reifyResultShapes"]>,
    DeclareOpInterfaceMethods<TilingInterface, [
      "getLoopIteratorTypes", "getIterationDomain", "getTiledImplementation",
      "getResultTilePosition", "generateResultTileValue"]>]> {
  let summary = "matrix product with a weight in a micro-kernel's layout";
  let description = [{
    What `weir.linear` becomes once its weight is packed; see `#weir.pack` for
    the layouts. `values` alone is a float weight; `values` of integers with
    `scales` (and `mins`) is a blockwise-affine one, with `bits` and `group`.
    The input is of floats, or of quants that `weir.quantize` made, with their
    scales and sums. `code` says what quants mean; see `#weir.pack`. `init` is a
    tensor whose contents do not matter and in whose place the result is
    written.

    Tiles are cut along all axes of the result; on the last one at multiples of
    the panel.

    - (C1) `values` is `[N/panel, K, panel]` of floats, `[N/panel, K/2, panel,
      2]` of bf16, or holds `bits`-wide quants, as `#weir.pack` describes.
      N/panel may be dynamic.
    - (C2) `scales` and `mins`, where given, are `[N/panel, K/group, panel]`
      of f32 or f16; without `mins` quants have their zero point in the middle.
      Scales of i8 are exponents, for `2^(scale - 127)` as an unsigned byte; 0
      stands for 0.
    - (C3) The last axis of `result` is at most `N/panel * panel` and above
      `(N/panel - 1) * panel`: the padding is not part of the result.
    - (C4) `bias`, where given, is `[N]`.
    - (C5) `init`, where given, has the type of `result`; it must be where the
      last axis of `result` is dynamic.
    - (C6) `input_scales` and `input_sums` are there together, exactly when
      `input` is of i8; they are `[..., K/group]` of f32 and i32, and `values`
      holds quants.
    - (C7) Pairs of bf16 go with an input of bf16, and no other values do. Their
      products are summed in f32, and `result` is of f32.
    - (C8) The code `e2m1` goes with quants of 4 bits and without `mins`. The
      code `e4m3` goes with quants of 8 bits, scales of floats, an input of
      floats, and without `mins`.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$values,
    Optional<AnyRankedTensor>:$scales, Optional<AnyRankedTensor>:$mins,
    Optional<AnyRankedTensor>:$bias, Optional<AnyRankedTensor>:$input_scales,
    Optional<AnyRankedTensor>:$input_sums, Optional<AnyRankedTensor>:$init,
    I64Attr:$bits, I64Attr:$group, DefaultValuedAttr<Weir_PackCode,
      "::weir::PackCode::Affine">:$code,
    OptionalAttr<Weir_ScheduleAttr>:$schedule);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `,` $values oilist(
      `scales` `(` $scales `:` type($scales) `)`
      | `mins` `(` $mins `:` type($mins) `)`
      | `bias` `(` $bias `:` type($bias) `)`
      | `input_scales` `(` $input_scales `:` type($input_scales) `)`
      | `input_sums` `(` $input_sums `:` type($input_sums) `)`
      | `outs` `(` $init `:` type($init) `)`)
    `bits` `(` $bits `)` `group` `(` $group `)` (`code` `(` $code^ `)`)?
    (`schedule` `(` $schedule^ `)`)? attr-dict
    `:` type($input) `,` type($values) `->` type($result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Output features side by side in one panel of the packed weight.
    int64_t getPanel();
    /// Extent of the reduction.
    int64_t getReduction();
    /// Whether `values` holds pairs of neighbours along the reduction.
    bool hasPairs();
  }];
}

def Weir_EmbeddingOp : Weir_PointwiseOp<"embedding"> {
  let summary = "rows of a table looked up by token";
  let description = [{
    `result[b, t, :] = table[ids[b, t], :]`. A token outside `[0, V)` reads row
    0 or row V-1, whichever is nearer; the runtime rejects such tokens before.

    - (C1) `ids` is an integer tensor; `table` is `[V, D]`.
    - (C2) `result` has the shape of `ids` with D behind it.
  }];
  let arguments = (ins AnyRankedTensor:$ids, AnyRankedTensor:$table);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $ids `,` $table attr-dict `:` type($ids) `,` type($table) `->` type($result)
  }];
  let hasVerifier = 1;
}

#endif // WEIR_IR_WEIRPROJECTIONOPS_TD
