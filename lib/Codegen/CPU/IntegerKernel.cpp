//===- IntegerKernel.cpp - Quantised rows times quantised weights -*- C++ -*-=//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Weights are `step * q + min` with unsigned q, the input is `s * p` with
// signed p, both with numbers of their own for each group along the reduction.
// Over one group,
//
//   sum x * w = step * s * sum(p * q) + min * s * sum(p),
//
// where sum(p * q) is made of integer dot products of four bytes a lane, and
// sum(p) came with the input. Without mins the zero point z takes the place:
// the dot product starts at -z * sum(p).
//
// A group ends with three operations on floats for every row and vector. They
// are worth it from groups of 32 on.
//
//===----------------------------------------------------------------------===//

#include "PackedLinearEmitter.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace weir;

/// `acc` plus, in each 32-bit lane, four products of an unsigned byte of
/// `quants` with a signed one of `input`.
static Value emitDot(OpBuilder &builder, Location loc, Value acc, Value quants,
                     Value input) {
  auto type = cast<VectorType>(acc.getType());
  std::string name =
      "llvm.x86.avx512.vpdpbusd." + std::to_string(type.getNumElements() * 32);
  return LLVM::CallIntrinsicOp::create(builder, loc, type,
                                       builder.getStringAttr(name),
                                       ValueRange{acc, quants, input})
      .getResult(0);
}

Value PackedLinearEmitter::emitIntegerRows(OpBuilder &builder, Panel panel,
                                           Rows rows, Value dest) {
  int64_t perLane = 32 / bits, count = rows.size();
  auto bytes = VectorType::get({lanes * 4}, builder.getI8Type());
  auto word = VectorType::get({1}, builder.getI32Type());
  Value inputScales = op.getInputScales(), inputSums = op.getInputSums();

  /// Unsigned bytes of the panel at word `at` along the reduction: the quants
  /// of four neighbours, and with 4 bits those of the next four.
  auto readQuants = [&](OpBuilder &b, Value at, Vectors &low, Vectors &high) {
    for (int64_t v = 0; v != vectors; ++v) {
      Value packed = readVector(
          b, values, ValueRange{panel.index, at, index(b, v * lanes * 4)},
          lanes * 4);
      if (bits == 8) {
        low.push_back(packed);
        continue;
      }
      Value words = vector::BitCastOp::create(b, loc, integers, packed);
      auto [first, second] = splitHalves(b, words);
      low.push_back(vector::BitCastOp::create(b, loc, bytes, first));
      high.push_back(vector::BitCastOp::create(b, loc, bytes, second));
    }
  };

  auto emitGroup = [&](OpBuilder &b, Value g, ValueRange carried) {
    Vectors dots;
    SmallVector<Value> sums;
    for (int64_t r = 0; r != count; ++r) {
      Value start = splatInt(b, 0);
      sums.push_back(extract(b, inputSums, rows[r], g));
      if (!mins) {
        Value zero =
            arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(-zeroPoint));
        start = broadcast(b, arith::MulIOp::create(b, loc, sums.back(), zero));
      }
      dots.append(vectors, start);
    }
    // Four neighbours along the reduction, from `k` on.
    auto multiply = [&](Value k, ArrayRef<Value> quants) {
      for (int64_t r = 0; r != count; ++r) {
        Value four = vector::BitCastOp::create(
            b, loc, word, readVector(b, input, at(rows[r], k), 4));
        Value element = vector::ExtractOp::create(b, loc, four, 0);
        Value spread =
            vector::BitCastOp::create(b, loc, bytes, broadcast(b, element));
        for (int64_t v = 0; v != vectors; ++v) {
          Value &dot = dots[r * vectors + v];
          dot = emitDot(b, loc, dot, quants[v], spread);
        }
      }
    };
    for (int64_t i = 0; i != group / perLane; ++i) {
      Value place = add(b, scale(b, g, group / perLane), i);
      Value k = add(b, scale(b, g, group), i * perLane);
      Vectors low, high;
      readQuants(b, place, low, high);
      multiply(k, low);
      if (bits == 4)
        multiply(add(b, k, 4), high);
    }
    Vectors next, steps, offsets;
    for (int64_t v = 0; v != vectors; ++v) {
      SmallVector<Value> place = {panel.index, g, index(b, v * lanes)};
      steps.push_back(readScales(b, place));
      if (mins)
        offsets.push_back(readFloats(b, mins, place));
    }
    for (int64_t r = 0; r != count; ++r) {
      Value rowStep = extract(b, inputScales, rows[r], g);
      Value stepVector = broadcast(b, rowStep), sumVector;
      if (mins) {
        Value sum = arith::SIToFPOp::create(b, loc, b.getF32Type(), sums[r]);
        sumVector = broadcast(b, arith::MulFOp::create(b, loc, sum, rowStep));
      }
      for (int64_t v = 0; v != vectors; ++v) {
        int64_t i = r * vectors + v;
        Value dot = arith::SIToFPOp::create(b, loc, floats, dots[i]);
        Value step = arith::MulFOp::create(b, loc, steps[v], stepVector);
        Value acc = multiplyAdd(b, dot, step, carried[i]);
        if (mins)
          acc = multiplyAdd(b, sumVector, offsets[v], acc);
        next.push_back(acc);
      }
    }
    return next;
  };

  auto loop = scf::ForOp::create(
      builder, loc, index(builder, 0), index(builder, reduction / group),
      index(builder, 1), emitInitial(builder, panel, count),
      [&](OpBuilder &b, Location, Value g, ValueRange carried) {
        scf::YieldOp::create(b, loc, emitGroup(b, g, carried));
      });
  return emitStores(builder, panel, rows, Vectors(loop.getResults()), dest);
}
