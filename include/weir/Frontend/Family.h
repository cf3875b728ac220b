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

  /// Fails for every key that was neither read nor ignored, and for models that
  /// read an encoder unless the family has one.
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

/// One function per family, in the file of its name.
void registerABCFamily(FamilyTable &table);
void registerAfmoeFamily(FamilyTable &table);
void registerApertusFamily(FamilyTable &table);
void registerArceeFamily(FamilyTable &table);
void registerBailingHybridFamily(FamilyTable &table);
void registerBambaFamily(FamilyTable &table);
void registerBioGptFamily(FamilyTable &table);
void registerBitNetFamily(FamilyTable &table);
void registerAlbertFamily(FamilyTable &table);
void registerBartFamilies(FamilyTable &table);
void registerBertFamilies(FamilyTable &table);
void registerBigBirdFamily(FamilyTable &table);
void registerBloomFamily(FamilyTable &table);
void registerCodeGenFamily(FamilyTable &table);
void registerCohere2Family(FamilyTable &table);
void registerCohere2MoeFamily(FamilyTable &table);
void registerCohereFamily(FamilyTable &table);
void registerCombaFamily(FamilyTable &table);
void registerDbrxFamily(FamilyTable &table);
void registerCwmFamily(FamilyTable &table);
void registerDeepseekV2Family(FamilyTable &table);
void registerDeepseekV3Family(FamilyTable &table);
void registerDeepseekV32Family(FamilyTable &table);
void registerDeltaNetFamily(FamilyTable &table);
void registerDiffLlamaFamily(FamilyTable &table);
void registerDogeFamily(FamilyTable &table);
void registerDistilBertFamily(FamilyTable &table);
void registerElectraFamily(FamilyTable &table);
void registerDots1Family(FamilyTable &table);
void registerErnie45Family(FamilyTable &table);
void registerErnie45MoeFamily(FamilyTable &table);
void registerExaone4Family(FamilyTable &table);
void registerExaoneMoeFamily(FamilyTable &table);
void registerFalconFamily(FamilyTable &table);
void registerFalconH1Family(FamilyTable &table);
void registerFalconMambaFamily(FamilyTable &table);
void registerFlaAttentionFamilies(FamilyTable &table);
void registerFlexOlmoFamily(FamilyTable &table);
void registerGemma2Family(FamilyTable &table);
void registerGemma3Family(FamilyTable &table);
void registerGemmaFamily(FamilyTable &table);
void registerGLAFamily(FamilyTable &table);
void registerGlm4Family(FamilyTable &table);
void registerGlm4MoeLiteFamily(FamilyTable &table);
void registerGlmFamily(FamilyTable &table);
void registerGPT2Family(FamilyTable &table);
void registerGPTBigCodeFamily(FamilyTable &table);
void registerGPTJFamily(FamilyTable &table);
void registerGPTNeoFamily(FamilyTable &table);
void registerGPTNeoXFamily(FamilyTable &table);
void registerGPTNeoXJapaneseFamily(FamilyTable &table);
void registerGptOssFamily(FamilyTable &table);
void registerGraniteFamily(FamilyTable &table);
void registerGraniteMoeSwaFamily(FamilyTable &table);
void registerGraniteSwaFamily(FamilyTable &table);
void registerGSAFamily(FamilyTable &table);
void registerGatedDeltaNetFamily(FamilyTable &table);
void registerGatedDeltaProductFamily(FamilyTable &table);
void registerGlm4MoeFamily(FamilyTable &table);
void registerGlmMoeDsaFamily(FamilyTable &table);
void registerGraniteMoeFamily(FamilyTable &table);
void registerGraniteMoeHybridFamily(FamilyTable &table);
void registerGraniteMoeSharedFamily(FamilyTable &table);
void registerHeliumFamily(FamilyTable &table);
void registerHGRN2Family(FamilyTable &table);
void registerHGRNFamily(FamilyTable &table);
void registerHrmTextFamily(FamilyTable &table);
void registerHunYuanDenseFamily(FamilyTable &table);
void registerHunYuanMoeFamily(FamilyTable &table);
void registerJais2Family(FamilyTable &table);
void registerJambaFamily(FamilyTable &table);
void registerJetMoeFamily(FamilyTable &table);
void registerKDAFamily(FamilyTable &table);
void registerKimiLinearFamily(FamilyTable &table);
void registerLagunaFamily(FamilyTable &table);
void registerLfm2Family(FamilyTable &table);
void registerLfm2MoeFamily(FamilyTable &table);
void registerLightNetFamily(FamilyTable &table);
void registerLinearAttentionFamily(FamilyTable &table);
void registerLladaFamily(FamilyTable &table);
void registerLlama4Family(FamilyTable &table);
void registerLlama4WrapperFamily(FamilyTable &table);
void registerLlamaFamily(FamilyTable &table);
void registerLongcatFlashFamily(FamilyTable &table);
void registerLedFamily(FamilyTable &table);
void registerLongformerFamily(FamilyTable &table);
void registerMamba2Family(FamilyTable &table);
void registerMambaFamily(FamilyTable &table);
void registerMesaNetFamily(FamilyTable &table);
void registerMiMoV2FlashFamily(FamilyTable &table);
void registerMiniCPM3Family(FamilyTable &table);
void registerMiniMaxFamily(FamilyTable &table);
void registerMiniMaxM2Family(FamilyTable &table);
void registerMinistral3Family(FamilyTable &table);
void registerMinistralFamily(FamilyTable &table);
void registerMistralFamily(FamilyTable &table);
void registerMixtralFamily(FamilyTable &table);
void registerModernBertDecoderFamily(FamilyTable &table);
void registerModernBertFamily(FamilyTable &table);
void registerMPNetFamily(FamilyTable &table);
void registerMptFamily(FamilyTable &table);
void registerNanoChatFamily(FamilyTable &table);
void registerNemotronFamily(FamilyTable &table);
void registerNemotronHFamily(FamilyTable &table);
void registerOlmo2Family(FamilyTable &table);
void registerOlmo3Family(FamilyTable &table);
void registerOlmoFamily(FamilyTable &table);
void registerOlmoHybridFamily(FamilyTable &table);
void registerOlmoeFamily(FamilyTable &table);
void registerOpenAIGPTFamily(FamilyTable &table);
void registerOptFamily(FamilyTable &table);
void registerPersimmonFamily(FamilyTable &table);
void registerPhi3Family(FamilyTable &table);
void registerPhiFamily(FamilyTable &table);
void registerPhiMoeFamily(FamilyTable &table);
void registerQwen2Family(FamilyTable &table);
void registerQwen2MoeFamily(FamilyTable &table);
void registerQwen35Family(FamilyTable &table);
void registerQwen35MoeFamily(FamilyTable &table);
void registerQwen35MoeWrapperFamily(FamilyTable &table);
void registerQwen35WrapperFamily(FamilyTable &table);
void registerQwen3Family(FamilyTable &table);
void registerQwen3MoeFamily(FamilyTable &table);
void registerQwen3NextFamily(FamilyTable &table);
void registerRWKV6Family(FamilyTable &table);
void registerRWKV7Family(FamilyTable &table);
void registerRecurrentGemmaFamily(FamilyTable &table);
void registerRetNetFamily(FamilyTable &table);
void registerRobertaFamilies(FamilyTable &table);
void registerRwkvFamily(FamilyTable &table);
void registerSeedOssFamily(FamilyTable &table);
void registerSmolLM3Family(FamilyTable &table);
void registerSolarOpenFamily(FamilyTable &table);
void registerStableLmFamily(FamilyTable &table);
void registerStarcoder2Family(FamilyTable &table);
void registerVaultGemmaFamily(FamilyTable &table);
void registerXglmFamily(FamilyTable &table);
void registerSwitchTransformersFamily(FamilyTable &table);
void registerT5Families(FamilyTable &table);
void registerXlstmFamily(FamilyTable &table);
void registerZamba2Family(FamilyTable &table);
void registerZambaFamily(FamilyTable &table);
void registerZayaFamily(FamilyTable &table);

/// All of the above.
void registerAllFamilies(FamilyTable &table);

} // namespace weir

#endif // WEIR_FRONTEND_FAMILY_H
