//===- StoredTypes.cpp - How the checkpoint stores weights -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StoredTypes.h"
#include "mlir/IR/Remarks.h"
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
    std::optional<StorageType> type = (*source)->storedType();
    // Numbers of e4m3 are what they are beside their scales alone.
    if (type == StorageType::F8_E4M3 && !(*source)->blockType()) {
      remark::missed(
          param.getLoc(),
          remark::RemarkOpts::name("KeepF8").category("weir-stored-types"))
          << "@" << param.getSymName()
          << " becomes floats: what is stored as F8_E4M3 is rearranged within "
             "its rows, or these are no multiple of 32";
      type = StorageType::F32;
    }
    if (type)
      param->setAttr("stored",
                     StringAttr::get(param.getContext(),
                                     getStorageTypeName(*type).lower()));
  }
  return llvm::Error::success();
}
