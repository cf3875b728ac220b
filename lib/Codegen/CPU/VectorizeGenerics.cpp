//===- VectorizeGenerics.cpp - Element-wise work in vectors -----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The last loop of an operation is taken a vector at a time, all others one by
// one. An operand whose last axis runs with that loop is read as a vector, one
// that does not depend on the loop as an element. What the body computes of
// elements alone stays scalar.
//
// A result that the last loop reduces to one element is summed in a vector
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
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;
using vector::CombiningKind;

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
      : builder(builder), loc(op.getLoc()), op(op), lanes(lanes),
        inner(op.getNumLoops() - 1) {}

  /// Whether the operation is of the kind described above.
  bool check();
  SmallVector<Value> emit();

private:
  /// Vectors of the last loop: `width` elements from `at` on. With a mask,
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
  Values getIndices(AffineMap map, Value at);
  Value read(Value tensor, AffineMap map, const Step &step);
  Value spread(Value value, int64_t width);
  /// Emits the body once. `carried` are the tensors of results and, for those
  /// that the last loop reduces, the partial sums in their place.
  Values emitBody(const Step &step, ValueRange carried);
  Values emitInner(Values tensors);
  Values emitLoops(unsigned loop, Values tensors);

  OpBuilder &builder;
  Location loc;
  linalg::GenericOp op;
  int64_t lanes;
  unsigned inner;
  /// For each result, the operation that combines it where the last loop
  /// reduces it, or null.
  SmallVector<Operation *> combiners;
  /// Extents and current indices of the loops.
  SmallVector<OpFoldResult> extents;
  SmallVector<Value> indices;
};
} // namespace

bool GenericVectorizer::check() {
  if (!op.hasPureTensorSemantics() || op.getNumLoops() == 0)
    return false;
  int64_t extent = op.getStaticLoopRanges()[inner];
  if (extent == 0 || extent == 1)
    return false;
  for (AffineMap map : op.getIndexingMapsArray())
    if (!map.isProjectedPermutation() ||
        (runsWithInner(map) &&
         map.getResults().back() != getAffineDimExpr(inner, map.getContext())))
      return false;
  // Elements apart are left to LLVM, which shuffles them.
  for (Value operand : op->getOperands())
    if (auto slice = operand.getDefiningOp<tensor::ExtractSliceOp>())
      if (!slice.getStaticStrides().empty() &&
          slice.getStaticStrides().back() != 1)
        return false;
  Block &body = *op.getBody();
  for (Operation &inside : body.without_terminator())
    if (!OpTrait::hasElementwiseMappableTraits(&inside) &&
        !isa<linalg::IndexOp, arith::ConstantOp>(inside))
      return false;
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

Value GenericVectorizer::spread(Value value, int64_t width) {
  if (isa<VectorType>(value.getType()))
    return value;
  return vector::BroadcastOp::create(
      builder, loc, VectorType::get({width}, value.getType()), value);
}

SmallVector<Value> GenericVectorizer::emitBody(const Step &step,
                                               ValueRange carried) {
  IRMapping mapping;
  for (OpOperand *input : op.getDpsInputOperands())
    mapping.map(op.getMatchingBlockArgument(input),
                read(input->get(), op.getMatchingIndexingMap(input), step));
  for (auto [i, init] : llvm::enumerate(op.getDpsInitsMutable())) {
    BlockArgument argument = op.getMatchingBlockArgument(&init);
    if (!combiners[i] && !argument.use_empty())
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
    Value value = mapping.lookupOrDefault(body.getTerminator()->getOperand(i));
    AffineMap map = op.getMatchingIndexingMap(&init);
    next.push_back(vector::TransferWriteOp::create(
                       builder, loc, spread(value, step.width), carried[i],
                       getIndices(map, step.at), ArrayRef<bool>(!step.mask))
                       .getResult());
  }
  return next;
}

/// A loop that hands `carried` on.
static SmallVector<Value>
emitLoop(OpBuilder &builder, Location loc, Value first, Value last, Value step,
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
        emitLoop(builder, loc, first, end, constant(width), carried,
                 [&](Value at, ValueRange arguments) {
                   Step step{at, width, Value()};
                   if (masked) {
                     Value rest = arith::SubIOp::create(builder, loc, last, at);
                     step.mask = vector::CreateMaskOp::create(
                         builder, loc,
                         VectorType::get({width}, builder.getI1Type()), rest);
                   }
                   return emitBody(step, arguments);
                 });
  };
  if (extent) {
    int64_t whole = *extent / width * width;
    if (whole == width)
      carried = emitBody({constant(0), width, Value()}, carried);
    else
      emitSteps(constant(0), constant(whole), /*masked=*/false);
    if (whole != *extent)
      carried = emitBody({constant(whole), *extent - whole, Value()}, carried);
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

SmallVector<Value> GenericVectorizer::emitLoops(unsigned loop, Values tensors) {
  if (loop == inner)
    return emitInner(std::move(tensors));
  if (isConstantIntValue(extents[loop], 1)) {
    indices[loop] = constant(0);
    return emitLoops(loop + 1, std::move(tensors));
  }
  Value last = getValueOrCreateConstantIndexOp(builder, loc, extents[loop]);
  return emitLoop(builder, loc, constant(0), last, constant(1), tensors,
                  [&](Value index, ValueRange arguments) {
                    indices[loop] = index;
                    return emitLoops(loop + 1, Values(arguments));
                  });
}

SmallVector<Value> GenericVectorizer::emit() {
  auto interface = cast<linalg::LinalgOp>(op.getOperation());
  for (Range range : interface.createLoopRanges(builder, loc))
    extents.push_back(range.size);
  indices.resize(extents.size());
  return emitLoops(0, Values(op.getDpsInits()));
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
