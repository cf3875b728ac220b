//===- RelativeBias.cpp - Biases of distances -------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "RelativeBias.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

using namespace mlir;
using namespace weir;

/// The row of `distance`, within one side's. In f32, as the rows were learned:
/// where the logarithm gives a whole number, rounding decides.
static int32_t getRow(int64_t distance, const RelativeBias &bias) {
  int64_t side = bias.getSide(), exact = bias.getExact();
  if (distance < exact)
    return distance;
  float ratio =
      std::log(static_cast<float>(distance) / static_cast<float>(exact));
  ratio /= static_cast<float>(
      std::log(static_cast<double>(bias.maxDistance) / exact));
  ratio *= static_cast<float>(side - exact);
  return std::min<int64_t>(exact + static_cast<int64_t>(ratio), side - 1);
}

void weir::readRelativeBias(ConfigReader &reader, RelativeBias &bias) {
  bias.buckets = bias.rows =
      reader.getSize("relative_attention_num_buckets", 32);
  bias.maxDistance = reader.getSize("relative_attention_max_distance", 128);
  // All of them are listed.
  constexpr int64_t limit = 1 << 20;
  if (bias.getExact() < 1)
    reader.emitError("relative_attention_num_buckets")
        << "key 'relative_attention_num_buckets' is " << bias.buckets
        << ", expected at least " << (bias.bothSides ? 4 : 2);
  else if (bias.maxDistance <= bias.getExact() || bias.maxDistance > limit)
    reader.emitError("relative_attention_max_distance")
        << "key 'relative_attention_max_distance' is " << bias.maxDistance
        << ", expected more than " << bias.getExact() << " and at most "
        << limit;
}

AttentionChange weir::buildRelativeBias(ModelBuilder &builder,
                                        const RelativeBias &bias) {
  // A row for each distance, from the farthest key behind to that ahead.
  int64_t behind = bias.maxDistance;
  int64_t ahead = bias.bothSides ? behind : 0;
  SmallVector<int32_t> numbers;
  for (int64_t step = -behind; step <= ahead; ++step)
    numbers.push_back(getRow(std::abs(step), bias) +
                      (step > 0 ? bias.getSide() : 0));
  Value table = builder.weight(bias.key, {bias.rows, bias.heads});
  Value biases = builder.rows(numbers, table);
  return [biases, behind, ahead](AttentionOptions &options) {
    options.score = [biases, behind,
                     ahead](OpBuilder &b, Location loc, Value score,
                            const AttentionPair &pair) -> Value {
      auto number = [&](int64_t value) -> Value {
        return arith::ConstantIndexOp::create(b, loc, value);
      };
      Value step = arith::SubIOp::create(b, loc, pair.key, pair.query);
      step = arith::MaxSIOp::create(b, loc, step, number(-behind));
      step = arith::MinSIOp::create(b, loc, step, number(ahead));
      Value row = arith::AddIOp::create(b, loc, step, number(behind));
      Value added = tensor::ExtractOp::create(
          b, loc, biases, ValueRange{number(0), row, pair.head});
      return arith::AddFOp::create(b, loc, score, added);
    };
  };
}
