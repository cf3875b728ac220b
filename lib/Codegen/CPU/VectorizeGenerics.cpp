//===- VectorizeGenerics.cpp - Element-wise work in vectors -----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One loop of an operation, the inner one, is taken a vector at a time, all
// others one by one: the last, or else a parallel one that runs with the last
// axis of all it touches. An operand whose last axis runs with that loop is
// read as a vector, one that does not depend on the loop as an element. What
// the body computes of elements alone stays scalar.
//
// Short loops that reduce what a parallel inner loop writes run inside it, so
// that the sums of one vector stay in a register.
//
// A result that the inner loop reduces to one element is summed in a vector
// that starts from the neutral element and is added up across its lanes behind
// the loop, so that it stays in a register: LLVM's own vectoriser cannot see
// that the sum and what is read beside it, all in one arena, are apart.
//
// What is left of a static extent is a shorter vector; of a dynamic one, a
// whole vector that is read and written as far as there are elements.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "weir/Codegen/Passes.h"
#include "llvm/ADT/TypeSwitch.h"

namespace weir {
#define GEN_PASS_DEF_VECTORIZEGENERICS
#include "weir/Codegen/CPUPasses.h.inc"
} // namespace weir

using namespace mlir;
using vector::CombiningKind;

/// Steps of reductions up to which they run inside the inner loop. More would
/// take rows that lie apart one after another, again for each vector.
static constexpr int64_t ShortReduction = 64;

/// How a reduction combines, or none for an operation that does not.
static std::optional<CombiningKind> getCombiningKind(Operation *op) {
  return llvm::TypeSwitch<Operation *, std::optional<CombiningKind>>(op)
      .Case<arith::AddFOp, arith::AddIOp>(
          [](auto) { return CombiningKind::ADD; })
      .Case<arith::MaximumFOp>([](auto) { return CombiningKind::MAXIMUMF; })
      .Case<arith::MinimumFOp>([](auto) { return CombiningKind::MINIMUMF; })
      .Case<arith::MaxSIOp>([](auto) { return CombiningKind::MAXSI; })
      .Case<arith::MinSIOp>([](auto) { return CombiningKind::MINSI; })
      .Default([](Operation *) { return std::nullopt; });
}

namespace {
/// Emits the loops of one operation.
class GenericVectorizer {
public:
  GenericVectorizer(OpBuilder &builder, linalg::GenericOp op, int64_t lanes)
      : builder(builder), loc(op.getLoc()), op(op), lanes(lanes) {}

  /// Whether the operation is of the kind described above; finds its inner
  /// loop.
  bool check();
  SmallVector<Value> emit();

private:
  /// Vectors of the inner loop: `width` elements from `at` on. With a mask,
  /// those behind the extent do not exist.
  struct Step {
    Value at;
    int64_t width;
    Value mask;
  };
  using Values = SmallVector<Value>;

  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }
  bool runsWithInner(AffineMap map) const {
    return map.getNumResults() > 0 && map.isFunctionOfDim(inner);
  }
  bool runsInside(AffineMap map) const {
    return llvm::any_of(
        nested, [&](unsigned loop) { return map.isFunctionOfDim(loop); });
  }
  Values getIndices(AffineMap map, Value at);
  Value read(Value tensor, AffineMap map, const Step &step);
  Value write(Value vector, Value tensor, AffineMap map, const Step &step);
  Value spread(Value value, int64_t width);
  /// Whether `loop` can be the inner one; sets `combiners` for it.
  bool checkInner(unsigned loop);
  /// Sets what runs inside the inner loop, and what outside.
  void orderLoops();
  /// Whether result `number` is summed in a register by the nested loops.
  bool isSummed(unsigned number) {
    return !nested.empty() &&
           !runsInside(op.getMatchingIndexingMap(op.getDpsInitOperand(number)));
  }
  /// Emits the body once. `carried` are the tensors of results and, for those
  /// that the inner or the nested loops reduce, the partial sums in their
  /// place.
  Values emitBody(const Step &step, ValueRange carried);
  /// Emits the nested loops from number `position` on.
  Values emitNested(unsigned position, const Step &step, Values carried);
  /// Emits all that one vector of the inner loop takes; sums start from what
  /// `before` holds.
  Values emitStep(const Step &step, ValueRange before, ValueRange carried);
  Values emitInner(Values tensors);
  /// Emits the outer loops from number `position` on.
  Values emitOuter(unsigned position, Values tensors);
  Values emitLoop(unsigned loop, Values carried,
                  llvm::function_ref<Values(Values)> body);

