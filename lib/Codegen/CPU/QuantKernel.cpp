//===- QuantKernel.cpp - Rows times a panel of quantised weights -*- C++ -*-==//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A weight is `scale * quant + min` with a scale and a min for each group of
// neighbours along the reduction. Over one group,
//
//   sum x * w = scale * sum x * quant + min * sum x,
//
// so that scales and mins are applied once a group, and the sums of x, which
// no column changes, are made before the loops. Without mins the zero point z
// takes the place: scale * (sum x * quant - z * sum x).
//
// Quants lie in 32-bit lanes, one per column: a byte for each of four
// neighbours along the reduction, or with 4 bits two halves of a byte, the low
// ones for the first four and the high ones for the next. These kernels, for
// float inputs, shift each quant down and convert it. Those of e4m3 have no
// zero point and no sums.
//
//===----------------------------------------------------------------------===//

#include "PackedLinearEmitter.h"

using namespace mlir;
using namespace weir;

/// Combines `parts` pairwise.
static Value reduceTree(OpBuilder &builder, SmallVector<Value> parts,
                        function_ref<Value(Value, Value)> combine) {
  while (parts.size() > 1) {
    SmallVector<Value> next;
    for (size_t i = 0; i + 1 < parts.size(); i += 2)
      next.push_back(combine(parts[i], parts[i + 1]));
    if (parts.size() % 2)
      next.push_back(parts.back());
    parts = std::move(next);
  }
  return parts.front();
}

/// `groupSums` of the input's single row.
void PackedLinearEmitter::emitGroupSums(OpBuilder &builder) {
  int64_t groups = reduction / group;
  SmallVector<Value> row = getRow(builder, index(builder, 0));
  Value sums = tensor::EmptyOp::create(builder, loc, ArrayRef<int64_t>{groups},
                                       builder.getF32Type());
  auto loop = scf::ForOp::create(
      builder, loc, index(builder, 0), index(builder, groups),
      index(builder, 1), sums,
      [&](OpBuilder &b, Location, Value g, ValueRange carried) {
        Value first = scale(b, g, group);
        SmallVector<Value> parts;
        for (int64_t i = 0; i != group; i += lanes)
          parts.push_back(
              readVector(b, input, at(row, add(b, first, i)), lanes));
        Value sum = reduceTree(b, parts, [&](Value lhs, Value rhs) -> Value {
          return arith::AddFOp::create(b, loc, lhs, rhs);
        });
        Value total =
            vector::ReductionOp::create(b, loc, vector::CombiningKind::ADD, sum,
                                        arith::FastMathFlags::reassoc);
        Value next =
            tensor::InsertOp::create(b, loc, total, carried.front(), g);
        scf::YieldOp::create(b, loc, next);
      });
  groupSums = loop.getResult(0);
}

/// A panel's weights as f32 `[K, panel]`.
Value PackedLinearEmitter::emitDequantizedPanel(OpBuilder &builder,
                                                Panel panel) {
  int64_t perLane = 32 / bits;
  Value scratch = tensor::EmptyOp::create(
      builder, loc, ArrayRef<int64_t>{reduction, panelWidth},
      builder.getF32Type());
  auto loop = scf::ForOp::create(
      builder, loc, index(builder, 0), index(builder, reduction / group),
      index(builder, 1), scratch,
      [&](OpBuilder &b, Location, Value g, ValueRange outer) {
        Vectors steps, offsets;
        for (int64_t v = 0; v != vectors; ++v) {
          SmallVector<Value> place = {panel.index, g, index(b, v * lanes)};
          steps.push_back(readScales(b, place));
          if (!mins && !zeroPoint)
            continue;
          offsets.push_back(
              mins ? readFloats(b, mins, place)
                   : Value(arith::MulFOp::create(b, loc, steps.back(),
                                                 splat(b, -zeroPoint))));
        }
        auto inner = scf::ForOp::create(
            b, loc, index(b, 0), index(b, group / perLane), index(b, 1), outer,
            [&](OpBuilder &c, Location, Value i, ValueRange carried) {
              Value dest = carried.front();
              Value word = arith::AddIOp::create(
                  c, loc, scale(c, g, group / perLane), i);
              Value k = scale(c, word, perLane);
              for (int64_t v = 0; v != vectors; ++v) {
                Value bytes = readVector(
                    c, values,
                    ValueRange{panel.index, word, index(c, v * lanes * 4)},
                    lanes * 4);
                Vectors quants = unpackFloats(
                    c, vector::BitCastOp::create(c, loc, integers, bytes));
                for (auto [j, quant] : llvm::enumerate(quants)) {
                  Value weight =
                      offsets.empty()
                          ? arith::MulFOp::create(c, loc, quant, steps[v])
                          : multiplyAdd(c, quant, steps[v], offsets[v]);
                  dest = writeVector(
                      c, weight, dest,
                      ValueRange{add(c, k, j), index(c, v * lanes)});
                }
              }
              scf::YieldOp::create(c, loc, dest);
            });
        scf::YieldOp::create(b, loc, inner.getResults());
      });
  return loop.getResult(0);
}

