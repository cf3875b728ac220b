//===- Formats.h - What the readers of the formats share -------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Private to the checkpoint library.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_CHECKPOINT_FORMATS_H
#define WEIR_LIB_FRONTEND_CHECKPOINT_FORMATS_H

#include "weir/Frontend/Checkpoint.h"

#include "llvm/Support/FormatVariadic.h"

namespace weir {

/// An error that begins with the name of the file it is about.
template <typename... Args>
llvm::Error fileError(llvm::StringRef fileName, const char *format,
                      Args &&...args) {
  return llvm::createStringError(
      llvm::Twine(fileName) + ": " +
      llvm::formatv(false, format, std::forward<Args>(args)...).str());
}

/// A name or value from a file, fit for a message: quoted, cut to a sane
/// length, control characters and broken UTF-8 escaped.
std::string quoted(llvm::StringRef text);

/// "[2, 3]".
std::string formatShape(llvm::ArrayRef<int64_t> shape);

/// Maps a regular file. Refuses directories, devices and pipes.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>>
mapFile(llvm::StringRef path);

/// The bytes of a mapped file.
inline llvm::ArrayRef<uint8_t> getBytes(const llvm::MemoryBuffer &buffer) {
  return {reinterpret_cast<const uint8_t *>(buffer.getBufferStart()),
          buffer.getBufferSize()};
}

/// The tensors of a safetensors file, in the order of their data.
llvm::Expected<std::vector<TensorInfo>>
readSafetensors(const llvm::MemoryBuffer &buffer, llvm::StringRef fileName);

/// The keys of the outermost object of valid JSON, as written between their
/// quotes, in order: to find duplicates, which parsing drops.
std::vector<llvm::StringRef> getOutermostKeys(llvm::StringRef json);

/// Opens a directory.
llvm::Expected<std::unique_ptr<Checkpoint>>
openHuggingFace(llvm::StringRef path);

/// Opens a GGUF file already mapped.
llvm::Expected<std::unique_ptr<Checkpoint>>
openGGUF(llvm::StringRef path, std::unique_ptr<llvm::MemoryBuffer> buffer);

} // namespace weir

#endif // WEIR_LIB_FRONTEND_CHECKPOINT_FORMATS_H
