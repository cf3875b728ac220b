//===- QuantCodes.cpp - From packed quants to integers ----------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The numbers of e2m1 are halves of whole ones, 0 to 12 with either sign. So
// they are treated as quants of a byte whose zero point is 12, and half the
// scale: kernels need not know more of them. Where bytes can be looked up in a
// vector of sixteen, that is one instruction for all quants of a register.
//
// The numbers of e4m3 become floats by their bits. Exponent and fraction, put
// where f32 has them and 120 added to the exponent, are the number x, but for
// subnormals, which have no leading one. 2x - 2^-6 is right for these, whose x
// lies below 2^-6, and too large for all others: so it is the lesser of both,
// by magnitude, and no subnormal of f32, slow on many machines, occurs.
//
//===----------------------------------------------------------------------===//

#include "PackedLinearEmitter.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace weir;

std::pair<Value, Value> PackedLinearEmitter::splitHalves(OpBuilder &builder,
                                                         Value words) {
  Value mask = splatInt(builder, 0x0f0f0f0f);
  Value shifted =
      arith::ShRUIOp::create(builder, loc, words, splatInt(builder, 4));
  Value low = arith::AndIOp::create(builder, loc, words, mask);
  Value high = arith::AndIOp::create(builder, loc, shifted, mask);
  if (op.getCode() == PackCode::E2M1)
    return {decodeE2M1(builder, low), decodeE2M1(builder, high)};
  return {low, high};
}

Value PackedLinearEmitter::decodeE2M1(OpBuilder &builder, Value words) {
  if (target.hasByteShuffle) {
    auto bytes = VectorType::get({lanes * 4}, builder.getI8Type());
    // Each 16 bytes of a register are looked up among their own.
    SmallVector<int8_t> table;
    for (int64_t i = 0; i != lanes * 4; ++i) {
      int8_t size = DoubledE2M1[i % 8];
      table.push_back(LargestDoubledE2M1 + (i % 16 < 8 ? size : -size));
    }
    Value numbers = arith::ConstantOp::create(
        builder, loc, DenseElementsAttr::get(bytes, ArrayRef<int8_t>(table)));
    StringRef name = target.vectorBits == 512   ? "llvm.x86.avx512.pshuf.b.512"
                     : target.vectorBits == 256 ? "llvm.x86.avx2.pshuf.b"
                                                : "llvm.x86.ssse3.pshuf.b.128";
    Value places = vector::BitCastOp::create(builder, loc, bytes, words);
    Value found = LLVM::CallIntrinsicOp::create(builder, loc, bytes,
                                                builder.getStringAttr(name),
                                                ValueRange{numbers, places})
                      .getResult(0);
    return vector::BitCastOp::create(builder, loc, integers, found);
  }
  // By bits of all bytes at once: no sum leaves its byte.
  auto both = [&](auto create, Value lhs, uint32_t rhs) -> Value {
    return create(lhs, splatInt(builder, static_cast<int32_t>(rhs)));
  };
  auto land = [&](Value lhs, Value rhs) -> Value {
    return arith::AndIOp::create(builder, loc, lhs, rhs);
  };
  auto sum = [&](Value lhs, Value rhs) -> Value {
    return arith::AddIOp::create(builder, loc, lhs, rhs);
  };
  auto shiftDown = [&](Value lhs, Value rhs) -> Value {
    return arith::ShRUIOp::create(builder, loc, lhs, rhs);
  };
  // Four bits set where bit `at` of a byte is.
  auto spreadBit = [&](unsigned at) -> Value {
    Value bit = both(land, both(shiftDown, words, at), 0x01010101);
    return arith::MulIOp::create(builder, loc, bit, splatInt(builder, 15));
  };
  // Up to 3 a number is its last bits; from 4 on, whose last bits y are 0 to 3,
  // 4 + 2 * y, and 2 more for the last.
  Value low = both(land, words, 0x03030303);
  Value isLast = land(both(land, low, 0x01010101), both(shiftDown, low, 1));
  Value more = sum(both(sum, low, 0x04040404), sum(isLast, isLast));
  Value size = sum(low, land(more, spreadBit(2)));
  Value negative = land(size, spreadBit(3));
  Value shifted = both(sum, size, LargestDoubledE2M1 * 0x01010101);
  return arith::SubIOp::create(builder, loc, shifted, sum(negative, negative));
}

