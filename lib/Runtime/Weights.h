//===- Weights.h - The mapped weights file ----------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_WEIGHTS_H
#define LIB_RUNTIME_WEIGHTS_H

#include "Memory.h"
#include "weir-rt/ModelDesc.h"
#include "weir-rt/WeightsFile.h"

#include <memory>
#include <string>

namespace weir::rt {

/// The packed weights of a compiled model, mapped read only. The layout of the
/// file is in weir-rt/WeightsFile.h.
class Weights {
public:
  static constexpr size_t kPayloadOffset = WEIR_WEIGHTS_PAYLOAD_AT;

  /// Maps `path`, or when it is empty `<file>.weights`, where the file is the
  /// executable or shared library that holds `model`, and checks that it
  /// belongs to that. A model without weights needs no file.
  static std::shared_ptr<const Weights> open(const weir_model_desc &model,
                                             const std::string &path,
                                             std::string &error);

  /// As many bytes as `model` has weights, drawn from `seed`: numbers of either
  /// sign from 2^-6 to 2^-5, whether they are read as bf16 or as f32, for
  /// timings where no file is. Other types get what these bytes are to them.
  static std::shared_ptr<const Weights> draw(const weir_model_desc &model,
                                             uint64_t seed, std::string &error);

  Weights() = default;
  ~Weights();
  Weights(const Weights &) = delete;
  Weights &operator=(const Weights &) = delete;

  /// The payload, page aligned.
  const uint8_t *data() const {
    return !bytes ? nullptr : drawn ? drawn : file.data() + kPayloadOffset;
  }
  int64_t size() const { return bytes; }

private:
  MappedFile file;
  uint8_t *drawn = nullptr;
  int64_t bytes = 0;
};

/// The path of the running executable; empty when nothing tells it.
std::string executablePath();

/// Where the weights of the running executable lie; empty when the kernel does
/// not tell where the executable is.
std::string defaultWeightsPath();

} // namespace weir::rt

#endif // LIB_RUNTIME_WEIGHTS_H
