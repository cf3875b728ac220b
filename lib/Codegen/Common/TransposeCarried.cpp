//===- TransposeCarried.cpp - Carried matrices column by column -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The state of a selective scan has a row of few numbers for each channel, and
// what is read of it is a sum along each row. Computed row by row that takes a
// sum across the lanes of a vector for every channel and token. With channels
// last, a vector holds as many channels and the sum runs from vector to vector.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/Codegen/Passes.h"
#include "llvm/ADT/SetVector.h"

namespace weir {
#define GEN_PASS_DEF_TRANSPOSECARRIED
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;

/// Rows fill vectors of any target.
static constexpr int64_t RowMultiple = 16;

/// The type of a static matrix, or none.
static RankedTensorType getMatrixType(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() == 2 && type.hasStaticShape()
             ? type
             : RankedTensorType();
}

static RankedTensorType getTransposedType(RankedTensorType type) {
  return type.clone({type.getDimSize(1), type.getDimSize(0)});
}

namespace {
/// A matrix that a loop carries, and all in the loop that goes with it.
class CarriedMatrix {
public:
  CarriedMatrix(scf::ForOp loop, unsigned number)
      : loop(loop), number(number) {}

  /// Whether the matrix is better carried transposed, and can be.
  bool check();
  void transpose(OpBuilder &builder);

private:
  /// Takes `value` as one of the matrices.
  bool include(Value value);
  /// Takes `op`, which reads or makes a matrix, along with its other matrices.
  bool include(linalg::GenericOp op);
  bool isOutside(Value value) { return loop.isDefinedOutsideOfLoop(value); }

  scf::ForOp loop;
  unsigned number;
  /// Matrices of the loop's body, and those from before the loop.
  llvm::SetVector<Value> matrices, outside;
  /// What reads and makes them: all its matrices are among these.
  llvm::SetVector<linalg::GenericOp> operations;
  /// Whether one of the operations adds up rows.
  bool reducesRows = false;
};
} // namespace

/// The loops that run along the axes of a matrix read or written by `map`.
static std::optional<std::pair<unsigned, unsigned>> getLoops(AffineMap map) {
  if (map.getNumResults() != 2 || !map.isProjectedPermutation())
    return std::nullopt;
  return std::make_pair(map.getDimPosition(0), map.getDimPosition(1));
}

bool CarriedMatrix::include(Value value) {
  RankedTensorType type = getMatrixType(value);
  if (!type || type != loop.getRegionIterArgs()[number].getType())
    return false;
  if (isOutside(value)) {
    outside.insert(value);
    return true;
  }
  // Others may write to the same one; `transpose` makes its own.
  if (value.getDefiningOp<tensor::EmptyOp>())
    return true;
  if (!matrices.insert(value))
    return true;
  if (value != loop.getRegionIterArgs()[number]) {
    auto maker = value.getDefiningOp<linalg::GenericOp>();
    if (!maker || !include(maker))
      return false;
  }
  for (OpOperand &use : value.getUses()) {
    if (use.getOwner() == loop.getBody()->getTerminator()) {
      if (use.getOperandNumber() != number)
        return false;
      continue;
    }
    auto reader = dyn_cast<linalg::GenericOp>(use.getOwner());
    if (!reader || !include(reader))
      return false;
  }
  return true;
}

bool CarriedMatrix::include(linalg::GenericOp op) {
  if (operations.contains(op))
    return true;
  if (op->getBlock() != loop.getBody() || !op.hasPureTensorSemantics())
    return false;
  std::optional<std::pair<unsigned, unsigned>> axes;
  SmallVector<Value> others;
  for (OpOperand &operand : op->getOpOperands()) {
    Value value = operand.get();
    RankedTensorType type = getMatrixType(value);
    if (!type)
      continue;
    auto loops = getLoops(op.getMatchingIndexingMap(&operand));
    if (!loops || (axes && *loops != *axes))
      return false;
    axes = loops;
    // A start from outside would be copied at every step.
    if (op.isDpsInit(&operand) && isOutside(value))
      return false;
    others.push_back(value);
  }
  if (!axes)
    return false;
  auto [row, column] = *axes;
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  if (iterators[row] != utils::IteratorType::parallel)
    return false;
  reducesRows |= iterators[column] == utils::IteratorType::reduction;
  operations.insert(op);
  for (OpResult result : op->getResults())
    if (getMatrixType(result))
      others.push_back(result);
  return llvm::all_of(others, [&](Value value) { return include(value); });
}

bool CarriedMatrix::check() {
  Value carried = loop.getRegionIterArgs()[number];
  RankedTensorType type = getMatrixType(carried);
  return type && type.getDimSize(0) % RowMultiple == 0 &&
         include(loop.getYieldedValues()[number]) && include(carried) &&
         reducesRows;
}

/// `value` transposed into `into`.
static Value buildTranspose(OpBuilder &builder, Location loc, Value value,
                            Value into) {
  return linalg::TransposeOp::create(builder, loc, value, into,
                                     ArrayRef<int64_t>{1, 0})
      .getResult()[0];
}

void CarriedMatrix::transpose(OpBuilder &builder) {
  Location loc = loop.getLoc();
  Value carried = loop.getRegionIterArgs()[number];
  RankedTensorType type =
      getTransposedType(cast<RankedTensorType>(carried.getType()));
  auto buildEmpty = [&]() -> Value {
    return tensor::EmptyOp::create(builder, loc, type.getShape(),
                                   type.getElementType());
  };

  for (linalg::GenericOp op : operations) {
    SmallVector<Attribute> maps;
    for (OpOperand &operand : op->getOpOperands()) {
      AffineMap map = op.getMatchingIndexingMap(&operand);
      if (getMatrixType(operand.get()))
        map = AffineMap::get(map.getNumDims(), 0,
                             {map.getResult(1), map.getResult(0)},
                             map.getContext());
      maps.push_back(AffineMapAttr::get(map));
      builder.setInsertionPoint(op);
      if (getMatrixType(operand.get()) &&
          operand.get().getDefiningOp<tensor::EmptyOp>())
        operand.set(buildEmpty());
    }
    op.setIndexingMapsAttr(builder.getArrayAttr(maps));
  }
  for (Value value : matrices)
    value.setType(type);

  builder.setInsertionPoint(loop);
  for (Value value : outside) {
    Value turned = buildTranspose(builder, loc, value, buildEmpty());
    value.replaceUsesWithIf(turned, [&](OpOperand &use) {
      auto op = dyn_cast<linalg::GenericOp>(use.getOwner());
      return op && operations.contains(op);
    });
  }
  OpOperand &init = loop.getInitArgsMutable()[number];
  Value before = init.get();
  init.set(buildTranspose(builder, loc, before, buildEmpty()));

  builder.setInsertionPointAfter(loop);
  Value result = loop.getResult(number);
  result.setType(type);
  Operation *behind = linalg::TransposeOp::create(builder, loc, result, before,
                                                  ArrayRef<int64_t>{1, 0});
  result.replaceAllUsesExcept(behind->getResult(0), behind);
}

namespace {
struct TransposeCarriedPass
    : weir::impl::TransposeCarriedBase<TransposeCarriedPass> {
  void runOnOperation() override {
    OpBuilder builder(&getContext());
    getOperation()->walk([&](scf::ForOp loop) {
      for (unsigned number = 0; number < loop.getNumResults(); ++number) {
        CarriedMatrix matrix(loop, number);
        if (matrix.check())
          matrix.transpose(builder);
      }
    });
  }
};
} // namespace
