//===- CostModels.cpp - What the ops of the dialect cost --------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attached from outside, so that the ops' own files stay with their meaning. An
// op defined elsewhere implements CostInterface itself.
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/TypeUtilities.h"
#include "weir/IR/Cost.h"
#include "weir/IR/Weir.h"
#include <cmath>

using namespace mlir;
using namespace weir;

#include "weir/IR/WeirCostInterface.cpp.inc"

double weir::getElements(Type type, const CostPoint &point) {
  double elements = 1;
  auto shaped = dyn_cast<ShapedType>(type);
  if (!shaped || !shaped.hasRank())
    return elements;
  for (auto [axis, extent] : llvm::enumerate(shaped.getShape())) {
    if (!ShapedType::isDynamic(extent))
      elements *= static_cast<double>(extent);
    else if (axis == BatchAxis)
      elements *= static_cast<double>(point.batch);
    else if (axis == TimeAxis)
      elements *= static_cast<double>(point.time);
  }
  return elements;
}

double weir::getBytes(Type type, const CostPoint &point) {
  Type element = getElementTypeOrSelf(type);
  double bits = element.isIntOrFloat() ? element.getIntOrFloatBitWidth() : 64;
  return getElements(type, point) * bits / 8;
}

double weir::getWeightOperandBytes(Operation *op) {
  double bytes = 0;
  for (Value operand : op->getOperands())
    if (operand.getDefiningOp<WeightOp>())
      bytes += getBytes(operand.getType(), {});
  return bytes;
}

/// The extent of `axis` of `value`, counted from the back when negative; 1 when
/// it is dynamic.
static double getExtent(Value value, int axis) {
  ArrayRef<int64_t> shape = cast<ShapedType>(value.getType()).getShape();
  int64_t index = axis < 0 ? static_cast<int64_t>(shape.size()) + axis : axis;
  if (index < 0 || index >= static_cast<int64_t>(shape.size()) ||
      ShapedType::isDynamic(shape[index]))
    return 1;
  return static_cast<double>(shape[index]);
}

/// The same as text, "?" when it is dynamic.
static std::string describeExtent(Value value, int axis) {
  ArrayRef<int64_t> shape = cast<ShapedType>(value.getType()).getShape();
  int64_t index = axis < 0 ? static_cast<int64_t>(shape.size()) + axis : axis;
  if (index < 0 || index >= static_cast<int64_t>(shape.size()) ||
      ShapedType::isDynamic(shape[index]))
    return "?";
  return std::to_string(shape[index]);
}

