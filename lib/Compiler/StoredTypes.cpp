//===- StoredTypes.cpp - How the checkpoint stores weights -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StoredTypes.h"
#include "mlir/IR/SymbolTable.h"
#include "weir/Frontend/Import.h"

using namespace mlir;
using namespace weir;

llvm::Error weir::annotateStoredTypes(ModuleOp module, Checkpoint &checkpoint) {
  SymbolTable symbols(module);
  for (auto param : module.getOps<ParamOp>()) {
    // Constants are stored by nobody, and packed weights are packed already.
    if (isa<ElementsAttr, PackAttr>(param.getInit()))
      continue;
    llvm::Expected<WeightRef> source =
        buildParamSource(param, symbols, &checkpoint);
    if (!source)
      return llvm::createStringError("weight @" + param.getSymName() + ": " +
                                     llvm::toString(source.takeError()));
    if (std::optional<StorageType> type = (*source)->storedType())
      param->setAttr("stored",
                     StringAttr::get(param.getContext(),
                                     getStorageTypeName(*type).lower()));
  }
  return llvm::Error::success();
}
