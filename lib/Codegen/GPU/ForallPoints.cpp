//===- ForallPoints.cpp - Points of parallel loops, in a row -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ForallPoints.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace weir;

ForallPoints::ForallPoints(OpBuilder &builder, scf::ForallOp loop)
    : loop(loop), first(loop.getLowerBound(builder)),
      step(loop.getStep(builder)) {
  Location loc = loop.getLoc();
  count = arith::ConstantIndexOp::create(builder, loc, 1);
  for (auto [from, to, by] :
       llvm::zip(first, loop.getUpperBound(builder), step)) {
    Value distance = builder.createOrFold<arith::SubIOp>(loc, to, from);
    counts.push_back(
        builder.createOrFold<arith::CeilDivSIOp>(loc, distance, by));
    count = builder.createOrFold<arith::MulIOp>(loc, count, counts.back());
  }
}

void ForallPoints::moveBody(OpBuilder &builder, Value point) {
  Location loc = loop.getLoc();
  Value rest = point;
  SmallVector<Value> indices(counts.size());
  for (int64_t axis = counts.size() - 1; axis >= 0; --axis) {
    Value index = rest;
    if (axis > 0) {
      index = arith::RemUIOp::create(builder, loc, rest, counts[axis]);
      rest = arith::DivUIOp::create(builder, loc, rest, counts[axis]);
    }
    Value scaled = builder.createOrFold<arith::MulIOp>(loc, index, step[axis]);
    indices[axis] =
        builder.createOrFold<arith::AddIOp>(loc, first[axis], scaled);
  }
  Block *body = loop.getBody();
  body->getTerminator()->erase();
  Block *target = builder.getInsertionBlock();
  target->getOperations().splice(target->getTerminator()->getIterator(),
                                 body->getOperations());
  for (auto [argument, index] : llvm::zip(body->getArguments(), indices))
    argument.replaceAllUsesWith(index);
  loop.erase();
}
