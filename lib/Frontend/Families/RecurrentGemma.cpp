//===- RecurrentGemma.cpp - The RecurrentGemma family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Griffin (arXiv:2402.19427): layers of a real-gated linear recurrent unit and
// layers of attention within a window, each before a gated perceptron.
//
//===----------------------------------------------------------------------===//

#include "StateSpaceLayers.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/APFloat.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

/// Kinds of layers, as stacks number them when both are there.
enum class Layer : int32_t { Recurrent, Attention };

struct GemmaConfig {
  int64_t vocabSize, hidden, inner, layers, heads, kvHeads, headDim;
  int64_t lruWidth, convWidth, window;
  double eps, softCap;
  bool tied, attentionBias;
  std::string activation;
  RotarySpec rotary;
  SmallVector<Layer> blocks;
  /// What keys of the model and of layers begin with; `*` is the layer.
  std::string model, layer;
};

/// Builds the layers.
class GemmaGraph {
public:
  GemmaGraph(ModelBuilder &builder, const GemmaConfig &config, Value positions)
      : b(builder), config(config), positions(positions),
        frequencies(builder.frequencies(config.rotary)) {}

  Value buildLayer(Layer kind, Value x);

private:
  Value buildAttention(Value x);
  Value buildRecurrence(Value x);
  /// The unit itself, of the convolution's result.
  Value buildUnit(Value x);
  /// Sigmoids of `x` times a matrix of blocks.
  Value buildGate(Value x, const std::string &name);
  /// `x` times `sqrt(1 - decay^2)`, or as it is at the first position.
  Value normalise(Value x, Value logDecay);

  ModelBuilder &b;
  const GemmaConfig &config;
  Value positions, frequencies;
};

} // namespace

Value GemmaGraph::buildAttention(Value x) {
  std::string keys = config.layer + "temporal_block.";
  bool bias = config.attentionBias;
  auto project = [&](const std::string &name, int64_t heads) {
    return b.splitHeads(b.linear(x, keys + name, heads * config.headDim, bias),
                        heads);
  };
  Value query = project("q_proj", config.heads);
  Value key = project("k_proj", config.kvHeads);
  Value value = project("v_proj", config.kvHeads);
  query = b.rotary(query, positions, frequencies, config.rotary);
  key = b.rotary(key, positions, frequencies, config.rotary);
  AttentionOptions options;
  options.mask = b.causalWindow(config.window);
  options.scale = 1.0 / std::sqrt(static_cast<double>(config.headDim));
  return b.linear(b.mergeHeads(b.attention(query, key, value, options)),
                  keys + "o_proj", config.hidden, /*bias=*/true);
}

Value GemmaGraph::buildGate(Value x, const std::string &name) {
  std::string key = config.layer + "temporal_block.rg_lru." + name;
  int64_t width = config.lruWidth / config.heads;
  Value weight = b.weight(key + "_weight", {config.heads, width, width});
  Param bias = b.reshape(b.param(key + "_bias", {config.heads, width}),
                         {config.lruWidth});
  Value sums =
      b.mergeHeads(blockLinear(b, b.splitHeads(x, config.heads), weight));
  return sigmoid(b, b.add(sums, b.read(bias)));
}

Value GemmaGraph::normalise(Value x, Value logDecay) {
  OpBuilder &builder = b.getBuilder();
  Location loc = b.getLoc();
  auto type = cast<RankedTensorType>(x.getType());
  Value empty = tensor::EmptyOp::create(builder, loc,
                                        tensor::getMixedSizes(builder, loc, x),
                                        type.getElementType());
  AffineMap all = builder.getMultiDimIdentityMap(3);
  AffineMap tokens = AffineMap::get(
      3, 0, {builder.getAffineDimExpr(0), builder.getAffineDimExpr(1)},
      &b.getContext());
  SmallVector<utils::IteratorType> loops(3, utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, TypeRange(type), ValueRange{x, logDecay, positions},
             ValueRange(empty), ArrayRef<AffineMap>{all, all, tokens, all},
             loops,
             [](OpBuilder &n, Location l, ValueRange in) {
               auto number = [&](float value) -> Value {
                 return arith::ConstantOp::create(n, l,
                                                  n.getF32FloatAttr(value));
               };
               Value twice = arith::MulFOp::create(n, l, number(2), in[1]);
               Value square = math::ExpOp::create(n, l, twice);
               Value factor = math::SqrtOp::create(
                   n, l, arith::SubFOp::create(n, l, number(1), square));
               Value zero = arith::ConstantOp::create(
                   n, l, n.getIntegerAttr(in[2].getType(), 0));
               Value isFirst = arith::CmpIOp::create(
                   n, l, arith::CmpIPredicate::eq, in[2], zero);
               Value chosen =
                   arith::SelectOp::create(n, l, isFirst, number(1), factor);
               linalg::YieldOp::create(
                   n, l,
                   arith::MulFOp::create(n, l, in[0], chosen).getResult());
             })
      .getResult(0);
}

