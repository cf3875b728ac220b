//===- weir/Compiler/Cache.h - Compiled models kept for later -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_COMPILER_CACHE_H
#define WEIR_COMPILER_CACHE_H

#include "weir/Compiler/Compiler.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"
#include <optional>
#include <string>

namespace weir {

/// The user's folder for compiled models. Not made yet.
llvm::Expected<std::string> getCacheFolder();

/// A name for what compiling `model` with `options` gives: a hash of the bytes
/// of the model's files, of the options, of the CPU and of the compiler itself.
/// Equal keys mean equal results; names and times of files play no part.
llvm::Expected<std::string> computeCacheKey(const CompileOptions &options,
                                            llvm::StringRef model);

/// The executable kept under `key` in `folder`. When there is none,
/// `compile(path)` is called to make one at `path`, in a folder of its own that
/// becomes the entry when it is complete: an interrupted compilation leaves no
/// entry, and of several at once one wins and all use it. None when `compile`
/// says that it failed.
llvm::Expected<std::optional<std::string>>
getCachedModel(llvm::StringRef folder, llvm::StringRef key,
               llvm::function_ref<bool(llvm::StringRef path)> compile);

} // namespace weir

#endif // WEIR_COMPILER_CACHE_H
