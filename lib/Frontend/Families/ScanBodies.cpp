//===- ScanBodies.cpp - Steps of scans -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScanBodies.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace weir;

static RankedTensorType getType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

Value weir::buildSplat(OpBuilder &builder, Location loc,
                       ArrayRef<int64_t> shape, float value) {
  auto type = RankedTensorType::get(shape, builder.getF32Type());
  return arith::ConstantOp::create(builder, loc,
                                   DenseElementsAttr::get(type, value));
}

SmallVector<Value> weir::buildScan(ModelBuilder &b, ValueRange inputs,
                                   ValueRange states,
                                   ArrayRef<SmallVector<int64_t>> outputs,
                                   StepFn step) {
  OpBuilder &builder = b.getBuilder();
  Location loc = b.getLoc();
  RankedTensorType first = getType(inputs.front());
  SmallVector<Type> outputTypes, stateTypes, arguments;
  for (ArrayRef<int64_t> inner : outputs) {
    SmallVector<int64_t> shape(first.getShape().take_front(2));
    llvm::append_range(shape, inner);
    outputTypes.push_back(RankedTensorType::get(shape, first.getElementType()));
  }
  for (Value input : inputs) {
    RankedTensorType type = getType(input);
    arguments.push_back(RankedTensorType::get(type.getShape().drop_front(2),
                                              type.getElementType()));
  }
  for (Value state : states) {
    RankedTensorType type = getType(state);
    SmallVector<int64_t> shape{first.getDimSize(0)};
    llvm::append_range(shape, type.getShape());
    stateTypes.push_back(RankedTensorType::get(shape, type.getElementType()));
    arguments.push_back(type);
  }
  auto scan = ScanOp::create(builder, loc, outputTypes, stateTypes, inputs,
                             states, /*params=*/ValueRange(),
                             /*lengths=*/Value(), /*reverse=*/false,
                             /*schedule=*/ScheduleAttr());
  OpBuilder::InsertionGuard guard(builder);
  Block *body =
      builder.createBlock(&scan.getBody(), {}, arguments,
                          SmallVector<Location>(arguments.size(), loc));
  ValueRange all = body->getArguments();
  SmallVector<Value> results = step(builder, loc, all.take_front(inputs.size()),
                                    all.drop_front(inputs.size()));
  YieldOp::create(builder, loc, results);
  return SmallVector<Value>(scan.getOutputs());
}

SmallVector<Value> weir::buildMap(
    OpBuilder &builder, Location loc, ArrayRef<int64_t> shape, unsigned results,
    ArrayRef<Indexed> inputs,
    function_ref<SmallVector<Value>(OpBuilder &, Location, ValueRange)>
        element) {
  MLIRContext *context = builder.getContext();
  auto type = RankedTensorType::get(shape, builder.getF32Type());
  SmallVector<Value> values, empties;
  SmallVector<AffineMap> maps;
  for (const Indexed &input : inputs) {
    SmallVector<AffineExpr> axes;
    for (unsigned axis : input.axes)
      axes.push_back(getAffineDimExpr(axis, context));
    values.push_back(input.value);
    maps.push_back(AffineMap::get(shape.size(), 0, axes, context));
  }
  for (unsigned i = 0; i < results; ++i) {
    empties.push_back(
        tensor::EmptyOp::create(builder, loc, shape, type.getElementType()));
    maps.push_back(builder.getMultiDimIdentityMap(shape.size()));
  }
  SmallVector<utils::IteratorType> loops(shape.size(),
                                         utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, loc, SmallVector<Type>(results, type), values, empties, maps,
      loops, [&](OpBuilder &nested, Location at, ValueRange arguments) {
        linalg::YieldOp::create(
            nested, at, element(nested, at, arguments.drop_back(results)));
      });
  return SmallVector<Value>(generic.getResults());
}

Value weir::buildProductSum(OpBuilder &builder, Location loc,
                            const Indexed &lhs, const Indexed &rhs,
                            Value start) {
  MLIRContext *context = builder.getContext();
  unsigned loops = getType(start).getRank() + 1;
  auto getMap = [&](const Indexed &input) {
    SmallVector<AffineExpr> axes;
    for (unsigned axis : input.axes)
      axes.push_back(getAffineDimExpr(axis, context));
    return AffineMap::get(loops, 0, axes, context);
  };
  AffineMap all = builder.getMultiDimIdentityMap(loops);
  SmallVector<utils::IteratorType> kinds(loops, utils::IteratorType::parallel);
  kinds.back() = utils::IteratorType::reduction;
  return linalg::GenericOp::create(
             builder, loc, start.getType(), ValueRange{lhs.value, rhs.value},
             start,
             ArrayRef<AffineMap>{getMap(lhs), getMap(rhs),
                                 all.dropResult(loops - 1)},
             kinds,
             [](OpBuilder &n, Location l, ValueRange in) {
               Value part = arith::MulFOp::create(n, l, in[0], in[1]);
               Value sum = arith::AddFOp::create(n, l, in[2], part);
               linalg::YieldOp::create(n, l, sum);
             })
      .getResult(0);
}
