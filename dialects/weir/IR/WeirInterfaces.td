//===- WeirInterfaces.td - What mixers and masks can do ----*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Generic passes know ops by these interfaces and never by name.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIRINTERFACES_TD
#define WEIR_IR_WEIRINTERFACES_TD

include "mlir/IR/OpBase.td"

def Weir_ReferenceInterface : OpInterface<"ReferenceInterface"> {
  let cppNamespace = "::weir";
  let description = [{
    The plain definition of an op in upstream dialects: unfused, every
    intermediate spelt out, in the element type of its operands. It is the
    oracle of all tests, so it must follow the op's description to the letter
    and owes nothing to speed.
  }];
  let methods = [InterfaceMethod<[{
      Builds the definition at the builder's insertion point and returns one
      value per result.
    }],
    "::mlir::FailureOr<::llvm::SmallVector<::mlir::Value>>",
    "buildReference", (ins "::mlir::OpBuilder &":$builder)>,
    InterfaceMethod<[{
      Builds the same in a form that vectorises better, where there is one: it
      may spell out what the definition says in an index. By default the
      definition itself.
    }],
    "::mlir::FailureOr<::llvm::SmallVector<::mlir::Value>>",
    "buildLowering", (ins "::mlir::OpBuilder &":$builder), "",
    [{ return $_op.buildReference(builder); }]>,
    InterfaceMethod<[{
      Whether optimised code is made from `buildLowering`, for an op that is not
      pointwise along time (those that are always are) and is no block map.
    }],
    "bool", "hasOwnLowering", (ins), "", [{ return false; }]>];
}

def Weir_StreamingInterface : OpInterface<"StreamingInterface"> {
  let cppNamespace = "::weir";
  let description = [{
    What an op must remember of the past. `weir-derive-streaming` walks the time
    axis through a function and asks each op that implements this interface
    which history it reads of each operand; from the answers it lays out the
    state and builds the streaming form. Ops without the interface (upstream
    ones) are handled where their indexing keeps time positions apart.
  }];
  let methods = [
    InterfaceMethod<[{
        The past of operand `operand` that the result at time t depends on:
        nothing but t itself, the last n positions, or all of them; or a
        refusal with the reason, worded to follow "cannot derive a streaming
        step: ".
      }],
      "::weir::HistoryNeed", "getHistoryNeed",
      (ins "::mlir::OpOperand &":$operand)>,
    InterfaceMethod<[{
        Builds the op's streaming step: the op applied to a block of new
        positions. Operands are looked up through `context.lookup`, histories
        through `context.history`. Returns one value per result.
      }],
      "::mlir::FailureOr<::llvm::SmallVector<::mlir::Value>>", "buildStep",
      (ins "::mlir::OpBuilder &":$builder,
           "::weir::StreamingContext &":$context)>,
    InterfaceMethod<[{
        Whether each position of the results depends on that position of the
        operands alone, whatever surrounds it, so that time may be cut into
        blocks freely.
      }],
      "bool", "isTimePointwise", (ins), "", [{ return false; }]>,
    InterfaceMethod<[{
        The same where of the operands only those have time for which `hasTime`
        holds, and the others are there as a whole, such as the keys and values
        of another sequence.
      }],
      "bool", "isPointwiseInTimeOf",
      (ins "::llvm::function_ref<bool(::mlir::Value)>":$hasTime), "",
      [{ return $_op.isTimePointwise(); }]>,
  ];
}

