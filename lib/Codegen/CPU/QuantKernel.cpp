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
// ones for the first four and the high ones for the next. Integer kernels
// quantise the input in the same groups and multiply four at a time; float
// kernels shift each quant down and convert it.
//
//===----------------------------------------------------------------------===//

#include "PackedLinearEmitter.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace weir;

/// Reads the sum or maximum over one group of one input row.
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
  Value sums = tensor::EmptyOp::create(
      builder, loc, ArrayRef<int64_t>{1, groups}, builder.getF32Type());
  Value zero = index(builder, 0);
  auto loop = scf::ForOp::create(
      builder, loc, zero, index(builder, groups), index(builder, 1), sums,
      [&](OpBuilder &b, Location, Value g, ValueRange carried) {
        Value first = scale(b, g, group);
        SmallVector<Value> parts;
        for (int64_t i = 0; i != group; i += lanes)
          parts.push_back(readVector(
              b, input.tensor, at(b, input, index(b, 0), add(b, first, i)),
              lanes));
        Value sum = reduceTree(b, parts, [&](Value lhs, Value rhs) -> Value {
          return arith::AddFOp::create(b, loc, lhs, rhs);
        });
        Value total = vector::ReductionOp::create(
            b, loc, vector::CombiningKind::ADD, sum,
            arith::FastMathFlags::reassoc);
        Value next = tensor::InsertOp::create(b, loc, total, carried.front(),
                                              ValueRange{index(b, 0), g});
        scf::YieldOp::create(b, loc, next);
      });
  groupSums = loop.getResult(0);
}

/// `inputQuants`, `inputScales`, and `groupSums` or `inputOffsets`.
void PackedLinearEmitter::emitQuantizedInput(OpBuilder &builder) {
  int64_t groups = reduction / group;
  Type f32 = builder.getF32Type(), i32 = builder.getI32Type();
  auto empty = [&](int64_t columns, Type type) -> Value {
    return tensor::EmptyOp::create(builder, loc,
                                   ArrayRef<int64_t>{rows, columns}, type);
  };
  SmallVector<Value> dests = {empty(reduction / 4, i32), empty(groups, f32),
                              empty(groups, mins ? f32 : i32)};
  Value one = index(builder, 1);

  auto quantizeGroup = [&](OpBuilder &b, Value row, Value g,
                           SmallVector<Value> dests) {
    Value first = scale(b, g, group);
    SmallVector<Value> parts, sizes;
    Value magnitude = splatInt(b, 0x7fffffff);
    for (int64_t i = 0; i != group; i += lanes) {
      parts.push_back(readVector(b, input.tensor,
                                 at(b, input, row, add(b, first, i)), lanes));
      // Magnitudes compare like integers, and what is not a number is the
      // largest of all, so it reaches the scale and with it the result.
      Value raw = vector::BitCastOp::create(b, loc, integers, parts.back());
      sizes.push_back(arith::AndIOp::create(b, loc, raw, magnitude));
    }
    Value size = reduceTree(b, sizes, [&](Value lhs, Value rhs) -> Value {
      return arith::MaxUIOp::create(b, loc, lhs, rhs);
    });
    Value largestBits =
        vector::ReductionOp::create(b, loc, vector::CombiningKind::MAXUI, size);
    Value largest = arith::BitcastOp::create(b, loc, f32, largestBits);
    auto constant = [&](float value) -> Value {
      return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value));
    };
    Value step = arith::MulFOp::create(b, loc, largest, constant(1.0f / 127));
    // Of a group that is all but zero, the inverse would overflow.
    Value usable = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGE,
                                         largest, constant(1e-30f));
    Value inverse = arith::DivFOp::create(b, loc, constant(127.0f), largest);
    inverse = arith::SelectOp::create(b, loc, usable, inverse, constant(0.0f));
    Value spread = broadcast(b, inverse);

    SmallVector<Value> quants;
    auto bytes = VectorType::get({lanes}, b.getI8Type());
    auto words = VectorType::get({lanes / 4}, i32);
    for (auto [i, part] : llvm::enumerate(parts)) {
      Value scaled = arith::MulFOp::create(b, loc, part, spread);
      Value rounded = math::RoundEvenOp::create(b, loc, scaled);
      Value quant = arith::FPToSIOp::create(b, loc, integers, rounded);
      quants.push_back(quant);
      Value narrow = arith::TruncIOp::create(b, loc, bytes, quant);
      Value packed = vector::BitCastOp::create(b, loc, words, narrow);
      Value column = add(b, scale(b, g, group / 4), i * lanes / 4);
      dests[0] = writeVector(b, packed, dests[0], ValueRange{row, column});
    }
    Value sum = reduceTree(b, quants, [&](Value lhs, Value rhs) -> Value {
      return arith::AddIOp::create(b, loc, lhs, rhs);
    });
    Value total =
        vector::ReductionOp::create(b, loc, vector::CombiningKind::ADD, sum);
    Value extra;
    if (mins) {
      Value number = arith::SIToFPOp::create(b, loc, f32, total);
      extra = arith::MulFOp::create(b, loc, number, step);
    } else {
      Value weight =
          arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(-zeroPoint));
      extra = arith::MulIOp::create(b, loc, total, weight);
    }
    SmallVector<Value> place = {row, g};
    dests[1] = tensor::InsertOp::create(b, loc, step, dests[1], place);
    dests[2] = tensor::InsertOp::create(b, loc, extra, dests[2], place);
    return dests;
  };

  auto loop = scf::ForOp::create(
      builder, loc, index(builder, 0), index(builder, rows), one, dests,
      [&](OpBuilder &b, Location, Value row, ValueRange outer) {
        auto inner = scf::ForOp::create(
            b, loc, index(b, 0), index(b, groups), index(b, 1), outer,
            [&](OpBuilder &c, Location, Value g, ValueRange carried) {
              scf::YieldOp::create(
                  c, loc, quantizeGroup(c, row, g, SmallVector<Value>(carried)));
            });
        scf::YieldOp::create(b, loc, inner.getResults());
      });
  inputQuants = loop.getResult(0);
  inputScales = loop.getResult(1);
  (mins ? groupSums : inputOffsets) = loop.getResult(2);
}

