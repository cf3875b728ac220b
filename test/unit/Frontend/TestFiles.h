//===- TestFiles.h - Checkpoints written by tests --------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Builders of small files, right or wrong, and of a directory for them.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TEST_UNIT_FRONTEND_TESTFILES_H
#define WEIR_TEST_UNIT_FRONTEND_TESTFILES_H

#include "weir/Frontend/Checkpoint.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

#include <cstring>

namespace weir {

/// A directory that goes away with the test.
class TempDir {
public:
  TempDir() {
    EXPECT_FALSE(
        llvm::sys::fs::createUniqueDirectory("weir-checkpoint", directory));
  }
  ~TempDir() { llvm::sys::fs::remove_directories(directory); }
  TempDir(const TempDir &) = delete;
  TempDir &operator=(const TempDir &) = delete;

  /// The path of an entry, or of the directory itself.
  std::string path(llvm::StringRef name = "") const {
    llvm::SmallString<128> result = directory;
    if (!name.empty())
      llvm::sys::path::append(result, name);
    return std::string(result);
  }

  /// Writes a file and gives its path.
  std::string write(llvm::StringRef name, llvm::StringRef contents) const {
    std::error_code ec;
    llvm::raw_fd_ostream os(path(name), ec);
    EXPECT_FALSE(ec);
    os << contents;
    return path(name);
  }

private:
  llvm::SmallString<128> directory;
};

/// The bytes of a little-endian number.
template <typename T>
std::string bytesOf(T value) {
  std::string result(sizeof(T), '\0');
  std::memcpy(result.data(), &value, sizeof(T));
  return result;
}

/// The bytes of numbers in a row.
template <typename T>
std::string bytesOf(llvm::ArrayRef<T> values) {
  std::string result;
  for (T value : values)
    result += bytesOf(value);
  return result;
}

/// A safetensors file of this header and data.
inline std::string makeSafetensors(llvm::StringRef header,
                                   llvm::StringRef data) {
  return bytesOf<uint64_t>(header.size()) + header.str() + data.str();
}

/// A GGUF string.
inline std::string ggufString(llvm::StringRef text) {
  return bytesOf<uint64_t>(text.size()) + text.str();
}

/// Builds GGUF files. Metadata and infos are appended as bytes, so that wrong
/// ones can be made too.
struct GGUFBuilder {
  uint32_t version = 3;
  uint64_t numKeys = 0, numTensors = 0;
  std::string metadata, infos, data;
  uint64_t alignment = 32;

  void addKey(llvm::StringRef key, uint32_t type, const std::string &value) {
    ++numKeys;
    metadata += ggufString(key) + bytesOf(type) + value;
  }
  void addInfo(llvm::StringRef name, llvm::ArrayRef<uint64_t> innermostFirst,
               uint32_t type, uint64_t offset) {
    ++numTensors;
    infos += ggufString(name) +
             bytesOf(static_cast<uint32_t>(innermostFirst.size())) +
             bytesOf(innermostFirst) + bytesOf(type) + bytesOf(offset);
  }
  /// Adds a tensor with its data, aligned.
  void addTensor(llvm::StringRef name, llvm::ArrayRef<uint64_t> innermostFirst,
                 uint32_t type, const std::string &bytes) {
    while (data.size() % alignment != 0)
      data += '\0';
    addInfo(name, innermostFirst, type, data.size());
    data += bytes;
  }
  std::string build() const {
    std::string file = "GGUF" + bytesOf(version) + bytesOf(numTensors) +
                       bytesOf(numKeys) + metadata + infos;
    while (file.size() % alignment != 0)
      file += '\0';
    return file + data;
  }
};

/// Expects that opening fails and that the message holds all of `parts`.
inline void expectOpenError(llvm::StringRef path,
                            llvm::ArrayRef<llvm::StringRef> parts) {
  llvm::Expected<std::unique_ptr<Checkpoint>> checkpoint = openCheckpoint(path);
  if (checkpoint) {
    ADD_FAILURE() << "opened " << path.str();
    return;
  }
  std::string message = llvm::toString(checkpoint.takeError());
  for (llvm::StringRef part : parts)
    EXPECT_NE(message.find(part.str()), std::string::npos)
        << message << "\n  lacks " << part.str();
}

/// Opens a checkpoint that must be right.
inline std::unique_ptr<Checkpoint> openOrFail(llvm::StringRef path) {
  llvm::Expected<std::unique_ptr<Checkpoint>> checkpoint = openCheckpoint(path);
  if (checkpoint)
    return std::move(*checkpoint);
  ADD_FAILURE() << llvm::toString(checkpoint.takeError());
  return nullptr;
}

/// Reads all of each tensor, so that a wrong extent shows under a sanitizer.
inline void touchTensors(const Checkpoint &checkpoint) {
  for (const TensorInfo &tensor : checkpoint.tensors()) {
    if (!isDecodable(tensor.type))
      continue;
    std::vector<float> values(tensor.getNumElements());
    EXPECT_FALSE(
        llvm::errorToBool(decodeToF32(tensor.type, tensor.bytes, values)));
  }
}

} // namespace weir

#endif // WEIR_TEST_UNIT_FRONTEND_TESTFILES_H