  OpBuilder &builder;
  Location loc;
  linalg::GenericOp op;
  int64_t lanes;
  unsigned inner = 0;
  /// The loops around the inner one and inside it, each from the outermost.
  SmallVector<unsigned> outer, nested;
  /// For each result, the operation that combines it where the inner loop
  /// reduces it, or null.
  SmallVector<Operation *> combiners;
  /// Extents and current indices of the loops.
  SmallVector<OpFoldResult> extents;
  SmallVector<Value> indices;
  /// What the body sees of operands that the nested loops leave alone.
  IRMapping steady;
};
} // namespace

bool GenericVectorizer::check() {
  if (!op.hasPureTensorSemantics() || op.getNumLoops() == 0)
    return false;
  // Elements apart are left to LLVM, which shuffles them.
  for (Value operand : op->getOperands())
    if (auto slice = operand.getDefiningOp<tensor::ExtractSliceOp>())
      if (!slice.getStaticStrides().empty() &&
          slice.getStaticStrides().back() != 1)
        return false;
  for (Operation &inside : op.getBody()->without_terminator())
    if (!OpTrait::hasElementwiseMappableTraits(&inside) &&
        !isa<linalg::IndexOp, arith::ConstantOp>(inside))
      return false;
  unsigned last = op.getNumLoops() - 1;
  for (unsigned loop = last + 1; loop-- > 0;)
    if ((loop == last ||
         op.getIteratorTypesArray()[loop] == utils::IteratorType::parallel) &&
        checkInner(loop)) {
      orderLoops();
      return true;
    }
  return false;
}

bool GenericVectorizer::checkInner(unsigned loop) {
  inner = loop;
  combiners.clear();
  int64_t extent = op.getStaticLoopRanges()[inner];
  if (extent == 0 || extent == 1)
    return false;
  for (AffineMap map : op.getIndexingMapsArray())
    if (!map.isProjectedPermutation() ||
        (runsWithInner(map) &&
         map.getResults().back() != getAffineDimExpr(inner, map.getContext())))
      return false;
  Block &body = *op.getBody();
  bool reduces =
      op.getIteratorTypesArray()[inner] == utils::IteratorType::reduction;
  for (OpOperand &init : op.getDpsInitsMutable()) {
    Operation *combiner = nullptr;
    if (!runsWithInner(op.getMatchingIndexingMap(&init))) {
      unsigned number = init.getOperandNumber() - op.getNumDpsInputs();
      BlockArgument argument = op.getMatchingBlockArgument(&init);
      combiner = body.getTerminator()->getOperand(number).getDefiningOp();
      if (!reduces || !combiner || !getCombiningKind(combiner) ||
          !argument.hasOneUse() || *argument.getUsers().begin() != combiner ||
          combiner->getOperand(0) == combiner->getOperand(1) ||
          !combiner->getResult(0).hasOneUse())
        return false;
    }
    combiners.push_back(combiner);
  }
  return true;
}

void GenericVectorizer::orderLoops() {
  SmallVector<unsigned> reductions;
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  op.getReductionDims(reductions);
  int64_t steps = 1;
  for (unsigned loop : reductions)
    steps = ShapedType::isDynamic(ranges[loop]) || steps > ShortReduction
                ? ShortReduction + 1
                : steps * ranges[loop];
  if (steps <= ShortReduction && !llvm::is_contained(reductions, inner))
    nested = reductions;
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
    if (loop != inner && !llvm::is_contained(nested, loop))
      outer.push_back(loop);
}

