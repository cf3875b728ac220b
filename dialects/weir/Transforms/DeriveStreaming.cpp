//===- DeriveStreaming.cpp - A step of a whole-sequence model -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The step function computes a block of new positions from the block's tokens
// and the state. Time is followed through @forward (AxisFlow.h), which refuses
// ops that mix positions without saying what they remember. Then @extend is
// built op by op (StepBuilder.cpp), and its state is declared.
//
// Of several sequences, the one of the results is streamed. What steps read of
// the others is computed in @encode (CutEncoder.cpp), and is arguments of the
// function that time is followed through.
//
// @extend_last is a copy of @extend narrowed to the last token
// (NarrowToLast.cpp).
//
//===----------------------------------------------------------------------===//

#include "CutEncoder.h"
#include "StepBuilder.h"
#include "mlir/IR/Iterators.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Support/DebugStringHelper.h"
#include "weir/Transforms/Passes.h"
#include "weir/Transforms/Transforms.h"

namespace weir {
#define GEN_PASS_DEF_DERIVESTREAMINGPASS
#include "weir/Transforms/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

/// The argument of `function` with the role `lengths`, or null.
static Value findLengths(func::FuncOp function) {
  for (BlockArgument argument : function.getArguments()) {
    auto role = function.getArgAttrOfType<StringAttr>(
        argument.getArgNumber(), WeirDialect::getRoleAttrName());
    if (role && role.getValue() == "lengths")
      return argument;
  }
  return {};
}

/// Erases ops without effect or use, which building steps leaves behind.
static void eraseDead(func::FuncOp function) {
  function.walk<WalkOrder::PostOrder, ReverseIterator>([](Operation *op) {
    if (isOpTriviallyDead(op))
      op->erase();
  });
}

/// Adds the slots to the module, in front of `forward`, and names them on the
/// arguments and results of `step`.
static void declareSlots(func::FuncOp forward, func::FuncOp step,
                         ArrayRef<SlotPlan> slots, SymbolTable &symbols) {
  OpBuilder builder(forward);
  unsigned numbers[3] = {};
  unsigned firstArgument = step.getNumArguments() - slots.size();
  unsigned firstResult = step.getNumResults() - slots.size();
  StringRef attrName = WeirDialect::getSlotAttrName();
  for (auto [index, slot] : llvm::enumerate(slots)) {
    std::string name = stringifySlotKind(slot.kind).str();
    if (slot.kind != SlotKind::Position)
      name += std::to_string(numbers[static_cast<unsigned>(slot.kind)]++);
    auto op =
        SlotOp::create(builder, slot.loc, builder.getStringAttr(name),
                       TypeAttr::get(slot.getType()),
                       SlotKindAttr::get(builder.getContext(), slot.kind),
                       slot.layers ? builder.getUnitAttr() : UnitAttr(),
                       slot.lookback ? builder.getI64IntegerAttr(*slot.lookback)
                                     : IntegerAttr());
    symbols.insert(op);
    auto symbol = FlatSymbolRefAttr::get(op.getSymNameAttr());
    step.setArgAttr(firstArgument + index, attrName, symbol);
    step.setResultAttr(firstResult + index, attrName, symbol);
  }
}

/// Why @forward cannot stream, when that is known before its body is read.
static std::optional<AxisRefusal> checkArguments(func::FuncOp forward,
                                                 const AxisFlow &flow) {
  for (BlockArgument argument : forward.getArguments())
    if (flow.getAxis(argument) &&
        !cast<RankedTensorType>(argument.getType()).isDynamicDim(BatchAxis))
      return AxisRefusal{argument.getLoc(),
                         "this argument has type " +
                             debugString(argument.getType()) +
                             ", expected a dynamic batch",
                         std::nullopt};
  if (!findLengths(forward))
    return AxisRefusal{forward.getLoc(),
                       "@" + forward.getSymName().str() +
                           " has no argument with weir.role = \"lengths\", the "
                           "valid tokens of each row",
                       std::nullopt};
  return std::nullopt;
}

/// Decode loops over `forward` go on with `step`, which remembers what the
/// former computes anew in each round.
static void streamDecodeLoops(func::FuncOp forward, func::FuncOp step) {
  forward->getParentOfType<ModuleOp>().walk([&](GenerateOp loop) {
    if (loop.getCallee() == forward.getSymName())
      loop.setCallee(step.getSymName());
  });
}

/// The sequence that results of `forward` belong to, or a refusal.
static std::optional<int64_t>
findDecodedSequence(func::FuncOp forward, std::optional<AxisRefusal> &refusal) {
  std::optional<int64_t> decoded;
  for (unsigned i = 0; i < forward.getNumResults(); ++i) {
    int64_t sequence =
        getSequence(function_interface_impl::getResultAttrDict(forward, i));
    if (decoded && *decoded != sequence) {
      refusal =
          AxisRefusal{forward.getLoc(), "results belong to several sequences",
                      std::nullopt};
      return std::nullopt;
    }
    decoded = sequence;
  }
  return decoded.value_or(0);
}

/// Whether `forward` takes any sequence besides `decoded`.
static bool hasOthers(func::FuncOp forward, int64_t decoded) {
  return llvm::any_of(forward.getArguments(), [&](BlockArgument argument) {
    return getSequence(forward.getArgAttrDict(argument.getArgNumber())) !=
           decoded;
  });
}

/// Adds the slots of the memories to the module of `forward`, and names them on
/// what carries them.
static void declareMemories(func::FuncOp forward, EncoderCut &cut,
                            SymbolTable &symbols) {
  StringRef attrName = WeirDialect::getSlotAttrName();
  unsigned first = cut.decode.getNumArguments() - cut.memories.size();
  for (auto [index, memory] : llvm::enumerate(cut.memories)) {
    symbols.insert(memory, Block::iterator(forward));
    auto symbol = FlatSymbolRefAttr::get(memory.getSymNameAttr());
    cut.encode.setResultAttr(index, attrName, symbol);
    cut.decode.setArgAttr(first + index, attrName, symbol);
  }
}

/// Derives the steps of `whole`, which is `forward` or what is left of it
/// behind the other sequences, or sets `refusal`.
static StreamingFunctions deriveSteps(func::FuncOp forward, func::FuncOp whole,
                                      std::optional<AxisRefusal> &refusal) {
  auto module = forward->getParentOfType<ModuleOp>();
  FailureOr<AxisFlow> flow = AxisFlow::compute(
      whole, module, TimeAxis, AxisTrust::WholeSequence, refusal);
  if (failed(flow) || !flow->isPresent())
    return {};
  refusal = checkArguments(whole, *flow);
  if (refusal)
    return {};
  Value lengths = findLengths(whole);
  StepBuilder builder(whole, *flow, lengths, refusal);
  func::FuncOp extend = builder.build();
  if (!extend)
    return {};
  eraseDead(extend);

  SymbolTable symbols(module);
  declareSlots(forward, extend, builder.getSlots(), symbols);
  StringRef method = WeirDialect::getMethodAttrName();
  MLIRContext *context = forward.getContext();
  auto place = std::next(Block::iterator(forward));
  extend->setAttr(method, StringAttr::get(context, "extend"));
  extend.setVisibility(forward.getVisibility());
  symbols.insert(extend, place);
  func::FuncOp last = extend.clone();
  last.setSymName("extend_last");
  last->setAttr(method, StringAttr::get(context, "extend_last"));
  symbols.insert(last, place);
  Value lastLengths =
      last.getArgument(cast<BlockArgument>(lengths).getArgNumber());
  if (failed(narrowToLast(last, lastLengths, refusal)))
    return {};
  eraseDead(last);
  streamDecodeLoops(forward, last);
  return {func::FuncOp(), extend, last};
}

/// Derives, or sets `refusal`. Nothing is derived where time does not occur.
static StreamingFunctions derive(func::FuncOp forward,
                                 std::optional<AxisRefusal> &refusal) {
  std::optional<int64_t> decoded = findDecodedSequence(forward, refusal);
  if (!decoded)
    return {};
  if (!hasOthers(forward, *decoded))
    return deriveSteps(forward, forward, refusal);
  FailureOr<EncoderCut> cut = cutEncoder(forward, *decoded, refusal);
  if (failed(cut))
    return {};
  SymbolTable symbols(forward->getParentOfType<ModuleOp>());
  declareMemories(forward, *cut, symbols);
  eraseDead(cut->encode);
  eraseDead(cut->decode);
  StreamingFunctions functions = deriveSteps(forward, cut->decode, refusal);
  cut->decode.erase();
  if (!functions.extend || cut->memories.empty()) {
    cut->encode.erase();
    for (SlotOp memory : cut->memories)
      symbols.erase(memory);
    return functions;
  }
  functions.encode = cut->encode;
  functions.encode->setAttr(WeirDialect::getMethodAttrName(),
                            StringAttr::get(forward.getContext(), "encode"));
  functions.encode.setVisibility(forward.getVisibility());
  symbols.insert(functions.encode, std::next(Block::iterator(forward)));
  return functions;
}

/// Where `loc` is, for people: `file:line:column` where there is one.
static std::string describe(Location loc) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (auto place = loc->findInstanceOf<FileLineColLoc>())
    os << place.getFilename().getValue() << ':' << place.getLine() << ':'
       << place.getColumn();
  else
    os << loc;
  return text;
}

