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
// built op by op, in order:
//
// - An op with `StreamingInterface` builds its own step and asks for histories
//   and carries. Any other op is cloned: it never looks beyond a position.
// - A history belongs to one SSA value of @forward and is shared by its
//   readers. The new block is appended where the value is defined, and readers
//   get the newest state of the slot. Histories that one op reads look back
//   equally far.
// - Of several sequences, the one of the results is streamed. What steps read
//   of the others is computed in @encode (CutEncoder.cpp), and is arguments of
//   the function that time is followed through.
// - Inside a stack, a slot has a leading axis for the layers of the kind. It
//   is threaded through the stack as one more carried value, which kinds that
//   do not use it hand through. Nested stacks multiply their layer counts.
//
// So every slot is one chain of values from the argument to the result, and
// bufferisation can update it in place. @extend_last is a copy of @extend
// narrowed to the last token (NarrowToLast.cpp).
//
//===----------------------------------------------------------------------===//

#include "AxisFlow.h"
#include "CutEncoder.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Iterators.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Support/DebugStringHelper.h"
#include "weir/Transforms/Passes.h"
#include "weir/Transforms/Transforms.h"
#include "llvm/ADT/MapVector.h"

namespace weir {
#define GEN_PASS_DEF_DERIVESTREAMINGPASS
#include "weir/Transforms/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

namespace {

/// A slot of the state under construction. Slot 0 holds the positions.
struct SlotPlan {
  SlotKind kind;
  /// Of one layer: `[batch, capacity, ...]` or `[batch, ...]`.
  RankedTensorType layerType;
  /// Layers of the kind that uses the slot; 0 outside of stacks.
  int64_t layers;
  Location loc;
  /// Positions looked back at by all readers; none is all of them.
  std::optional<int64_t> lookback;

  RankedTensorType getType() const {
    if (layers == 0)
      return layerType;
    SmallVector<int64_t> shape{layers};
    llvm::append_range(shape, layerType.getShape());
    return RankedTensorType::get(shape, layerType.getElementType());
  }
};

/// A block of the step function under construction.
struct Scope {
  /// The block of @forward that it is the step of.
  Block *forward;
  Block *step;
  OpBuilder builder;
  /// Layers that run this block, and the number of the present one; 0 and null
  /// outside of stacks.
  int64_t layers;
  Value layer;
  /// The newest value of each slot, null for slots not threaded through, and
  /// the block argument that brings it in.
  SmallVector<Value> current;
  SmallVector<BlockArgument> incoming;
};

/// Builds @extend.
class StepBuilder : public StreamingContext {
public:
  StepBuilder(func::FuncOp forward, const AxisFlow &flow, Value lengths,
              std::optional<AxisRefusal> &refusal)
      : forward(forward), flow(flow), forwardLengths(lengths),
        refusal(refusal) {}

  /// Builds the function, in no module yet, or returns null.
  func::FuncOp build();
  ArrayRef<SlotPlan> getSlots() const { return slots; }

  Value lookup(Value value) override { return mapping.lookupOrDefault(value); }
  FailureOr<Value> getHistory(Value value, const HistoryNeed &need) override;
  FailureOr<Value> getPast(Value result, const HistoryNeed &need) override;
  FailureOr<Value> getCarry(Operation *op, StringRef name,
                            RankedTensorType type) override;
  void setCarry(Operation *op, StringRef name, Value value) override;
  Value getOffset() override { return offset; }
  Value getLengths() override { return lengths; }

private:
  LogicalResult buildBlock(Block &block);
  LogicalResult buildOp(Operation *op);
  void alignHistories();
  LogicalResult buildStack(StackOp op);
  func::FuncOp finish(func::FuncOp step);
  unsigned addSlot(SlotKind kind, RankedTensorType type, int64_t layers,
                   Location loc);
  unsigned addHistory(Scope &scope, Value value, const HistoryNeed &need);
  Value appendBlock(Scope &scope, unsigned slot, Value value);
  Value getSlotValue(Scope &scope, unsigned slot);
  void orderSlotArguments(Scope &scope, ArrayRef<unsigned> used);
  Value readLayer(Scope &scope, unsigned slot, Location loc);
  Value addLengths(OpBuilder &builder, Location loc, Value into);
  LogicalResult refuse(Location loc, const Twine &reason) {
    refusal = AxisRefusal{loc, reason.str(), std::nullopt};
    return failure();
  }

