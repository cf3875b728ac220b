//===- ProjectionOps.cpp - Linear maps and embeddings -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

/// Checks that `bias`, where given, is `[extent]`.
static LogicalResult verifyBias(Operation *op, Value bias, int64_t extent) {
  if (!bias)
    return success();
  auto type = cast<RankedTensorType>(bias.getType());
  if (type.getRank() != 1 || type.getDimSize(0) != extent)
    return op->emitOpError("has a bias of type ")
           << type << " for " << extent << " output features";
  return success();
}

/// Checks that `result` is `input` with the last axis replaced by `extent`.
static LogicalResult verifyLastAxisReplaced(Operation *op,
                                            RankedTensorType input,
                                            RankedTensorType result,
                                            int64_t extent) {
  SmallVector<int64_t> shape(input.getShape());
  shape.back() = extent;
  Type element = input.getElementType();
  // Products of quants and of pairs are summed in f32.
  auto packed = dyn_cast<PackedLinearOp>(op);
  if (packed && (packed.getInputScales() || packed.hasPairs()))
    element = Float32Type::get(op->getContext());
  auto expected = RankedTensorType::get(shape, element);
  if (result != expected)
    return op->emitOpError("has result type ")
           << result << ", expected " << expected;
  return success();
}

LogicalResult LinearOp::verify() {
  auto input = cast<RankedTensorType>(getInput().getType());
  auto weight = cast<RankedTensorType>(getWeight().getType());
  // linear_c1
  if (weight.getRank() != 2 || !weight.hasStaticShape())
    return emitOpError("has a weight of type ")
           << weight << ", expected a matrix [N, K]";
  if (input.getRank() < 1 || input.getShape().back() != weight.getDimSize(1))
    return emitOpError("has an input of type ")
           << input << " when the weight reads " << weight.getDimSize(1)
           << " features";
  // linear_c2
  if (failed(verifyLastAxisReplaced(
          *this, input, cast<RankedTensorType>(getResult().getType()),
          weight.getDimSize(0))))
    return failure();
  // linear_c3
  return verifyBias(*this, getBias(), weight.getDimSize(0));
}

int64_t PackedLinearOp::getPanel() {
  return cast<RankedTensorType>(getValues().getType()).getDimSize(2);
}

bool PackedLinearOp::hasPairs() {
  auto type = cast<RankedTensorType>(getValues().getType());
  return type.getRank() == 4 && type.getElementType().isBF16();
}

int64_t PackedLinearOp::getReduction() {
  auto type = cast<RankedTensorType>(getValues().getType());
  int64_t perEntry = getBits() == 8   ? 4
                     : getBits() == 4 ? 8
                     : hasPairs()     ? 2
                                      : 1;
  return type.getDimSize(1) * perEntry;
}

/// Verifies (C6) of `weir.packed_linear`.
static LogicalResult verifyQuantizedInput(PackedLinearOp op, bool quantized) {
  auto input = cast<RankedTensorType>(op.getInput().getType());
  bool isBytes = input.getElementType().isInteger(8);
  // packed_linear_c6
  if (isBytes != static_cast<bool>(op.getInputScales()) ||
      isBytes != static_cast<bool>(op.getInputSums()))
    return op.emitOpError("has an input of type ")
           << input << (isBytes ? " without" : " with")
           << " input scales and sums, expected them for inputs of i8 alone";
  if (!isBytes)
    return success();
  if (!quantized)
    return op.emitOpError("has an input of i8 and float values, expected "
                          "quants");
  SmallVector<int64_t> expected(input.getShape());
  expected.back() = op.getReduction() / op.getGroup();
  Builder builder(op.getContext());
  for (auto [part, element] :
       {std::pair<Value, Type>(op.getInputScales(), builder.getF32Type()),
        {op.getInputSums(), builder.getI32Type()}}) {
    auto type = RankedTensorType::get(expected, element);
    if (part.getType() != type)
      return op.emitOpError("has input scales or sums of type ")
             << part.getType() << ", expected " << type;
  }
  return success();
}

