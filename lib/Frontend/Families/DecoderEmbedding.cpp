//===- DecoderEmbedding.cpp - Tokens, positions and heads -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DecoderGraph.h"
#include "ScanBodies.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace weir;

void DecoderGraph::addInputs() {
  if (!keys.globalTokens.empty())
    globalTokens = b.addOptionalInput(keys.globalTokens);
  // A step has no such inputs.
  for (const TokenTable &table : config.tokenTables)
    tokenNumbers.push_back(
        config.causal ? Value() : b.addOptionalInput(table.input, table.rows));
}

/// A row of sinusoids for each of `rows` positions.
static std::vector<float> getSinusoids(int64_t rows, int64_t features) {
  std::vector<float> table;
  int64_t sines = (features + 1) / 2;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < features; ++i) {
      int64_t number = i < sines ? i : i - sines;
      double angle =
          row / std::pow(10000.0, 2.0 * number / static_cast<double>(features));
      table.push_back(i < sines ? std::sin(angle) : std::cos(angle));
    }
  return table;
}

/// Numbers of rows of positions, behind that of the token `padding`, which
/// others do not count.
static Value countTokens(ModelBuilder &b, Value ids, int64_t padding) {
  Type i32 = b.getBuilder().getI32Type();
  Value none = arith::ConstantOp::create(
      b.getBuilder(), b.getLoc(),
      DenseElementsAttr::get(RankedTensorType::get({1}, i32),
                             static_cast<int32_t>(padding)));
  auto step = [&](OpBuilder &n, Location l, ValueRange now,
                  ValueRange before) -> SmallVector<Value> {
    Value first = arith::ConstantIndexOp::create(n, l, 0);
    Value token = tensor::ExtractOp::create(n, l, now[0], ValueRange());
    Value last = tensor::ExtractOp::create(n, l, before[0], first);
    Value skipped = arith::ConstantIntOp::create(n, l, padding, 32);
    Value counts =
        arith::CmpIOp::create(n, l, arith::CmpIPredicate::ne, token, skipped);
    Value next = arith::AddIOp::create(
        n, l, last, arith::ConstantIntOp::create(n, l, 1, 32));
    Value count = arith::SelectOp::create(n, l, counts, next, last);
    Value number = arith::SelectOp::create(n, l, counts, count, skipped);
    Value output = tensor::FromElementsOp::create(
        n, l, RankedTensorType::get({}, n.getI32Type()), number);
    Value after = tensor::FromElementsOp::create(
        n, l, RankedTensorType::get({1}, n.getI32Type()), count);
    return {output, after};
  };
  return buildScan(b, ids, none, {SmallVector<int64_t>{}}, step).front();
}

Value DecoderGraph::buildPositions(Value ids) {
  int64_t features =
      config.projectsSum ? getTableFeatures() : int64_t(config.hidden);
  int64_t offset = config.positionOffset, rows = config.trainedLength;
  std::string key = keys.positions + ".weight";
  if (config.sinusoids && !b.hasTensor(key)) {
    Param table = b.constant(keys.positions, getSinusoids(rows, features),
                             {rows, features});
    return b.embedding(positions, b.read(table));
  }
  Param all = b.param(key, {rows + offset, features});
  if (config.skipsPadding)
    return b.embedding(countTokens(b, ids, offset - 1), b.read(all));
  if (offset != 0)
    all = b.slice(all, 0, offset, rows, "rows");
  return b.embedding(positions, b.read(all));
}

Value DecoderGraph::readTable(const TokenTable &table, Value numbers) {
  int64_t features =
      config.projectsSum ? getTableFeatures() : int64_t(config.hidden);
  Param all = b.param(table.key + ".weight", {table.rows, features});
  if (numbers)
    return b.embedding(numbers, b.read(all));
  return b.read(b.reshape(b.slice(all, 0, 0, 1, "first"), {features}));
}

Value DecoderGraph::buildEmbedding(Value ids, const std::string &table) {
  b.setScope(keys.embed);
  if (config.prepareAttention)
    changeAttention = config.prepareAttention(ids);
  Value x = b.embedding(ids, table, config.vocabSize, getTableFeatures());
  x = b.scale(x, config.embeddingScale);
  if (!keys.projectIn.empty() && !config.projectsSum)
    x = b.linear(x, keys.projectIn, config.hidden);
  if (config.normsTokens)
    x = buildNorm(x, keys.embedNorm);
  positions = b.positions(ids);
  if (config.addPositions)
    x = config.addPositions(
        x, config.skipsPadding ? countTokens(b, ids, config.positionOffset - 1)
                               : positions);
  if (!keys.positions.empty())
    x = b.add(x, buildPositions(ids));
  for (auto [table, numbers] : llvm::zip(config.tokenTables, tokenNumbers))
    x = b.add(x, readTable(table, numbers));
  if (!config.normsTokens)
    x = buildNorm(x, keys.embedNorm);
  if (!keys.projectIn.empty() && config.projectsSum)
    x = b.linear(x, keys.projectIn, config.hidden, /*bias=*/true);
  return x;
}

Value DecoderGraph::readHeadBias() {
  std::string key = keys.headBias.empty() ? keys.head + ".bias" : keys.headBias;
  int64_t rows = config.vocabSize;
  // Some have an axis of one in front.
  if (auto extents = b.getExtents(key); extents && extents->size() == 2)
    return b.read(b.reshape(b.param(key, {1, rows}), {rows}));
  return b.weight(key, {rows});
}

Value DecoderGraph::buildHead(Value x, const std::string &table) {
  b.setScope(keys.finalNorm);
  x = buildNorm(x, keys.finalNorm);
  int64_t features = getTableFeatures();
  if (!keys.projectOut.empty())
    x = b.linear(x, keys.projectOut, features);
  if (table.empty())
    return x;
  if (!keys.transform.empty()) {
    x = b.linear(x, keys.transform, features, config.transformBias);
    x = buildNorm(b.activation(x, config.transformActivation),
                  keys.transformNorm);
  }
  Value bias;
  if (config.headBias)
    bias = readHeadBias();
  x = b.linear(x, b.weight(table, {config.vocabSize, features}), bias);
  x = b.scale(x, config.logitScale);
  return config.logitCap == 0 ? x : b.softCap(x, config.logitCap);
}