  func::FuncOp forward;
  const AxisFlow &flow;
  Value forwardLengths;
  std::optional<AxisRefusal> &refusal;

  IRMapping mapping;
  SmallVector<SlotPlan> slots;
  /// Open blocks, outermost first.
  SmallVector<std::unique_ptr<Scope>> scopes;
  /// The slot of each value with a history, and what readers read.
  DenseMap<Value, std::pair<unsigned, Value>> histories;
  /// Histories that the op under construction has asked for of its results.
  SmallVector<std::pair<Value, unsigned>> pasts;
  DenseMap<std::pair<Operation *, StringAttr>, unsigned> carries;
  /// The slots of the histories that one op reads, for each op.
  SmallVector<SmallVector<unsigned>> readTogether;
  Value offset, lengths;
};

} // namespace

//===----------------------------------------------------------------------===//
// Slots
//===----------------------------------------------------------------------===//

unsigned StepBuilder::addSlot(SlotKind kind, RankedTensorType type,
                              int64_t layers, Location loc) {
  slots.push_back(SlotPlan{kind, type, layers, loc, std::nullopt});
  return slots.size() - 1;
}

/// The newest value of `slot` in `scope`, which gets an argument for it if it
/// has none yet.
Value StepBuilder::getSlotValue(Scope &scope, unsigned slot) {
  if (scope.current.size() < slots.size()) {
    scope.current.resize(slots.size());
    scope.incoming.resize(slots.size());
  }
  if (!scope.current[slot]) {
    BlockArgument argument =
        scope.step->addArgument(slots[slot].getType(), slots[slot].loc);
    scope.incoming[slot] = argument;
    scope.current[slot] = argument;
  }
  return scope.current[slot];
}

/// Gives the block of `scope` the slots `used` as its last arguments, in order,
/// in place of those that `getSlotValue` added as they were asked for.
void StepBuilder::orderSlotArguments(Scope &scope, ArrayRef<unsigned> used) {
  SmallVector<BlockArgument> placeholders;
  for (unsigned slot : used) {
    getSlotValue(scope, slot);
    BlockArgument placeholder = scope.incoming[slot];
    BlockArgument argument =
        scope.step->addArgument(placeholder.getType(), placeholder.getLoc());
    placeholder.replaceAllUsesWith(argument);
    if (scope.current[slot] == placeholder)
      scope.current[slot] = argument;
    scope.incoming[slot] = argument;
    placeholders.push_back(placeholder);
  }
  scope.step->eraseArguments([&](BlockArgument argument) {
    return llvm::is_contained(placeholders, argument);
  });
}

/// The part of `slot` that belongs to the present layer.
Value StepBuilder::readLayer(Scope &scope, unsigned slot, Location loc) {
  Value value = getSlotValue(scope, slot);
  if (!scope.layer)
    return value;
  OpBuilder &builder = scope.builder;
  RankedTensorType type = slots[slot].layerType;
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, value);
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  offsets.front() = scope.layer;
  sizes.front() = builder.getIndexAttr(1);
  return tensor::ExtractSliceOp::create(builder, loc, type, value, offsets,
                                        sizes, strides);
}

FailureOr<Value> StepBuilder::getHistory(Value value, const HistoryNeed &need) {
  Location loc = value.getLoc();
  auto merge = [&](SlotPlan &slot) {
    if (need.kind == HistoryNeed::Kind::All)
      slot.lookback.reset();
    else if (slot.lookback)
      slot.lookback = std::max(*slot.lookback, need.count);
  };
  auto known = histories.find(value);
  if (known != histories.end()) {
    merge(slots[known->second.first]);
    readTogether.back().push_back(known->second.first);
    return known->second.second;
  }
  if (flow.getAxis(value) != TimeAxis)
    return refuse(loc, "the past of a value without time on axis 1 is read");

  // The history lives where its value does, so that readers in later layers of
  // a stack share it.
  auto it = llvm::find_if(scopes, [&](const std::unique_ptr<Scope> &scope) {
    return scope->forward == value.getParentBlock();
  });
  Scope &scope = **it;
  unsigned slot = addHistory(scope, value, need);
  return appendBlock(scope, slot, value);
}