/// A single row in f32, with weights that never leave registers.
Value PackedLinearEmitter::emitQuantRow(OpBuilder &builder, Panel panel,
                                        Rows rows, Value dest) {
  int64_t perLane = 32 / bits;
  constexpr int64_t chains = 4;
  // Steps of the reduction that are written out; longer groups are loops.
  constexpr int64_t longest = 32;
  int64_t piece = group > longest && group % longest == 0 ? longest : group;
  // Adds to `partial` the products of `piece` elements from word `first` on.
  auto addPiece = [&](OpBuilder &b, Value first, Vectors &partial) {
    Value start = scale(b, first, perLane);
    for (int64_t i = 0; i != piece / perLane; ++i) {
      Value word = add(b, first, i);
      SmallVector<Vectors, 2> quants;
      for (int64_t v = 0; v != vectors; ++v) {
        Value bytes = readVector(
            b, values, ValueRange{panel.index, word, index(b, v * lanes * 4)},
            lanes * 4);
        quants.push_back(unpackFloats(
            b, vector::BitCastOp::create(b, loc, integers, bytes)));
      }
      for (int64_t j = 0; j != perLane; ++j) {
        Value k = add(b, start, i * perLane + j);
        Value element = broadcast(b, extract(b, input, rows.front(), k));
        for (int64_t v = 0; v != vectors; ++v) {
          Value &acc = partial[j % chains * vectors + v];
          acc = multiplyAdd(b, element, quants[v][j], acc);
        }
      }
    }
  };
  auto loop = scf::ForOp::create(
      builder, loc, index(builder, 0), index(builder, reduction / group),
      index(builder, 1), emitInitial(builder, panel, 1),
      [&](OpBuilder &b, Location, Value g, ValueRange carried) {
        Value sum = groupSums
                        ? broadcast(b, tensor::ExtractOp::create(
                                           b, loc, groupSums, ValueRange{g}))
                        : Value();
        Value start = splat(b, 0.0f);
        if (sum && !mins)
          start = arith::MulFOp::create(b, loc, sum, splat(b, -zeroPoint));
        Vectors partial(vectors * chains, splat(b, 0.0f));
        std::fill_n(partial.begin(), vectors, start);
        Value first = scale(b, g, group / perLane);
        if (piece == group) {
          addPiece(b, first, partial);
        } else {
          auto pieces = scf::ForOp::create(
              b, loc, index(b, 0), index(b, group / perLane),
              index(b, piece / perLane), partial,
              [&](OpBuilder &c, Location, Value word, ValueRange sums) {
                Vectors next(sums);
                addPiece(c, arith::AddIOp::create(c, loc, first, word), next);
                scf::YieldOp::create(c, loc, next);
              });
          partial = Vectors(pieces.getResults());
        }
        Vectors next;
        for (int64_t v = 0; v != vectors; ++v) {
          SmallVector<Value> parts;
          for (int64_t c = 0; c != chains; ++c)
            parts.push_back(partial[c * vectors + v]);
          Value dot = reduceTree(b, parts, [&](Value lhs, Value rhs) -> Value {
            return arith::AddFOp::create(b, loc, lhs, rhs);
          });
          SmallVector<Value> place = {panel.index, g, index(b, v * lanes)};
          Value acc = multiplyAdd(b, dot, readScales(b, place), carried[v]);
          if (mins)
            acc = multiplyAdd(b, sum, readFloats(b, mins, place), acc);
          next.push_back(acc);
        }
        scf::YieldOp::create(b, loc, next);
      });
  return emitStores(builder, panel, rows, Vectors(loop.getResults()), dest);
}
