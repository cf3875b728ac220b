//===- LowerCopies.cpp - Turn copies of strided buffers into loops -*- C++
//-*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "weir/Codegen/Passes.h"

namespace weir {
#define GEN_PASS_DEF_LOWERCOPIES
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;

/// Bytes moved at once.
static constexpr int64_t VectorBytes = 64;

/// Elements of a row that lie one behind the other in both buffers, or none
/// where rows are no such thing or of one element.
static std::optional<int64_t> getRowLength(MemRefType source,
                                           MemRefType target) {
  if (source.getRank() == 0 || !source.getElementType().isIntOrFloat() ||
      source.getElementTypeBitWidth() % 8)
    return std::nullopt;
  int64_t length = std::max(source.getShape().back(), target.getShape().back());
  if (length < 2)
    return std::nullopt;
  for (MemRefType type : {source, target}) {
    SmallVector<int64_t> strides;
    int64_t offset;
    if (failed(type.getStridesAndOffset(strides, offset)) ||
        strides.back() != 1 || type.isDynamicDim(type.getRank() - 1))
      return std::nullopt;
  }
  return length;
}

/// Copies row by row, a row a vector at a time.
static void copyRows(OpBuilder &builder, memref::CopyOp copy, int64_t length) {
  Location loc = copy.getLoc();
  auto type = cast<MemRefType>(copy.getSource().getType());
  Type element = type.getElementType();
  int64_t lanes = VectorBytes * 8 / type.getElementTypeBitWidth();
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, loc, value);
  };
  auto move = [&](OpBuilder &b, ValueRange row, Value at, int64_t count) {
    SmallVector<Value> place(row);
    place.push_back(at);
    Value moved = vector::LoadOp::create(
        b, loc, VectorType::get({count}, element), copy.getSource(), place);
    vector::StoreOp::create(b, loc, moved, copy.getTarget(), place);
  };
  SmallVector<Value> first, last, step;
  for (int64_t axis = 0; axis + 1 < type.getRank(); ++axis) {
    first.push_back(constant(0));
    last.push_back(builder.createOrFold<memref::DimOp>(loc, copy.getTarget(),
                                                       constant(axis)));
    step.push_back(constant(1));
  }
  int64_t whole = length / lanes * lanes;
  Value begin = constant(0), end = constant(whole), width = constant(lanes);
  scf::buildLoopNest(builder, loc, first, last, step,
                     [&](OpBuilder &b, Location, ValueRange row) {
                       if (whole == lanes)
                         move(b, row, begin, lanes);
                       else if (whole)
                         scf::ForOp::create(b, loc, begin, end, width,
                                            ValueRange(),
                                            [&](OpBuilder &inner, Location,
                                                Value at, ValueRange) {
                                              move(inner, row, at, lanes);
                                              scf::YieldOp::create(inner, loc);
                                            });
                       if (whole != length)
                         move(b, row, end, length - whole);
                     });
}

namespace {
struct LowerCopiesPass : weir::impl::LowerCopiesBase<LowerCopiesPass> {
  void runOnOperation() override {
    getOperation().walk([](memref::CopyOp copy) {
      auto source = dyn_cast<MemRefType>(copy.getSource().getType());
      auto target = dyn_cast<MemRefType>(copy.getTarget().getType());
      if (source && target && source.getLayout().isIdentity() &&
          target.getLayout().isIdentity())
        return;
      OpBuilder builder(copy);
      std::optional<int64_t> length =
          source && target ? getRowLength(source, target) : std::nullopt;
      if (length)
        copyRows(builder, copy, *length);
      else
        linalg::CopyOp::create(builder, copy.getLoc(), copy.getSource(),
                               copy.getTarget());
      copy.erase();
    });
  }
};
} // namespace
