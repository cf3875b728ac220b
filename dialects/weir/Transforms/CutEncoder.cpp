//===- CutEncoder.cpp - What is computed once before decoding -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each value depends on the decoded sequence, or else on other inputs, or on
// neither. Values of the second sort that something of the first sort reads are
// the memories: the keys and values of cross-attention in each layer, and the
// lengths of the rows that they belong to. They are the latest such values, so
// that a step computes nothing that stays the same.
//
// @encode is the function without all that depends on the decoded sequence, and
// the rest is the function with memories in place of what it read. A stack
// whose layers read memories is in both: in @encode it writes each layer's part
// of tensors that it carries, in the rest each layer reads its part.
//
//===----------------------------------------------------------------------===//

#include "CutEncoder.h"
#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Support/DebugStringHelper.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace weir;

namespace {

/// What a value depends on; of several, the last.
enum class Origin { Weights, Source, Decoded };

/// A value that is computed once and read by steps.
struct Memory {
  Value value;
  /// The stack it is a value of each layer of, and the kind; null outside.
  StackOp stack;
  unsigned kind = 0;
  /// With an axis for the layers in front, if it is of layers.
  RankedTensorType type;
  /// Of a memory of layers with positions: a value outside of the stack that
  /// has as many positions on axis 1.
  Value like;
};

/// Cuts one function.
class Cutter {
public:
  Cutter(func::FuncOp forward, int64_t decoded,
         std::optional<AxisRefusal> &refusal)
      : forward(forward), decoded(decoded), refusal(refusal) {}

  FailureOr<EncoderCut> cut();

private:
  int64_t getSequence(BlockArgument argument) {
    return weir::getSequence(forward.getArgAttrDict(argument.getArgNumber()));
  }
  Origin getOrigin(Value value) const { return origins.lookup(value); }
  Origin getOrigin(Operation *op) const;
  bool isDecoding(Operation *op) const;
  bool classify(Block &block);
  LogicalResult findMemories(Block &block);
  LogicalResult addMemory(Value value);
  LogicalResult findExtents(Memory &memory);
  LogicalResult refuse(Location loc, const Twine &reason) {
    refusal = AxisRefusal{loc, reason.str(), std::nullopt};
    return failure();
  }

  func::FuncOp buildEncode();
  func::FuncOp buildDecode();
  BlockArgument addArgument(func::FuncOp function, BlockArgument argument);
  void cloneEncoding(OpBuilder &builder, Block &block);
  void cloneEncodingStack(OpBuilder &builder, StackOp op);
  void cloneDecoding(OpBuilder &builder, Block &block);
  void cloneDecodingStack(OpBuilder &builder, StackOp op);
  StackOp
  cloneStack(OpBuilder &builder, StackOp op, ValueRange inits,
             ArrayRef<unsigned> kept,
             function_ref<SmallVector<Value>(OpBuilder &builder, unsigned kind,
                                             Block &step)>
                 build);
  SmallVector<unsigned> getCarried(StackOp op, Origin without) const;

  func::FuncOp forward;
  int64_t decoded;
  std::optional<AxisRefusal> &refusal;
  /// Of values with an entry; others are of weights.
  DenseMap<Value, Origin> origins;
  llvm::MapVector<Value, Memory> memories;
  /// Of the function under construction.
  IRMapping mapping;
  /// There, what holds each memory so far.
  DenseMap<Value, Value> held;
};

} // namespace

//===----------------------------------------------------------------------===//
// Origins
//===----------------------------------------------------------------------===//

int64_t weir::getSequence(DictionaryAttr attributes) {
  IntegerAttr sequence;
  if (attributes)
    sequence =
        attributes.getAs<IntegerAttr>(WeirDialect::getSequenceAttrName());
  return sequence ? sequence.getInt() : 0;
}

/// All that `op` reads, its regions included.
static llvm::SetVector<Value> getRead(Operation *op) {
  llvm::SetVector<Value> read;
  read.insert(op->operand_begin(), op->operand_end());
  getUsedValuesDefinedAbove(op->getRegions(), read);
  return read;
}

Origin Cutter::getOrigin(Operation *op) const {
  Origin origin = Origin::Weights;
  for (Value value : getRead(op))
    origin = std::max(origin, getOrigin(value));
  return origin;
}