SmallVector<Value> GenericVectorizer::getIndices(AffineMap map, Value at) {
  Values result;
  for (AffineExpr expr : map.getResults()) {
    unsigned dim = cast<AffineDimExpr>(expr).getPosition();
    result.push_back(dim == inner ? at : indices[dim]);
  }
  return result;
}

/// What the body sees of `tensor`.
Value GenericVectorizer::read(Value tensor, AffineMap map, const Step &step) {
  auto type = dyn_cast<RankedTensorType>(tensor.getType());
  if (!type)
    return tensor;
  Values place = getIndices(map, step.at);
  if (!runsWithInner(map))
    return tensor::ExtractOp::create(builder, loc, tensor, place);
  Value padding = arith::ConstantOp::create(
      builder, loc, builder.getZeroAttr(type.getElementType()));
  return vector::TransferReadOp::create(
      builder, loc, VectorType::get({step.width}, type.getElementType()),
      tensor, place, padding, ArrayRef<bool>(!step.mask));
}

Value GenericVectorizer::write(Value vector, Value tensor, AffineMap map,
                               const Step &step) {
  return vector::TransferWriteOp::create(builder, loc, vector, tensor,
                                         getIndices(map, step.at),
                                         ArrayRef<bool>(!step.mask))
      .getResult();
}

Value GenericVectorizer::spread(Value value, int64_t width) {
  if (isa<VectorType>(value.getType()))
    return value;
  return vector::BroadcastOp::create(
      builder, loc, VectorType::get({width}, value.getType()), value);
}

SmallVector<Value> GenericVectorizer::emitBody(const Step &step,
                                               ValueRange carried) {
  IRMapping mapping(steady);
  for (OpOperand *input : op.getDpsInputOperands())
    if (!mapping.contains(op.getMatchingBlockArgument(input)))
      mapping.map(op.getMatchingBlockArgument(input),
                  read(input->get(), op.getMatchingIndexingMap(input), step));
  for (auto [i, init] : llvm::enumerate(op.getDpsInitsMutable())) {
    BlockArgument argument = op.getMatchingBlockArgument(&init);
    if (isSummed(i))
      mapping.map(argument, carried[i]);
    else if (!combiners[i] && !argument.use_empty())
      mapping.map(argument,
                  read(carried[i], op.getMatchingIndexingMap(&init), step));
  }
  Block &body = *op.getBody();
  for (Operation &inside : body.without_terminator()) {
    if (llvm::is_contained(combiners, &inside))
      continue;
    if (auto index = dyn_cast<linalg::IndexOp>(inside)) {
      Value value = index.getDim() == inner ? step.at : indices[index.getDim()];
      if (index.getDim() == inner) {
        auto type = VectorType::get({step.width}, builder.getIndexType());
        value =
            arith::AddIOp::create(builder, loc, spread(value, step.width),
                                  vector::StepOp::create(builder, loc, type));
      }
      mapping.map(index.getResult(), value);
      continue;
    }
    bool isVector = llvm::any_of(inside.getOperands(), [&](Value operand) {
      return isa<VectorType>(mapping.lookupOrDefault(operand).getType());
    });
    if (isVector)
      for (Value operand : inside.getOperands())
        mapping.map(operand,
                    spread(mapping.lookupOrDefault(operand), step.width));
    Operation *clone = builder.clone(inside, mapping);
    if (isVector)
      for (Value result : clone->getResults())
        result.setType(VectorType::get({step.width}, result.getType()));
    mapping.map(inside.getResults(), clone->getResults());
  }

  Values next;
  for (auto [i, init] : llvm::enumerate(op.getDpsInitsMutable())) {
    if (Operation *combiner = combiners[i]) {
      bool first =
          combiner->getOperand(0) == op.getMatchingBlockArgument(&init);
      Value term =
          spread(mapping.lookupOrDefault(combiner->getOperand(first ? 1 : 0)),
                 step.width);
      if (step.mask) {
        Value neutral = arith::ConstantOp::create(
            builder, loc, *arith::getNeutralElement(combiner));
        term = arith::SelectOp::create(builder, loc, step.mask, term,
                                       spread(neutral, step.width));
      }
      // A shorter vector at the end is added up by itself.
      auto sumType = cast<VectorType>(carried[i].getType());
      if (sumType.getDimSize(0) != step.width) {
        Value neutral = arith::ConstantOp::create(
            builder, loc, *arith::getNeutralElement(combiner));
        term = vector::InsertStridedSliceOp::create(
            builder, loc, term, spread(neutral, sumType.getDimSize(0)),
            ArrayRef<int64_t>{0}, ArrayRef<int64_t>{1});
      }
      IRMapping operands;
      operands.map(combiner->getOperand(first ? 0 : 1), carried[i]);
      operands.map(combiner->getOperand(first ? 1 : 0), term);
      Operation *sum = builder.clone(*combiner, operands);
      sum->getResult(0).setType(sumType);
      next.push_back(sum->getResult(0));
      continue;
    }
    Value value =
        spread(mapping.lookupOrDefault(body.getTerminator()->getOperand(i)),
               step.width);
    next.push_back(isSummed(i) ? value
                               : write(value, carried[i],
                                       op.getMatchingIndexingMap(&init), step));
  }
  return next;
}

