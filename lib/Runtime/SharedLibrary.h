//===- SharedLibrary.h - The library a model was loaded with ----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_SHAREDLIBRARY_H
#define LIB_RUNTIME_SHAREDLIBRARY_H

#include "weir-rt/ModelDesc.h"

#include <string>

namespace weir::rt {

/// The shared library that holds `model`, as the loader was told its path;
/// empty for a model in the executable, and for one in no file.
std::string sharedLibraryOf(const weir_model_desc &model);

} // namespace weir::rt

#endif // LIB_RUNTIME_SHAREDLIBRARY_H
