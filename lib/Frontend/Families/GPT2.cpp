//===- GPT2.cpp - The GPT-2 family -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Learned positions, layer norms with biases, query, key and value in one
// matrix. Hugging Face stores matrices input features first (`Conv1D`), GGUF
// files output features first.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include <cmath>

using namespace mlir;
using namespace weir;

namespace {

/// Keys without ".weight"; `*` is the layer.
struct GPT2Keys {
  std::string tokens, places, finalNorm, head;
  std::string norm1, norm2, fused, output, up, down;
};

struct GPT2Config {
  int64_t vocabSize, hidden, inner, layers, heads, positions;
  double eps;
  std::string activation;
  bool scaled, scaledByLayer, tied;
  /// Whether norms are of the sums behind a layer's parts, as in the first GPT,
  /// instead of in front.
  bool normsSums = false;
  /// Whether matrices are stored input features first.
  bool inputFirst;
};

/// Builds the layers.
class GPT2Graph {
public:
  GPT2Graph(ModelBuilder &builder, const GPT2Config &config,
            const GPT2Keys &keys)
      : b(builder), config(config), keys(keys) {}

  Value buildLayer(Value x);

private:
  /// The matrix `key`, output features first.
  Param getMatrix(StringRef key, int64_t out, int64_t in);
  Value linear(Value x, StringRef key, int64_t out, int64_t in);
  Value buildAttention(Value x);

  ModelBuilder &b;
  const GPT2Config &config;
  const GPT2Keys &keys;
};

} // namespace

Param GPT2Graph::getMatrix(StringRef key, int64_t out, int64_t in) {
  std::string name = (key + ".weight").str();
  if (!config.inputFirst)
    return b.param(name, {out, in});
  return b.transpose(b.param(name, {in, out}), {1, 0});
}

Value GPT2Graph::linear(Value x, StringRef key, int64_t out, int64_t in) {
  Value bias = b.weight((key + ".bias").str(), {out});
  return b.linear(x, b.read(getMatrix(key, out, in)), bias);
}

Value GPT2Graph::buildAttention(Value x) {
  int64_t hidden = config.hidden;
  Param matrix = getMatrix(keys.fused, 3 * hidden, hidden);
  Param bias = b.param(keys.fused + ".bias", {3 * hidden});
  SmallVector<Value> heads;
  static constexpr llvm::StringLiteral parts[] = {"query", "key", "value"};
  for (auto [part, name] : llvm::enumerate(parts)) {
    int64_t offset = part * hidden;
    Value rows = b.read(b.slice(matrix, 0, offset, hidden, name));
    Value shift = b.read(b.slice(bias, 0, offset, hidden, name));
    heads.push_back(b.splitHeads(b.linear(x, rows, shift), config.heads));
  }
  // The operator's scale is one number for all layers of a kind, so what
  // depends on the layer goes to the query.
  if (config.scaledByLayer) {
    Param factor = b.layerScalars("h.*.attn.layer_scale", [](int64_t layer) {
      return 1.0f / static_cast<float>(layer + 1);
    });
    heads[0] = b.mul(heads[0], b.read(factor));
  }
  AttentionOptions options;
  options.mask = b.causalMask();
  if (config.scaled)
    options.scale = 1.0 / std::sqrt(static_cast<double>(hidden / config.heads));
  Value mixed =
      b.mergeHeads(b.attention(heads[0], heads[1], heads[2], options));
  return linear(mixed, keys.output, hidden, hidden);
}

Value GPT2Graph::buildLayer(Value x) {
  auto before = [&](Value input, const std::string &norm) {
    return config.normsSums ? input : b.layerNorm(input, norm, config.eps);
  };
  auto behind = [&](Value sum, const std::string &norm) {
    return config.normsSums ? b.layerNorm(sum, norm, config.eps) : sum;
  };
  b.setScope(keys.fused);
  x = behind(b.add(x, buildAttention(before(x, keys.norm1))), keys.norm1);
  b.setScope(keys.up);
  Value inner = before(x, keys.norm2);
  inner = linear(inner, keys.up, config.inner, config.hidden);
  inner = b.activation(inner, config.activation, "activation_function");
  return behind(b.add(x, linear(inner, keys.down, config.hidden, config.inner)),
                keys.norm2);
}

