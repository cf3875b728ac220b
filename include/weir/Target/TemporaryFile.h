//===- TemporaryFile.h - A file that goes away by itself -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TARGET_TEMPORARYFILE_H
#define WEIR_TARGET_TEMPORARYFILE_H

#include "llvm/ADT/SmallString.h"
#include <system_error>

namespace weir {

/// A file among the system's temporary ones, removed with this object or by an
/// interrupt.
class TemporaryFile {
public:
  TemporaryFile() = default;
  TemporaryFile(const TemporaryFile &) = delete;
  TemporaryFile &operator=(const TemporaryFile &) = delete;
  ~TemporaryFile();

  /// Makes the file, empty, with a name that begins with `prefix`; called at
  /// most once.
  std::error_code create(llvm::StringRef prefix, llvm::StringRef suffix);

  /// The file's name; empty until it is made.
  llvm::StringRef getPath() const { return path; }

private:
  llvm::SmallString<128> path;
};

} // namespace weir

#endif // WEIR_TARGET_TEMPORARYFILE_H
