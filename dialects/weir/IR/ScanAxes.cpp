//===- ScanAxes.cpp - Axes a scan may be cut along -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Union-find over the axes of all tensors of the region:
//
// - `linalg` ops join an axis with the loop that indexes it, and so the axes of
//   operands with each other and with those of the results. Loops that reduce,
//   that an index is a sum of, or whose number the body asks for make their
//   class coupled.
// - An element-wise op on tensors joins the axes of its operands and results,
//   one by one; so do a state's argument and what is yielded for it.
// - A `tensor.empty` and a constant of one number have axes of their own for
//   each reader, since passes share them between unlike ones.
// - All other ops make the axes they touch coupled.
//
// A class that is left is element-wise if no op has two loops and no value two
// axes in it, and all states and outputs have one: else several tiles would
// write the same element.
//
//===----------------------------------------------------------------------===//

#include "weir/IR/ScanAxes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace weir;

bool ScanAxes::isFree(Value value) {
  Operation *source = value.getDefiningOp();
  if (!source || !isa<RankedTensorType>(value.getType()))
    return false;
  if (auto constant = dyn_cast<arith::ConstantOp>(source)) {
    auto numbers = dyn_cast<DenseElementsAttr>(constant.getValue());
    return numbers && numbers.isSplat();
  }
  return isa<tensor::EmptyOp>(source) && source->getNumOperands() == 0;
}

/// What holds the axes of what `operand` reads.
static const void *getHolder(OpOperand &operand) {
  if (ScanAxes::isFree(operand.get()))
    return &operand;
  return operand.get().getAsOpaquePointer();
}

static unsigned getRank(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type ? type.getRank() : 0;
}

namespace {
/// The walk that makes classes of axes.
class AxisJoiner {
public:
  explicit AxisJoiner(ScanOp op) : op(op) {}

  /// Walks the region.
  void run();
  /// Calls `visit` with every axis of every tensor of the region.
  void
  forEach(function_ref<void(const void *holder, unsigned axis, unsigned node)>
              visit) {
    for (auto &[place, node] : nodes)
      visit(place.first, place.second, node);
  }
  /// The class of a node.
  unsigned find(unsigned node) { return joined.getLeaderValue(node); }
  bool isCoupled(unsigned leader) const {
    return coupledClasses.contains(leader);
  }
  unsigned getNode(const void *holder, unsigned axis) {
    auto [it, isNew] = nodes.try_emplace({holder, axis}, 0);
    if (isNew)
      it->second = addNode();
    return it->second;
  }

private:
  unsigned addNode() {
    unsigned node = count++;
    joined.insert(node);
    return node;
  }
  /// Joins what `operand` reads with `value`, axis by axis.
  void join(OpOperand &operand, Value value) {
    for (unsigned axis = 0; axis < getRank(value); ++axis)
      joined.unionSets(getNode(getHolder(operand), axis),
                       getNode(value.getAsOpaquePointer(), axis));
  }
  void couple(const void *holder, unsigned rank) {
    for (unsigned axis = 0; axis < rank; ++axis)
      coupled.push_back(getNode(holder, axis));
  }
  void couple(Value value) {
    couple(value.getAsOpaquePointer(), getRank(value));
  }
  void couple(OpOperand &operand) {
    couple(getHolder(operand), getRank(operand.get()));
  }
  void visit(Operation &inner);
  void visitLinalg(linalg::LinalgOp inner);

  ScanOp op;
  unsigned count = 0;
  llvm::EquivalenceClasses<unsigned> joined;
  llvm::MapVector<std::pair<const void *, unsigned>, unsigned> nodes;
  /// Nodes that make their classes coupled, and the loops of each op.
  SmallVector<unsigned> coupled;
  SmallVector<SmallVector<unsigned>> loops;
  llvm::DenseSet<unsigned> coupledClasses;
};
} // namespace

void AxisJoiner::visitLinalg(linalg::LinalgOp inner) {
  SmallVector<unsigned> own;
  for (unsigned loop = 0; loop < inner.getNumLoops(); ++loop)
    own.push_back(addNode());
  for (auto [loop, kind] : llvm::enumerate(inner.getIteratorTypesArray()))
    if (kind != utils::IteratorType::parallel)
      coupled.push_back(own[loop]);
  for (OpOperand &operand : inner->getOpOperands()) {
    AffineMap map = inner.getMatchingIndexingMap(&operand);
    for (auto [axis, index] : llvm::enumerate(map.getResults())) {
      unsigned node = getNode(getHolder(operand), axis);
      if (auto dim = dyn_cast<AffineDimExpr>(index)) {
        joined.unionSets(node, own[dim.getPosition()]);
        continue;
      }
      coupled.push_back(node);
      for (unsigned loop = 0; loop < own.size(); ++loop)
        if (index.isFunctionOfDim(loop))
          coupled.push_back(own[loop]);
    }
  }
  for (OpOperand &init : inner.getDpsInitsMutable())
    if (inner->getNumResults())
      join(init, inner.getTiedOpResult(&init));
  inner.getBlock()->walk([&](Operation *nested) {
    if (auto index = dyn_cast<linalg::IndexOp>(nested))
      coupled.push_back(own[index.getDim()]);
    for (OpOperand &operand : nested->getOpOperands())
      couple(operand);
  });
  loops.push_back(std::move(own));
}

