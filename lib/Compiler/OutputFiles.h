//===- OutputFiles.h - Files that appear whole or not at all -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_COMPILER_OUTPUTFILES_H
#define WEIR_LIB_COMPILER_OUTPUTFILES_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace weir {

/// The files of one artefact. They are written under temporary names in the
/// folders they belong to and get their own names together, when all of them
/// are complete. Until then what had those names before is untouched. A failure
/// or an interrupt removes the temporary files.
class OutputFiles {
public:
  OutputFiles() = default;
  OutputFiles(const OutputFiles &) = delete;
  OutputFiles &operator=(const OutputFiles &) = delete;
  ~OutputFiles();

  /// Makes an empty file that `commit` will call `path`, and returns its name.
  /// Fails when `path` is something else than a regular file or its folder
  /// cannot be written to.
  llvm::Expected<std::string> create(llvm::StringRef path);

  /// Gives all files their names.
  llvm::Error commit();

private:
  /// A file under its temporary name, and the name it will have.
  struct Entry {
    std::string temporary;
    std::string path;
  };
  std::vector<Entry> entries;
};

/// Whether `path` is the standard output (`-`), a device or a pipe.
bool isStreamPath(llvm::StringRef path);

/// Writes `text` to `path` as a whole; `-` is the standard output, and devices
/// and pipes are written to directly.
llvm::Error writeTextFile(llvm::StringRef path, llvm::StringRef text);

} // namespace weir

#endif // WEIR_LIB_COMPILER_OUTPUTFILES_H