/// The slot of a history of `value`, which belongs to `scope`.
unsigned StepBuilder::addHistory(Scope &scope, Value value,
                                 const HistoryNeed &need) {
  // A block of the step is as long as is asked for.
  SmallVector<int64_t> shape(
      cast<RankedTensorType>(value.getType()).getShape());
  shape[TimeAxis] = ShapedType::kDynamic;
  Type element = cast<RankedTensorType>(value.getType()).getElementType();
  unsigned slot =
      addSlot(SlotKind::History, RankedTensorType::get(shape, element),
              scope.layers, value.getLoc());
  if (need.kind == HistoryNeed::Kind::Last)
    slots[slot].lookback = need.count;
  readTogether.back().push_back(slot);
  return slot;
}

/// Writes the block of new positions of `value` into its history, and gives
/// what readers read.
Value StepBuilder::appendBlock(Scope &scope, unsigned slot, Value value) {
  Location loc = value.getLoc();
  Value before = getSlotValue(scope, slot);
  scope.current[slot] =
      AppendOp::create(scope.builder, loc, before.getType(), before,
                       scope.layer, lookup(value), offset, lengths);
  Value history = readLayer(scope, slot, loc);
  histories[value] = {slot, history};
  return history;
}

FailureOr<Value> StepBuilder::getPast(Value result, const HistoryNeed &need) {
  if (flow.getAxis(result) != TimeAxis)
    return refuse(result.getLoc(),
                  "the past of a value without time on axis 1 is read");
  Scope &scope = *scopes.back();
  unsigned slot = addHistory(scope, result, need);
  pasts.push_back({result, slot});
  return readLayer(scope, slot, result.getLoc());
}

/// Gives histories that one op reads the look-back of the longest of them: it
/// takes an entry of each for one position, so that they have to be alike.
void StepBuilder::alignHistories() {
  bool hasChanged = true;
  while (hasChanged) {
    hasChanged = false;
    for (ArrayRef<unsigned> together : readTogether) {
      std::optional<int64_t> longest = 0;
      for (unsigned slot : together) {
        std::optional<int64_t> lookback = slots[slot].lookback;
        longest = lookback && longest
                      ? std::optional(std::max(*lookback, *longest))
                      : std::nullopt;
      }
      for (unsigned slot : together) {
        hasChanged |= slots[slot].lookback != longest;
        slots[slot].lookback = longest;
      }
    }
  }
}

FailureOr<Value> StepBuilder::getCarry(Operation *op, StringRef name,
                                       RankedTensorType type) {
  if (type.getRank() < 1 || !type.isDynamicDim(0) ||
      type.getNumDynamicDims() != 1)
    return refuse(op->getLoc(), "this carries a value of type " +
                                    debugString(Type(type)) +
                                    ", expected [batch, ...] with a dynamic "
                                    "batch alone");
  Scope &scope = *scopes.back();
  auto key = std::make_pair(op, StringAttr::get(op->getContext(), name));
  auto [it, isNew] = carries.try_emplace(key, 0);
  if (isNew)
    it->second = addSlot(SlotKind::Carry, type, scope.layers, op->getLoc());
  return readLayer(scope, it->second, op->getLoc());
}

void StepBuilder::setCarry(Operation *op, StringRef name, Value value) {
  Scope &scope = *scopes.back();
  unsigned slot = carries.at({op, StringAttr::get(op->getContext(), name)});
  if (!scope.layer) {
    scope.current[slot] = value;
    return;
  }
  OpBuilder &builder = scope.builder;
  Value into = getSlotValue(scope, slot);
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, op->getLoc(), into);
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  offsets.front() = scope.layer;
  sizes.front() = builder.getIndexAttr(1);
  scope.current[slot] = tensor::InsertSliceOp::create(
      builder, op->getLoc(), value, into, offsets, sizes, strides);
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