def Weir_BlockMapInterface : OpInterface<"BlockMapInterface"> {
  let cppNamespace = "::weir";
  let description = [{
    A mixer as a block-wise map with a carry. The domain has parallel loops and
    one loop along which a carry is handed on in order. The builders emit
    `linalg` on tiles of static size (or static but for one outer extent), so
    that one definition serves all targets.

    For each point of the parallel loops, the caller emits in this order:

    ```
    destinations = the tile of each result at getResultTiles
    invariants   = buildInvariants
    carry        = buildInit(invariants, destinations)
    for index in buildCarriedRange(invariants):
      carry      = buildStepOnBlock(index, invariants, carry)
    tiles        = buildFinish(invariants, destinations, carry)
    ```

    A map that makes its result at the end (attention) writes it in
    `buildFinish`. One that makes a part of its result with each block (a
    recurrence) puts the destination into its carry, inserts the block's part
    in each step and hands it back in `buildFinish`. A map that runs backward
    turns `index` round itself.

    Where the effect of a run of blocks on the carry is itself a few tensors, a
    transfer, parts of the carried range can be taken at once and joined:

    ```
    for each point, and for each of getCarriedParts:
      transfer   = buildTransferInit(invariants)
      for index in the part's share of buildCarriedRange(invariants):
        transfer = buildSummary(index, invariants, transfer)
    for each point:
      whole      = buildTransferInit(invariants)
      for each part in order:
        whole    = buildComposition(whole, the part's transfer)
      carry      = buildApplication(whole, buildInit(...))
      tiles      = buildFinish(invariants, destinations, carry)
    ```

    The transfer of attention is (maximum, sum, accumulator) of the run's keys;
    that of a linear recurrence S' = A S + B is (A, B).

    Where blocks write their own parts of results, a part of the carried range
    is a range of time. The first range runs at once, from the carry that is
    known, and beside it the others but the last are summarised. Then these
    begin from their true carries. A point is followed by the first block of its
    range and the one behind its last, and its tiles are those of the range:

    ```
    for each point, and for each range but the last:
      first range: carry, tiles as above, at point + [its first, its last]
      others:      transfer = that of the range
    for each point, and for each range but the first:
      carry        = buildResume(invariants, destinations, the first's tiles)
      for each range between, in order:
        carry      = buildApplication(its transfer, carry)
      for index in buildCarriedRange(invariants):
        carry      = buildStepOnBlock(index, invariants, carry)
      tiles        = buildFinish(invariants, destinations, carry)
    ```

    The choices are in `schedule`; `getBlockDomain` refuses one it cannot
    follow, with an error on the op, and the other builders rely on that.
  }];
  let methods = [
    InterfaceMethod<[{
        The parallel loops of the op under `schedule`.
      }],
      "::mlir::FailureOr<::weir::BlockDomain>", "getBlockDomain",
      (ins "::mlir::OpBuilder &":$builder, "::weir::ScheduleAttr":$schedule)>,
    InterfaceMethod<[{
        One tensor of the type of each result, whose contents are not read.
      }],
      "::llvm::SmallVector<::mlir::Value>", "buildDestinations",
      (ins "::mlir::OpBuilder &":$builder)>,
    InterfaceMethod<[{
        Where the tile of `point` lies in each result. Tiles of different points
        do not overlap.
      }],
      "::llvm::SmallVector<::weir::TilePlace>", "getResultTiles",
      (ins "::mlir::OpBuilder &":$builder, "::weir::ScheduleAttr":$schedule,
           "::mlir::ValueRange":$point)>,
    InterfaceMethod<[{
        What belongs to the parallel point `point` and stays the same along the
        carried loop: slices of operands, positions, bounds.
      }],
      "::llvm::SmallVector<::mlir::Value>", "buildInvariants",
      (ins "::mlir::OpBuilder &":$builder, "::weir::ScheduleAttr":$schedule,
           "::mlir::ValueRange":$point)>,
    InterfaceMethod<[{
        The range [first, last) of the carried loop, in blocks, that can
        contribute at `point`.
      }],
      "::std::pair<::mlir::Value, ::mlir::Value>", "buildCarriedRange",
      (ins "::mlir::OpBuilder &":$builder, "::weir::ScheduleAttr":$schedule,
           "::mlir::ValueRange":$point, "::mlir::ValueRange":$invariants)>,
    InterfaceMethod<[{ The carry before the first block. }],
      "::llvm::SmallVector<::mlir::Value>", "buildInit",
      (ins "::mlir::OpBuilder &":$builder, "::weir::ScheduleAttr":$schedule,
           "::mlir::ValueRange":$point, "::mlir::ValueRange":$invariants,
           "::mlir::ValueRange":$destinations)>,
    InterfaceMethod<[{
        The carry behind block `index`. Its tensors are updates of those of
        `carry`, so that they may share their buffers.
      }],
      "::llvm::SmallVector<::mlir::Value>", "buildStepOnBlock",
      (ins "::mlir::OpBuilder &":$builder, "::weir::ScheduleAttr":$schedule,
           "::mlir::ValueRange":$point, "::mlir::Value":$index,
           "::mlir::ValueRange":$invariants, "::mlir::ValueRange":$carry)>,
    InterfaceMethod<[{
        The tile of each result, of the type of its destination.
      }],
      "::llvm::SmallVector<::mlir::Value>", "buildFinish",
      (ins "::mlir::OpBuilder &":$builder, "::weir::ScheduleAttr":$schedule,
           "::mlir::ValueRange":$point, "::mlir::ValueRange":$invariants,
           "::mlir::ValueRange":$destinations, "::mlir::ValueRange":$carry)>,
    InterfaceMethod<[{
        The types of a transfer's tensors, of static shape, under `schedule`;
        none where the op has no transfer, and then the methods below are not
        called.
      }],
      "::llvm::SmallVector<::mlir::RankedTensorType>", "getTransferTypes",
      (ins "::weir::ScheduleAttr":$schedule), "", [{ return {}; }]>,
    InterfaceMethod<[{
        The parts the carried range is cut into under `schedule`; 1 for a carry
        that goes through all blocks in order.
      }],
      "int64_t", "getCarriedParts", (ins "::weir::ScheduleAttr":$schedule), "",
      [{ return 1; }]>,
    InterfaceMethod<[{ The transfer of no block. }],
      "::llvm::SmallVector<::mlir::Value>", "buildTransferInit",
      (ins "::mlir::OpBuilder &":$builder, "::weir::ScheduleAttr":$schedule,
           "::mlir::ValueRange":$point, "::mlir::ValueRange":$invariants), "",
      [{ return {}; }]>,
    InterfaceMethod<[{
        The transfer of the blocks of `transfer` and block `index` behind them.
        Its tensors are updates of those of `transfer`.
      }],
      "::llvm::SmallVector<::mlir::Value>", "buildSummary",
      (ins "::mlir::OpBuilder &":$builder, "::weir::ScheduleAttr":$schedule,
           "::mlir::ValueRange":$point, "::mlir::Value":$index,
           "::mlir::ValueRange":$invariants, "::mlir::ValueRange":$transfer),
      "", [{ return {}; }]>,
    InterfaceMethod<[{
        The transfer of the blocks of `earlier` and then those of `later`. Its
        tensors are updates of those of `earlier`.
      }],
      "::llvm::SmallVector<::mlir::Value>", "buildComposition",
      (ins "::mlir::OpBuilder &":$builder, "::weir::ScheduleAttr":$schedule,
           "::mlir::ValueRange":$earlier, "::mlir::ValueRange":$later), "",
      [{ return {}; }]>,
    InterfaceMethod<[{
        The carry behind the blocks of `transfer` when it was `carry` before
        them. Its tensors are updates of those of `carry`.
      }],
      "::llvm::SmallVector<::mlir::Value>", "buildApplication",
      (ins "::mlir::OpBuilder &":$builder, "::weir::ScheduleAttr":$schedule,
           "::mlir::ValueRange":$transfer, "::mlir::ValueRange":$carry), "",
      [{ return {}; }]>,
    InterfaceMethod<[{
        Whether each block writes its own part of result `result`, so that parts
        of the carried range are ranges of time.
      }],
      "bool", "isWrittenByBlocks", (ins "unsigned":$result), "",
      [{ return false; }]>,
    InterfaceMethod<[{
        What cutting time into ranges costs, for a map whose blocks write their
        own parts of results; the methods below are called for those alone.
      }],
      "::weir::RangeCost", "getRangeCost", (ins "::weir::ScheduleAttr":$schedule),
      "", [{ return {}; }]>,
    InterfaceMethod<[{
        The number of blocks, of which `buildCarriedRange` is a part.
      }],
      "::mlir::Value", "buildBlockCount",
      (ins "::mlir::OpBuilder &":$builder, "::weir::ScheduleAttr":$schedule),
      "", [{ return {}; }]>,
    InterfaceMethod<[{
        The carry in `destinations` behind a range that `buildFinish` made
        `tiles` of; of these, results that blocks write are null.
      }],
      "::llvm::SmallVector<::mlir::Value>", "buildResume",
      (ins "::mlir::OpBuilder &":$builder, "::weir::ScheduleAttr":$schedule,
           "::mlir::ValueRange":$point, "::mlir::ValueRange":$invariants,
           "::mlir::ValueRange":$destinations,
           "::llvm::ArrayRef<::mlir::Value>":$tiles), "", [{ return {}; }]>,
  ];
}

