//===- GGUFTokenizer.cpp - The tokenizer in a GGUF file -------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// GGUF files hold a vocabulary and name the rest: "gpt2" is byte-level BPE cut
// by the patterns that `tokenizer.ggml.pre` names, "llama" is BPE by scores
// over the whole text, in the manner of SentencePiece.
//
//===----------------------------------------------------------------------===//

#include "TokenizerImport.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using namespace weir;
using namespace weir::rt::tok;

namespace {
/// `tokenizer.ggml.token_type`.
enum GGUFTokenType : int32_t {
  Normal = 1,
  Unknown = 2,
  Control = 3,
  UserDefined = 4,
  Unused = 5,
  Byte = 6
};

/// What a name in `tokenizer.ggml.pre` stands for.
struct PreTokenizerSet {
  /// The names, separated by spaces.
  const char *names;
  /// Each cuts what the ones before left, and isolates its matches.
  std::vector<const char *> patterns;
  bool ignoreMerges = false;
  /// Whether prompts start with BOS where the file does not say.
  bool addBos = false;
};
} // namespace

// Parts that many patterns share.
#define WEIR_CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WEIR_UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define WEIR_LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define WEIR_TAIL "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define WEIR_SYMBOLS "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*"
#define WEIR_GPT2                                                              \
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+"          \
  "|\\s+(?!\\S)|\\s+"
#define WEIR_LLAMA3                                                            \
  WEIR_CONTRACTIONS                                                            \
  "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}" WEIR_SYMBOLS WEIR_TAIL
#define WEIR_QWEN2                                                             \
  WEIR_CONTRACTIONS                                                            \
  "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" WEIR_SYMBOLS WEIR_TAIL
#define WEIR_DEEPSEEK3                                                         \
  "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"                      \
  "|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| "                             \
  "?[\\p{P}\\p{S}]+[\\r\\n]*" WEIR_TAIL