/// Whether `op` is a stack that decodes in some layer, so that it is cut rather
/// than cloned.
bool Cutter::isDecoding(Operation *op) const {
  return isa<StackOp>(op) && getOrigin(op) == Origin::Decoded;
}

/// Finds what the values of `block` depend on; whether that was not known.
bool Cutter::classify(Block &block) {
  bool changed = false;
  auto raise = [&](Value value, Origin origin) {
    if (origin <= getOrigin(value))
      return;
    origins[value] = origin;
    changed = true;
  };
  for (Operation &op : block) {
    auto stack = dyn_cast<StackOp>(&op);
    if (!stack) {
      for (Value result : op.getResults())
        raise(result, getOrigin(&op));
      continue;
    }
    // What one layer gives the next one takes.
    bool grows = true;
    while (grows) {
      grows = false;
      for (Region &region : stack.getKinds())
        grows |= classify(region.front());
      for (auto [i, result] : llvm::enumerate(stack.getResults())) {
        Origin origin = getOrigin(stack.getInits()[i]);
        for (Region &region : stack.getKinds())
          origin = std::max(
              origin, getOrigin(region.front().getTerminator()->getOperand(i)));
        raise(result, origin);
        for (Region &region : stack.getKinds()) {
          Value argument = region.front().getArgument(i + 1);
          grows |= getOrigin(argument) < origin;
          raise(argument, origin);
        }
      }
      changed |= grows;
    }
  }
  return changed;
}

//===----------------------------------------------------------------------===//
// Memories
//===----------------------------------------------------------------------===//

LogicalResult Cutter::findMemories(Block &block) {
  for (Operation &op : block.without_terminator()) {
    if (isDecoding(&op)) {
      auto stack = cast<StackOp>(&op);
      for (auto [init, result] :
           llvm::zip_equal(stack.getInits(), stack.getResults()))
        if (getOrigin(result) == Origin::Decoded &&
            getOrigin(init) == Origin::Source && failed(addMemory(init)))
          return failure();
      for (Region &region : stack.getKinds()) {
        if (failed(findMemories(region.front())))
          return failure();
        for (auto [i, value] :
             llvm::enumerate(region.front().getTerminator()->getOperands()))
          if (getOrigin(stack.getResult(i)) == Origin::Decoded &&
              getOrigin(value) == Origin::Source && failed(addMemory(value)))
            return failure();
      }
      continue;
    }
    if (getOrigin(&op) != Origin::Decoded)
      continue;
    for (Value value : getRead(&op))
      if (getOrigin(value) == Origin::Source && failed(addMemory(value)))
        return failure();
  }
  return success();
}

LogicalResult Cutter::addMemory(Value value) {
  if (memories.contains(value))
    return success();
  Memory memory;
  memory.value = value;
  auto type = dyn_cast<RankedTensorType>(value.getType());
  auto isFixedFrom = [&](int64_t axis) {
    return llvm::none_of(type.getShape().drop_front(axis),
                         ShapedType::isDynamic);
  };
  if (!type || type.getRank() == 0 || !type.isDynamicDim(0) ||
      !isFixedFrom(std::min<int64_t>(2, type.getRank())))
    return refuse(value.getLoc(),
                  "decoding reads a value of type " +
                      debugString(value.getType()) +
                      " of another sequence, expected [batch, ...] or [batch, "
                      "positions, ...]");
  memory.type = type;
  Operation *parent = value.getParentBlock()->getParentOp();
  if (auto stack = dyn_cast<StackOp>(parent)) {
    memory.stack = stack;
    memory.kind = value.getParentRegion()->getRegionNumber();
    if (!isa<func::FuncOp>(stack->getParentOp()))
      return refuse(value.getLoc(), "layers within layers read a value of "
                                    "another sequence, which is not handled");
    SmallVector<int64_t> shape{stack.getLayerCount(memory.kind)};
    llvm::append_range(shape, type.getShape());
    memory.type = RankedTensorType::get(shape, type.getElementType());
    if (type.getRank() > 1 && type.isDynamicDim(1) &&
        failed(findExtents(memory)))
      return failure();
  }
  memories.insert({value, memory});
  return success();
}