def Weir_MaskAttrInterface : AttrInterface<"MaskAttrInterface"> {
  let cppNamespace = "::weir";
  let description = [{
    A set of visible (query, key) position pairs. Positions are absolute and
    count from 0 in each row of the batch. New leaves of the mask algebra
    implement this interface and nothing else; what a mask says of tiles is
    derived (docs/adr/011-masks.md).
  }];
  let methods = [
    InterfaceMethod<[{ Whether query position `q` sees key position `k`. }],
      "bool", "isVisible", (ins "int64_t":$q, "int64_t":$k)>,
    InterfaceMethod<[{
        Emits the predicate for index values `q` and `k`; returns an `i1`.
      }],
      "::mlir::Value", "buildPredicate",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Location":$loc,
           "::mlir::Value":$q, "::mlir::Value":$k)>,
    InterfaceMethod<[{
        How far behind and ahead of the query the farthest visible key may lie;
        no value means unbounded. A causal mask is `(none, 0)`, a causal window
        of n keys `(n - 1, 0)`. It follows from the predicate.
      }],
      "::weir::MaskReach", "getReach", (ins), "", [{
        return ::weir::getReach(::llvm::cast<::weir::MaskAttrInterface>($_attr));
      }]>,
    InterfaceMethod<[{ Prints the mask as it stands inside `#weir.mask<>`. }],
      "void", "printMask", (ins "::llvm::raw_ostream &":$os)>,
  ];
}

#endif // WEIR_IR_WEIRINTERFACES_TD