LogicalResult PackedLinearOp::verify() {
  auto input = cast<RankedTensorType>(getInput().getType());
  auto values = cast<RankedTensorType>(getValues().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  // packed_linear_c1
  bool quantized = isa<IntegerType>(values.getElementType());
  bool pairs = hasPairs();
  if (!quantized && values.getRank() != 3 &&
      !(pairs && values.getDimSize(3) == 2))
    return emitOpError("has values of type ")
           << values
           << ", expected [panels, K, panel] or [panels, K/2, panel, 2] of "
              "bf16";
  if (quantized && (values.getRank() != 4 || values.getShape().back() != 4 ||
                    !values.getElementType().isInteger(8) ||
                    (getBits() != 4 && getBits() != 8)))
    return emitOpError("has ") << getBits() << "-bit values of type " << values
                               << ", expected [panels, K/n, panel, 4] of i8";
  if (ShapedType::isDynamicShape(values.getShape().drop_front()))
    return emitOpError("has values of type ")
           << values << ", expected static extents behind the panels";
  if (input.getRank() < 1 || input.getShape().back() != getReduction())
    return emitOpError("has an input of type ")
           << input << " when the weight reads " << getReduction()
           << " features";
  // packed_linear_c2
  if (quantized != static_cast<bool>(getScales()))
    return emitOpError(quantized ? "has quants but no scales"
                                 : "has scales but float values");
  int64_t group = getGroup();
  if (quantized && (group <= 0 || getReduction() % group))
    return emitOpError("has groups of ")
           << group << " quants, expected a positive count that divides the "
           << getReduction() << " features the weight reads";
  for (Value part : {getScales(), getMins()}) {
    if (!part)
      continue;
    if (!quantized)
      return emitOpError("has mins but float values");
    SmallVector<int64_t> expected = {values.getDimSize(0),
                                     getReduction() / group, getPanel()};
    if (cast<RankedTensorType>(part.getType()).getShape() !=
        ArrayRef<int64_t>(expected))
      return emitOpError("has scales or mins of type ")
             << part.getType() << ", expected [panels, K/group, panel]";
    Type element = getElementTypeOrSelf(part);
    if (!isa<FloatType>(element) &&
        !(part == getScales() && element.isInteger(8)))
      return emitOpError("has ")
             << (part == getScales() ? "scales" : "mins") << " of " << element
             << ", expected floats"
             << (part == getScales() ? " or exponents of i8" : "");
  }
  // packed_linear_c8
  if (getCode() == PackCode::E2M1 &&
      (!quantized || getBits() != 4 || getMins()))
    return emitOpError("has the code e2m1 with ")
           << getBits() << " bits" << (getMins() ? " and mins" : "")
           << ", expected quants of 4 bits without mins";
  bool hasExponents =
      getScales() && getElementTypeOrSelf(getScales()).isInteger(8);
  if (getCode() == PackCode::E4M3 &&
      (!quantized || getBits() != 8 || getMins() || getInputScales() ||
       hasExponents))
    return emitOpError("has the code e4m3 with ")
           << getBits() << " bits" << (getMins() ? " and mins" : "")
           << (getInputScales() ? " and quantised inputs" : "")
           << (hasExponents ? " and exponents" : "")
           << ", expected quants of 8 bits with scales and inputs of floats, "
              "without mins";
  // packed_linear_c3
  int64_t features = result.getRank() ? result.getShape().back() : 0;
  if (!ShapedType::isDynamic(features) && !values.isDynamicDim(0)) {
    int64_t padded = values.getDimSize(0) * getPanel();
    if (features > padded || features <= padded - getPanel())
      return emitOpError("has ")
             << features << " output features in " << values.getDimSize(0)
             << " panels of " << getPanel();
  }
  // packed_linear_c7
  if (pairs && !input.getElementType().isBF16())
    return emitOpError("has an input of type ")
           << input << " and pairs of bf16, expected an input of bf16";
  // packed_linear_c6
  if (failed(verifyQuantizedInput(*this, quantized)) ||
      failed(verifyLastAxisReplaced(*this, input, result, features)))
    return failure();
  // packed_linear_c4
  if (failed(verifyBias(*this, getBias(), features)))
    return failure();
  // packed_linear_c5
  if (getInit() && getInit().getType() != result)
    return emitOpError("has outs of type ")
           << getInit().getType() << ", expected the result's " << result;
  if (!getInit() && ShapedType::isDynamic(features))
    return emitOpError("has a dynamic last axis, expected outs that have it");
  return success();
}

void QuantizeOp::build(OpBuilder &builder, OperationState &state, Value input,
                       int64_t group) {
  auto type = cast<RankedTensorType>(input.getType());
  SmallVector<int64_t> groups(type.getShape());
  groups.back() /= group;
  build(builder, state, type.clone(builder.getI8Type()),
        RankedTensorType::get(groups, builder.getF32Type()),
        RankedTensorType::get(groups, builder.getI32Type()), input, group);
}

LogicalResult QuantizeOp::verify() {
  auto type = cast<RankedTensorType>(getInput().getType());
  int64_t group = getGroup();
  // quantize_c1
  if (!type.getElementType().isF32() || type.getRank() < 1 ||
      ShapedType::isDynamic(type.getShape().back()) || group < 1 ||
      type.getShape().back() % group != 0)
    return emitOpError("has an input of type ")
           << type << " in groups of " << group
           << ", expected f32 with a last axis of whole groups";
  // quantize_c2
  SmallVector<int64_t> groups(type.getShape());
  groups.back() /= group;
  Builder builder(getContext());
  for (auto [result, shape, element] :
       {std::tuple<Value, ArrayRef<int64_t>, Type>(getQuants(), type.getShape(),
                                                   builder.getI8Type()),
        {getScales(), groups, builder.getF32Type()},
        {getSums(), groups, builder.getI32Type()}}) {
    auto expected = RankedTensorType::get(shape, element);
    if (result.getType() != expected)
      return emitOpError("has a result of type ")
             << result.getType() << ", expected " << expected;
  }
  return success();
}

LogicalResult EmbeddingOp::verify() {
  auto ids = cast<RankedTensorType>(getIds().getType());
  auto table = cast<RankedTensorType>(getTable().getType());
  // embedding_c1
  if (!ids.getElementType().isSignlessInteger())
    return emitOpError("looks up by ") << ids << ", expected integers";
  if (table.getRank() != 2)
    return emitOpError("has a table of type ") << table << ", expected [V, D]";
  // embedding_c2
  SmallVector<int64_t> shape(ids.getShape());
  shape.push_back(table.getDimSize(1));
  auto result = cast<RankedTensorType>(getResult().getType());
  if (result.getShape() != ArrayRef<int64_t>(shape))
    return emitOpError("has result type ")
           << result << ", expected "
           << RankedTensorType::get(shape, result.getElementType());
  return success();
}
