//===- WeirStateOps.td - The state of a model that streams -*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIRSTATEOPS_TD
#define WEIR_IR_WEIRSTATEOPS_TD

include "weir/IR/WeirParamOps.td"
include "weir/IR/WeirProjectionOps.td"

def Weir_SlotOp : Weir_Op<"slot", [Symbol]> {
  let summary = "one tensor of the streaming state";
  let description = [{
    Declares a part of the state that `weir-derive-streaming` derived. Axes of
    `type` are, in order: the layers (when `stacked`), the batch, the capacity
    (of a `history`), and the rest. Batch and capacity are dynamic. A `memory` is
    what `@encode` gives of another sequence, whose positions are its axis behind
    the batch where that is dynamic; steps read it.

    - (C1) `position` slots are `[batch]` of i32 and not stacked.
    - (C2) The batch axis is dynamic, and so is a history's capacity.
    - (C3) `lookback`, where given, is the number of past positions that are
      ever read, the present one included, and positive.
    - (C4) Other axes are static, but for the positions of a memory.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name,
    TypeAttrOf<AnyRankedTensor>:$type, Weir_SlotKind:$kind,
    UnitAttr:$stacked, OptionalAttr<I64Attr>:$lookback);
  let assemblyFormat = [{
    $sym_name $kind (`stacked` $stacked^)? (`lookback` `(` $lookback^ `)`)?
    `:` $type attr-dict
  }];
  let hasVerifier = 1;
}

def Weir_AppendOp : Weir_Op<"append", [Pure, AttrSizedOperandSegments,
    AllTypesMatch<["slot", "result"]>,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface>]> {
  let summary = "writes a block of new positions into a history";
  let description = [{
    `result = slot` but for `result[layer, b, (offset[b] + t) mod C, ...] =
    block[b, t, ...]` for t below `lengths[b]` (or all t, without `lengths`),
    where C is the capacity. The slot is updated in place.

    - (C1) `slot` is `[layers, batch, capacity, ...]` with `layer`, or
      `[batch, capacity, ...]` without; `block` is `[batch, time, ...]`.
    - (C2) The capacity is at least the block's time extent (the runtime sees to
      it), so that no entry is written twice.
    - (C3) `offset` and `lengths` are `[batch]` of i32.
  }];
  let arguments = (ins AnyRankedTensor:$slot, Optional<Index>:$layer,
    AnyRankedTensor:$block, AnyRankedTensor:$offset,
    Optional<AnyRankedTensor>:$lengths);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $block `into` $slot (`[` $layer^ `]`)? `at` $offset
    (`lengths` `(` $lengths^ `:` type($lengths) `)`)? attr-dict
    `:` type($block) `,` type($slot) `,` type($offset)
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Weir_SelectLastOp : Weir_Op<"select_last", [Pure,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface>]> {
  let summary = "the last valid position of each row";
  let description = [{
    `result[b, 0, ...] = input[b, max(lengths[b], 1) - 1, ...]`

    - (C1) `input` is `[batch, time, ...]`; `result` has time extent 1.
    - (C2) `lengths` is `[batch]` of i32.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$lengths);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `,` $lengths attr-dict
    `:` type($input) `,` type($lengths) `->` type($result)
  }];
  let builders = [OpBuilder<(ins "::mlir::Value":$input,
                                 "::mlir::Value":$lengths)>];
  let hasVerifier = 1;
  let hasFolder = 1;
}

#endif // WEIR_IR_WEIRSTATEOPS_TD
