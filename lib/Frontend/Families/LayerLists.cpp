//===- LayerLists.cpp - Lists with an entry for each layer -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "LayerLists.h"

using namespace mlir;
using namespace weir;
namespace json = llvm::json;

const json::Array *weir::getLayerList(ConfigReader &reader, StringRef key,
                                      const json::Value *value,
                                      int64_t layers) {
  if (!value || value->kind() == json::Value::Null)
    return nullptr;
  const json::Array *list = value->getAsArray();
  if (list && static_cast<int64_t>(list->size()) >= layers)
    return list;
  reader.emitError(key) << "key '" << key
                        << "' is no list with an entry for each of the "
                        << layers << " layers";
  return nullptr;
}

const json::Array *weir::getLayerList(ConfigReader &reader, StringRef key,
                                      int64_t layers) {
  return getLayerList(reader, key, reader.get(key), layers);
}
