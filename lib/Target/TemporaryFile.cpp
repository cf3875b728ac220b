//===- TemporaryFile.cpp - A file that goes away by itself -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Target/TemporaryFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Signals.h"

using namespace llvm;

std::error_code weir::TemporaryFile::create(StringRef prefix,
                                            StringRef suffix) {
  if (std::error_code code = sys::fs::createTemporaryFile(prefix, suffix, path))
    return code;
  sys::RemoveFileOnSignal(path);
  return {};
}

weir::TemporaryFile::~TemporaryFile() {
  if (path.empty())
    return;
  sys::fs::remove(path);
  sys::DontRemoveFileOnSignal(path);
}