/// A loop that hands `carried` on.
static SmallVector<Value>
emitFor(OpBuilder &builder, Location loc, Value first, Value last, Value step,
        ValueRange carried,
        llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(
      builder, loc, first, last, step, carried,
      [&](OpBuilder &b, Location, Value index, ValueRange arguments) {
        OpBuilder::InsertionGuard guard(builder);
        builder.setInsertionPointToEnd(b.getInsertionBlock());
        scf::YieldOp::create(builder, loc, body(index, arguments));
      });
  return SmallVector<Value>(loop.getResults());
}

/// One of the operation's loops, its indices one by one.
SmallVector<Value>
GenericVectorizer::emitLoop(unsigned loop, Values carried,
                            llvm::function_ref<Values(Values)> body) {
  if (isConstantIntValue(extents[loop], 1)) {
    indices[loop] = constant(0);
    return body(std::move(carried));
  }
  Value last = getValueOrCreateConstantIndexOp(builder, loc, extents[loop]);
  return emitFor(builder, loc, constant(0), last, constant(1), carried,
                 [&](Value index, ValueRange arguments) {
                   indices[loop] = index;
                   return body(Values(arguments));
                 });
}

SmallVector<Value> GenericVectorizer::emitNested(unsigned position,
                                                 const Step &step,
                                                 Values carried) {
  if (position == nested.size())
    return emitBody(step, carried);
  return emitLoop(nested[position], std::move(carried), [&](Values arguments) {
    return emitNested(position + 1, step, std::move(arguments));
  });
}

SmallVector<Value> GenericVectorizer::emitStep(const Step &step,
                                               ValueRange before,
                                               ValueRange tensors) {
  Values carried(tensors);
  // Between what the nested loops write, nobody sees that these stay the same.
  steady.clear();
  for (OpOperand *input : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(input);
    if (!runsInside(map))
      steady.map(op.getMatchingBlockArgument(input),
                 read(input->get(), map, step));
  }
  for (auto [i, init] : llvm::enumerate(op.getDpsInitsMutable()))
    if (isSummed(i))
      carried[i] = read(before[i], op.getMatchingIndexingMap(&init), step);
  carried = emitNested(0, step, std::move(carried));
  for (auto [i, init] : llvm::enumerate(op.getDpsInitsMutable()))
    if (isSummed(i))
      carried[i] =
          write(carried[i], tensors[i], op.getMatchingIndexingMap(&init), step);
  return carried;
}

