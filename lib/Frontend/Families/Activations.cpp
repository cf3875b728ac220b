//===- Activations.cpp - Element by element -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "weir/Frontend/ModelBuilder.h"
#include <cmath>

using namespace mlir;
using namespace weir;

//===----------------------------------------------------------------------===//
// Activations
//===----------------------------------------------------------------------===//

namespace {

/// Arithmetic on one number.
struct Scalar {
  OpBuilder &builder;
  Location loc;
  Value x;

  Value constant(double value) {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getFloatAttr(x.getType(), value));
  }
  Value add(Value a, Value b) {
    return arith::AddFOp::create(builder, loc, a, b);
  }
  Value sub(Value a, Value b) {
    return arith::SubFOp::create(builder, loc, a, b);
  }
  Value mul(Value a, Value b) {
    return arith::MulFOp::create(builder, loc, a, b);
  }
  Value div(Value a, Value b) {
    return arith::DivFOp::create(builder, loc, a, b);
  }
  Value tanh(Value a) { return math::TanhOp::create(builder, loc, a); }
  Value max(Value a, Value b) {
    return arith::MaximumFOp::create(builder, loc, a, b);
  }
  Value min(Value a, Value b) {
    return arith::MinimumFOp::create(builder, loc, a, b);
  }
  Value clamp(double low, double high, Value a) {
    return min(max(a, constant(low)), constant(high));
  }
  /// 1 + exp(-factor * x), the denominator of a sigmoid.
  Value logisticDenominator(double factor) {
    Value scaled = mul(constant(-factor), x);
    return add(constant(1), math::ExpOp::create(builder, loc, scaled));
  }
  /// log(1 + exp(x)), without overflow.
  Value softplus() {
    Value size = math::AbsFOp::create(builder, loc, x);
    Value small = math::ExpOp::create(
        builder, loc, arith::NegFOp::create(builder, loc, size));
    Value tail = math::Log1pOp::create(builder, loc, small);
    return add(max(x, constant(0)), tail);
  }
};

using ActivationFn = Value (*)(Scalar &);

/// Hendrycks and Gimpel, arXiv:1606.08415: x times the normal distribution.
Value buildGelu(Scalar &s) {
  Value scaled = s.mul(s.x, s.constant(0.70710678118654752440));
  Value erf = math::ErfOp::create(s.builder, s.loc, scaled);
  return s.mul(s.mul(s.constant(0.5), s.x), s.add(s.constant(1), erf));
}

/// The approximation by tanh in the same paper.
Value buildGeluTanh(Scalar &s) {
  Value cube = s.mul(s.mul(s.x, s.x), s.x);
  Value inner = s.add(s.x, s.mul(s.constant(0.044715), cube));
  Value bent = s.tanh(s.mul(s.constant(0.79788456080286535588), inner));
  return s.mul(s.mul(s.constant(0.5), s.x), s.add(s.constant(1), bent));
}

/// A name of transformers' table, and what it means.
struct NamedActivation {
  StringLiteral name;
  ActivationFn build;
};

} // namespace

static constexpr NamedActivation activations[] = {
    {"gelu", buildGelu},
    {"gelu_10", [](Scalar &s) { return s.clamp(-10, 10, buildGelu(s)); }},
    {"gelu_accurate", buildGeluTanh},
    {"gelu_fast", buildGeluTanh},
    {"gelu_new", buildGeluTanh},
    {"gelu_python", buildGelu},
    {"gelu_python_tanh", buildGeluTanh},
    {"gelu_pytorch_tanh", buildGeluTanh},
    {"hardswish",
     [](Scalar &s) {
       Value ramp = s.clamp(0, 6, s.add(s.x, s.constant(3)));
       return s.div(s.mul(s.x, ramp), s.constant(6));
     }},
    // arXiv:2209.10655: close to `relu2`, but bounded.
    {"laplace",
     [](Scalar &s) {
       Value shifted = s.sub(s.x, s.constant(0.707107));
       Value scaled = s.div(shifted, s.constant(0.282095 * std::sqrt(2.0)));
       Value erf = math::ErfOp::create(s.builder, s.loc, scaled);
       return s.mul(s.constant(0.5), s.add(s.constant(1), erf));
     }},
    {"leaky_relu",
     [](Scalar &s) { return s.max(s.x, s.mul(s.constant(0.01), s.x)); }},
    {"linear", [](Scalar &s) { return s.x; }},
    {"mish", [](Scalar &s) { return s.mul(s.x, s.tanh(s.softplus())); }},
    {"quick_gelu",
     [](Scalar &s) { return s.div(s.x, s.logisticDenominator(1.702)); }},
    {"relu", [](Scalar &s) { return s.max(s.x, s.constant(0)); }},
    {"relu2",
     [](Scalar &s) {
       Value positive = s.max(s.x, s.constant(0));
       return s.mul(positive, positive);
     }},
    {"relu6", [](Scalar &s) { return s.clamp(0, 6, s.x); }},
    {"sigmoid",
     [](Scalar &s) { return s.div(s.constant(1), s.logisticDenominator(1)); }},
    {"silu", [](Scalar &s) { return s.div(s.x, s.logisticDenominator(1)); }},
    {"sqrtsoftplus",
     [](Scalar &s) -> Value {
       return math::SqrtOp::create(s.builder, s.loc, s.softplus());
     }},
    {"swish", [](Scalar &s) { return s.div(s.x, s.logisticDenominator(1)); }},
    {"tanh", [](Scalar &s) { return s.tanh(s.x); }},
};