void AxisJoiner::visit(Operation &inner) {
  if (auto structured = dyn_cast<linalg::LinalgOp>(inner))
    return visitLinalg(structured);
  if (inner.getNumResults() == 1 && ScanAxes::isFree(inner.getResult(0)))
    return;
  if (OpTrait::hasElementwiseMappableTraits(&inner) &&
      getRank(inner.getResult(0))) {
    for (OpOperand &operand : inner.getOpOperands())
      if (getRank(operand.get()))
        join(operand, inner.getResult(0));
    return;
  }
  inner.walk([&](Operation *nested) {
    for (OpOperand &operand : nested->getOpOperands())
      couple(operand);
    for (Value result : nested->getResults())
      couple(result);
  });
}

void AxisJoiner::run() {
  Block &body = op.getBody().front();
  auto addNodes = [&](const void *holder, Value value) {
    for (unsigned axis = 0; axis < getRank(value); ++axis)
      getNode(holder, axis);
  };
  for (BlockArgument argument : body.getArguments())
    addNodes(argument.getAsOpaquePointer(), argument);
  for (Operation &inner : body.without_terminator())
    visit(inner);
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op.getBody(), captured);
  for (Value value : captured)
    if (!ScanAxes::isFree(value))
      couple(value);
  MutableArrayRef<OpOperand> yielded = body.getTerminator()->getOpOperands();
  for (OpOperand &operand : yielded)
    addNodes(getHolder(operand), operand.get());
  for (auto [before, after] : llvm::zip_equal(
           op.getStateArguments(), yielded.drop_front(op.getOutputs().size())))
    join(after, before);

  for (unsigned node : coupled)
    coupledClasses.insert(find(node));
  for (ArrayRef<unsigned> own : loops)
    for (unsigned i = 0; i < own.size(); ++i)
      for (unsigned j = 0; j < i; ++j)
        if (find(own[i]) == find(own[j]))
          coupledClasses.insert(find(own[i]));
  forEach([&](const void *holder, unsigned axis, unsigned node) {
    for (unsigned other = 0; other < axis; ++other)
      if (auto it = nodes.find({holder, other});
          it != nodes.end() && find(it->second) == find(node))
        coupledClasses.insert(find(node));
  });
  // Every state and output has an axis of the class.
  llvm::DenseMap<unsigned, size_t> holders;
  for (OpOperand &operand : yielded)
    for (unsigned axis = 0; axis < getRank(operand.get()); ++axis)
      ++holders[find(getNode(getHolder(operand), axis))];
  forEach([&](const void *, unsigned, unsigned node) {
    if (holders.lookup(find(node)) != yielded.size())
      coupledClasses.insert(find(node));
  });
}

ScanAxes::ScanAxes(ScanOp op) {
  AxisJoiner joiner(op);
  joiner.run();
  llvm::DenseMap<unsigned, unsigned> numbers;
  auto number = [&](const void *holder, Value value) {
    for (unsigned axis = 0; axis < getRank(value); ++axis) {
      unsigned leader = joiner.find(joiner.getNode(holder, axis));
      if (!joiner.isCoupled(leader) &&
          numbers.try_emplace(leader, numbers.size()).second)
        extents.push_back(
            cast<RankedTensorType>(value.getType()).getDimSize(axis));
    }
  };
  for (BlockArgument state : op.getStateArguments())
    number(state.getAsOpaquePointer(), state);
  for (OpOperand &output :
       op.getBody().front().getTerminator()->getOpOperands())
    number(getHolder(output), output.get());
  joiner.forEach([&](const void *holder, unsigned axis, unsigned node) {
    auto it = numbers.find(joiner.find(node));
    if (it != numbers.end())
      classes[{holder, axis}] = it->second;
  });
}

SmallVector<std::optional<unsigned>> ScanAxes::getClasses(const void *holder,
                                                          Type type) const {
  SmallVector<std::optional<unsigned>> result;
  auto tensor = dyn_cast<RankedTensorType>(type);
  for (unsigned axis = 0; tensor && axis < tensor.getRank(); ++axis) {
    auto it = classes.find({holder, axis});
    result.push_back(it == classes.end() ? std::nullopt
                                         : std::optional(it->second));
  }
  return result;
}

SmallVector<std::optional<unsigned>> ScanAxes::getClasses(Value value) const {
  return getClasses(value.getAsOpaquePointer(), value.getType());
}

SmallVector<std::optional<unsigned>>
ScanAxes::getClasses(OpOperand &operand) const {
  return getClasses(getHolder(operand), operand.get().getType());
}

/// `type` with the extents of tiles along axes with a class.
static Type cutType(Type type, ArrayRef<std::optional<unsigned>> classes,
                    ArrayRef<int64_t> tiles) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return type;
  SmallVector<int64_t> shape(tensor.getShape());
  for (auto [extent, number] : llvm::zip_equal(shape, classes))
    if (number)
      extent = tiles[*number];
  return RankedTensorType::get(shape, tensor.getElementType());
}

Type ScanAxes::getTileType(Value value, ArrayRef<int64_t> tiles) const {
  return cutType(value.getType(), getClasses(value), tiles);
}

Type ScanAxes::getTileType(OpOperand &operand, ArrayRef<int64_t> tiles) const {
  return cutType(operand.get().getType(), getClasses(operand), tiles);
}
