//===- ImportModel.cpp - From checkpoints to modules -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"
#include "weir/Frontend/Family.h"
#include "weir/Frontend/Import.h"
#include "weir/Frontend/ModelBuilder.h"
#include "weir/Frontend/TokenizerSpec.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace weir;
namespace json = llvm::json;

void weir::loadImportDialects(MLIRContext &context) {
  context.loadDialect<WeirDialect, func::FuncDialect, arith::ArithDialect,
                      linalg::LinalgDialect, math::MathDialect,
                      tensor::TensorDialect>();
}

//===----------------------------------------------------------------------===//
// Which family
//===----------------------------------------------------------------------===//

/// The family of the checkpoint, or null after an error.
static const Family *selectFamily(const FamilyTable &table,
                                  ConfigReader &reader,
                                  FamilyRequest &request) {
  const json::Object &config = reader.getCheckpoint().config();
  bool isGGUF = reader.isGGUF();
  StringRef key = isGGUF ? "general.architecture" : "architectures";
  std::string name;
  if (isGGUF) {
    name = config.getString(key).value_or("").str();
    if (const Family *family = table.lookupGGUF(name))
      return family;
  } else if (const json::Array *list = config.getArray(key);
             list && !list->empty()) {
    name = list->front().getAsString().value_or("").str();
    if (const Family *family =
            table.lookupArchitecture(name, request.hasHead)) {
      request.encoderOnly = name == family->encoderArchitecture;
      return family;
    }
  } else {
    key = "model_type";
    name = config.getString(key).value_or("").str();
    if (const Family *family = table.lookupModelType(name))
      return family;
  }
  InFlightDiagnostic diagnostic =
      reader.emitError(key)
      << (name.empty() ? "the configuration names no architecture"
                       : "architecture '" + name + "' is not supported")
      << "; the supported ones are ";
  std::vector<StringRef> names;
  for (const Family &family : table.getFamilies()) {
    if (isGGUF) {
      if (!family.ggufArchitecture.empty())
        names.push_back(family.ggufArchitecture);
    } else if (family.modelType.empty()) {
      // One of GGUF files alone.
      continue;
    } else if (key == "model_type") {
      names.push_back(family.modelType);
    } else {
      names.push_back(family.headArchitecture);
      llvm::append_range(names, family.moreArchitectures);
      names.push_back(family.baseArchitecture);
      if (!family.encoderArchitecture.empty())
        names.push_back(family.encoderArchitecture);
    }
  }
  llvm::interleaveComma(names, diagnostic);
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Left-over tensors
//===----------------------------------------------------------------------===//

/// Fails when the model does not read a tensor it should.
static LogicalResult checkUnused(const Family &family, ConfigReader &reader,
                                 bool hasHead) {
  std::vector<StringRef> left;
  for (StringRef name : reader.getCheckpoint().unusedTensors()) {
    bool ignorable =
        llvm::any_of(family.ignorableTensors,
                     [&](StringRef ending) { return name.ends_with(ending); });
    // A base model's checkpoint may be that of the whole model.
    bool isHead = name == "lm_head.weight" || name == "lm_head.bias";
    if (!ignorable && (hasHead || !isHead))
      left.push_back(name);
  }
  if (left.empty())
    return success();
  constexpr size_t shown = 8;
  InFlightDiagnostic diagnostic = reader.emitError("architectures")
                                  << "the checkpoint has " << left.size()
                                  << " tensors that the model does not read: ";
  llvm::interleaveComma(
      ArrayRef(left).take_front(shown), diagnostic,
      [&](StringRef name) { diagnostic << "'" << name << "'"; });
  if (left.size() > shown)
    diagnostic << ", ...";
  return diagnostic;
}

//===----------------------------------------------------------------------===//
// weir.model
//===----------------------------------------------------------------------===//

namespace {

/// Special tokens; -1 for none.
struct SpecialTokens {
  int64_t bos = -1, pad = -1;
  SmallVector<int64_t> eos;
  bool addBos = false;
  /// Of models with an encoder.
  int64_t decoderStart = -1, forcedBos = -1, forcedEos = -1;
  SmallVector<int64_t> suppressed;
};

} // namespace

/// Finds `key` in the files that say how to generate, first of all the one made
/// for it. A null there means that there is no such token.
static SmallVector<int64_t> findTokens(ArrayRef<const json::Object *> files,
                                       StringRef key,
                                       std::optional<int64_t> fallback) {
  SmallVector<int64_t> tokens;
  for (const json::Object *file : files) {
    const json::Value *value = file ? file->get(key) : nullptr;
    if (!value)
      continue;
    if (auto number = value->getAsInteger())
      tokens.push_back(*number);
    else if (const json::Array *list = value->getAsArray())
      for (const json::Value &entry : *list)
        if (auto number = entry.getAsInteger())
          tokens.push_back(*number);
    return tokens;
  }
  if (fallback)
    tokens.push_back(*fallback);
  return tokens;
}

/// Reads what a model with an encoder begins with and must or must not give.
/// Of `bad_words_ids`, whose entries are sequences, those of one token are
/// tokens that are never chosen; sequences are not looked at.
static void findDecoderTokens(ArrayRef<const json::Object *> files,
                              const ModelFacts &facts, SpecialTokens &result) {
  auto first = [&](StringRef key, std::optional<int64_t> fallback) {
    SmallVector<int64_t> tokens = findTokens(files, key, fallback);
    return tokens.empty() ? -1 : tokens.front();
  };
  result.decoderStart = first("decoder_start_token_id", facts.decoderStart);
  if (result.decoderStart < 0)
    result.decoderStart = result.bos;
  result.forcedBos = first("forced_bos_token_id", std::nullopt);
  result.forcedEos = first("forced_eos_token_id", facts.forcedEos);
  result.suppressed = findTokens(files, "suppress_tokens", std::nullopt);
  for (const json::Object *file : files) {
    const json::Value *value = file ? file->get("bad_words_ids") : nullptr;
    if (!value)
      continue;
    if (const json::Array *words = value->getAsArray())
      for (const json::Value &word : *words)
        if (const json::Array *tokens = word.getAsArray();
            tokens && tokens->size() == 1)
          if (auto token = tokens->front().getAsInteger())
            result.suppressed.push_back(*token);
    break;
  }
}

/// Says what greedy search by transformers would look at besides, of a model
/// that is meant to be used with it: texts differ from those then.
static void warnOfSearch(MLIRContext &context, StringRef path,
                         ArrayRef<const json::Object *> files) {
  static constexpr std::pair<llvm::StringLiteral, double> keys[] = {
      {"num_beams", 1},
      {"min_length", 0},
      {"min_new_tokens", 0},
      {"no_repeat_ngram_size", 0},
      {"encoder_no_repeat_ngram_size", 0},
      {"repetition_penalty", 1}};
  for (auto [key, neutral] : keys)
    for (const json::Object *file : files) {
      const json::Value *value = file ? file->get(key) : nullptr;
      if (!value)
        continue;
      auto number = value->getAsNumber();
      if (number && *number > neutral)
        mlir::emitWarning(
            NameLoc::get(StringAttr::get(&context, key),
                         FileLineColLoc::get(&context, path, 0, 0)))
            << "generation takes the likeliest token each time and does not "
               "follow '"
            << key << "', which is " << llvm::formatv("{0}", *value).str();
      break;
    }
}

static SpecialTokens findSpecialTokens(MLIRContext &context,
                                       const Checkpoint &checkpoint,
                                       const ModelFacts &facts) {
  SpecialTokens result;
  auto first = [](ArrayRef<int64_t> tokens) {
    return tokens.empty() ? -1 : tokens.front();
  };
  const json::Object &config = checkpoint.config();
  if (checkpoint.format() == Checkpoint::Format::GGUF) {
    auto find = [&](StringRef name) {
      return findTokens({&config}, ("tokenizer.ggml." + name).str(),
                        std::nullopt);
    };
    result.bos = first(find("bos_token_id"));
    result.pad = first(find("padding_token_id"));
    // Turns end with tokens of their own.
    for (StringRef name : {"eos_token_id", "eot_token_id", "eom_token_id"})
      result.eos.append(find(name));
  } else {
    json::Value generation = nullptr;
    if (auto text = checkpoint.textFile("generation_config.json")) {
      if (auto parsed = parsePythonJson(*text, "generation_config.json"))
        generation = std::move(*parsed);
      else
        llvm::consumeError(parsed.takeError());
    }
    // The part for text may say it by itself.
    SmallVector<const json::Object *, 3> files = {
        generation.getAsObject(), &config, config.getObject("text_config")};
    result.bos = first(findTokens(files, "bos_token_id", facts.bos));
    result.pad = first(findTokens(files, "pad_token_id", std::nullopt));
    result.eos = findTokens(files, "eos_token_id", facts.eos);
    if (facts.hasEncoder) {
      findDecoderTokens(files, facts, result);
      warnOfSearch(context, checkpoint.path(), files);
    }
  }
  // The defaults of a family mean its usual vocabulary, not a smaller one.
  auto isToken = [&](int64_t token) {
    return token >= 0 && token < facts.vocabSize;
  };
  for (int64_t *token : {&result.bos, &result.pad, &result.decoderStart,
                         &result.forcedBos, &result.forcedEos})
    if (!isToken(*token))
      *token = -1;
  for (SmallVector<int64_t> *tokens : {&result.eos, &result.suppressed})
    llvm::erase_if(*tokens, [&](int64_t token) { return !isToken(token); });
  llvm::sort(result.eos);
  result.eos.erase(llvm::unique(result.eos), result.eos.end());
  return result;
}

/// What the model is called: the file's own word for it, or its path.
static std::string getModelName(const Checkpoint &checkpoint) {
  if (auto name = checkpoint.config().getString("general.name"))
    return name->str();
  StringRef path = checkpoint.path();
  while (path.size() > 1 && llvm::sys::path::is_separator(path.back()))
    path = path.drop_back();
  return llvm::sys::path::filename(path).str();
}

static DictionaryAttr describeModel(MLIRContext &context, ConfigReader &reader,
                                    const ModelFacts &facts,
                                    int64_t maxLength) {
  const Checkpoint &checkpoint = reader.getCheckpoint();
  SpecialTokens tokens = findSpecialTokens(context, checkpoint, facts);
  // A tokenizer that cannot be read does not keep the model from being used
  // with token ids, so the blob's importer is the one to refuse.
  auto tokenizer = importTokenizer(checkpoint);
  if (!tokenizer)
    mlir::emitWarning(FileLineColLoc::get(&context, checkpoint.path(), 0, 0))
        << "the tokenizer cannot be imported: "
        << llvm::toString(tokenizer.takeError());
  else if (*tokenizer)
    tokens.addBos = (*tokenizer)->addBos && tokens.bos >= 0;

  Builder b(&context);
  auto entry = [&](StringRef name, Attribute value) {
    return b.getNamedAttr(name, value);
  };
  SmallVector<NamedAttribute> entries = {
      entry("name", b.getStringAttr(getModelName(checkpoint))),
      entry("vocab_size", b.getI64IntegerAttr(facts.vocabSize)),
      entry("bos", b.getI64IntegerAttr(tokens.bos)),
      entry("pad", b.getI64IntegerAttr(tokens.pad)),
      entry("eos", b.getI64ArrayAttr(tokens.eos)),
      entry("add_bos", b.getBoolAttr(tokens.addBos)),
  };
  if (facts.hasEncoder)
    entries.append({
        entry("decoder_start", b.getI64IntegerAttr(tokens.decoderStart)),
        entry("forced_bos", b.getI64IntegerAttr(tokens.forcedBos)),
        entry("forced_eos", b.getI64IntegerAttr(tokens.forcedEos)),
        entry("suppressed", b.getI64ArrayAttr(tokens.suppressed)),
    });
  if (maxLength != ModelFacts::unlimited)
    entries.push_back(entry("max_length", b.getI64IntegerAttr(maxLength)));
  return b.getDictionaryAttr(entries);
}

//===----------------------------------------------------------------------===//
// Import
//===----------------------------------------------------------------------===//

/// How many positions `module` is compiled for where nobody says it: those the
/// model was made for; or, where later ones follow by the same rule, as many as
/// a session has of a model without a limit.
static int64_t getUsualLength(ModuleOp module, const ModelFacts &facts) {
  constexpr int64_t least = 4096;
  if (facts.lengthIsFixed || facts.maxLength >= least)
    return facts.maxLength;
  // These are computed for the longest sequence.
  WalkResult walk = module.walk([](RopeFrequenciesOp op) {
    RopeScalingAttr scaling = op.getScalingAttr();
    bool isForLongest =
        scaling && (scaling.getKind() == RopeScalingKind::Dynamic ||
                    scaling.getKind() == RopeScalingKind::LongRope);
    return isForLongest ? WalkResult::interrupt() : WalkResult::advance();
  });
  return walk.wasInterrupted() ? facts.maxLength : least;
}

/// Complains of weights quantised in a way that cannot be read.
static void checkQuantization(ConfigReader &reader) {
  if (reader.isGGUF())
    return;
  const json::Value *value = reader.get("quantization_config");
  const json::Object *object = value ? value->getAsObject() : nullptr;
  // The checkpoint has joined blocks and scales; which weights have them shows
  // in their names.
  if (object && object->getString("quant_method") == "mxfp4")
    return;
  if (object && object->getString("quant_method") == "fp8") {
    // Activations stay floats, so that how they might be quantised and in what
    // units does not matter; and which weights are quantised shows in their
    // types.
    auto expect = [&](StringRef key, ArrayRef<StringRef> known) {
      const json::Value *found = object->get(key);
      if (!found || found->kind() == json::Value::Null ||
          llvm::is_contained(known, found->getAsString().value_or("")))
        return;
      std::string text;
      llvm::raw_string_ostream(text) << *found;
      reader.emitError("quantization_config")
          << "'" << key << "' of 'quantization_config' is " << text
          << ", expected '" << known.front()
          << "'; convert this checkpoint to GGUF or to floating point";
    };
    expect("fmt", {"e4m3", "float8_e4m3fn"});
    expect("expert_dtype", {"fp8"});
    return;
  }
  reader.expect("quantization_config", nullptr,
                "of quantised checkpoints those with quant_method 'mxfp4' or "
                "'fp8' can be read; convert this one to GGUF or to floating "
                "point");
}

FailureOr<OwningOpRef<ModuleOp>>
weir::importModel(MLIRContext &context, Checkpoint &checkpoint,
                  const ImportOptions &options) {
  loadImportDialects(context);
  FamilyTable table;
  registerAllFamilies(table);
  ConfigReader reader(context, checkpoint);
  FamilyRequest request;
  request.maxLength = options.maxLength;
  const Family *family = selectFamily(table, reader, request);
  if (!family)
    return failure();
  checkQuantization(reader);
  if (options.maxLength && *options.maxLength <= 0) {
    reader.emitError("max_position_embeddings")
        << "a longest sequence of " << *options.maxLength
        << " was asked for, expected a positive number";
    return failure();
  }

  ModelBuilder builder(context, checkpoint);
  ModelFacts facts = family->build(builder, reader, request);
  if (facts.lengthIsFixed && options.maxLength > facts.maxLength)
    reader.emitError("n_positions")
        << "a longest sequence of " << *options.maxLength
        << " was asked for, expected at most " << facts.maxLength
        << ": the model's positions are learned";
  if (reader.hasFailed() || builder.hasFailed() ||
      failed(checkUnused(*family, reader, request.hasHead)))
    return failure();

  OwningOpRef<ModuleOp> module = builder.takeModule();
  int64_t maxLength =
      options.maxLength ? *options.maxLength : getUsualLength(*module, facts);
  (*module)->setAttr("weir.model",
                     describeModel(context, reader, facts, maxLength));
  if (failed(verify(*module)))
    return failure();
  return module;
}

llvm::Expected<std::vector<uint8_t>>
weir::importTokenizerBlob(const Checkpoint &checkpoint) {
  auto spec = importTokenizer(checkpoint);
  if (!spec)
    return spec.takeError();
  if (!*spec)
    return std::vector<uint8_t>();
  return serializeTokenizer(**spec);
}
