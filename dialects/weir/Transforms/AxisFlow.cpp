//===- AxisFlow.cpp - Where time and batch run -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One walk in program order gives each value a state: no axis, axis k, or (for
// index values) the extent of the axis. An op none of whose operands has a
// state gives its results none. Any other op must be of a kind that the walk
// knows to keep the axis; all else is refused, with the reason.
//
//===----------------------------------------------------------------------===//

#include "AxisFlow.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Support/DebugStringHelper.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weir;

/// The state of an index value that holds the axis's extent.
static constexpr int64_t extentState = -1;

LogicalResult AxisRefusal::emit(StringRef what) const {
  InFlightDiagnostic diag = emitError(loc) << what << ": " << reason;
  if (origin)
    diag.attachNote(*origin) << "the axis comes from this argument";
  return failure();
}

std::optional<int64_t> AxisFlow::getAxis(Value value) const {
  auto it = states.find(value);
  if (it == states.end() || it->second == extentState)
    return std::nullopt;
  return it->second;
}

bool AxisFlow::isExtent(Value value) const {
  auto it = states.find(value);
  return it != states.end() && it->second == extentState;
}

Type AxisFlow::getTypeAtExtent(Value value, int64_t extent) const {
  std::optional<int64_t> axis = getAxis(value);
  if (!axis)
    return value.getType();
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape[*axis] = extent;
  return RankedTensorType::get(shape, type.getElementType(),
                               type.getEncoding());
}

/// The walk of `AxisFlow::compute`.
class AxisFlow::Walker {
public:
  Walker(AxisFlow &flow, SequenceAxis axis, AxisTrust trust,
         std::optional<AxisRefusal> &refusal)
      : flow(flow), axis(axis), trust(trust), refusal(refusal) {}

  void seedArguments(func::FuncOp function, ModuleOp module);
  LogicalResult visitBlock(Block &block);
  LogicalResult visitOp(Operation *op);

private:
  /// Whether the region of `op` reads single entries of `captured` alone, by
  /// rows of the batch, whatever number of rows there is.
  bool readsRows(Operation *op, const llvm::SetVector<Value> &captured) const {
    return axis == BatchAxis && llvm::all_of(captured, [&](Value value) {
             return !hasState(value) ||
                    llvm::all_of(value.getUsers(), [&](Operation *user) {
                      return !op->isProperAncestor(user) ||
                             isa<tensor::ExtractOp>(user);
                    });
           });
  }
  LogicalResult visitStack(StackOp op);
  LogicalResult visitStreaming(StreamingInterface op);
  LogicalResult visitLinalg(linalg::LinalgOp op);
  LogicalResult visitElementwise(Operation *op);
  LogicalResult visitDim(tensor::DimOp op);
  LogicalResult visitReshape(Operation *op, Value source, Value result,
                             ArrayRef<ReassociationIndices> groups,
                             bool expands);
  LogicalResult visitExtractSlice(tensor::ExtractSliceOp op);
  LogicalResult visitInsertSlice(tensor::InsertSliceOp op);
  LogicalResult visitConcat(tensor::ConcatOp op);
  LogicalResult visitPad(tensor::PadOp op);
  LogicalResult visitCreation(Operation *op, ArrayRef<OpFoldResult> sizes);
  LogicalResult visitAppend(AppendOp op);
  LogicalResult visitSelectLast(SelectLastOp op);
  LogicalResult visitReturn(Operation *op);

  /// Gives `value` the axis, which its type must leave dynamic.
  LogicalResult setAxis(Operation *op, Value value, int64_t at);
  bool hasState(Value value) const { return flow.states.contains(value); }
  bool isWhole(OpFoldResult size) const {
    auto value = dyn_cast<Value>(size);
    return value && flow.isExtent(value);
  }
  StringRef name() const { return axis == TimeAxis ? "time" : "batch"; }
  bool isWholeSequence() const { return trust == AxisTrust::WholeSequence; }
  LogicalResult refuse(Operation *op, const Twine &reason,
                       bool withOrigin = true) {
    refusal = AxisRefusal{op->getLoc(), reason.str(),
                          withOrigin ? flow.origin : std::nullopt};
    return failure();
  }

  AxisFlow &flow;
  SequenceAxis axis;
  AxisTrust trust;
  std::optional<AxisRefusal> &refusal;
};