namespace {
/// A matrix product: a multiplication and an addition for each weight and row.
template <typename Op>
struct ProductCost : CostInterface::ExternalModel<ProductCost<Op>, Op> {
  OpCost getCost(Operation *op, const CostPoint &point) const {
    auto product = cast<Op>(op);
    double inner = getExtent(product.getInput(), -1);
    double elements = getElements(product.getResult().getType(), point);
    double bias = product.getBias() ? elements : 0;
    return {2 * inner * elements + bias, getWeightOperandBytes(op), 0};
  }
  std::string describeShape(Operation *op) const {
    auto product = cast<Op>(op);
    return describeExtent(product.getInput(), -1) + " -> " +
           describeExtent(product.getResult(), -1);
  }
};

/// An op that takes a fixed number of steps for each element.
template <typename Op, int FlopsPerElement>
struct ElementwiseCost
    : CostInterface::ExternalModel<ElementwiseCost<Op, FlopsPerElement>, Op> {
  OpCost getCost(Operation *op, const CostPoint &point) const {
    return {FlopsPerElement * getElements(op->getResult(0).getType(), point),
            getWeightOperandBytes(op), 0};
  }
  std::string describeShape(Operation *op) const {
    return describeExtent(op->getResult(0), -1);
  }
};

/// A row of the table for each token.
struct EmbeddingCost
    : CostInterface::ExternalModel<EmbeddingCost, EmbeddingOp> {
  OpCost getCost(Operation *op, const CostPoint &point) const {
    auto embedding = cast<EmbeddingOp>(op);
    Type element = getElementTypeOrSelf(embedding.getTable().getType());
    auto rows = RankedTensorType::get(
        cast<ShapedType>(embedding.getResult().getType()).getShape(), element);
    return {0, getBytes(rows, point), 0};
  }
  std::string describeShape(Operation *op) const {
    Value table = cast<EmbeddingOp>(op).getTable();
    return describeExtent(table, 0) + " x " + describeExtent(table, 1);
  }
};

struct AttentionCost
    : CostInterface::ExternalModel<AttentionCost, AttentionOp> {
  OpCost getCost(Operation *op, const CostPoint &point) const {
    auto attention = cast<AttentionOp>(op);
    auto query = cast<ShapedType>(attention.getQuery().getType());
    int64_t time =
        query.isDynamicDim(TimeAxis) ? point.time : query.getDimSize(TimeAxis);
    double rows = query.isDynamicDim(BatchAxis)
                      ? static_cast<double>(point.batch)
                      : static_cast<double>(query.getDimSize(BatchAxis));
    double heads = getExtent(attention.getQuery(), 2);
    double features = getExtent(attention.getQuery(), 3);
    double outputs = getExtent(attention.getValue(), 3);
    MaskReach reach = attention.getReach();

    // Pairs of a query and a key it sees, and keys that some query sees.
    double pairs = 0;
    int64_t total = point.context + time, first = total;
    for (int64_t i = 0; i < time; ++i) {
      int64_t position = point.context + i;
      int64_t from = reach.behind ? position - *reach.behind : 0;
      int64_t to = reach.ahead ? position + *reach.ahead + 1 : total;
      from = std::max<int64_t>(from, 0);
      int64_t seen = std::max<int64_t>(std::min(to, total) - from, 0);
      // A list names no more than its entries.
      if (Value list = attention.getBlockList())
        seen =
            std::min(seen, cast<ShapedType>(list.getType()).getDimSize(3) *
                               static_cast<int64_t>(attention.getBlockSize()));
      pairs += seen;
      first = std::min(first, from);
    }
    OpCost cost;
    // Score and sum over values; scale, maximum, exp and sum of the softmax.
    cost.flops = rows * heads * pairs * (2 * features + 2 * outputs + 4);
    // What a position takes of a query, and the query without it.
    if (attention.getPathKey())
      cost.flops += rows * heads * pairs * 4 * features;
    // With an offset, keys and values are those of the state.
    double keys = std::min(static_cast<double>(total - first), pairs);
    double stored = features * (attention.getPathKey() ? 2 : 1) + outputs;
    if (attention.getOffset())
      cost.stateBytes = rows * keys * getExtent(attention.getValue(), 2) *
                        stored * query.getElementTypeBitWidth() / 8;
    return cost;
  }
  std::string describeShape(Operation *op) const {
    auto attention = cast<AttentionOp>(op);
    std::string heads = describeExtent(attention.getQuery(), 2);
    std::string groups = describeExtent(attention.getKey(), 2);
    std::string text = heads == groups ? heads : heads + ":" + groups;
    text += " heads x " + describeExtent(attention.getQuery(), 3) + ", ";
    llvm::raw_string_ostream os(text);
    attention.getMask().getExpression().printMask(os);
    return text;
  }
};

/// Pairs of a token and an earlier one.
struct DeltaValuesCost
    : CostInterface::ExternalModel<DeltaValuesCost, DeltaValuesOp> {
  OpCost getCost(Operation *op, const CostPoint &point) const {
    auto delta = cast<DeltaValuesOp>(op);
    auto query = cast<ShapedType>(delta.getQuery().getType());
    double features = static_cast<double>(delta.getKeyDim());
    double outputs = static_cast<double>(delta.getValueDim());
    double heads = static_cast<double>(delta.getHeads());
    double tokens = getElements(delta.getBeta().getType(), point) / heads;
    double time = query.isDynamicDim(TimeAxis)
                      ? static_cast<double>(point.time)
                      : static_cast<double>(query.getDimSize(TimeAxis));
    double context = static_cast<double>(point.context);
    double pairs = tokens * (context + (time - 1) / 2);
    OpCost cost;
    cost.flops = heads * pairs * (2 * features + 2 * outputs + 4) +
                 2 * tokens * heads * outputs;
    if (delta.getOffset())
      cost.stateBytes =
          tokens / time * context *
          (getExtent(delta.getKey(), 2) * features + heads * outputs) *
          query.getElementTypeBitWidth() / 8;
    return cost;
  }
  std::string describeShape(Operation *op) const {
    auto delta = cast<DeltaValuesOp>(op);
    std::string heads = describeExtent(delta.getQuery(), 2);
    if (delta.getGroupSize() > 1)
      heads += ":" + describeExtent(delta.getKey(), 2);
    return heads + " heads x " + std::to_string(delta.getKeyDim()) + " x " +
           std::to_string(delta.getValueDim());
  }
};

/// A product with one row of each block, and for each bit of a score a
/// comparison.
struct SelectBlocksCost
    : CostInterface::ExternalModel<SelectBlocksCost, SelectBlocksOp> {
  OpCost getCost(Operation *op, const CostPoint &point) const {
    auto select = cast<SelectBlocksOp>(op);
    auto query = cast<ShapedType>(select.getQuery().getType());
    double heads = getExtent(select.getQuery(), 2);
    double features = getExtent(select.getQuery(), 3);
    double size = static_cast<double>(select.getBlockSize());
    double queries =
        getElements(select.getQuery().getType(), point) / (heads * features);
    double time = query.isDynamicDim(TimeAxis)
                      ? static_cast<double>(point.time)
                      : static_cast<double>(query.getDimSize(TimeAxis));
    double blocks =
        (static_cast<double>(point.context) + (time + 1) / 2) / size;
    double lists = static_cast<double>(select.getListCount());
    double perScore = select.getScore() == SelectScore::Softmax ? 8 : 2;
    // Keys that stand for a block.
    double rows = select.getPool() == SelectPool::Max ? size : 1;
    OpCost cost;
    cost.flops = queries * blocks *
                 (heads * (2 * rows * features + perScore) + 32 * lists);
    if (select.getOffset())
      cost.stateBytes = queries / time * blocks * rows *
                        getExtent(select.getKey(), 2) * features *
                        query.getElementTypeBitWidth() / 8;
    return cost;
  }
  std::string describeShape(Operation *op) const {
    auto select = cast<SelectBlocksOp>(op);
    return describeExtent(select.getQuery(), 2) + " heads x " +
           describeExtent(select.getQuery(), 3) + ", the best " +
           std::to_string(select.getCount()) + " blocks of " +
           std::to_string(select.getBlockSize());
  }
};

/// Per token and head, products with a matrix of key by value features.
struct RecurrenceCost
    : CostInterface::ExternalModel<RecurrenceCost, RecurrenceOp> {
  OpCost getCost(Operation *op, const CostPoint &point) const {
    auto recurrence = cast<RecurrenceOp>(op);
    double matrix = static_cast<double>(recurrence.getKeyDim()) *
                    static_cast<double>(recurrence.getValueDim());
    // A multiplication and an addition each: what is read by the query, what
    // an update adds, and what a correction reads and perhaps adds.
    double updates = 2;
    if (recurrence.hasCorrection())
      updates += 2;
    if (recurrence.getWriteKey())
      updates += 2;
    double flops = 2 + (recurrence.getDecay() ? 1 : 0) +
                   updates * static_cast<double>(recurrence.getUpdates());
    double tokens = getElements(recurrence.getResult().getType(), point) /
                    static_cast<double>(recurrence.getValueDim());
    OpCost cost{tokens * matrix * flops, getWeightOperandBytes(op), 0};
    if (recurrence.getInit())
      cost.stateBytes =
          2 * getBytes(recurrence.getFinalState().getType(), point);
    return cost;
  }
  std::string describeShape(Operation *op) const {
    auto recurrence = cast<RecurrenceOp>(op);
    std::string text = std::to_string(recurrence.getHeads());
    if (recurrence.getHeads() != recurrence.getKeyHeads())
      text += ":" + std::to_string(recurrence.getKeyHeads());
    text += " heads x " + std::to_string(recurrence.getKeyDim()) + " x " +
            std::to_string(recurrence.getValueDim());
    if (recurrence.getDecay())
      text += recurrence.hasChannelDecay() ? ", decay by channel"
                                           : ", decay by head";
    if (recurrence.getBeta())
      text += ", delta";
    if (recurrence.getWriteKey())
      text += ", rank one";
    return text;
  }
};

/// A window of inputs for each result.
struct CausalConvCost
    : CostInterface::ExternalModel<CausalConvCost, CausalConvOp> {
  OpCost getCost(Operation *op, const CostPoint &point) const {
    auto conv = cast<CausalConvOp>(op);
    OpCost cost{2 * getExtent(conv.getWeight(), 1) *
                    getElements(conv.getResult().getType(), point),
                getWeightOperandBytes(op), 0};
    if (conv.getInit())
      cost.stateBytes = 2 * getBytes(conv.getTail().getType(), point);
    return cost;
  }
  std::string describeShape(Operation *op) const {
    Value weight = cast<CausalConvOp>(op).getWeight();
    return describeExtent(weight, 0) + " x " + describeExtent(weight, 1);
  }
};

/// Scores of all experts, and two comparisons of each for each that is chosen.
struct RouteCost : CostInterface::ExternalModel<RouteCost, RouteOp> {
  OpCost getCost(Operation *op, const CostPoint &point) const {
    auto route = cast<RouteOp>(op);
    double score = route.getScore() == RouteScore::Raw ? 0 : 4;
    double flops = score + 2 * static_cast<double>(route.getTopK());
    return {flops * getElements(route.getLogits().getType(), point),
            getWeightOperandBytes(op), 0};
  }
  std::string describeShape(Operation *op) const {
    auto route = cast<RouteOp>(op);
    return std::to_string(route.getTopK()) + " of " +
           describeExtent(route.getLogits(), -1);
  }
};

/// The body's products for each row, and the weights of the experts that are
/// chosen: of n tokens that choose evenly, an expert is missed by all with the
/// probability (1 - k / E)^n.
struct ExpertsCost : CostInterface::ExternalModel<ExpertsCost, ExpertsOp> {
  OpCost getCost(Operation *op, const CostPoint &point) const {
    auto experts = cast<ExpertsOp>(op);
    double slots = static_cast<double>(experts.getSlotCount());
    double count = static_cast<double>(experts.getExpertCount());
    double pairs = getElements(experts.getIndices().getType(), point);
    OpCost cost;
    CostPoint rows;
    rows.batch = std::llround(pairs);
    for (Operation &inner : experts.getBody().front())
      if (auto product = dyn_cast<CostInterface>(inner))
        cost += product.getCost(rows);
    cost.flops += 2 * pairs * getExtent(experts.getResult(), -1);
    double missed =
        slots < count ? std::pow(1 - slots / count, pairs / slots) : 0;
    cost.weightBytes += getWeightOperandBytes(op) * (1 - missed);
    return cost;
  }
  std::string describeShape(Operation *op) const {
    auto experts = cast<ExpertsOp>(op);
    return std::to_string(experts.getSlotCount()) + " of " +
           std::to_string(experts.getExpertCount()) + ", " +
           describeExtent(experts.getInput(), -1) + " -> " +
           describeExtent(experts.getResult(), -1);
  }
};

/// What is written to the state.
struct AppendCost : CostInterface::ExternalModel<AppendCost, AppendOp> {
  OpCost getCost(Operation *op, const CostPoint &point) const {
    return {0, 0, getBytes(cast<AppendOp>(op).getBlock().getType(), point)};
  }
  std::string describeShape(Operation *op) const {
    auto block = cast<ShapedType>(cast<AppendOp>(op).getBlock().getType());
    std::string text;
    llvm::raw_string_ostream os(text);
    llvm::interleave(block.getShape().drop_front(2), os, " x ");
    return text;
  }
};
} // namespace