SmallVector<Value> GenericVectorizer::emitInner(Values tensors) {
  std::optional<int64_t> extent = getConstantIntValue(extents[inner]);
  Value last = getValueOrCreateConstantIndexOp(builder, loc, extents[inner]);
  int64_t width = extent ? std::min(lanes, *extent) : lanes;
  Values carried(tensors);
  for (auto [i, combiner] : llvm::enumerate(combiners))
    if (combiner) {
      Value neutral = arith::ConstantOp::create(
          builder, loc, *arith::getNeutralElement(combiner));
      carried[i] = spread(neutral, width);
    }

  auto emitSteps = [&](Value first, Value end, bool masked) {
    carried =
        emitFor(builder, loc, first, end, constant(width), carried,
                [&](Value at, ValueRange arguments) {
                  Step step{at, width, Value()};
                  if (masked) {
                    Value rest = arith::SubIOp::create(builder, loc, last, at);
                    step.mask = vector::CreateMaskOp::create(
                        builder, loc,
                        VectorType::get({width}, builder.getI1Type()), rest);
                  }
                  return emitStep(step, arguments, arguments);
                });
  };
  // A sum that starts from what another one started from must see it as it was:
  // bufferization takes a vector written elsewhere in the tensor for no reason
  // to keep the rest, and would not see that this one is read.
  if (extent) {
    int64_t whole = *extent / width * width;
    if (whole == width)
      carried = emitStep({constant(0), width, Value()}, tensors, carried);
    else
      emitSteps(constant(0), constant(whole), /*masked=*/false);
    if (whole != *extent)
      carried = emitStep({constant(whole), *extent - whole, Value()}, tensors,
                         carried);
  } else {
    Value rest = arith::RemUIOp::create(builder, loc, last, constant(width));
    Value whole = arith::SubIOp::create(builder, loc, last, rest);
    emitSteps(constant(0), whole, /*masked=*/false);
    emitSteps(whole, last, /*masked=*/true);
  }

  for (auto [i, init] : llvm::enumerate(op.getDpsInitsMutable())) {
    Operation *combiner = combiners[i];
    if (!combiner)
      continue;
    Values place = getIndices(op.getMatchingIndexingMap(&init), Value());
    Value sum =
        vector::ReductionOp::create(builder, loc, *getCombiningKind(combiner),
                                    carried[i], arith::FastMathFlags::reassoc);
    Value before = tensor::ExtractOp::create(builder, loc, tensors[i], place);
    IRMapping operands;
    operands.map(combiner->getOperand(0), before);
    operands.map(combiner->getOperand(1), sum);
    Value total = builder.clone(*combiner, operands)->getResult(0);
    carried[i] =
        tensor::InsertOp::create(builder, loc, total, tensors[i], place);
  }
  return carried;
}

SmallVector<Value> GenericVectorizer::emitOuter(unsigned position,
                                                Values tensors) {
  if (position == outer.size())
    return emitInner(std::move(tensors));
  return emitLoop(outer[position], std::move(tensors), [&](Values arguments) {
    return emitOuter(position + 1, std::move(arguments));
  });
}

SmallVector<Value> GenericVectorizer::emit() {
  auto interface = cast<linalg::LinalgOp>(op.getOperation());
  for (Range range : interface.createLoopRanges(builder, loc))
    extents.push_back(range.size);
  indices.resize(extents.size());
  return emitOuter(0, Values(op.getDpsInits()));
}

namespace {
struct VectorizeGenericsPass
    : weir::impl::VectorizeGenericsBase<VectorizeGenericsPass> {
  using VectorizeGenericsBase::VectorizeGenericsBase;

  void runOnOperation() override {
    SmallVector<linalg::GenericOp> ops;
    getOperation()->walk([&](linalg::GenericOp op) { ops.push_back(op); });
    for (linalg::GenericOp op : ops) {
      OpBuilder builder(op);
      GenericVectorizer vectorizer(builder, op, vectorBits / 32);
      if (!vectorizer.check())
        continue;
      op->replaceAllUsesWith(vectorizer.emit());
      op->erase();
    }
  }
};
} // namespace
