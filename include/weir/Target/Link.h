//===- weir/Target/Link.h - Link an object with the runtime -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TARGET_LINK_H
#define WEIR_TARGET_LINK_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>

namespace weir {

/// The file this code is in: the compiler's shared library, or an executable
/// that was linked with its parts. Empty when the loader does not tell.
std::string getCompilerFile();

/// The folder of the runtime's archives: that of getCompilerFile, or else `lib`
/// beside that.
std::string findRuntimeDir();

/// Links `object` with Weir's runtime into `output`, with the C++ compiler
/// found on the machine: an executable, or a shared library when it is given
/// the name `soname` to be loaded by. `runtimeDir` holds `libweir_rt.a`; empty
/// stands for findRuntimeDir. Puts the OpenMP library it needs beside `output`
/// unless it is there already. Errors carry the linker's own words.
llvm::Error linkWithRuntime(llvm::StringRef object, llvm::StringRef output,
                            llvm::StringRef runtimeDir, llvm::StringRef soname);

} // namespace weir

#endif // WEIR_TARGET_LINK_H
