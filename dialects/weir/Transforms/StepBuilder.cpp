//===- StepBuilder.cpp - Steps op by op -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// @extend is built op by op, in order:
//
// - An op with `StreamingInterface` builds its own step and asks for histories
//   and carries. Any other op is cloned: it never looks beyond a position.
// - A history belongs to one SSA value of @forward and is shared by its
//   readers. The new block is appended where the value is defined, and readers
//   get the newest state of the slot. Histories that one op reads look back
//   equally far.
// - Tokens that weir.list_tokens lists are a sequence with a block of its own:
//   what ops on them remember is of listed tokens alone (TokenSequences.h).
// - Inside a stack, a slot has a leading axis for the layers of the kind. It
//   is threaded through the stack as one more carried value, which kinds that
//   do not use it hand through. Nested stacks multiply their layer counts.
//
// So every slot is one chain of values from the argument to the result, and
// bufferisation can update it in place.
//
//===----------------------------------------------------------------------===//

#include "StepBuilder.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Support/DebugStringHelper.h"

using namespace mlir;
using namespace weir;

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
Value StepBuilder::getSlotValue(StepScope &scope, unsigned slot) {
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
void StepBuilder::orderSlotArguments(StepScope &scope,
                                     ArrayRef<unsigned> used) {
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
Value StepBuilder::readLayer(StepScope &scope, unsigned slot, Location loc) {
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
  auto it = llvm::find_if(scopes, [&](const std::unique_ptr<StepScope> &scope) {
    return scope->forward == value.getParentBlock();
  });
  StepScope &scope = **it;
  unsigned slot = addHistory(scope, value, need);
  return appendBlock(scope, slot, value);
}

/// The slot of a history of `value`, which belongs to `scope`.
unsigned StepBuilder::addHistory(StepScope &scope, Value value,
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
Value StepBuilder::appendBlock(StepScope &scope, unsigned slot, Value value) {
  Location loc = value.getLoc();
  Value before = getSlotValue(scope, slot);
  scope.current[slot] =
      AppendOp::create(scope.builder, loc, before.getType(), before,
                       scope.layer, lookup(value), getOffset(), getLengths());
  Value history = readLayer(scope, slot, loc);
  histories[value] = {slot, history};
  return history;
}

FailureOr<Value> StepBuilder::getPast(Value result, const HistoryNeed &need) {
  if (flow.getAxis(result) != TimeAxis)
    return refuse(result.getLoc(),
                  "the past of a value without time on axis 1 is read");
  StepScope &scope = *scopes.back();
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
  StepScope &scope = *scopes.back();
  auto key = std::make_pair(op, StringAttr::get(op->getContext(), name));
  auto [it, isNew] = carries.try_emplace(key, 0);
  if (isNew)
    it->second = addSlot(SlotKind::Carry, type, scope.layers, op->getLoc());
  return readLayer(scope, it->second, op->getLoc());
}

void StepBuilder::setCarry(Operation *op, StringRef name, Value value) {
  StepScope &scope = *scopes.back();
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
  Value sequence = sequences.getSequence(op);
  present = sequence ? listed.at(sequence) : BlockExtent{offset, lengths};
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
  StepScope &parent = *scopes.back();
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

  SmallVector<std::unique_ptr<StepScope>> kinds;
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
    scopes.push_back(std::make_unique<StepScope>(
        StepScope{&forwardBody,
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
    if (llvm::any_of(kinds, [&](const std::unique_ptr<StepScope> &kind) {
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
  for (std::unique_ptr<StepScope> &kind : kinds) {
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
  FailureOr<TokenSequences> found =
      TokenSequences::compute(forward, flow, refusal);
  if (failed(found)) {
    step.erase();
    return {};
  }
  sequences = std::move(*found);

  OpBuilder builder = OpBuilder::atBlockEnd(body);
  auto positions =
      RankedTensorType::get({ShapedType::kDynamic}, builder.getI32Type());
  unsigned position = addSlot(SlotKind::Position, positions, 0, loc);
  scopes.push_back(std::make_unique<StepScope>(
      StepScope{&forward.front(), body, builder, 0, Value(), {}, {}}));
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
  StepScope &scope = *scopes.back();
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
