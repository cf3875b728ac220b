//===- Program.h - A checked model table and its weights --------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_PROGRAM_H
#define LIB_RUNTIME_PROGRAM_H

#include "Device.h"
#include "Weights.h"
#include "weir-rt/ModelDesc.h"

#include <memory>
#include <optional>
#include <string>

namespace weir::rt {

/// The function of `model` that computes the memories of its state, or null.
const weir_function_desc *findEncoder(const weir_model_desc &model);

/// A compiled model ready to run. Immutable: any number of sessions in any
/// number of threads share one.
class Program {
public:
  /// Checks `model` (which must outlive the program) and maps its weights from
  /// `weightsPath`, or from beside the file that holds the model when that is
  /// empty; with `seed` no file is read and weights are drawn.
  static std::shared_ptr<const Program>
  open(const weir_model_desc &model, const std::string &weightsPath,
       std::string &error, const SimtOptions &simt = {},
       std::optional<uint64_t> seed = std::nullopt);

  const weir_model_desc &model() const { return *desc; }
  const Weights &weights() const { return *mapped; }

  /// What runs the model's kernels; null where the host computes all.
  const std::shared_ptr<Device> &device() const { return kernels; }

  /// The weights as compiled code reads them: the mapped file, or their copy on
  /// a device.
  const void *weightsForCode() const {
    return uploaded.data() ? uploaded.data() : mapped->data();
  }

  /// Whether the model has functions that append to a state.
  bool streams() const;

  /// The function that computes the memories of the state, or null.
  const weir_function_desc *encoder() const { return findEncoder(*desc); }

  /// Whether some slot cannot be truncated.
  bool hasCarry() const;

private:
  const weir_model_desc *desc = nullptr;
  std::shared_ptr<const Weights> mapped;
  std::shared_ptr<Device> kernels;
  Buffer uploaded;
};

/// Checks all of a model table that the runtime relies on; the error names the
/// entry at fault.
bool checkModel(const weir_model_desc &model, std::string &error);

/// Whether the caller provides `arg` by its name, or may.
inline bool isInput(const weir_value_desc &arg) {
  return arg.role == WEIR_ROLE_DATA || arg.role == WEIR_ROLE_OPTIONAL;
}

/// Whether `function` appends to the state.
inline bool isExtend(const weir_function_desc &function) {
  return function.method == WEIR_METHOD_EXTEND ||
         function.method == WEIR_METHOD_EXTEND_LAST;
}

/// The index of the axis of `value` that stands for `axis`, or -1.
int32_t findAxis(const weir_value_desc &value, int32_t axis);

/// How many sequences `function` has, at least 1.
size_t countSequences(const weir_function_desc &function);

/// The index of the first argument of `function` with `role`, or -1.
int32_t findRole(const weir_function_desc &function, int32_t role);

} // namespace weir::rt

#endif // LIB_RUNTIME_PROGRAM_H