FailureOr<AxisFlow> AxisFlow::compute(func::FuncOp function, ModuleOp module,
                                      SequenceAxis axis, AxisTrust trust,
                                      std::optional<AxisRefusal> &refusal) {
  AxisFlow flow;
  Walker walker(flow, axis, trust, refusal);
  walker.seedArguments(function, module);
  if (flow.isPresent() && failed(walker.visitBlock(function.front())))
    return failure();
  return flow;
}

FailureOr<AxisFlow> AxisFlow::follow(ValueRange seeds,
                                     ArrayRef<Operation *> ops,
                                     SequenceAxis axis,
                                     std::optional<AxisRefusal> &refusal) {
  AxisFlow flow;
  Walker walker(flow, axis, AxisTrust::Derived, refusal);
  for (Value seed : seeds)
    flow.states[seed] = axis;
  for (Operation *op : ops)
    if (failed(walker.visitOp(op)))
      return failure();
  return flow;
}

void AxisFlow::Walker::seedArguments(func::FuncOp function, ModuleOp module) {
  for (BlockArgument argument : function.getArguments()) {
    unsigned number = argument.getArgNumber();
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      continue;
    int64_t at = axis;
    if (auto symbol = function.getArgAttrOfType<FlatSymbolRefAttr>(
            number, WeirDialect::getSlotAttrName())) {
      // The axes of a slot are [layers, batch, capacity, ...]: no time.
      if (axis == TimeAxis)
        continue;
      auto slot = dyn_cast_or_null<SlotOp>(
          SymbolTable::lookupSymbolIn(module, symbol.getAttr()));
      at = slot && slot.getStacked() ? 1 : 0;
    } else if (axis == TimeAxis &&
               !function.getArgAttr(number, WeirDialect::getNameAttrName())) {
      continue;
    }
    if (at >= type.getRank() || !type.isDynamicDim(at))
      continue;
    flow.states[argument] = at;
    if (!flow.origin)
      flow.origin = argument.getLoc();
  }
}

LogicalResult AxisFlow::Walker::visitBlock(Block &block) {
  for (Operation &op : block)
    if (failed(visitOp(&op)))
      return failure();
  return success();
}

LogicalResult AxisFlow::Walker::setAxis(Operation *op, Value value,
                                        int64_t at) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || at >= type.getRank() || !type.isDynamicDim(at))
    return refuse(op, "this gives a value of type " +
                          debugString(value.getType()) + " where axis " +
                          Twine(at) + " should be " + name());
  flow.states[value] = at;
  return success();
}

LogicalResult AxisFlow::Walker::visitOp(Operation *op) {
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  bool captures = llvm::any_of(captured, [&](Value v) { return hasState(v); });
  if (!captures &&
      llvm::none_of(op->getOperands(), [&](Value v) { return hasState(v); }))
    return success();
  if (auto stack = dyn_cast<StackOp>(op))
    return visitStack(stack);
  if (captures && !readsRows(op, captured))
    return refuse(op, "the region of this op reads a value with " + name() +
                          " from above");
  if (op->hasTrait<OpTrait::ReturnLike>())
    return visitReturn(op);
  if (auto streaming = dyn_cast<StreamingInterface>(op))
    return visitStreaming(streaming);
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<linalg::LinalgOp>([&](auto op) { return visitLinalg(op); })
      .Case<tensor::DimOp>([&](auto op) { return visitDim(op); })
      .Case<tensor::ExpandShapeOp>([&](auto op) {
        return visitReshape(op, op.getSrc(), op.getResult(),
                            op.getReassociationIndices(), /*expands=*/true);
      })
      .Case<tensor::CollapseShapeOp>([&](auto op) {
        return visitReshape(op, op.getSrc(), op.getResult(),
                            op.getReassociationIndices(), /*expands=*/false);
      })
      .Case<tensor::ExtractSliceOp>(
          [&](auto op) { return visitExtractSlice(op); })
      .Case<tensor::InsertSliceOp>(
          [&](auto op) { return visitInsertSlice(op); })
      .Case<tensor::ConcatOp>([&](auto op) { return visitConcat(op); })
      .Case<tensor::PadOp>([&](auto op) { return visitPad(op); })
      .Case<tensor::CastOp>([&](auto op) -> LogicalResult {
        return setAxis(op, op.getResult(), *flow.getAxis(op.getSource()));
      })
      .Case<tensor::EmptyOp>(
          [&](auto op) { return visitCreation(op, op.getMixedSizes()); })
      .Case<AppendOp>([&](auto op) { return visitAppend(op); })
      .Case<SelectLastOp>([&](auto op) { return visitSelectLast(op); })
      // However many rows there are, the result is one number.
      .Case<LongestOp>([](auto) { return success(); })
      .Default([&](Operation *op) -> LogicalResult {
        bool onlyExtents = llvm::none_of(op->getOperands(), [&](Value v) {
          return flow.getAxis(v).has_value();
        });
        if (onlyExtents && !isWholeSequence() && op->getNumRegions() == 0 &&
            llvm::none_of(op->getResultTypes(), llvm::IsaPred<ShapedType>))
          return success();
        if (onlyExtents)
          return refuse(op, "this computes with the extent of " + name());
        if (op->hasTrait<OpTrait::Elementwise>())
          return visitElementwise(op);
        return refuse(op, name() + " runs through '" +
                              op->getName().getStringRef() +
                              "', which does not say how it streams");
      });
}

