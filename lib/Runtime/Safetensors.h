//===- Safetensors.h - Named tensors in files -------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_SAFETENSORS_H
#define LIB_RUNTIME_SAFETENSORS_H

#include "Memory.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace weir::rt {

/// A named tensor owned by someone else. `data` is dense, row major, and may be
/// misaligned for its element type (files give no alignment).
struct TensorView {
  std::string name;
  int32_t dtype = 0; ///< weir_dtype
  std::vector<int64_t> shape;
  const void *data = nullptr;
  size_t bytes = 0;
};

/// A `safetensors` file mapped for reading. Everything is checked before the
/// first tensor is given out: header size, JSON syntax, element types,
/// duplicate names, sizes against shapes, ranges against the file, overlaps and
/// holes.
class SafetensorsFile {
public:
  /// Opens and checks `path`; null and `error` otherwise.
  static std::unique_ptr<SafetensorsFile> open(const std::string &path,
                                               std::string &error);

  /// The tensors in the order of their data; valid as long as this object.
  const std::vector<TensorView> &tensors() const { return views; }

  /// The tensor called `name`, or null.
  const TensorView *find(const std::string &name) const;

private:
  MappedFile file;
  std::vector<TensorView> views;
};

/// Checks the contents of a `safetensors` file in memory; the views point into
/// `data`. Messages do not name the file.
bool parseSafetensors(const uint8_t *data, size_t size,
                      std::vector<TensorView> &tensors, std::string &error);

/// Writes `tensors` to `path` in one step: the file appears complete or not at
/// all. Names must differ and sizes agree with shapes.
bool writeSafetensors(const std::string &path,
                      const std::vector<TensorView> &tensors,
                      std::string &error);

} // namespace weir::rt

#endif // LIB_RUNTIME_SAFETENSORS_H