PackedLinearEmitter::Vectors
PackedLinearEmitter::unpackQuants(OpBuilder &builder, Value words) {
  Vectors quants;
  auto take = [&](Value from, int64_t shift, int64_t width) {
    if (shift != 0)
      from =
          arith::ShRUIOp::create(builder, loc, from, splatInt(builder, shift));
    if (shift + width != 32)
      from = arith::AndIOp::create(builder, loc, from,
                                   splatInt(builder, (1 << width) - 1));
    quants.push_back(from);
  };
  if (op.getCode() == PackCode::E2M1) {
    auto [low, high] = splitHalves(builder, words);
    for (Value half : {low, high})
      for (int64_t byte = 0; byte != 4; ++byte)
        take(half, byte * 8, 8);
    return quants;
  }
  // Byte j % 4; with 4 bits its low half belongs to the first four.
  for (int64_t j = 0; j != 32 / bits; ++j)
    take(words, j % 4 * 8 + j / 4 * 4, bits);
  return quants;
}

PackedLinearEmitter::Vectors
PackedLinearEmitter::unpackFloats(OpBuilder &builder, Value words) {
  Vectors numbers;
  if (op.getCode() != PackCode::E4M3) {
    for (Value quant : unpackQuants(builder, words))
      numbers.push_back(arith::SIToFPOp::create(builder, loc, floats, quant));
    return numbers;
  }
  auto constant = [&](uint32_t bits) {
    return splatInt(builder, static_cast<int32_t>(bits));
  };
  Value two = splat(builder, 2.0f);
  for (int64_t byte = 0; byte != 4; ++byte) {
    Value top = words;
    if (byte != 3)
      top = arith::ShLIOp::create(builder, loc, words,
                                  splatInt(builder, 24 - byte * 8));
    // The sign stays in front of what moves down by the four bits of exponent
    // that f32 has more.
    Value bits =
        arith::ShRSIOp::create(builder, loc, top, splatInt(builder, 4));
    bits = arith::AndIOp::create(builder, loc, bits, constant(0x87f00000));
    bits = arith::AddIOp::create(builder, loc, bits, constant(120u << 23));
    // 2^-6 with the other sign.
    Value sign = arith::AndIOp::create(builder, loc, top, constant(0x80000000));
    Value less = arith::XOrIOp::create(builder, loc, sign,
                                       constant(0x80000000 | (127u - 6) << 23));
    Value subnormal = multiplyAdd(
        builder, vector::BitCastOp::create(builder, loc, floats, bits), two,
        vector::BitCastOp::create(builder, loc, floats, less));
    Value least = arith::MinUIOp::create(
        builder, loc, bits,
        vector::BitCastOp::create(builder, loc, integers, subnormal));
    numbers.push_back(vector::BitCastOp::create(builder, loc, floats, least));
  }
  return numbers;
}

Value PackedLinearEmitter::readScales(OpBuilder &builder, ValueRange at) {
  Value factors;
  if (getElementTypeOrSelf(scales.getType()).isInteger(8)) {
    Value exponents = arith::ExtUIOp::create(
        builder, loc, integers, readVector(builder, scales, at, lanes));
    Value shifted =
        arith::ShLIOp::create(builder, loc, exponents, splatInt(builder, 23));
    factors = vector::BitCastOp::create(builder, loc, floats, shifted);
  } else {
    factors = readFloats(builder, scales, at);
  }
  if (op.getCode() != PackCode::E2M1)
    return factors;
  return arith::MulFOp::create(builder, loc, factors, splat(builder, 0.5f));
}