static GPT2Keys getKeys(const Checkpoint &checkpoint) {
  if (checkpoint.format() == Checkpoint::Format::GGUF)
    return {"token_embd",     "position_embd",     "output_norm",
            "output",         "blk.*.attn_norm",   "blk.*.ffn_norm",
            "blk.*.attn_qkv", "blk.*.attn_output", "blk.*.ffn_up",
            "blk.*.ffn_down"};
  // The first checkpoints were saved without the prefix.
  bool bare = !checkpoint.lookup("transformer.ln_f.weight") &&
              checkpoint.lookup("ln_f.weight");
  std::string model = bare ? "" : "transformer.";
  std::string layer = model + "h.*.";
  return {model + "wte",         model + "wpe",
          model + "ln_f",        "lm_head",
          layer + "ln_1",        layer + "ln_2",
          layer + "attn.c_attn", layer + "attn.c_proj",
          layer + "mlp.c_fc",    layer + "mlp.c_proj"};
}

/// GGUF's names of the keys below.
static constexpr ConfigAlias ggufAliases[] = {
    {"n_embd", "embedding_length"},
    {"n_inner", "feed_forward_length"},
    {"n_layer", "block_count"},
    {"n_head", "attention.head_count"},
    {"n_positions", "context_length"},
    {"layer_norm_epsilon", "attention.layer_norm_epsilon"},
    {"vocab_size", "vocab_size"},
};

/// Reads the configuration, where `positions` and `vocabSize` are defaults.
static GPT2Config readConfig(ConfigReader &reader, const GPT2Keys &keys,
                             int64_t positions, int64_t vocabSize) {
  if (reader.isGGUF())
    reader.setAliases("gpt2", ggufAliases);
  GPT2Config config;
  config.hidden = reader.getSize("n_embd", 768);
  config.layers = reader.getSize("n_layer", 12);
  config.heads = reader.getSize("n_head", 12);
  config.positions = reader.getSize("n_positions", positions);
  config.inner =
      reader.has("n_inner") ? reader.getSize("n_inner", 1) : 4 * config.hidden;
  config.eps = reader.getFloat("layer_norm_epsilon", 1e-5);
  config.inputFirst = !reader.isGGUF();
  config.scaled = true;
  config.scaledByLayer = false;
  if (reader.isGGUF()) {
    reader.ignore({"vocab_size"});
    config.vocabSize =
        countTableRows(reader.getCheckpoint(), keys.tokens, vocabSize);
    config.tied = !reader.getCheckpoint().lookup(keys.head + ".weight");
    config.activation = "gelu_new";
  } else {
    config.vocabSize = reader.getSize("vocab_size", vocabSize);
    config.tied = reader.getBool("tie_word_embeddings", true);
    config.activation = reader.getString("activation_function", "gelu_new");
    config.scaled = reader.getBool("scale_attn_weights", true);
    config.scaledByLayer =
        reader.getBool("scale_attn_by_inverse_layer_idx", false);
    // Reordering and upcasting change nothing in f32; `n_ctx` stands beside
    // `n_positions` in old files.
    reader.ignore({"attn_pdrop", "embd_pdrop", "resid_pdrop", "n_ctx",
                   "n_inner", "reorder_and_upcast_attn"});
    ignoreSummaryHead(reader);
  }
  if (!(config.eps >= 0))
    reader.emitError("layer_norm_epsilon")
        << "key '" << reader.getSpelling("layer_norm_epsilon") << "' is "
        << config.eps << ", expected no negative number";
  if (config.hidden % config.heads)
    reader.emitError("n_embd")
        << "key '" << reader.getSpelling("n_embd") << "' is " << config.hidden
        << ", expected a multiple of the " << config.heads << " heads";
  int64_t tensors = reader.getCheckpoint().tensors().size();
  if (config.layers > tensors)
    reader.emitError("n_layer")
        << "key '" << reader.getSpelling("n_layer") << "' is " << config.layers
        << " when the checkpoint has " << tensors << " tensors";
  return config;
}