LogicalResult StepBuilder::buildBlock(Block &block) {
  for (Operation &op : block.without_terminator())
    if (failed(buildOp(&op)))
      return failure();
  return success();
}

LogicalResult StepBuilder::buildOp(Operation *op) {
  if (auto stack = dyn_cast<StackOp>(op))
    return buildStack(stack);
  OpBuilder &builder = scopes.back()->builder;
  auto streaming = dyn_cast<StreamingInterface>(op);
  auto hasTime = [&](Value operand) {
    return flow.getAxis(operand).has_value();
  };
  if (!streaming || llvm::none_of(op->getOperands(), hasTime) ||
      (streaming.isPointwiseInTimeOf(hasTime) &&
       !streaming.isTimePointwise())) {
    builder.clone(*op, mapping);
    return success();
  }
  readTogether.emplace_back();
  FailureOr<SmallVector<Value>> results = streaming.buildStep(builder, *this);
  if (failed(results))
    return refusal ? failure()
                   : refuse(op->getLoc(), "this op could not build its step");
  mapping.map(op->getResults(), *results);
  for (auto [result, slot] : pasts)
    appendBlock(*scopes.back(), slot, result);
  pasts.clear();
  return success();
}

LogicalResult StepBuilder::buildStack(StackOp op) {
  Scope &parent = *scopes.back();
  Location loc = op.getLoc();
  // The slots are known only when the regions are built: they are built in a
  // draft, which lends them a place.
  OperationState draftState(loc, op->getName());
  draftState.addAttributes(op->getAttrs());
  for (size_t kind = 0; kind < op->getNumRegions(); ++kind)
    draftState.addRegion();
  Operation *draft = parent.builder.create(draftState);
  OpBuilder::InsertionGuard guard(parent.builder);
  parent.builder.setInsertionPoint(draft);

  SmallVector<std::unique_ptr<Scope>> kinds;
  for (auto [number, region] : llvm::enumerate(op.getKinds())) {
    Block &forwardBody = region.front();
    Block *body = &draft->getRegion(number).emplaceBlock();
    for (BlockArgument argument : forwardBody.getArguments())
      mapping.map(argument,
                  body->addArgument(argument.getType(), argument.getLoc()));
    OpBuilder builder = OpBuilder::atBlockEnd(body);
    int64_t count = op.getLayerCount(number);
    Value layer = body->getArgument(0);
    if (parent.layer) {
      Value counted = arith::ConstantIndexOp::create(builder, loc, count);
      Value first = arith::MulIOp::create(builder, loc, parent.layer, counted);
      layer = arith::AddIOp::create(builder, loc, first, layer);
    }
    scopes.push_back(std::make_unique<Scope>(
        Scope{&forwardBody,
              body,
              builder,
              std::max<int64_t>(parent.layers, 1) * count,
              layer,
              {},
              {}}));
    if (failed(buildBlock(forwardBody)))
      return failure();
    kinds.push_back(scopes.pop_back_val());
  }

  SmallVector<unsigned> used;
  for (unsigned slot = 0; slot < slots.size(); ++slot)
    if (llvm::any_of(kinds, [&](const std::unique_ptr<Scope> &kind) {
          return slot < kind->current.size() && kind->current[slot];
        }))
      used.push_back(slot);

  SmallVector<Value> inits;
  for (Value init : op.getInits())
    inits.push_back(lookup(init));
  for (unsigned slot : used)
    inits.push_back(getSlotValue(parent, slot));
  OperationState state(loc, op->getName());
  state.addOperands(inits);
  state.addTypes(ValueRange(inits).getTypes());
  state.addAttributes(op->getAttrs());
  for (std::unique_ptr<Scope> &kind : kinds) {
    orderSlotArguments(*kind, used);
    SmallVector<Value> yielded;
    for (Value value : kind->forward->getTerminator()->getOperands())
      yielded.push_back(lookup(value));
    for (unsigned slot : used)
      yielded.push_back(kind->current[slot]);
    YieldOp::create(kind->builder, kind->forward->getTerminator()->getLoc(),
                    yielded);
    state.addRegion()->takeBody(*kind->step->getParent());
  }
  Operation *step = parent.builder.create(state);
  draft->erase();

  unsigned carried = op.getInits().size();
  mapping.map(op.getResults(), step->getResults().take_front(carried));
  for (auto [slot, result] :
       llvm::zip_equal(used, step->getResults().drop_front(carried)))
    parent.current[slot] = result;
  return success();
}

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

