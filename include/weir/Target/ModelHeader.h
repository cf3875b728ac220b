//===- weir/Target/ModelHeader.h - C header of a compiled model -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A shared library with a model inside comes with a C header that needs no
// other file of Weir's: the runtime's interface as it stands, and on top of it
// the few functions that know the model.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TARGET_MODELHEADER_H
#define WEIR_TARGET_MODELHEADER_H

#include "weir/Target/ModelTable.h"
#include "llvm/ADT/StringRef.h"

namespace weir {

/// The C identifier that names the model in the shared library `path`, from the
/// file's stem: `model/libtiny-llama.so` gives `tiny_llama`.
std::string getModelIdentifier(llvm::StringRef path);

/// Where the header of the shared library `path` belongs: beside it, with the
/// extension `.h`.
std::string getModelHeaderPath(llvm::StringRef path);

/// The function by which a shared library hands out its table. Unlike
/// `weir_model` it is named after the library, so that a program may link two,
/// and unlike data it is never copied into the program that refers to it.
std::string getModelSymbol(llvm::StringRef path);

/// Adds the function getModelSymbol(`path`) to `module`, behind emitModelTable.
void emitModelAccessor(llvm::Module &module, llvm::StringRef path);

/// The text of the header of the shared library `path`.
std::string buildModelHeader(const ModelInterface &interface,
                             llvm::StringRef path);

} // namespace weir

#endif // WEIR_TARGET_MODELHEADER_H
