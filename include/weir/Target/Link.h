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

namespace weir {

/// Links `object` with Weir's runtime into `output`, an executable or a shared
/// library, with the C++ compiler found on the machine. `runtimeDir` holds
/// `libweir_rt.a`. Puts the OpenMP library it needs beside `output` unless it
/// is there already. Errors carry the linker's own words.
llvm::Error linkWithRuntime(llvm::StringRef object, llvm::StringRef output,
                            llvm::StringRef runtimeDir, bool shared);

} // namespace weir

#endif // WEIR_TARGET_LINK_H