Value GemmaGraph::buildUnit(Value x) {
  std::string key = config.layer + "temporal_block.rg_lru.";
  b.setScope(key + "recurrent_param");
  Value input = buildGate(x, "input_gate");
  Value recurrent = buildGate(x, "recurrent_gate");
  Value rate =
      softplus(b, b.weight(key + "recurrent_param", {config.lruWidth}));
  Value logDecay = b.mul(recurrent, b.scale(rate, -8));
  Value gated = normalise(b.mul(x, input), logDecay);
  return diagonalScan(b, gated, exp(b, logDecay));
}

Value GemmaGraph::buildRecurrence(Value x) {
  std::string keys = config.layer + "temporal_block.";
  int64_t width = config.lruWidth;
  Value gate = b.activation(b.linear(x, keys + "linear_y", width, true),
                            config.activation, "hidden_activation");
  Value branch = b.linear(x, keys + "linear_x", width, true);
  branch = shortConv(b, branch, keys + "conv_1d", config.convWidth,
                     /*bias=*/true, ConvActivation::None);
  Value mixed = b.mul(buildUnit(branch), gate);
  b.setScope(keys + "linear_out");
  return b.linear(mixed, keys + "linear_out", config.hidden, true);
}

Value GemmaGraph::buildLayer(Layer kind, Value x) {
  b.setScope(config.layer + "temporal_block");
  Value normed =
      b.rmsNorm(x, config.layer + "temporal_pre_norm", config.eps, 1);
  x = b.add(x, kind == Layer::Attention ? buildAttention(normed)
                                        : buildRecurrence(normed));
  b.setScope(config.layer + "mlp_block");
  normed = b.rmsNorm(x, config.layer + "channel_pre_norm", config.eps, 1);
  std::string mlp = config.layer + "mlp_block.";
  MLPKeys keys = {mlp + "up_proj", mlp + "down_proj", mlp + "gate_proj"};
  return b.add(x, b.mlp(normed, keys, config.inner, config.activation,
                        /*bias=*/true));
}

//===----------------------------------------------------------------------===//
// Configuration
//===----------------------------------------------------------------------===//

/// The pattern of layers, repeated as long as there are layers.
static void readBlocks(ConfigReader &reader, GemmaConfig &config) {
  SmallVector<Layer> pattern = {Layer::Recurrent, Layer::Recurrent,
                                Layer::Attention};
  if (const llvm::json::Value *value = reader.get("block_types")) {
    const llvm::json::Array *list = value->getAsArray();
    if (!list || list->empty()) {
      reader.emitError("block_types")
          << "key 'block_types' is no list of names";
      return;
    }
    pattern.clear();
    for (const llvm::json::Value &entry : *list) {
      StringRef name = entry.getAsString().value_or("");
      if (name != "recurrent" && name != "attention") {
        reader.emitError("block_types") << "key 'block_types' names '" << name
                                        << "', expected recurrent or attention";
        return;
      }
      pattern.push_back(name == "recurrent" ? Layer::Recurrent
                                            : Layer::Attention);
    }
  }
  // transformers repeats the pattern so often and no more.
  constexpr int64_t repeats = 100;
  int64_t size = pattern.size();
  if (config.layers > repeats * size) {
    reader.emitError("num_hidden_layers")
        << "key 'num_hidden_layers' is " << config.layers
        << ", expected at most " << repeats << " times the " << size
        << " entries of 'block_types'";
    return;
  }
  for (int64_t i = 0; i < config.layers; ++i)
    config.blocks.push_back(pattern[i % size]);
}

