//===- SharedLibrary.cpp - The library a model was loaded with ------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SharedLibrary.h"

#include <dlfcn.h>
#include <link.h>

std::string weir::rt::sharedLibraryOf(const weir_model_desc &model) {
  // The loader knows shared libraries by their paths, the executable by none.
  Dl_info info;
  link_map *loaded = nullptr;
  if (dladdr1(&model, &info, reinterpret_cast<void **>(&loaded),
              RTLD_DL_LINKMAP) &&
      loaded)
    return loaded->l_name;
  return "";
}