/// Valid tokens of each row up to and with this block, written over `into`.
Value StepBuilder::addLengths(OpBuilder &builder, Location loc, Value into) {
  AffineMap identity = builder.getMultiDimIdentityMap(1);
  bool inPlace = into == offset;
  SmallVector<Value> inputs{lengths};
  if (!inPlace)
    inputs.push_back(offset);
  SmallVector<AffineMap> maps(inputs.size() + 1, identity);
  return linalg::GenericOp::create(
             builder, loc, into.getType(), inputs, into, maps,
             utils::IteratorType::parallel,
             [&](OpBuilder &nested, Location loc, ValueRange args) {
               Value before = inPlace ? args.back() : args[1];
               Value sum = arith::AddIOp::create(nested, loc, before, args[0]);
               linalg::YieldOp::create(nested, loc, sum);
             })
      .getResult(0);
}

func::FuncOp StepBuilder::build() {
  MLIRContext *context = forward.getContext();
  Location loc = forward.getLoc();
  auto step =
      func::FuncOp::create(loc, "extend", FunctionType::get(context, {}, {}));
  Block *body = step.addEntryBlock();
  for (BlockArgument argument : forward.getArguments())
    mapping.map(argument,
                body->addArgument(argument.getType(), argument.getLoc()));
  lengths = lookup(forwardLengths);

  OpBuilder builder = OpBuilder::atBlockEnd(body);
  auto positions =
      RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type());
  unsigned position = addSlot(SlotKind::Position, positions, 0, loc);
  scopes.push_back(std::make_unique<Scope>(
      Scope{&forward.front(), body, builder, 0, Value(), {}, {}}));
  offset = getSlotValue(*scopes.back(), position);

  // The lengths of @forward are those of the rows so far, not of the block.
  Value rows = tensor::EmptyOp::create(
      scopes.back()->builder, loc,
      tensor::getMixedSizes(scopes.back()->builder, loc, lengths),
      builder.getI32Type());
  Value total = addLengths(scopes.back()->builder, loc, rows);
  mapping.map(forwardLengths, total);

  if (failed(buildBlock(forward.front()))) {
    step.erase();
    return {};
  }
  alignHistories();
  return finish(step);
}

/// Adds the return, orders the arguments and describes them.
func::FuncOp StepBuilder::finish(func::FuncOp step) {
  MLIRContext *context = forward.getContext();
  Scope &scope = *scopes.back();
  auto all = llvm::to_vector(llvm::seq<unsigned>(0, slots.size()));
  // Slot arguments stand in the order of the slots. The position is the only
  // slot whose argument other ops hold by name.
  orderSlotArguments(scope, all);
  offset = scope.incoming.front();

  Operation *terminator = forward.front().getTerminator();
  SmallVector<Value> results;
  for (Value value : terminator->getOperands())
    results.push_back(lookup(value));
  // Last, so that nothing reads the old positions behind it.
  scope.current.front() =
      addLengths(scope.builder, terminator->getLoc(), offset);
  llvm::append_range(results, scope.current);
  func::ReturnOp::create(scope.builder, terminator->getLoc(), results);

  step.setType(FunctionType::get(context, scope.step->getArgumentTypes(),
                                 ValueRange(results).getTypes()));
  for (unsigned i = 0; i < forward.getNumArguments(); ++i)
    step.setArgAttrs(i, mlir::function_interface_impl::getArgAttrs(forward, i));
  for (unsigned i = 0; i < forward.getNumResults(); ++i)
    step.setResultAttrs(
        i, mlir::function_interface_impl::getResultAttrs(forward, i));
  return step;
}

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
