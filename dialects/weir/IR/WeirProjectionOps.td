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

def Weir_PackedLinearOp : Weir_PointwiseOp<"packed_linear", [
    AttrSizedOperandSegments]> {
  let summary = "matrix product with a weight in a micro-kernel's layout";
  let description = [{
    What `weir.linear` becomes once its weight is packed; see `#weir.pack` for
    the layouts. `values` alone is a float weight; `values` of integers with
    `scales` (and `mins`) is a blockwise-affine one, with `bits` and `group`.

    - (C1) `values` is `[N/panel, K, panel]` of floats, or holds `bits`-wide
      quants as `#weir.pack` describes.
    - (C2) `scales` and `mins`, where given, are `[N/panel, K/group, panel]`
      of f32 or f16; without `mins` quants have their zero point in the middle.
    - (C3) The last axis of `result` is at most `N/panel * panel` and above
      `(N/panel - 1) * panel`: the padding is not part of the result.
    - (C4) `bias`, where given, is `[N]`.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyStaticShapeTensor:$values,
    Optional<AnyStaticShapeTensor>:$scales, Optional<AnyStaticShapeTensor>:$mins,
    Optional<AnyRankedTensor>:$bias, I64Attr:$bits, I64Attr:$group,
    OptionalAttr<Weir_ScheduleAttr>:$schedule);
  let results = (outs AnyRankedTensor:$result);
  let builders = [];
  let assemblyFormat = [{
    $input `,` $values oilist(
      `scales` `(` $scales `:` type($scales) `)`
      | `mins` `(` $mins `:` type($mins) `)`
      | `bias` `(` $bias `:` type($bias) `)`)
    `bits` `(` $bits `)` `group` `(` $group `)`
    (`schedule` `(` $schedule^ `)`)? attr-dict
    `:` type($input) `,` type($values) `->` type($result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Output features side by side in one panel of the packed weight.
    int64_t getPanel();
    /// Extent of the reduction.
    int64_t getReduction();
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