static GemmaConfig readConfig(ConfigReader &reader, ModelBuilder &b) {
  GemmaConfig config;
  config.vocabSize = reader.getSize("vocab_size", 256000);
  config.hidden = reader.getSize("hidden_size", 2560);
  config.layers = readLayers(reader, "num_hidden_layers", 26);
  config.heads = reader.getSize("num_attention_heads", 10);
  config.kvHeads = reader.getSize("num_key_value_heads", config.heads);
  // The perceptron has half of this in each of its two branches.
  config.inner = reader.getSize("intermediate_size", 7680) / 2;
  config.lruWidth = reader.getSize("lru_width", config.hidden);
  config.convWidth = reader.getSize("conv1d_width", 4);
  config.window = reader.getSize("attention_window_size", 2048);
  config.eps = readEpsilon(reader, "rms_norm_eps", 1e-6);
  config.softCap = reader.getFloat("logits_soft_cap", 30);
  config.activation =
      reader.getString("hidden_activation", "gelu_pytorch_tanh");
  config.attentionBias = reader.getBool("attention_bias", false);
  config.tied = reader.getBool("tie_word_embeddings", true);
  config.headDim = reader.getSize(
      "head_dim", std::max<int64_t>(config.hidden / config.heads, 1));
  readBlocks(reader, config);
  reader.ignore(
      {"_block_types", "w_init_variance_scale", "final_w_init_variance_scale"});

  if (config.heads % config.kvHeads)
    reader.emitError("num_key_value_heads")
        << "key 'num_attention_heads' is " << config.heads
        << ", expected a multiple of the " << config.kvHeads
        << " of 'num_key_value_heads'";
  if (config.lruWidth % config.heads)
    reader.emitError("lru_width")
        << "key 'lru_width' is " << config.lruWidth
        << ", expected a multiple of the " << config.heads << " heads";
  if (!(config.softCap > 0))
    reader.emitError("logits_soft_cap")
        << "key 'logits_soft_cap' is " << config.softCap
        << ", expected a positive number";

  RotaryOptions options;
  options.headDim = config.headDim;
  options.trainedLength = options.maxLength = config.window;
  options.allowsPartial = true;
  options.defaultPart = 0.5;
  config.rotary = readRotary(reader, b, options);
  if (config.rotary.scaling)
    reader.emitError("rope_parameters")
        << "rotary embedding is scaled, expected the type 'default': this "
           "family knows no other";

  bool bare = !b.getCheckpoint().lookup("model.final_norm.weight") &&
              b.getCheckpoint().lookup("final_norm.weight");
  config.model = bare ? "" : "model.";
  config.layer = config.model + "layers.*.";
  return config;
}

/// The square root of `size` as bf16 holds it, which embeddings are scaled by.
static double getNormalizer(int64_t size) {
  llvm::APFloat root(std::sqrt(static_cast<double>(size)));
  bool inexact;
  root.convert(llvm::APFloat::BFloat(), llvm::APFloat::rmNearestTiesToEven,
               &inexact);
  return root.convertToFloat();
}

static ModelFacts buildRecurrentGemma(ModelBuilder &b, ConfigReader &reader,
                                      const FamilyRequest &request) {
  GemmaConfig config = readConfig(reader, b);
  ModelFacts facts;
  facts.vocabSize = config.vocabSize;
  facts.maxLength = ModelFacts::unlimited;
  facts.bos = 2;
  facts.eos = 1;
  reader.finish();
  if (reader.hasFailed())
    return facts;

  std::string embed = config.model + "embed_tokens.weight";
  TokenTables tables = resolveTables(b.getCheckpoint(), embed, "lm_head.weight",
                                     config.tied && request.hasHead);
  Value ids = b.beginForward();
  b.setScope(embed);
  Value x = b.embedding(ids, tables.embedding, config.vocabSize, config.hidden);
  x = b.scale(x, getNormalizer(config.hidden));
  GemmaGraph graph(b, config, b.positions(ids));

  SmallVector<Layer> kinds;
  SmallVector<int32_t> order = numberKinds<Layer>(config.blocks, kinds);
  x = b.stack(x, order, [&](int32_t kind, Value input) {
    return graph.buildLayer(kinds[kind], input);
  });
  std::string norm = config.model + "final_norm";
  b.setScope(norm);
  x = b.rmsNorm(x, norm, config.eps, 1);
  if (request.hasHead) {
    x = b.linear(x, b.weight(tables.head, {config.vocabSize, config.hidden}),
                 Value());
    x = b.softCap(x, config.softCap);
  }
  b.endForward(request.hasHead ? "logits" : "last_hidden_state", x);
  return facts;
}

namespace weir {
void registerRecurrentGemmaFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".rotary_emb.inv_freq",
                                                      "normalizer"};
  table.add({"recurrent_gemma", "RecurrentGemmaForCausalLM",
             "RecurrentGemmaModel", "", ignorable, buildRecurrentGemma});
}
} // namespace weir
