//===- BigBird.cpp - The BigBird family -------------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// BERT whose attention is in blocks of positions (arXiv:2007.14062): the first
// and the last block see all and are seen by all, others see the blocks beside
// them and some drawn at random. Out of training, transformers draws the first
// block each time, which is then there several times over.
//
//===----------------------------------------------------------------------===//

#include "Bert.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

/// Attention in blocks.
struct BlockSpec {
  /// Positions of a block, and blocks drawn for each.
  int64_t size = 64, drawn = 3;

  /// The longest sequence that attends to all instead.
  int64_t getDenseLength() const { return (5 + 2 * drawn) * size; }
};

/// What is asked of a pair of blocks, within a region of attention.
struct BlockPair {
  Value isSparse, isQueryAtEnd, isKeyFirst, isKeyLast, isNear;
};

} // namespace

/// The blocks of `pair`. The last block is that of the padded sequence.
static BlockPair getBlocks(OpBuilder &b, Location loc,
                           const AttentionPair &pair, Value ids,
                           const BlockSpec &spec) {
  auto number = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, loc, value);
  };
  auto compare = [&](arith::CmpIPredicate predicate, Value lhs,
                     Value rhs) -> Value {
    return arith::CmpIOp::create(b, loc, predicate, lhs, rhs);
  };
  auto getBlock = [&](Value position) -> Value {
    return arith::DivSIOp::create(b, loc, position, number(spec.size));
  };
  auto isEqual = [&](Value lhs, Value rhs) {
    return compare(arith::CmpIPredicate::eq, lhs, rhs);
  };
  Value length = tensor::DimOp::create(b, loc, ids, 1);
  Value last = getBlock(arith::SubIOp::create(b, loc, length, number(1)));
  Value query = getBlock(pair.query), key = getBlock(pair.key);
  Value ahead = arith::SubIOp::create(b, loc, key, query);
  BlockPair blocks;
  blocks.isSparse =
      compare(arith::CmpIPredicate::sgt, length, number(spec.getDenseLength()));
  blocks.isQueryAtEnd = arith::OrIOp::create(b, loc, isEqual(query, number(0)),
                                             isEqual(query, last));
  blocks.isKeyFirst = isEqual(key, number(0));
  blocks.isKeyLast = isEqual(key, last);
  blocks.isNear = arith::AndIOp::create(
      b, loc, compare(arith::CmpIPredicate::sle, ahead, number(1)),
      compare(arith::CmpIPredicate::sge, ahead, number(-1)));
  return blocks;
}

/// Has attention see blocks where the sequence is long, and what the mask shows
/// elsewhere.
static void attendToBlocks(Value ids, AttentionOptions &options,
                           const BlockSpec &spec) {
  options.where = [ids, spec, mask = options.mask](OpBuilder &b, Location loc,
                                                   const AttentionPair &pair) {
    BlockPair blocks = getBlocks(b, loc, pair, ids, spec);
    Value shown = blocks.isNear;
    for (Value other :
         {blocks.isQueryAtEnd, blocks.isKeyFirst, blocks.isKeyLast})
      shown = arith::OrIOp::create(b, loc, shown, other);
    Value dense =
        mask.getExpression().buildPredicate(b, loc, pair.query, pair.key);
    return arith::SelectOp::create(b, loc, blocks.isSparse, shown, dense)
        .getResult();
  };
  if (spec.drawn == 0)
    return;
  // Keys that are there n times weigh as one whose score is log(n) larger.
  options.score = [ids, spec](OpBuilder &b, Location loc, Value score,
                              const AttentionPair &pair) -> Value {
    BlockPair blocks = getBlocks(b, loc, pair, ids, spec);
    Value isAtEnd = blocks.isQueryAtEnd;
    Value several =
        arith::AndIOp::create(b, loc, blocks.isSparse, blocks.isKeyFirst);
    Value bias = arith::ConstantOp::create(
        b, loc,
        b.getFloatAttr(score.getType(),
                       std::log(static_cast<double>(1 + spec.drawn))));
    Value sum = arith::AddFOp::create(b, loc, score, bias);
    Value drawn = arith::SelectOp::create(b, loc, several, sum, score);
    return arith::SelectOp::create(b, loc, isAtEnd, score, drawn);
  };
}

static ModelFacts buildBigBird(ModelBuilder &builder, ConfigReader &reader,
                               const FamilyRequest &request) {
  DecoderConfig config = getBertDefaults();
  config.vocabSize = 50358;
  config.trainedLength = 4096;
  config.activation = "gelu_new";
  config.bos = 1;
  config.eos = 2;
  DecoderKeys keys = readBert(reader, builder, request, config, "bert.");
  setBertHead(builder, keys);
  config.queryBias = config.keyBias = config.valueBias =
      reader.getBool("use_bias", true);
  if (reader.getBool("rescale_embeddings", false))
    config.embeddingScale = std::sqrt(static_cast<double>(config.hidden));
  BlockSpec blocks;
  blocks.size = reader.getSize("block_size", 64);
  blocks.drawn = reader.getInt("num_random_blocks", 3);
  if (blocks.drawn < 0 || blocks.drawn >= 1 << 24)
    reader.emitError("num_random_blocks")
        << "key 'num_random_blocks' is " << blocks.drawn
        << ", expected a number of blocks";
  std::string type = reader.getString("attention_type", "block_sparse");
  if (type != "block_sparse" && type != "original_full")
    reader.emitError("attention_type")
        << "key 'attention_type' is '" << type
        << "', expected 'block_sparse' or 'original_full'";
  int64_t longest = request.maxLength.value_or(config.trainedLength);
  if (type == "block_sparse" && longest > blocks.getDenseLength())
    config.prepareAttention = [blocks](Value ids) -> AttentionChange {
      return [ids, blocks](AttentionOptions &options) {
        attendToBlocks(ids, options, blocks);
      };
    };
  return buildDecoder(builder, reader, request, keys, config);
}

namespace weir {
void registerBigBirdFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral decoders[] = {"BigBirdForCausalLM"};
  table.add({"big_bird", "BigBirdForMaskedLM", "BigBirdModel", "",
             getBertIgnorable(), buildBigBird, decoders});
}
} // namespace weir