static ModelFacts buildModel(ModelBuilder &b, ConfigReader &reader,
                             const FamilyRequest &request, const GPT2Keys &keys,
                             const GPT2Config &config) {
  ModelFacts facts;
  facts.vocabSize = config.vocabSize;
  facts.maxLength = config.positions;
  facts.lengthIsFixed = true;
  reader.finish();
  if (reader.hasFailed())
    return facts;

  TokenTables tables =
      resolveTables(b.getCheckpoint(), keys.tokens + ".weight",
                    keys.head + ".weight", config.tied && request.hasHead);
  Value ids = b.beginForward();
  b.setScope(keys.tokens);
  Value x = b.embedding(ids, tables.embedding, config.vocabSize, config.hidden);
  x = b.add(x, b.embedding(b.positions(ids), keys.places + ".weight",
                           config.positions, config.hidden));
  GPT2Graph graph(b, config, keys);
  SmallVector<int32_t> order(config.layers, 0);
  x = b.stack(x, order,
              [&](int32_t, Value input) { return graph.buildLayer(input); });
  b.setScope(keys.finalNorm);
  if (!config.normsSums)
    x = b.layerNorm(x, keys.finalNorm, config.eps);
  if (request.hasHead)
    x = b.linear(x, b.weight(tables.head, {config.vocabSize, config.hidden}),
                 Value());
  b.endForward(request.hasHead ? "logits" : "last_hidden_state", x);
  return facts;
}

static ModelFacts buildGPT2(ModelBuilder &b, ConfigReader &reader,
                            const FamilyRequest &request) {
  GPT2Keys keys = getKeys(b.getCheckpoint());
  GPT2Config config =
      readConfig(reader, keys, /*positions=*/1024, /*vocabSize=*/50257);
  ModelFacts facts = buildModel(b, reader, request, keys, config);
  facts.bos = facts.eos = 50256;
  return facts;
}

/// Reads which activation the first GPT has, by names of its own.
static std::string readActivation(ConfigReader &reader) {
  static constexpr std::pair<llvm::StringLiteral, llvm::StringLiteral> names[] =
      {{"relu", "relu"},
       {"silu", "silu"},
       {"gelu", "gelu_new"},
       {"swish", "silu"}};
  std::string name = reader.getString("afn", "gelu");
  for (auto [own, usual] : names)
    if (own == name)
      return usual.str();
  reader.emitError("afn") << "key 'afn' is '" << name
                          << "', expected relu, silu, gelu or swish";
  return "relu";
}

static ModelFacts buildOpenAIGPT(ModelBuilder &b, ConfigReader &reader,
                                 const FamilyRequest &request) {
  std::string model =
      getModelPrefix(b.getCheckpoint(), "transformer.", "tokens_embed.weight");
  std::string layer = model + "h.*.";
  GPT2Keys keys = {model + "tokens_embed",
                   model + "positions_embed",
                   "",
                   "lm_head",
                   layer + "ln_1",
                   layer + "ln_2",
                   layer + "attn.c_attn",
                   layer + "attn.c_proj",
                   layer + "mlp.c_fc",
                   layer + "mlp.c_proj"};
  GPT2Config config =
      readConfig(reader, keys, /*positions=*/512, /*vocabSize=*/40478);
  config.inner = 4 * config.hidden;
  config.scaled = true;
  config.scaledByLayer = false;
  config.normsSums = true;
  config.activation = readActivation(reader);
  return buildModel(b, reader, request, keys, config);
}

namespace weir {
void registerGPT2Family(FamilyTable &table) {
  // Causal masks that were saved with the weights.
  static constexpr llvm::StringLiteral ignorable[] = {".attn.bias",
                                                      ".attn.masked_bias"};
  table.add(
      {"gpt2", "GPT2LMHeadModel", "GPT2Model", "gpt2", ignorable, buildGPT2});
}

void registerOpenAIGPTFamily(FamilyTable &table) {
  static constexpr llvm::StringLiteral ignorable[] = {".attn.bias",
                                                      "position_ids"};
  table.add({"openai-gpt", "OpenAIGPTLMHeadModel", "OpenAIGPTModel", "",
             ignorable, buildOpenAIGPT});
}
} // namespace weir