/// Finds what outside of its stack has as many positions as a memory of layers.
LogicalResult Cutter::findExtents(Memory &memory) {
  Block *block = memory.value.getParentBlock();
  llvm::SetVector<Operation *> slice;
  if (Operation *def = memory.value.getDefiningOp()) {
    BackwardSliceOptions options;
    options.inclusive = true;
    options.omitBlockArguments = true;
    options.filter = [&](Operation *op) { return op->getBlock() == block; };
    (void)getBackwardSlice(def, &slice, options);
  }
  SmallVector<Operation *> ops(slice.begin(), slice.end());
  llvm::sort(ops,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  llvm::SetVector<Value> read;
  read.insert(memory.value);
  for (Operation *op : ops)
    read.insert_range(getRead(op));
  SmallVector<Value> seeds;
  for (Value value : read) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    auto argument = dyn_cast<BlockArgument>(value);
    bool comesIn = value.getParentBlock() != block || argument;
    if (!comesIn || !type || type.getRank() < 2 || !type.isDynamicDim(1) ||
        getOrigin(value) != Origin::Source)
      continue;
    seeds.push_back(value);
    if (memory.like)
      continue;
    memory.like = value.getParentBlock() != block
                      ? value
                      : memory.stack.getInits()[argument.getArgNumber() - 1];
  }
  FailureOr<AxisFlow> flow = AxisFlow::follow(seeds, ops, TimeAxis, refusal);
  if (failed(flow))
    return failure();
  if (flow->getAxis(memory.value) == int64_t(TimeAxis))
    return success();
  return refuse(memory.value.getLoc(),
                "the number of positions of a value that decoding reads is not "
                "known outside of its layer");
}

//===----------------------------------------------------------------------===//
// The functions
//===----------------------------------------------------------------------===//

/// The carried values of `op` but for those of origin `without`.
SmallVector<unsigned> Cutter::getCarried(StackOp op, Origin without) const {
  SmallVector<unsigned> kept;
  for (auto [i, result] : llvm::enumerate(op.getResults()))
    if (getOrigin(result) != without)
      kept.push_back(i);
  return kept;
}

/// A stack with the layers of `op` that carries its values `kept` and others
/// behind them. `build` fills the block of a kind and gives what it yields of
/// the latter.
StackOp
Cutter::cloneStack(OpBuilder &builder, StackOp op, ValueRange inits,
                   ArrayRef<unsigned> kept,
                   function_ref<SmallVector<Value>(OpBuilder &builder,
                                                   unsigned kind, Block &step)>
                       build) {
  OperationState state(op.getLoc(), op->getName());
  state.addOperands(inits);
  state.addTypes(inits.getTypes());
  state.addAttributes(op->getAttrs());
  for (auto [kind, region] : llvm::enumerate(op.getKinds())) {
    Block &from = region.front();
    Block &step = state.addRegion()->emplaceBlock();
    mapping.map(from.getArgument(0),
                step.addArgument(builder.getIndexType(), op.getLoc()));
    for (auto [number, init] : llvm::enumerate(inits)) {
      BlockArgument argument = step.addArgument(init.getType(), init.getLoc());
      if (number < kept.size())
        mapping.map(from.getArgument(kept[number] + 1), argument);
    }
    // The block has no parent yet that knows the context.
    OpBuilder body(op.getContext());
    body.setInsertionPointToEnd(&step);
    SmallVector<Value> others = build(body, kind, step), yielded;
    for (unsigned number : kept)
      yielded.push_back(
          mapping.lookupOrDefault(from.getTerminator()->getOperand(number)));
    llvm::append_range(yielded, others);
    YieldOp::create(body, from.getTerminator()->getLoc(), yielded);
  }
  auto stack = cast<StackOp>(builder.create(state));
  for (auto [number, result] : llvm::zip(kept, stack.getResults()))
    mapping.map(op.getResult(number), result);
  return stack;
}

/// The place of the layer `layer` in `tensor`, as offsets and sizes.
static std::pair<SmallVector<OpFoldResult>, SmallVector<OpFoldResult>>
getLayerPlace(OpBuilder &builder, Location loc, Value tensor, Value layer) {
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, tensor);
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
  offsets.front() = layer;
  sizes.front() = builder.getIndexAttr(1);
  return {offsets, sizes};
}

void Cutter::cloneEncoding(OpBuilder &builder, Block &block) {
  for (Operation &op : block.without_terminator())
    if (isDecoding(&op))
      cloneEncodingStack(builder, cast<StackOp>(&op));
    else if (getOrigin(&op) != Origin::Decoded)
      builder.clone(op, mapping);
}

