//===- FamilyTable.cpp - The families known -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Frontend/Family.h"

using namespace mlir;
using namespace weir;

const Family *FamilyTable::lookupArchitecture(StringRef name,
                                              bool &hasHead) const {
  if (name.empty())
    return nullptr;
  for (const Family &family : families) {
    hasHead = name == family.headArchitecture ||
              llvm::is_contained(family.moreArchitectures, name);
    if (hasHead || name == family.baseArchitecture ||
        name == family.encoderArchitecture)
      return &family;
  }
  return nullptr;
}

const Family *FamilyTable::lookupModelType(StringRef name) const {
  for (const Family &family : families)
    if (!name.empty() && name == family.modelType)
      return &family;
  return nullptr;
}

const Family *FamilyTable::lookupGGUF(StringRef name) const {
  for (const Family &family : families)
    if (!family.ggufArchitecture.empty() && name == family.ggufArchitecture)
      return &family;
  return nullptr;
}

namespace weir {
#define WEIR_FAMILIES(NAME) void register##NAME(FamilyTable &table);
#include "Families.def"
} // namespace weir

void weir::registerAllFamilies(FamilyTable &table) {
#define WEIR_FAMILIES(NAME) register##NAME(table);
#include "Families.def"
}
