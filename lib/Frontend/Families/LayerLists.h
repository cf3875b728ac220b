//===- LayerLists.h - Lists with an entry for each layer -------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_LAYERLISTS_H
#define WEIR_LIB_FRONTEND_FAMILIES_LAYERLISTS_H

#include "weir/Frontend/Family.h"
#include "llvm/Support/JSON.h"

namespace weir {

/// The list under `key`, whose first entries are those of the layers: there may
/// be more, of heads that predict other tokens. Null where there is none; one
/// that is too short is an error.
const llvm::json::Array *getLayerList(ConfigReader &reader, llvm::StringRef key,
                                      int64_t layers);

/// The same of a value at hand, which stands under `key`.
const llvm::json::Array *getLayerList(ConfigReader &reader, llvm::StringRef key,
                                      const llvm::json::Value *value,
                                      int64_t layers);

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_LAYERLISTS_H
