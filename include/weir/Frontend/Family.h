//===- weir/Frontend/Family.h - Model families -----------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A family turns the configuration of a checkpoint into a graph. It reads every
// key it understands, names those that cannot change results, and what is left
// over is an error: a model is imported as it was trained, or not at all.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_FRONTEND_FAMILY_H
#define WEIR_FRONTEND_FAMILY_H

#include "mlir/IR/Diagnostics.h"
#include "weir/Frontend/Checkpoint.h"
#include "llvm/ADT/StringSet.h"
#include <limits>

namespace weir {

class ModelBuilder;

/// A configuration key as most of Hugging Face's families spell it, and what it
/// is elsewhere: in GGUF files, without the architecture in front
/// ("embedding_length"), or in a family that has its own names ("n_embd").
struct ConfigAlias {
  llvm::StringLiteral key;
  llvm::StringLiteral spelling;
};

/// Reads a checkpoint's configuration by Hugging Face's names, whichever format
/// it is in, and remembers what was read. Wrong values are diagnosed at the key
/// and replaced by the fallback, so that all of them are reported together;
/// `hasFailed` tells in the end. Keys whose value is null count as absent.
class ConfigReader {
public:
  ConfigReader(mlir::MLIRContext &context, const Checkpoint &checkpoint);
  /// Reads the object that `outer` has under `key`, where some families keep
  /// the keys of a part of the model; an empty one where it is absent. It is
  /// finished by itself, and its failure is one of `outer`.
  ConfigReader(ConfigReader &outer, llvm::StringRef key);

  /// Whether keys are those of a GGUF file.
  bool isGGUF() const {
    return checkpoint.format() == Checkpoint::Format::GGUF;
  }
  const Checkpoint &getCheckpoint() const { return checkpoint; }

  /// How GGUF keys are spelt; `architecture` goes in front of them.
  void setAliases(llvm::StringRef architecture,
                  llvm::ArrayRef<ConfigAlias> aliases);
  /// How a family spells keys of config.json, which may stand there under
  /// either name. Says nothing about GGUF files.
  void setSpellings(llvm::ArrayRef<ConfigAlias> aliases);

  /// The value under `key`, or null. Counts as read.
  const llvm::json::Value *get(llvm::StringRef key);
  /// Whether `key` has a value. Does not count as reading it.
  bool has(llvm::StringRef key) const;
  /// Whether `key` is there and null: families tell that from an absent one.
  bool isNull(llvm::StringRef key) const;

  /// `fallback` when absent.
  int64_t getInt(llvm::StringRef key, int64_t fallback);
  double getFloat(llvm::StringRef key, double fallback);
  bool getBool(llvm::StringRef key, bool fallback);
  std::string getString(llvm::StringRef key, llvm::StringRef fallback);
  std::optional<int64_t> getOptionalInt(llvm::StringRef key);
  /// The numbers of an array of whole numbers or flags in a GGUF file, which
  /// then counts as read; none where there is no such array.
  std::optional<std::vector<int64_t>> getIntegers(llvm::StringRef key);

  /// A positive number of which a GGUF file must have a value; Hugging Face
  /// leaves out what equals `fallback`, the default of the family. An array of
  /// one repeated number, as GGUF files have per layer, counts as that number.
  int64_t getSize(llvm::StringRef key, int64_t fallback);

  /// Fails unless `key` is absent or has the value `only`; `why` says what the
  /// other values would mean.
  void expect(llvm::StringRef key, const llvm::json::Value &only,
              llvm::StringRef why);

  /// Marks keys as unable to change results.
  void ignore(llvm::ArrayRef<llvm::StringLiteral> keys);

  /// Fails for every key, of arrays too, that was neither read nor ignored, and
  /// for models that read an encoder unless the family has one.
  void finish(bool hasEncoder = false);

  /// The place of `key` in its file.
  mlir::Location getLocation(llvm::StringRef key) const;
  /// An error at `key`, which makes the reading fail.
  mlir::InFlightDiagnostic emitError(llvm::StringRef key);
  bool hasFailed() const { return failed; }

  /// The key as the file spells it.
  std::string getSpelling(llvm::StringRef key) const;

private:
  const llvm::json::Value *find(llvm::StringRef key) const;
  void emitTypeError(llvm::StringRef key, const llvm::json::Value &found,
                     llvm::StringRef expected);

  /// The keys that are read.
  const llvm::json::Object &getObject() const {
    return object ? *object : checkpoint.config();
  }

  mlir::MLIRContext &context;
  const Checkpoint &checkpoint;
  /// The reader whose object holds this one's, the key, and the object; null
  /// for the whole configuration.
  ConfigReader *outer = nullptr;
  std::string section;
  const llvm::json::Object *object = nullptr;
  std::string prefix;
  llvm::StringMap<std::string> spellings;
  llvm::StringSet<> seen;
  bool failed = false;
};

/// What a family is given beside the configuration.
struct FamilyRequest {
  /// The longest sequence asked for, or none for what the model was made for.
  std::optional<int64_t> maxLength;
  /// Whether the architecture has the language model's head.
  bool hasHead = true;
  /// Whether it is the encoder of an encoder and a decoder.
  bool encoderOnly = false;
};

/// What a family tells about the model it built.
struct ModelFacts {
  /// The `maxLength` of models that any length is the same to.
  static constexpr int64_t unlimited = std::numeric_limits<int64_t>::max();

  int64_t vocabSize = 0;
  /// Positions the model was made for, or `unlimited`.
  int64_t maxLength = 0;
  /// Whether there is nothing behind `maxLength`: positions are learned.
  bool lengthIsFixed = false;
  /// Tokens that the family takes when the configuration does not name them.
  std::optional<int64_t> bos, eos;
  /// Whether a decoder reads what an encoder gives; all else is the decoder's.
  bool hasEncoder = false;
  /// Tokens that it begins to write with, and ends with, likewise.
  std::optional<int64_t> decoderStart, forcedEos;
};

/// A family of models that share a graph.
struct Family {
  /// `model_type` in config.json.
  llvm::StringLiteral modelType;
  /// The architecture with a language model's head, and the one without.
  llvm::StringLiteral headArchitecture;
  llvm::StringLiteral baseArchitecture;
  /// `general.architecture` of GGUF files, or empty.
  llvm::StringLiteral ggufArchitecture;
  /// Endings of names of tensors that are in some checkpoints and are not
  /// weights, such as masks.
  llvm::ArrayRef<llvm::StringLiteral> ignorableTensors;
  /// Reads the configuration and builds `@forward`. Errors are diagnosed
  /// through the reader or the builder, which remember them.
  ModelFacts (*build)(ModelBuilder &builder, ConfigReader &config,
                      const FamilyRequest &request);
  /// More architectures with the head: others for training or for decoding,
  /// which compute the same.
  llvm::ArrayRef<llvm::StringLiteral> moreArchitectures = {};
  /// The architecture that is the encoder alone, or empty.
  llvm::StringLiteral encoderArchitecture = "";
};

/// The families known.
class FamilyTable {
public:
  void add(const Family &family) { families.push_back(family); }
  llvm::ArrayRef<Family> getFamilies() const { return families; }

  /// The family of an entry of `architectures`; `hasHead` is set.
  const Family *lookupArchitecture(llvm::StringRef name, bool &hasHead) const;
  const Family *lookupModelType(llvm::StringRef name) const;
  const Family *lookupGGUF(llvm::StringRef name) const;

private:
  std::vector<Family> families;
};

/// Adds what Families.def lists.
void registerAllFamilies(FamilyTable &table);

} // namespace weir

#endif // WEIR_FRONTEND_FAMILY_H