void Cutter::cloneEncodingStack(OpBuilder &builder, StackOp op) {
  Location loc = op.getLoc();
  SmallVector<Memory> ofLayers;
  for (auto &[value, memory] : memories)
    if (memory.stack == op)
      ofLayers.push_back(memory);
  SmallVector<unsigned> kept = getCarried(op, Origin::Decoded);
  SmallVector<Value> inits;
  for (unsigned number : kept)
    inits.push_back(mapping.lookupOrDefault(op.getInits()[number]));
  auto function = builder.getInsertionBlock()->getParent();
  for (const Memory &memory : ofLayers) {
    SmallVector<OpFoldResult> sizes =
        getAsIndexOpFoldResult(builder.getContext(), memory.type.getShape());
    auto setExtent = [&](int64_t axis, Value like) {
      sizes[axis + 1] =
          tensor::DimOp::create(builder, loc, like, axis).getResult();
    };
    setExtent(0, memory.like ? mapping.lookup(memory.like)
                             : Value(function->getArgument(0)));
    if (memory.like)
      setExtent(1, mapping.lookup(memory.like));
    inits.push_back(tensor::EmptyOp::create(builder, loc, sizes,
                                            memory.type.getElementType()));
  }
  auto build = [&](OpBuilder &body, unsigned kind, Block &step) {
    cloneEncoding(body, op.getKinds()[kind].front());
    SmallVector<Value> filled;
    for (auto [memory, into] : llvm::zip_equal(
             ofLayers, step.getArguments().take_back(ofLayers.size()))) {
      if (memory.kind != kind) {
        filled.push_back(into);
        continue;
      }
      auto [offsets, sizes] =
          getLayerPlace(body, loc, into, step.getArgument(0));
      SmallVector<OpFoldResult> strides(sizes.size(), body.getIndexAttr(1));
      filled.push_back(
          tensor::InsertSliceOp::create(body, loc, mapping.lookup(memory.value),
                                        into, offsets, sizes, strides));
    }
    return filled;
  };
  StackOp stack = cloneStack(builder, op, inits, kept, build);
  for (auto [memory, result] :
       llvm::zip_equal(ofLayers, stack.getResults().take_back(ofLayers.size())))
    held[memory.value] = result;
}

void Cutter::cloneDecoding(OpBuilder &builder, Block &block) {
  for (Operation &op : block.without_terminator())
    if (isDecoding(&op))
      cloneDecodingStack(builder, cast<StackOp>(&op));
    else if (getOrigin(&op) != Origin::Source)
      builder.clone(op, mapping);
}

void Cutter::cloneDecodingStack(OpBuilder &builder, StackOp op) {
  SmallVector<unsigned> kept = getCarried(op, Origin::Source);
  SmallVector<Value> inits;
  for (unsigned number : kept)
    inits.push_back(mapping.lookupOrDefault(op.getInits()[number]));
  cloneStack(
      builder, op, inits, kept,
      [&](OpBuilder &body, unsigned kind, Block &step) {
        for (auto &[value, memory] : memories) {
          if (memory.stack != op || memory.kind != kind)
            continue;
          Location loc = value.getLoc();
          auto [offsets, sizes] =
              getLayerPlace(body, loc, held.lookup(value), step.getArgument(0));
          SmallVector<OpFoldResult> strides(sizes.size(), body.getIndexAttr(1));
          mapping.map(value,
                      tensor::ExtractSliceOp::create(
                          body, loc, cast<RankedTensorType>(value.getType()),
                          held.lookup(value), offsets, sizes, strides)
                          .getResult());
        }
        cloneDecoding(body, op.getKinds()[kind].front());
        return SmallVector<Value>();
      });
}

/// Gives `function` an argument like `argument` of @forward, without the number
/// of its sequence: those of one function are counted anew.
BlockArgument Cutter::addArgument(func::FuncOp function,
                                  BlockArgument argument) {
  unsigned number = function.getNumArguments();
  NamedAttrList attributes(forward.getArgAttrDict(argument.getArgNumber()));
  attributes.erase(WeirDialect::getSequenceAttrName());
  int64_t sequence = getSequence(argument);
  if (sequence > decoded)
    --sequence;
  if (getSequence(argument) != decoded && sequence != 0)
    attributes.set(WeirDialect::getSequenceAttrName(),
                   OpBuilder(forward).getI64IntegerAttr(sequence));
  (void)function.insertArgument(number, argument.getType(),
                                attributes.getDictionary(forward.getContext()),
                                argument.getLoc());
  BlockArgument copy = function.getArgument(number);
  mapping.map(argument, copy);
  return copy;
}