LogicalResult AxisFlow::Walker::visitReturn(Operation *op) {
  if (!isa<func::ReturnOp>(op))
    return success();
  for (auto [index, value] : llvm::enumerate(op->getOperands())) {
    std::optional<int64_t> at = flow.getAxis(value);
    if (isWholeSequence() && at && *at != axis)
      return refuse(op, "result " + Twine(index) + " has " + name() +
                            " on axis " + Twine(*at) + ", expected axis " +
                            Twine(static_cast<int64_t>(axis)));
  }
  return success();
}

LogicalResult AxisFlow::Walker::visitStack(StackOp op) {
  auto stateOf = [&](Value value) {
    auto it = flow.states.find(value);
    return it == flow.states.end() ? std::nullopt
                                   : std::optional<int64_t>(it->second);
  };
  for (Region &region : op.getKinds()) {
    Block &body = region.front();
    for (auto [init, argument] :
         llvm::zip_equal(op.getInits(), body.getArguments().drop_front()))
      if (std::optional<int64_t> state = stateOf(init))
        flow.states[argument] = *state;
    if (failed(visitBlock(body)))
      return failure();
    for (auto [index, init, yielded] :
         llvm::enumerate(op.getInits(), body.getTerminator()->getOperands()))
      if (stateOf(init) != stateOf(yielded))
        return refuse(body.getTerminator(),
                      "carried value " + Twine(index) +
                          " of the stack comes in and goes out with " + name() +
                          " on different axes");
  }
  for (auto [init, result] : llvm::zip_equal(op.getInits(), op.getResults()))
    if (std::optional<int64_t> state = stateOf(init))
      flow.states[result] = *state;
  return success();
}

LogicalResult AxisFlow::Walker::visitStreaming(StreamingInterface op) {
  bool isPointwise = op.isPointwiseInTimeOf(
      [&](Value value) { return flow.getAxis(value).has_value(); });
  for (OpOperand &operand : op->getOpOperands()) {
    unsigned number = operand.getOperandNumber();
    std::optional<int64_t> at = flow.getAxis(operand.get());
    if (at && *at != axis)
      return refuse(op, "operand " + Twine(number) + " has " + name() +
                            " on axis " + Twine(*at) + ", expected axis " +
                            Twine(static_cast<int64_t>(axis)));
    auto type = dyn_cast<RankedTensorType>(operand.get().getType());
    if (!isWholeSequence() || isPointwise || !type || type.getRank() < 2)
      continue;
    HistoryNeed need = op.getHistoryNeed(operand);
    if (need.kind == HistoryNeed::Kind::Pointwise)
      continue;
    if (need.kind == HistoryNeed::Kind::Refused)
      return refuse(op, need.reason, /*withOrigin=*/false);
    if (!at)
      return refuse(op, "this reads the past of operand " + Twine(number) +
                            ", which has no time axis");
  }
  for (Value result : op->getResults()) {
    auto type = dyn_cast<RankedTensorType>(result.getType());
    // A result without the axis, as a state has no time, has a static extent
    // in its place.
    if (type && type.getRank() > axis && type.isDynamicDim(axis) &&
        failed(setAxis(op, result, axis)))
      return failure();
  }
  return success();
}

