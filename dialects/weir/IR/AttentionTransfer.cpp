//===- AttentionTransfer.cpp - Attention over parts of the keys -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a run of keys does to the carry is itself a carry: (maximum, sum,
// accumulator) of that run alone. Two of them join at the greater maximum m:
//
//   sum = sum1 * exp(maximum1 - m) + sum2 * exp(maximum2 - m)
//
// and so do the accumulators. So parts of the keys can be taken at once, by as
// many threads, when few rows and heads would leave threads idle (split-K
// decoding, Dao et al., "Flash-Decoding", 2023). The maximum of no keys is the
// lowest finite number, so that a part without keys joins without effect and
// no difference of infinities is exponentiated. Without a softmax parts only
// add up, but that a part of a stick is left to those before it.
//
//===----------------------------------------------------------------------===//

#include "AttentionTiler.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace weir;
using utils::IteratorType;
using Tiler = AttentionTiler;

int64_t AttentionOp::getCarriedParts(ScheduleAttr schedule) {
  return schedule.getForm().getValue() == "split" ? schedule.getTiles()[2] : 1;
}

SmallVector<RankedTensorType>
AttentionOp::getTransferTypes(ScheduleAttr schedule) {
  auto query = cast<RankedTensorType>(getQuery().getType());
  auto value = cast<RankedTensorType>(getValue().getType());
  // attention_c6
  Type compute = query.getElementType().isF64()
                     ? Type(Float64Type::get(getContext()))
                     : Type(Float32Type::get(getContext()));
  int64_t columns = getGroupSize() * schedule.getTiles()[0];
  SmallVector<int64_t> shape{columns, value.getDimSize(3)};
  if (schedule.getForm().getValue() == "flash")
    std::swap(shape[0], shape[1]);
  auto statistic = RankedTensorType::get(columns, compute);
  return {statistic, statistic, RankedTensorType::get(shape, compute)};
}

SmallVector<Value> AttentionOp::buildTransferInit(OpBuilder &builder,
                                                  ScheduleAttr schedule,
                                                  ValueRange point,
                                                  ValueRange invariants) {
  return buildInit(builder, schedule, point, invariants, /*destinations=*/{});
}

SmallVector<Value> AttentionOp::buildSummary(OpBuilder &builder,
                                             ScheduleAttr schedule,
                                             ValueRange point, Value index,
                                             ValueRange invariants,
                                             ValueRange transfer) {
  return buildStepOnBlock(builder, schedule, point, index, invariants,
                          transfer);
}

SmallVector<Value> AttentionOp::buildComposition(OpBuilder &builder,
                                                 ScheduleAttr schedule,
                                                 ValueRange earlier,
                                                 ValueRange later) {
  Location loc = getLoc();
  auto statistic = cast<RankedTensorType>(earlier[Tiler::Maximum].getType());
  auto buildEmpty = [&]() -> Value {
    return tensor::EmptyOp::create(builder, loc, statistic.getShape(),
                                   statistic.getElementType());
  };
  AffineMap one = builder.getMultiDimIdentityMap(1);
  auto joined = linalg::GenericOp::create(
      builder, loc, TypeRange{statistic, statistic, statistic, statistic},
      ValueRange{later[Tiler::Maximum], later[Tiler::Sum]},
      ValueRange{buildEmpty(), buildEmpty(), earlier[Tiler::Maximum],
                 earlier[Tiler::Sum]},
      SmallVector<AffineMap>(6, one), IteratorType::parallel,
      [&](OpBuilder &b, Location l, ValueRange args) {
        Value laterMaximum = args[0], laterSum = args[1];
        Value earlierMaximum = args[4], earlierSum = args[5];
        AttentionNormalize normalize = getNormalize();
        if (normalize != AttentionNormalize::Softmax) {
          // What later keys leave of the stick is what earlier ones share.
          bool isStick = normalize == AttentionNormalize::StickBreaking;
          Value one = arith::ConstantOp::create(
              b, l, b.getFloatAttr(laterSum.getType(), 1.0));
          Value left = isStick ? laterSum : one;
          Value sum = arith::MulFOp::create(b, l, earlierSum, left);
          linalg::YieldOp::create(b, l,
                                  ValueRange{left, one, earlierMaximum, sum});
          return;
        }
        Value isAbove = arith::CmpFOp::create(b, l, arith::CmpFPredicate::OGT,
                                              laterMaximum, earlierMaximum);
        Value maximum = arith::SelectOp::create(b, l, isAbove, laterMaximum,
                                                earlierMaximum);
        auto rescale = [&](Value from) -> Value {
          return math::ExpOp::create(
              b, l, arith::SubFOp::create(b, l, from, maximum));
        };
        Value earlierScale = rescale(earlierMaximum);
        Value laterScale = rescale(laterMaximum);
        Value sum = arith::AddFOp::create(
            b, l, arith::MulFOp::create(b, l, earlierSum, earlierScale),
            arith::MulFOp::create(b, l, laterSum, laterScale));
        linalg::YieldOp::create(
            b, l, ValueRange{earlierScale, laterScale, maximum, sum});
      });

  AffineMap all = builder.getMultiDimIdentityMap(2);
  bool isTransposed = schedule.getForm().getValue() == "flash";
  AffineMap perColumn = all.dropResult(isTransposed ? 0 : 1);
  auto accumulator = linalg::GenericOp::create(
      builder, loc, earlier[Tiler::Accumulator].getType(),
      ValueRange{joined.getResult(0), joined.getResult(1),
                 later[Tiler::Accumulator]},
      earlier[Tiler::Accumulator],
      ArrayRef<AffineMap>{perColumn, perColumn, all, all},
      SmallVector<IteratorType>(2, IteratorType::parallel),
      [](OpBuilder &b, Location l, ValueRange args) {
        Value sum = arith::AddFOp::create(
            b, l, arith::MulFOp::create(b, l, args[3], args[0]),
            arith::MulFOp::create(b, l, args[2], args[1]));
        linalg::YieldOp::create(b, l, sum);
      });
  return {joined.getResult(2), joined.getResult(3), accumulator.getResult(0)};
}

SmallVector<Value> AttentionOp::buildApplication(OpBuilder &builder,
                                                 ScheduleAttr schedule,
                                                 ValueRange transfer,
                                                 ValueRange carry) {
  return buildComposition(builder, schedule, carry, transfer);
}
