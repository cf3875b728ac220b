//===- FloatKernel.cpp - Rows times a panel of float weights -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The reduction is the innermost loop. Each step loads one row of the panel
// and multiplies it by one broadcast element of each input row. Of pairs of
// bf16 a step takes both: a row of pairs times a broadcast pair. A single row
// has too few accumulators to keep the multiply-add units busy, so that few
// rows take several steps at once, each with accumulators of its own, which
// are added up at the end.
//
//===----------------------------------------------------------------------===//

#include "PackedLinearEmitter.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace weir;

/// Multiply-adds in flight that hide their latency on the CPUs at hand: four
/// or five cycles, two a cycle.
static constexpr int64_t IndependentChains = 8;

/// The input of `row` at step `step` of the reduction, in all lanes.
Value PackedLinearEmitter::readSpread(OpBuilder &builder, ArrayRef<Value> row,
                                      Value step) {
  if (!op.hasPairs())
    return broadcast(builder, extract(builder, input, row, step));
  Value pair = readVector(builder, input, at(row, scale(builder, step, 2)), 2);
  auto word = VectorType::get({1}, builder.getI32Type());
  Value bits = vector::ExtractOp::create(
      builder, loc, vector::BitCastOp::create(builder, loc, word, pair), 0);
  return vector::BitCastOp::create(
      builder, loc, VectorType::get({2 * lanes}, builder.getBF16Type()),
      broadcast(builder, bits));
}

/// `sum` plus what one step of the reduction adds.
Value PackedLinearEmitter::multiplyStep(OpBuilder &builder, Value spread,
                                        Value weights, Value sum) {
  if (!op.hasPairs())
    return multiplyAdd(builder, spread, weights, sum);
  std::string name =
      "llvm.x86.avx512bf16.dpbf16ps." + std::to_string(lanes * 32);
  return LLVM::CallIntrinsicOp::create(builder, loc, floats,
                                       builder.getStringAttr(name),
                                       ValueRange{sum, spread, weights})
      .getResult(0);
}

Value PackedLinearEmitter::emitFloatRows(OpBuilder &builder, Panel panel,
                                         Rows rows, WeightsFn weights,
                                         Value dest) {
  int64_t count = rows.size();
  int64_t perStep = count * vectors;
  int64_t steps = op.hasPairs() ? reduction / 2 : reduction;
  int64_t unroll =
      std::min<int64_t>(llvm::divideCeil(IndependentChains, perStep), steps);

  Vectors initial = emitInitial(builder, panel, count);
  initial.resize(perStep * unroll, splat(builder, 0.0f));

  // One step of the reduction on the accumulators from `offset` on.
  auto step = [&](OpBuilder &b, Value k, int64_t offset, Vectors &sums) {
    Vectors row;
    for (int64_t v = 0; v != vectors; ++v)
      row.push_back(weights(b, k, v));
    for (int64_t r = 0; r != count; ++r) {
      Value spread = readSpread(b, rows[r], k);
      for (int64_t v = 0; v != vectors; ++v) {
        Value &sum = sums[offset + r * vectors + v];
        sum = multiplyStep(b, spread, row[v], sum);
      }
    }
  };

  int64_t whole = steps / unroll * unroll;
  auto loop = scf::ForOp::create(
      builder, loc, index(builder, 0), index(builder, whole),
      index(builder, unroll), initial,
      [&](OpBuilder &b, Location, Value k, ValueRange carried) {
        Vectors sums(carried);
        for (int64_t u = 0; u != unroll; ++u)
          step(b, add(b, k, u), u * perStep, sums);
        scf::YieldOp::create(b, loc, sums);
      });
  Vectors sums(loop.getResults());
  for (int64_t k = whole; k != steps; ++k)
    step(builder, index(builder, k), (k - whole) * perStep, sums);

  // Pairwise, so that the additions do not wait for each other either.
  for (int64_t copies = unroll; copies > 1;) {
    int64_t half = llvm::divideCeil(copies, 2);
    for (int64_t i = 0; i != copies - half; ++i)
      for (int64_t j = 0; j != perStep; ++j)
        sums[i * perStep + j] =
            arith::AddFOp::create(builder, loc, sums[i * perStep + j],
                                  sums[(i + half) * perStep + j]);
    copies = half;
  }
  sums.resize(perStep);
  return emitStores(builder, panel, rows, sums, dest);
}