Value weir::buildActivation(OpBuilder &builder, Location loc, StringRef name,
                            Value input) {
  for (const NamedActivation &activation : activations)
    if (activation.name == name) {
      Scalar scalar{builder, loc, input};
      return activation.build(scalar);
    }
  return nullptr;
}

std::vector<StringRef> weir::getActivationNames() {
  std::vector<StringRef> names;
  for (const NamedActivation &activation : activations)
    names.push_back(activation.name);
  return names;
}

//===----------------------------------------------------------------------===//
// Maps
//===----------------------------------------------------------------------===//

Value ModelBuilder::map(ValueRange inputs, ElementFn element) {
  auto type = cast<RankedTensorType>(inputs.front().getType());
  int64_t rank = type.getRank();
  SmallVector<AffineMap> maps;
  for (Value input : inputs) {
    int64_t inputRank = cast<RankedTensorType>(input.getType()).getRank();
    maps.push_back(
        AffineMap::getMinorIdentityMap(rank, inputRank, &getContext()));
  }
  maps.push_back(builder.getMultiDimIdentityMap(rank));
  SmallVector<OpFoldResult> extents =
      tensor::getMixedSizes(builder, loc, inputs.front());
  Value empty =
      tensor::EmptyOp::create(builder, loc, extents, type.getElementType());
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  auto generic = linalg::GenericOp::create(
      builder, loc, TypeRange(type), inputs, ValueRange(empty), maps, loops,
      [&](OpBuilder &nested, Location at, ValueRange arguments) {
        Value result = element(nested, at, arguments.drop_back());
        linalg::YieldOp::create(nested, at, result);
      });
  return generic.getResult(0);
}

Value ModelBuilder::add(Value lhs, Value rhs) {
  return map({lhs, rhs}, [](OpBuilder &b, Location at, ValueRange in) -> Value {
    return arith::AddFOp::create(b, at, in[0], in[1]);
  });
}

Value ModelBuilder::mul(Value lhs, Value rhs) {
  return map({lhs, rhs}, [](OpBuilder &b, Location at, ValueRange in) -> Value {
    return arith::MulFOp::create(b, at, in[0], in[1]);
  });
}

Value ModelBuilder::chooseRows(Value numbers, Value set, Value other) {
  auto type = cast<RankedTensorType>(set.getType());
  AffineMap all = builder.getMultiDimIdentityMap(type.getRank());
  Value empty = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, set),
      type.getElementType());
  auto generic = linalg::GenericOp::create(
      builder, loc, TypeRange(type), ValueRange{numbers, set, other},
      ValueRange(empty),
      ArrayRef<AffineMap>{all.getMajorSubMap(2), all, all, all},
      SmallVector<utils::IteratorType>(type.getRank(),
                                       utils::IteratorType::parallel),
      [](OpBuilder &b, Location at, ValueRange in) {
        Value zero = arith::ConstantIntOp::create(b, at, 0, 32);
        Value isSet =
            arith::CmpIOp::create(b, at, arith::CmpIPredicate::ne, in[0], zero);
        Value row = arith::SelectOp::create(b, at, isSet, in[1], in[2]);
        linalg::YieldOp::create(b, at, row);
      });
  return generic.getResult(0);
}

Value ModelBuilder::scale(Value input, double factor) {
  if (factor == 1)
    return input;
  return map(input, [&](OpBuilder &b, Location at, ValueRange in) -> Value {
    Value constant = arith::ConstantOp::create(
        b, at, b.getFloatAttr(in[0].getType(), factor));
    return arith::MulFOp::create(b, at, in[0], constant);
  });
}

Value ModelBuilder::softCap(Value input, double cap) {
  return map(input, [&](OpBuilder &b, Location at, ValueRange in) -> Value {
    Value constant =
        arith::ConstantOp::create(b, at, b.getFloatAttr(in[0].getType(), cap));
    Value part = arith::DivFOp::create(b, at, in[0], constant);
    Value bent = math::TanhOp::create(b, at, part);
    return arith::MulFOp::create(b, at, constant, bent);
  });
}

Value ModelBuilder::activation(Value input, StringRef name, StringRef key) {
  std::vector<StringRef> names = getActivationNames();
  if (!llvm::is_contained(names, name)) {
    InFlightDiagnostic diagnostic =
        emitError(key) << "key '" << key << "' names the activation '" << name
                       << "', which is not supported; the known "
                          "ones are ";
    llvm::interleaveComma(names, diagnostic);
    return input;
  }
  return map(input, [&](OpBuilder &b, Location at, ValueRange in) {
    return buildActivation(b, at, name, in[0]);
  });
}