LogicalResult AxisFlow::Walker::visitLinalg(linalg::LinalgOp op) {
  // The loop that runs along the axis.
  std::optional<unsigned> loop;
  for (OpOperand &operand : op->getOpOperands()) {
    std::optional<int64_t> at = flow.getAxis(operand.get());
    if (flow.isExtent(operand.get()))
      return refuse(op, "this computes with the extent of " + name());
    if (!at)
      continue;
    auto dim = dyn_cast<AffineDimExpr>(
        op.getMatchingIndexingMap(&operand).getResult(*at));
    if (!dim)
      return refuse(op,
                    "this reads " + name() + " at a shifted or scaled index");
    if (loop && *loop != dim.getPosition())
      return refuse(op,
                    "this pairs positions of " + name() + " with each other");
    loop = dim.getPosition();
  }
  if (op.getIteratorTypesArray()[*loop] != utils::IteratorType::parallel)
    return refuse(op, "this reduces over " + name());
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    std::optional<int64_t> at = flow.getAxis(operand.get());
    for (auto [index, expr] : llvm::enumerate(map.getResults())) {
      if (!expr.isFunctionOfDim(*loop) || at == static_cast<int64_t>(index))
        continue;
      if (!isa<AffineDimExpr>(expr))
        return refuse(op,
                      "this reads " + name() + " at a shifted or scaled index");
      return refuse(
          op, "axis " + Twine(index) + " of operand " +
                  Twine(operand.getOperandNumber()) + " runs along " + name() +
                  ", but its extent is not known to be that of " + name());
    }
  }
  if (isWholeSequence()) {
    WalkResult walk = op.getBlock()->walk([&](linalg::IndexOp index) {
      return index.getDim() == *loop ? WalkResult::interrupt()
                                     : WalkResult::advance();
    });
    if (walk.wasInterrupted())
      return refuse(op, "this computes with its index along time, which starts "
                        "anew in each step; weir.positions gives positions");
  }
  for (OpOperand &init : op.getDpsInitsMutable()) {
    std::optional<int64_t> at = flow.getAxis(init.get());
    if (at && op->getNumResults() &&
        failed(setAxis(op, op.getTiedOpResult(&init), *at)))
      return failure();
  }
  return success();
}

LogicalResult AxisFlow::Walker::visitElementwise(Operation *op) {
  std::optional<int64_t> at;
  for (Value operand : op->getOperands()) {
    if (!isa<RankedTensorType>(operand.getType()))
      continue;
    std::optional<int64_t> other = flow.getAxis(operand);
    if (!other || (at && *at != *other))
      return refuse(op, "the operands have " + name() + " on different axes");
    at = other;
  }
  for (Value result : op->getResults())
    if (failed(setAxis(op, result, *at)))
      return failure();
  return success();
}

LogicalResult AxisFlow::Walker::visitDim(tensor::DimOp op) {
  std::optional<int64_t> at = flow.getAxis(op.getSource());
  std::optional<int64_t> index = op.getConstantIndex();
  if (!at)
    return refuse(op, "this computes with the extent of " + name());
  if (!index)
    return refuse(op, "this takes an extent whose axis is not a constant");
  if (*index == *at)
    flow.states[op.getResult()] = extentState;
  return success();
}

LogicalResult
AxisFlow::Walker::visitReshape(Operation *op, Value source, Value result,
                               ArrayRef<ReassociationIndices> groups,
                               bool expands) {
  std::optional<int64_t> at = flow.getAxis(source);
  if (!at)
    return refuse(op, "this computes with the extent of " + name());
  int64_t group = *at;
  if (!expands)
    group = llvm::find_if(groups,
                          [&](const ReassociationIndices &indices) {
                            return llvm::is_contained(indices, *at);
                          }) -
            groups.begin();
  if (groups[group].size() != 1)
    return refuse(op, expands
                          ? "this splits the " + name() + " axis"
                          : "this joins the " + name() + " axis with another");
  return setAxis(op, result, expands ? groups[group].front() : group);
}

/// The axis of the rank-reduced tensor that stands for axis `at`.
static int64_t dropBefore(const llvm::SmallBitVector &dropped, int64_t at) {
  int64_t result = 0;
  for (int64_t i = 0; i < at; ++i)
    result += !dropped.test(i);
  return result;
}