/// A function without arguments, results or a terminator.
static func::FuncOp createFunction(Location loc, StringRef name) {
  auto function = func::FuncOp::create(
      loc, name, FunctionType::get(loc.getContext(), {}, {}));
  function.addEntryBlock();
  return function;
}

/// Has `function` end with `results`, and be of the type that it is then.
static void endFunction(OpBuilder &builder, Location loc, func::FuncOp function,
                        ValueRange results) {
  func::ReturnOp::create(builder, loc, results);
  function.setType(
      builder.getFunctionType(function.getArgumentTypes(), results.getTypes()));
}

func::FuncOp Cutter::buildEncode() {
  mapping.clear();
  held.clear();
  func::FuncOp encode = createFunction(forward.getLoc(), "encode");
  for (BlockArgument argument : forward.getArguments())
    if (getOrigin(argument) == Origin::Source)
      addArgument(encode, argument);
  OpBuilder builder = OpBuilder::atBlockEnd(&encode.front());
  cloneEncoding(builder, forward.front());
  SmallVector<Value> results;
  for (auto &[value, memory] : memories)
    results.push_back(memory.stack ? held.lookup(value)
                                   : mapping.lookup(value));
  endFunction(builder, forward.getLoc(), encode, results);
  return encode;
}

func::FuncOp Cutter::buildDecode() {
  mapping.clear();
  held.clear();
  func::FuncOp decode = createFunction(forward.getLoc(), "decode");
  for (BlockArgument argument : forward.getArguments())
    if (getOrigin(argument) == Origin::Decoded)
      addArgument(decode, argument);
  for (auto &[value, memory] : memories) {
    unsigned number = decode.getNumArguments();
    (void)decode.insertArgument(number, memory.type, {}, value.getLoc());
    held[value] = decode.getArgument(number);
    if (!memory.stack)
      mapping.map(value, held[value]);
  }
  OpBuilder builder = OpBuilder::atBlockEnd(&decode.front());
  cloneDecoding(builder, forward.front());
  Operation *terminator = forward.front().getTerminator();
  SmallVector<Value> results;
  for (Value value : terminator->getOperands())
    results.push_back(mapping.lookup(value));
  endFunction(builder, terminator->getLoc(), decode, results);
  for (unsigned i = 0; i < forward.getNumResults(); ++i) {
    NamedAttrList attributes(
        mlir::function_interface_impl::getResultAttrs(forward, i));
    attributes.erase(WeirDialect::getSequenceAttrName());
    decode.setResultAttrs(i, attributes.getDictionary(forward.getContext()));
  }
  return decode;
}

FailureOr<EncoderCut> Cutter::cut() {
  for (BlockArgument argument : forward.getArguments())
    origins[argument] =
        getSequence(argument) == decoded ? Origin::Decoded : Origin::Source;
  classify(forward.front());
  Operation *terminator = forward.front().getTerminator();
  for (auto [index, value] : llvm::enumerate(terminator->getOperands()))
    if (getOrigin(value) != Origin::Decoded)
      return refuse(value.getLoc(),
                    "result " + Twine(index) +
                        " does not depend on the decoded sequence");
  if (failed(findMemories(forward.front())))
    return failure();

  EncoderCut result;
  result.encode = buildEncode();
  result.decode = buildDecode();
  OpBuilder builder(forward.getContext());
  for (auto &[value, memory] : memories)
    result.memories.push_back(SlotOp::create(
        builder, value.getLoc(),
        builder.getStringAttr("memory" + Twine(result.memories.size())),
        TypeAttr::get(memory.type),
        SlotKindAttr::get(builder.getContext(), SlotKind::Memory),
        memory.stack ? builder.getUnitAttr() : UnitAttr(), IntegerAttr()));
  return result;
}

FailureOr<EncoderCut> weir::cutEncoder(func::FuncOp forward, int64_t decoded,
                                       std::optional<AxisRefusal> &refusal) {
  return Cutter(forward, decoded, refusal).cut();
}
