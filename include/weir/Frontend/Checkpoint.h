//===- weir/Frontend/Checkpoint.h - Trained models on disk -----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reading of Hugging Face directories and GGUF files. Files are mapped, never
// copied; every count, offset and name in them is checked before it is used,
// since they come from strangers. Errors name the file, what was found and
// what was expected.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_FRONTEND_CHECKPOINT_H
#define WEIR_FRONTEND_CHECKPOINT_H

#include "weir/Frontend/ElementTypes.h"

#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace weir {

/// One stored tensor. Refers to the checkpoint's mapped file.
struct TensorInfo {
  std::string name;
  StorageType type = StorageType::F32;
  /// Row-major, outermost axis first (GGUF files list them the other way).
  llvm::SmallVector<int64_t, 4> shape;
  /// Exactly the bytes of the tensor; not necessarily aligned.
  llvm::ArrayRef<uint8_t> bytes;
  /// Numbers of `scaleType` that blocks of `scaleBlock` rows and columns of
  /// each matrix (the two innermost axes) are scaled by, row-major, where they
  /// are stored apart; blocks at the edges may be cut. F4_E2M1 with exponents
  /// of F8_E8M0 for blocks of 1 by 32 is what MXFP4 is. Empty where `type` says
  /// it all.
  llvm::ArrayRef<uint8_t> scales;
  StorageType scaleType = StorageType::F8_E8M0;
  std::array<int64_t, 2> scaleBlock = {1, QuantizedRows::blockSize};

  /// The product of the extents; checked for overflow when the file was read.
  int64_t getNumElements() const;

  /// The scale of each block that row `row` (all axes but the innermost
  /// flattened) goes through. Only of a tensor with `scales`.
  std::vector<float> readScales(int64_t row) const;
};

/// An array in GGUF metadata. Refers to the checkpoint's mapped file.
struct GGUFArray {
  /// Types of GGUF metadata values, numbered as in the file.
  enum class Type : uint32_t {
    U8 = 0,
    I8 = 1,
    U16 = 2,
    I16 = 3,
    U32 = 4,
    I32 = 5,
    F32 = 6,
    Bool = 7,
    String = 8,
    Array = 9,
    U64 = 10,
    I64 = 11,
    F64 = 12
  };

  Type type = Type::U8;
  uint64_t count = 0;
  /// The elements as stored (little endian), when they are numbers or bools.
  llvm::ArrayRef<uint8_t> bytes;
  /// The elements, when they are strings. Not necessarily valid UTF-8.
  std::vector<llvm::StringRef> strings;
  /// The elements, when they are arrays.
  std::vector<GGUFArray> arrays;
};

/// Typed metadata of a GGUF file.
class GGUFMetadata {
public:
  /// The array stored under `key`, or null.
  const GGUFArray *getArray(llvm::StringRef key) const;
  /// The strings stored under `key`, when that is an array of strings.
  std::optional<llvm::ArrayRef<llvm::StringRef>>
  getStrings(llvm::StringRef key) const;
  /// The numbers stored under `key`, when that is an array of integers or
  /// bools. Unsigned 64-bit values keep their bits.
  std::optional<std::vector<int64_t>> getIntegers(llvm::StringRef key) const;
  /// The numbers stored under `key`, when that is an array of any numbers.
  std::optional<std::vector<float>> getFloats(llvm::StringRef key) const;
  /// The keys of all arrays, sorted.
  std::vector<llvm::StringRef> getArrayKeys() const;
  /// The scalar string stored under `key`, byte by byte as in the file.
  std::optional<llvm::StringRef> getString(llvm::StringRef key) const;

private:
  friend class GGUFCheckpoint;
  llvm::StringMap<GGUFArray> arrays;
  llvm::StringMap<llvm::StringRef> strings;
};

/// A trained model: its configuration and its tensors.
class Checkpoint {
public:
  enum class Format { HuggingFace, GGUF };

  virtual ~Checkpoint();
  Checkpoint(const Checkpoint &) = delete;
  Checkpoint &operator=(const Checkpoint &) = delete;

  Format format() const { return fileFormat; }

  /// The path it was opened with.
  llvm::StringRef path() const { return location; }

  /// Hugging Face: `config.json`. GGUF: all scalar metadata under their full
  /// keys ("llama.block_count"). Numbers JSON cannot write are the strings
  /// "Infinity" and "-Infinity"; NaN is null.
  const llvm::json::Object &config() const { return configuration; }

  /// All tensors, in the order of the files.
  llvm::ArrayRef<TensorInfo> tensors() const { return tensorList; }

  /// The tensor of this name, or null. The pointer lives as long as the
  /// checkpoint.
  const TensorInfo *lookup(llvm::StringRef name) const;

  /// As `lookup`, but marks the tensor used, and a missing one is an error that
  /// names the nearest name present.
  llvm::Expected<const TensorInfo *> use(llvm::StringRef name);

  /// Notes that the model reads this tensor. Unknown names are ignored.
  void markUsed(llvm::StringRef name);

  /// Names of the tensors never marked used, in the order of the files: an
  /// importer that leaves some has misunderstood the model.
  std::vector<llvm::StringRef> unusedTensors() const;

  /// The contents of `tokenizer.json`, `tokenizer_config.json`,
  /// `generation_config.json` or another small text file beside the config of
  /// a Hugging Face directory; none when absent or for GGUF. `name` is a plain
  /// file name.
  virtual std::optional<llvm::StringRef> textFile(llvm::StringRef name) const;

  /// GGUF only, else null.
  virtual const GGUFMetadata *ggufMetadata() const { return nullptr; }

protected:
  Checkpoint(Format format, llvm::StringRef path)
      : fileFormat(format), location(path.str()) {}

  /// Adds a tensor; fails when the name is taken.
  llvm::Error addTensor(TensorInfo tensor, llvm::StringRef fileName);

  /// Gives `tensor` the scales for blocks of `block` that are a tensor of their
  /// own, which counts as used from here on. Both are of this checkpoint.
  void joinScales(const TensorInfo &tensor, const TensorInfo &scales,
                  std::array<int64_t, 2> block);

  llvm::json::Object configuration;

private:
  Format fileFormat;
  std::string location;
  std::vector<TensorInfo> tensorList;
  llvm::StringMap<size_t> tensorIndex;
  llvm::BitVector used;
};

/// Opens a Hugging Face directory or a GGUF file, told apart by looking.
llvm::Expected<std::unique_ptr<Checkpoint>>
openCheckpoint(llvm::StringRef path);

/// Opens what a module's weights are taken from: a checkpoint, or a safetensors
/// file by itself, which has neither configuration nor tokenizer.
llvm::Expected<std::unique_ptr<Checkpoint>> openWeights(llvm::StringRef path);

/// Parses JSON as Python's `json` writes it: bare `Infinity` and `-Infinity`
/// become strings of that spelling, `NaN` becomes null. Refuses nesting deeper
/// than 128, which would exhaust the stack. `fileName` is for messages.
llvm::Expected<llvm::json::Value> parsePythonJson(llvm::StringRef text,
                                                  llvm::StringRef fileName);

} // namespace weir

#endif // WEIR_FRONTEND_CHECKPOINT_H