LogicalResult AxisFlow::Walker::visitExtractSlice(tensor::ExtractSliceOp op) {
  std::optional<int64_t> at = flow.getAxis(op.getSource());
  if (!at)
    return refuse(op, "this computes with the extent of " + name());
  if (!isConstantIntValue(op.getMixedOffsets()[*at], 0) ||
      !isConstantIntValue(op.getMixedStrides()[*at], 1) ||
      !isWhole(op.getMixedSizes()[*at]))
    return refuse(op, "this takes a part of the " + name() + " axis");
  return setAxis(op, op.getResult(), dropBefore(op.getDroppedDims(), *at));
}

LogicalResult AxisFlow::Walker::visitInsertSlice(tensor::InsertSliceOp op) {
  std::optional<int64_t> at = flow.getAxis(op.getDest());
  std::optional<int64_t> source = flow.getAxis(op.getSource());
  if (!at || !source || !isConstantIntValue(op.getMixedOffsets()[*at], 0) ||
      !isConstantIntValue(op.getMixedStrides()[*at], 1) ||
      !isWhole(op.getMixedSizes()[*at]) ||
      dropBefore(op.getDroppedDims(), *at) != *source)
    return refuse(op, "this writes a part of the " + name() + " axis");
  return setAxis(op, op.getResult(), *at);
}

LogicalResult AxisFlow::Walker::visitConcat(tensor::ConcatOp op) {
  std::optional<int64_t> at = flow.getAxis(op.getInputs().front());
  for (Value input : op.getInputs())
    if (!at || flow.getAxis(input) != at)
      return refuse(op, "the operands have " + name() + " on different axes");
  if (*at == static_cast<int64_t>(op.getDim()))
    return refuse(op, "this joins sequences along " + name());
  return setAxis(op, op.getResult(), *at);
}

LogicalResult AxisFlow::Walker::visitPad(tensor::PadOp op) {
  std::optional<int64_t> at = flow.getAxis(op.getSource());
  if (!at || !isConstantIntValue(op.getMixedLowPad()[*at], 0) ||
      !isConstantIntValue(op.getMixedHighPad()[*at], 0))
    return refuse(op, "this pads the " + name() + " axis");
  return setAxis(op, op.getResult(), *at);
}

LogicalResult AxisFlow::Walker::visitCreation(Operation *op,
                                              ArrayRef<OpFoldResult> sizes) {
  std::optional<int64_t> at;
  for (auto [index, size] : llvm::enumerate(sizes)) {
    if (!isWhole(size))
      continue;
    if (at)
      return refuse(op, "this makes a tensor with two axes of " + name());
    at = index;
  }
  return setAxis(op, op->getResult(0), *at);
}

LogicalResult AxisFlow::Walker::visitAppend(AppendOp op) {
  if (isWholeSequence())
    return refuse(op, "the function has a state already");
  std::optional<int64_t> block = flow.getAxis(op.getBlock());
  if (block && *block != axis)
    return refuse(op, "the block has " + name() + " on axis " + Twine(*block));
  if (std::optional<int64_t> slot = flow.getAxis(op.getSlot()))
    return setAxis(op, op.getResult(), *slot);
  return success();
}

LogicalResult AxisFlow::Walker::visitSelectLast(SelectLastOp op) {
  if (isWholeSequence())
    return refuse(op, "this depends on where the sequence ends");
  std::optional<int64_t> at = flow.getAxis(op.getInput());
  if (at && *at != axis)
    return refuse(op, "the input has " + name() + " on axis " + Twine(*at));
  return axis == BatchAxis ? setAxis(op, op.getResult(), BatchAxis) : success();
}

//===----------------------------------------------------------------------===//
// Cutting the axis to an extent
//===----------------------------------------------------------------------===//

/// `sizes` of a clone: the extent of the axis becomes static.
static SmallVector<OpFoldResult>
mapSizes(OpBuilder &builder, ArrayRef<OpFoldResult> sizes,
         const IRMapping &mapping, const AxisFlow &flow, int64_t extent) {
  SmallVector<OpFoldResult> result;
  for (OpFoldResult size : sizes) {
    auto value = dyn_cast<Value>(size);
    if (value && flow.isExtent(value))
      result.push_back(builder.getIndexAttr(extent));
    else if (value)
      result.push_back(mapping.lookupOrDefault(value));
    else
      result.push_back(size);
  }
  return result;
}

