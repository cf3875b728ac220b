//===- Sinusoids.cpp - Sines and cosines of positions -------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sinusoids.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "weir/Frontend/LinearLayers.h"
#include <cmath>

using namespace mlir;
using namespace weir;

Value weir::shiftNumbers(ModelBuilder &b, Value numbers, int64_t summand) {
  return b.map(numbers, [&](OpBuilder &n, Location l, ValueRange in) -> Value {
    Value number = arith::ConstantOp::create(
        n, l, n.getIntegerAttr(in[0].getType(), summand));
    return arith::AddIOp::create(n, l, in[0], number);
  });
}

Value weir::addSinusoids(ModelBuilder &b, Value tokens, Value numbers,
                         std::optional<int64_t> without) {
  int64_t features = cast<RankedTensorType>(tokens.getType()).getDimSize(2);
  int64_t half = features / 2;
  // Pairs (0, 1) turned backwards.
  RotarySpec spec;
  spec.dims = 2 * half;
  spec.backwards = true;
  double count = static_cast<double>(half);
  spec.base = std::pow(10000.0, count / (count - 1));
  Value pairs = concatFeatures(
      b, {fillLike(b, tokens, half, 0), fillLike(b, tokens, half, 1)});
  Value turned = b.mergeHeads(
      b.rotary(b.splitHeads(pairs, 1), numbers, b.frequencies(spec), spec));
  if (features % 2)
    turned = concatFeatures(b, {turned, fillLike(b, tokens, 1, 0)});
  Value sum = b.add(tokens, turned);
  if (!without)
    return sum;
  return b.chooseRows(shiftNumbers(b, numbers, -*without), sum, tokens);
}