FailureOr<StreamingFunctions>
weir::deriveStreaming(func::FuncOp forward,
                      const DeriveStreamingOptions &options) {
  std::optional<AxisRefusal> refusal;
  StreamingFunctions functions = derive(forward, refusal);
  if (!refusal)
    return functions;
  if (options.require)
    return refusal->emit("cannot derive a streaming step");
  remark::missed(refusal->loc, remark::RemarkOpts::name("DeriveStreaming")
                                   .category("weir-derive-streaming")
                                   .function(forward.getSymName()))
      << refusal->reason;
  auto module = forward->getParentOfType<ModuleOp>();
  module->setAttr(
      "weir.no_streaming",
      StringAttr::get(module.getContext(),
                      describe(refusal->loc) + ": " + refusal->reason));
  return StreamingFunctions();
}

namespace {

struct DeriveStreamingPass
    : public weir::impl::DeriveStreamingPassBase<DeriveStreamingPass> {
  using DeriveStreamingPassBase::DeriveStreamingPassBase;

  void runOnOperation() override {
    func::FuncOp forward;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      auto method =
          function->getAttrOfType<StringAttr>(WeirDialect::getMethodAttrName());
      if (!method)
        continue;
      // A module that streams already stays as it is.
      if (method.getValue() != "forward")
        return markAllAnalysesPreserved();
      forward = function;
    }
    DeriveStreamingOptions options;
    options.require = require;
    if (forward && !forward.isExternal() &&
        failed(deriveStreaming(forward, options)))
      signalPassFailure();
  }
};

} // namespace