/// Clones the layers of a stack.
static Operation *cloneStack(OpBuilder &builder, StackOp op, IRMapping &mapping,
                             const AxisFlow &flow, int64_t extent) {
  SmallVector<Type> types;
  for (Value result : op.getResults())
    types.push_back(flow.getTypeAtExtent(result, extent));
  Operation *clone = op->cloneWithoutRegions(mapping);
  builder.insert(clone);
  for (auto [result, type] : llvm::zip_equal(clone->getResults(), types))
    result.setType(type);
  OpBuilder::InsertionGuard guard(builder);
  for (auto [from, to] :
       llvm::zip_equal(op->getRegions(), clone->getRegions())) {
    Block *body = builder.createBlock(&to);
    for (BlockArgument argument : from.getArguments())
      mapping.map(argument,
                  body->addArgument(flow.getTypeAtExtent(argument, extent),
                                    argument.getLoc()));
    for (Operation &inner : from.front())
      cloneAtExtent(builder, &inner, mapping, flow, extent);
  }
  return clone;
}

void weir::cloneAtExtent(OpBuilder &builder, Operation *op, IRMapping &mapping,
                         const AxisFlow &flow, int64_t extent) {
  // The last of one position is that position.
  if (auto last = dyn_cast<SelectLastOp>(op))
    if (Type narrow = flow.getTypeAtExtent(last.getInput(), extent);
        narrow == last.getType()) {
      mapping.map(last.getResult(), mapping.lookupOrDefault(last.getInput()));
      return;
    }
  auto sizesOf = [&](ArrayRef<OpFoldResult> sizes) {
    return mapSizes(builder, sizes, mapping, flow, extent);
  };
  auto typeOf = [&](Value value) {
    return cast<RankedTensorType>(flow.getTypeAtExtent(value, extent));
  };
  Location loc = op->getLoc();
  Operation *clone =
      llvm::TypeSwitch<Operation *, Operation *>(op)
          .Case<StackOp>([&](StackOp op) {
            return cloneStack(builder, op, mapping, flow, extent);
          })
          .Case<tensor::DimOp>([&](tensor::DimOp op) -> Operation * {
            if (!flow.isExtent(op.getResult()))
              return builder.clone(*op, mapping);
            return arith::ConstantIndexOp::create(builder, loc, extent);
          })
          .Case<tensor::EmptyOp>([&](tensor::EmptyOp op) {
            return tensor::EmptyOp::create(
                builder, loc, sizesOf(op.getMixedSizes()),
                op.getType().getElementType(), op.getType().getEncoding());
          })
          .Case<tensor::ExpandShapeOp>([&](tensor::ExpandShapeOp op) {
            return tensor::ExpandShapeOp::create(
                builder, loc, typeOf(op.getResult()),
                mapping.lookupOrDefault(op.getSrc()),
                op.getReassociationIndices(),
                sizesOf(op.getMixedOutputShape()));
          })
          .Case<tensor::ExtractSliceOp>([&](tensor::ExtractSliceOp op) {
            return tensor::ExtractSliceOp::create(
                builder, loc, typeOf(op.getResult()),
                mapping.lookupOrDefault(op.getSource()),
                sizesOf(op.getMixedOffsets()), sizesOf(op.getMixedSizes()),
                sizesOf(op.getMixedStrides()));
          })
          .Case<tensor::InsertSliceOp>([&](tensor::InsertSliceOp op) {
            return tensor::InsertSliceOp::create(
                builder, loc, mapping.lookupOrDefault(op.getSource()),
                mapping.lookupOrDefault(op.getDest()),
                sizesOf(op.getMixedOffsets()), sizesOf(op.getMixedSizes()),
                sizesOf(op.getMixedStrides()));
          })
          .Default([&](Operation *op) {
            Operation *clone = builder.clone(*op, mapping);
            for (auto [from, to] :
                 llvm::zip_equal(op->getResults(), clone->getResults()))
              to.setType(flow.getTypeAtExtent(from, extent));
            return clone;
          });
  mapping.map(op->getResults(), clone->getResults());
}