/// The sets by name. Patterns are those of the models' own tokenizers.
static const std::vector<PreTokenizerSet> &preTokenizerSets() {
  static const std::vector<PreTokenizerSet> sets = {
      {"default",
       {"[\\p{P}\\$\\+<=>\\^~\\|]+", WEIR_GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}},
      {"gpt-2 phi-2 jina-es jina-de jina-v2-es jina-v2-de jina-v2-code "
       "jina-v1-en jina-v2-zh gigachat a.x-4.0 mellum roberta-bpe olmo mpt "
       "jais",
       {WEIR_GPT2}},
      {"llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2",
       {WEIR_LLAMA3},
       /*ignoreMerges=*/true,
       /*addBos=*/true},
      {"dbrx smaug-bpe chatglm-bpe glm4", {WEIR_LLAMA3}},
      {"qwen2 stablelm2 hunyuan deepseek-r1-qwen megrez solar-open grok-2",
       {WEIR_QWEN2}},
      {"smollm starcoder refact command-r codeshell exaone minerva-7b "
       "granite-docling",
       {"\\p{N}", WEIR_GPT2}},
      {"falcon", {"[\\p{P}\\$\\+<=>\\^~\\|`]+", WEIR_GPT2, "[0-9][0-9][0-9]"}},
      {"deepseek-llm",
       {"[\\r\\n]",
        // Cased letters of Unicode 11, without Georgian's small ones.
        "\\s?[[\\p{LC}&&\\p{Age=11.0}]--[\\u10d0-\\u10ff]]+",
        "\\s?[!-/:-~\\uff01-\\uff0f\\uff1a-\\uff5e\\u2018-\\u201f"
        "\\u3000-\\u3002]+",
        "\\s+$", "[\\u4e00-\\u9fa5\\u0800-\\u4e00\\uac00-\\ud7ff]+",
        "\\p{N}+"}},
      {"deepseek-coder",
       {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+",
        "[\\u4e00-\\u9fa5\\u0800-\\u4e00\\uac00-\\ud7ff]+", "\\p{N}"}},
      {"deepseek-v3 hunyuan-dense",
       {"\\p{N}{1,3}", "[\\u4e00-\\u9fa5\\u3040-\\u309f\\u30a0-\\u30ff]+",
        WEIR_DEEPSEEK3}},
      {"tekken",
       {"[^\\r\\n\\p{L}\\p{N}]?" WEIR_UPPER "*" WEIR_LOWER
        "+|[^\\r\\n\\p{L}\\p{N}]?" WEIR_UPPER "+" WEIR_LOWER
        "*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" WEIR_TAIL},
       /*ignoreMerges=*/true,
       /*addBos=*/true},
      {"gpt-4o llama4",
       {"[^\\r\\n\\p{L}\\p{N}]?" WEIR_UPPER "*" WEIR_LOWER "+" WEIR_CONTRACTIONS
        "?|[^\\r\\n\\p{L}\\p{N}]?" WEIR_UPPER "+" WEIR_LOWER
        "*" WEIR_CONTRACTIONS
        "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" WEIR_TAIL}},
      {"poro-chat bloom gpt3-finnish",
       {" ?[^(\\s|.,!?\\u2026\\u3002\\uff0c\\u3001\\u0964\\u06d4\\u060c)]+"}},
      {"viking",
       {" ?[^(\\s|.,!?\\u2026\\u3002\\uff0c\\u3001\\u0964\\u06d4\\u060c)]+",
        "\\p{N}"}},
      {"bailingmoe bailingmoe2 llada-moe",
       {"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])"
        "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" WEIR_SYMBOLS
        "|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}},
      {"seed-coder",
       {WEIR_CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}"
                          "| ?[^\\s\\p{L}\\p{N}\\r\\n]+" WEIR_TAIL}},
  };
  return sets;
}

#undef WEIR_CONTRACTIONS
#undef WEIR_UPPER
#undef WEIR_LOWER
#undef WEIR_TAIL
#undef WEIR_SYMBOLS
#undef WEIR_GPT2
#undef WEIR_LLAMA3
#undef WEIR_QWEN2
#undef WEIR_DEEPSEEK3

static const PreTokenizerSet *findPreTokenizerSet(llvm::StringRef name) {
  for (const PreTokenizerSet &set : preTokenizerSets()) {
    llvm::SmallVector<llvm::StringRef> names;
    llvm::StringRef(set.names).split(names, ' ');
    if (llvm::is_contained(names, name))
      return &set;
  }
  return nullptr;
}

/// Checks that an id in the metadata is in the vocabulary.
static llvm::Expected<int32_t> checkId(std::optional<int64_t> id,
                                       int32_t fallback, size_t vocab,
                                       llvm::StringRef key) {
  if (!id)
    return fallback < int64_t(vocab) ? fallback : -1;
  // Files of models without such a token say -1, in 32 or 64 bits.
  if (*id == -1 || *id == UINT32_MAX)
    return -1;
  if (*id < 0 || *id >= int64_t(vocab))
    return tokenizerError("tokenizer.ggml.{0} is {1} in a vocabulary of {2}",
                          key, *id, vocab);
  return int32_t(*id);
}

/// Fills in the tokens, and the added tokens among them.
static llvm::Error importTokens(const GGUFTokenizerMetadata &metadata,
                                bool byteLevel, TokenizerSpec &spec) {
  size_t vocab = metadata.tokens.size();
  if (vocab == 0 || int64_t(vocab) > maxTokenId)
    return tokenizerError("tokenizer.ggml.tokens has {0} entries: expected 1 "
                          "to {1}",
                          vocab, maxTokenId);
  if (!metadata.tokenTypes.empty() && metadata.tokenTypes.size() != vocab)
    return tokenizerError("tokenizer.ggml.token_type has {0} entries where "
                          "tokenizer.ggml.tokens has {1}",
                          metadata.tokenTypes.size(), vocab);
  spec.tokens.resize(vocab);
  for (size_t id = 0; id != vocab; ++id) {
    int32_t type =
        metadata.tokenTypes.empty() ? int32_t(Normal) : metadata.tokenTypes[id];
    TokenizerToken &token = spec.tokens[id];
    token.text = metadata.tokens[id];
    token.flags = TokenPresent | TokenInModel;
    if (type == Control || type == Unknown)
      token.flags |= TokenSpecial;
    if (type == Control || type == Unknown || type == UserDefined) {
      token.decoded = token.text;
      if (!token.text.empty())
        spec.addedTokens.push_back({uint32_t(id), 0, token.text});
    } else if (byteLevel) {
      token.decoded = decodeByteLevel(token.text);
    } else if (std::optional<uint8_t> byte = parseByteToken(token.text);
               byte && type == Byte) {
      token.decoded = std::string(1, char(*byte));
    } else {
      token.decoded = token.text;
      size_t at = 0;
      while ((at = token.decoded.find("\u2581", at)) != std::string::npos)
        token.decoded.replace(at++, 3, " ");
    }
    token.decodedFirst = token.decoded;
  }
  return llvm::Error::success();
}

/// What is special to byte-level BPE.
static llvm::Error importGPT2(const GGUFTokenizerMetadata &metadata,
                              const PreTokenizerSet &set, TokenizerSpec &spec) {
  spec.model = ModelKind::BPE;
  if (set.ignoreMerges)
    spec.modelFlags |= ModelIgnoreMerges;
  for (const char *pattern : set.patterns) {
    auto translated = translateRegex(pattern);
    if (!translated)
      return translated.takeError();
    spec.preTokenizers.push_back({PreTokenizerKind::SplitRegex,
                                  uint32_t(SplitBehaviour::Isolated),
                                  *translated});
  }
  if (metadata.addSpacePrefix.value_or(false))
    spec.preTokenizers.insert(spec.preTokenizers.begin(),
                              {PreTokenizerKind::PrefixSpace});
  spec.preTokenizers.push_back({PreTokenizerKind::ByteLevel});

  VocabMap vocab;
  for (const auto &[id, token] : llvm::enumerate(spec.tokens))
    vocab[token.text] = int32_t(id);
  for (llvm::StringRef merge : metadata.merges) {
    // A token may begin with a space: the separator is the first one after.
    size_t space = merge.find(' ', 1);
    if (space == llvm::StringRef::npos)
      return tokenizerError("tokenizer.ggml.merges has '{0}' where two tokens "
                            "are expected",
                            merge);
    if (llvm::Error error =
            addMerge(spec, vocab, merge.take_front(space),
                     merge.drop_front(space + 1), /*prefixBytes=*/0))
      return error;
  }
  return llvm::Error::success();
}

/// What is special to BPE by scores.
static llvm::Error importLlama(const GGUFTokenizerMetadata &metadata,
                               TokenizerSpec &spec) {
  spec.model = ModelKind::ScoredBPE;
  spec.modelFlags |= ModelByteFallback;
  if (metadata.scores.size() != spec.tokens.size())
    return tokenizerError("tokenizer.ggml.scores has {0} entries where "
                          "tokenizer.ggml.tokens has {1}",
                          metadata.scores.size(), spec.tokens.size());
  for (const auto &[id, score] : llvm::enumerate(metadata.scores)) {
    if (!std::isfinite(score))
      return tokenizerError("the score of token {0} in tokenizer.ggml.scores "
                            "is not finite",
                            id);
    spec.tokens[id].score = score;
  }
  if (metadata.addSpacePrefix.value_or(true)) {
    spec.normalizers.push_back({NormalizerKind::Prepend, 0, " "});
    spec.stripLeft = 1;
    spec.stripText = " ";
  }
  spec.normalizers.push_back(
      {NormalizerKind::ReplaceLiteral, 0, " ", "\u2581"});
  return llvm::Error::success();
}

llvm::Expected<TokenizerSpec>
weir::importGGUFTokenizer(const GGUFTokenizerMetadata &metadata) {
  TokenizerSpec spec;
  bool byteLevel = metadata.model == "gpt2";
  if (!byteLevel && metadata.model != "llama")
    return tokenizerError("tokenizer.ggml.model is '{0}': expected gpt2 or "
                          "llama",
                          metadata.model);
  const PreTokenizerSet *set = nullptr;
  if (byteLevel) {
    std::string pre = metadata.pre.empty() ? "default" : metadata.pre;
    set = findPreTokenizerSet(pre);
    if (!set) {
      std::vector<std::string> names;
      for (const PreTokenizerSet &known : preTokenizerSets())
        names.push_back(known.names);
      return tokenizerError("tokenizer.ggml.pre is '{0}', which is not known: "
                            "expected one of {1}",
                            pre, llvm::join(names, " "));
    }
  }
  if (llvm::Error error = importTokens(metadata, byteLevel, spec))
    return std::move(error);
  if (llvm::Error error = byteLevel ? importGPT2(metadata, *set, spec)
                                    : importLlama(metadata, spec))
    return std::move(error);

  // Files of the llama kind may leave out what has always been so.
  size_t vocab = spec.tokens.size();
  std::tuple<int32_t *, std::optional<int64_t>, int32_t, const char *> ids[] = {
      {&spec.bos, metadata.bos, byteLevel ? -1 : 1, "bos_token_id"},
      {&spec.eos, metadata.eos, byteLevel ? -1 : 2, "eos_token_id"},
      {&spec.unk, metadata.unk, byteLevel ? -1 : 0, "unknown_token_id"},
      {&spec.pad, metadata.pad, -1, "padding_token_id"}};
  for (auto [target, id, fallback, key] : ids) {
    auto checked = checkId(id, fallback, vocab, key);
    if (!checked)
      return checked.takeError();
    *target = *checked;
  }
  // A byte-level vocabulary has every byte; what it lacks is dropped.
  if (byteLevel)
    spec.unk = -1;
  spec.addBos =
      spec.bos >= 0 && metadata.addBos.value_or(byteLevel ? set->addBos : true);
  if (spec.addBos)
    spec.prefix.push_back(spec.bos);
  if (spec.eos >= 0 && metadata.addEos.value_or(false))
    spec.suffix.push_back(spec.eos);
  return std::move(spec);
}
