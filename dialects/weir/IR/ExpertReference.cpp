//===- ExpertReference.cpp - Plain definitions -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/IR/ExpertBlocks.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

/// Token by token and slot by slot, the body on one row.
FailureOr<SmallVector<Value>> ExpertsOp::buildReference(OpBuilder &builder) {
  Location loc = getLoc();
  ExpertBlocks blocks(builder, *this);
  Type element = cast<RankedTensorType>(getInput().getType()).getElementType();
  FloatType type = getAccumulatorType(element);
  int64_t features =
      cast<RankedTensorType>(getResult().getType()).getShape().back();
  Value zero = buildIndex(builder, loc, 0), one = buildIndex(builder, loc, 1);
  Value slots = buildIndex(builder, loc, getSlotCount());
  Value experts = buildIndex(builder, loc, getExpertCount());

  Value init = tensor::EmptyOp::create(builder, loc,
                                       blocks.getResultSizes(builder), type);
  Value sums = linalg::FillOp::create(builder, loc,
                                      buildFloat(builder, loc, type, 0), init)
                   .getResult(0);
  auto buildTerm = [&](OpBuilder &b, Value token, Value pair, Value expert,
                       Value before) {
    Value weight = blocks.readWeight(b, pair);
    Value row = blocks.readToken(b, token);
    AffineMap all = b.getMultiDimIdentityMap(2);
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, row);
    if (getWeighInput())
      row = buildElementwise(
          b, loc, sizes, element, row, all,
          [&](OpBuilder &b, Location l, ValueRange in) -> Value {
            return arith::MulFOp::create(b, l, in[0], weight);
          });
    Value output = blocks.buildBody(b, row, expert);
    sizes.back() = b.getIndexAttr(features);
    Value sum =
        buildElementwise(b, loc, sizes, type, {before, output}, {all, all},
                         [&](OpBuilder &b, Location l, ValueRange in) -> Value {
                           Value term = convertFloat(b, l, in[1], type);
                           if (!getWeighInput())
                             term = arith::MulFOp::create(
                                 b, l, term, convertFloat(b, l, weight, type));
                           return arith::AddFOp::create(b, l, in[0], term);
                         });
    scf::YieldOp::create(b, loc, sum);
  };
  auto loop = scf::ForOp::create(
      builder, loc, zero, blocks.getTokens(builder), one, sums,
      [&](OpBuilder &b, Location, Value token, ValueRange carried) {
        ExpertBlocks::Place place = blocks.getPlace(b, token);
        Value before = blocks.readPlace(b, carried.front(), place);
        auto terms = scf::ForOp::create(
            b, loc, zero, slots, one, before,
            [&](OpBuilder &b, Location, Value slot, ValueRange sum) {
              Value pair = blocks.getPair(b, token, slot);
              Value expert = blocks.readExpert(b, pair);
              Value exists = arith::CmpIOp::create(
                  b, loc, arith::CmpIPredicate::ult, expert, experts);
              auto choice = scf::IfOp::create(
                  b, loc, exists,
                  [&](OpBuilder &b, Location) {
                    buildTerm(b, token, pair, expert, sum.front());
                  },
                  [&](OpBuilder &b, Location) {
                    scf::YieldOp::create(b, loc, sum);
                  });
              scf::YieldOp::create(b, loc, choice.getResults());
            });
        Value next = tensor::InsertSliceOp::create(
            b, loc, terms.getResult(0), carried.front(), place.offsets,
            place.sizes, place.strides);
        scf::YieldOp::create(b, loc, next);
      });
  Value result = loop.getResult(0);
  if (type != element)
    result = buildElementwise(
        builder, loc, tensor::getMixedSizes(builder, loc, result), element,
        result,
        builder.getMultiDimIdentityMap(
            cast<RankedTensorType>(getInput().getType()).getRank()),
        [&](OpBuilder &b, Location l, ValueRange in) {
          return convertFloat(b, l, in[0], element);
        });
  return SmallVector<Value>{result};
}