void weir::attachCostModels(MLIRContext *context) {
  LinearOp::attachInterface<ProductCost<LinearOp>>(*context);
  PackedLinearOp::attachInterface<ProductCost<PackedLinearOp>>(*context);
  EmbeddingOp::attachInterface<EmbeddingCost>(*context);
  AttentionOp::attachInterface<AttentionCost>(*context);
  DeltaValuesOp::attachInterface<DeltaValuesCost>(*context);
  SelectBlocksOp::attachInterface<SelectBlocksCost>(*context);
  AppendOp::attachInterface<AppendCost>(*context);
  RouteOp::attachInterface<RouteCost>(*context);
  // A comparison and a sum for each bit of scores and of positions.
  ChooseTokensOp::attachInterface<ElementwiseCost<ChooseTokensOp, 128>>(
      *context);
  ExpertsOp::attachInterface<ExpertsCost>(*context);
  RecurrenceOp::attachInterface<RecurrenceCost>(*context);
  CausalConvOp::attachInterface<CausalConvCost>(*context);
  // Square, sum, scale, weight; and the mean, its difference and the bias.
  RMSNormOp::attachInterface<ElementwiseCost<RMSNormOp, 4>>(*context);
  LayerNormOp::attachInterface<ElementwiseCost<LayerNormOp, 7>>(*context);
  // Integers, constants, and rows that are picked.
  PositionsOp::attachInterface<ElementwiseCost<PositionsOp, 0>>(*context);
  RopeFrequenciesOp::attachInterface<ElementwiseCost<RopeFrequenciesOp, 0>>(
      *context);
  SelectLastOp::attachInterface<ElementwiseCost<SelectLastOp, 0>>(*context);
  ListTokensOp::attachInterface<ElementwiseCost<ListTokensOp, 0>>(*context);
  GatherTokensOp::attachInterface<ElementwiseCost<GatherTokensOp, 0>>(*context);
  LongestOp::attachInterface<ElementwiseCost<LongestOp, 0>>(*context);
  // Magnitude, maximum, quotient, rounding.
  QuantizeOp::attachInterface<ElementwiseCost<QuantizeOp, 4>>(*context);
  // Two products and a sum for each feature of a pair.
  RotaryOp::attachInterface<ElementwiseCost<RotaryOp, 3>>(*context);
}