/// Quants per lane of a vector of packed bytes.
static int64_t quantsPerLane(int64_t bits) { return 32 / bits; }

/// The lanes of `packed` for quant `j` of each, as integers.
static Value unpackQuant(OpBuilder &builder, Location loc, Value packed,
                         int64_t bits, int64_t j) {
  auto type = cast<VectorType>(packed.getType());
  auto constant = [&](int32_t value) -> Value {
    return arith::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(type, builder.getI32IntegerAttr(value)));
  };
  // Byte j % 4; with 4 bits its low half belongs to the first four.
  int64_t shift = j % 4 * 8 + j / 4 * 4;
  if (shift != 0)
    packed = arith::ShRUIOp::create(builder, loc, packed, constant(shift));
  if (shift + bits == 32)
    return packed;
  return arith::AndIOp::create(builder, loc, packed,
                               constant((1 << bits) - 1));
}

/// A panel's weights as f32 `[K, panel]`.
Value PackedLinearEmitter::emitDequantizedPanel(OpBuilder &builder,
                                                Panel panel) {
  int64_t vectors = countVectors(panel), perLane = quantsPerLane(bits);
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
          steps.push_back(readFloats(b, scales, place));
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
                Value packed = vector::BitCastOp::create(c, loc, integers,
                                                         bytes);
                for (int64_t j = 0; j != perLane; ++j) {
                  Value quant = arith::SIToFPOp::create(
                      c, loc, floats, unpackQuant(c, loc, packed, bits, j));
                  Value weight =
                      multiplyAdd(c, quant, steps[v], offsets[v]);
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
                                        Value dest) {
  int64_t vectors = countVectors(panel), perLane = quantsPerLane(bits);
  constexpr int64_t chains = 4;
  Value zero = index(builder, 0);
  auto loop = scf::ForOp::create(
      builder, loc, zero, index(builder, reduction / group), index(builder, 1),
      emitInitial(builder, panel, 1),
      [&](OpBuilder &b, Location, Value g, ValueRange carried) {
        Value sum = broadcast(
            b, tensor::ExtractOp::create(b, loc, groupSums,
                                         ValueRange{index(b, 0), g}));
        Value start = splat(b, 0.0f);
        if (!mins)
          start = arith::MulFOp::create(b, loc, sum, splat(b, -zeroPoint));
        Vectors partial(vectors * chains, splat(b, 0.0f));
        std::fill_n(partial.begin(), vectors, start);
        for (int64_t i = 0; i != group / perLane; ++i) {
          Value word = add(b, scale(b, g, group / perLane), i);
          Vectors packed;
          for (int64_t v = 0; v != vectors; ++v) {
            Value bytes = readVector(
                b, values,
                ValueRange{panel.index, word, index(b, v * lanes * 4)},
                lanes * 4);
            packed.push_back(
                vector::BitCastOp::create(b, loc, integers, bytes));
          }
          for (int64_t j = 0; j != perLane; ++j) {
            Value k = add(b, scale(b, g, group), i * perLane + j);
            Value element = broadcast(
                b, tensor::ExtractOp::create(b, loc, input.tensor,
                                             at(b, input, index(b, 0), k)));
            for (int64_t v = 0; v != vectors; ++v) {
              Value quant = arith::SIToFPOp::create(
                  b, loc, floats, unpackQuant(b, loc, packed[v], bits, j));
              Value &acc = partial[j % chains * vectors + v];
              acc = multiplyAdd(b, element, quant, acc);
            }
          }
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
          Value acc = multiplyAdd(b, dot, readFloats(b, scales, place),
                                  carried[v]);
          if (mins)
            acc = multiplyAdd(b, sum, readFloats(b, mins, place), acc);
          next.push_back(acc);
        }
        scf::YieldOp::create(b, loc, next);
      });
  return emitStores(builder, panel, {zero, 1}, Vectors(loop.getResults()),
                    dest);
}

/// `acc` plus, in each 32-bit lane, four products of an unsigned byte of
/// `quants` with a signed one of `input`.
static Value emitDot(OpBuilder &builder, Location loc, Value acc, Value quants,
                     Value input) {
  auto type = cast<VectorType>(acc.getType());
  std::string name = "llvm.x86.avx512.vpdpbusd." +
                     std::to_string(type.getNumElements() * 32);
  return LLVM::CallIntrinsicOp::create(builder, loc, type,
                                       builder.getStringAttr(name),
                                       ValueRange{acc, quants, input})
      .getResult(0);
}

Value PackedLinearEmitter::emitIntegerRows(OpBuilder &builder, Panel panel,
                                           Rows rows, Value dest) {
  int64_t vectors = countVectors(panel), perLane = quantsPerLane(bits);
  auto bytes = VectorType::get({lanes * 4}, builder.getI8Type());
  auto loop = scf::ForOp::create(
      builder, loc, index(builder, 0), index(builder, reduction / group),
      index(builder, 1), emitInitial(builder, panel, rows.count),
      [&](OpBuilder &b, Location, Value g, ValueRange carried) {
        SmallVector<Value> rowIndex;
        Vectors dots;
        for (int64_t r = 0; r != rows.count; ++r) {
          rowIndex.push_back(add(b, rows.first, r));
          Value start = splatInt(b, 0);
          if (!mins)
            start = broadcast(b, tensor::ExtractOp::create(
                                     b, loc, inputOffsets,
                                     ValueRange{rowIndex.back(), g}));
          dots.append(vectors, start);
        }
        // Four neighbours along the reduction at a time.
        auto multiply = [&](Value quad, ArrayRef<Value> quants) {
          for (int64_t r = 0; r != rows.count; ++r) {
            Value four = tensor::ExtractOp::create(
                b, loc, inputQuants, ValueRange{rowIndex[r], quad});
            Value spread = vector::BitCastOp::create(b, loc, bytes,
                                                     broadcast(b, four));
            for (int64_t v = 0; v != vectors; ++v) {
              Value &dot = dots[r * vectors + v];
              dot = emitDot(b, loc, dot, quants[v], spread);
            }
          }
        };
        for (int64_t i = 0; i != group / perLane; ++i) {
          Value word = add(b, scale(b, g, group / perLane), i);
          Value quad = add(b, scale(b, g, group / 4), i * perLane / 4);
          Vectors low, high;
          for (int64_t v = 0; v != vectors; ++v) {
            Value packed = readVector(
                b, values,
                ValueRange{panel.index, word, index(b, v * lanes * 4)},
                lanes * 4);
            if (bits == 8) {
              low.push_back(packed);
              continue;
            }
            Value words = vector::BitCastOp::create(b, loc, integers, packed);
            Value mask = splatInt(b, 0x0f0f0f0f);
            Value shifted =
                arith::ShRUIOp::create(b, loc, words, splatInt(b, 4));
            for (auto [half, into] :
                 {std::pair<Value, Vectors *>(words, &low), {shifted, &high}}) {
              Value quants = arith::AndIOp::create(b, loc, half, mask);
              into->push_back(vector::BitCastOp::create(b, loc, bytes, quants));
            }
          }
          multiply(quad, low);
          if (bits == 4)
            multiply(add(b, quad, 1), high);
        }
        Vectors next, steps, offsets;
        for (int64_t v = 0; v != vectors; ++v) {
          SmallVector<Value> place = {panel.index, g, index(b, v * lanes)};
          steps.push_back(readFloats(b, scales, place));
          if (mins)
            offsets.push_back(readFloats(b, mins, place));
        }
        for (int64_t r = 0; r != rows.count; ++r) {
          SmallVector<Value> place = {rowIndex[r], g};
          auto spread = [&](Value tensor) {
            return broadcast(b, tensor::ExtractOp::create(b, loc, tensor,
                                                          place));
          };
          Value rowStep = spread(inputScales);
          Value rowSum = mins ? spread(groupSums) : Value();
          for (int64_t v = 0; v != vectors; ++v) {
            int64_t i = r * vectors + v;
            Value dot = arith::SIToFPOp::create(b, loc, floats, dots[i]);
            Value step = arith::MulFOp::create(b, loc, steps[v], rowStep);
            Value acc = multiplyAdd(b, dot, step, carried[i]);
            if (mins)
              acc = multiplyAdd(b, rowSum, offsets[v], acc);
            next.push_back(acc);
          }
        }
        scf::YieldOp::create(b, loc, next);
      });
  return emitStores(builder, panel, rows, Vectors(loop.getResults()), dest);
}
