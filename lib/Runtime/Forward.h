//===- Forward.h - Whole-sequence runs on named tensors ---------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_FORWARD_H
#define LIB_RUNTIME_FORWARD_H

#include "Program.h"
#include "Safetensors.h"

#include <memory>
#include <string>
#include <vector>

namespace weir::rt {

/// A named tensor with its memory; `view` points into `memory`.
struct OwnedTensor {
  TensorView view;
  Buffer memory;
};

/// Runs a model on whole sequences. Keeps its scratch memory between runs, so
/// one runner serves one thread at a time.
class ForwardRunner {
public:
  /// `threads` is 0 for one per physical core.
  explicit ForwardRunner(std::shared_ptr<const Program> program,
                         int threads = 0);

  /// Matches `inputs` to the arguments of a function by name, converts their
  /// element types, runs, and returns the results by name. The function is
  /// the one called `function`, or else the first that takes such inputs
  /// among those of method FORWARD, or, where the model has none, PLAIN, or
  /// else an extending one applied to an empty state.
  ///
  /// An input `attention_mask` [batch, time] of zeros and ones, for a function
  /// that takes row lengths rather than a mask, moves the visible tokens of
  /// each row to the front before and the results back after; results at
  /// masked positions are zero. Where a function has several sequences, each
  /// has a mask, called like the sequence's lengths with `attention_mask` in
  /// place of `lengths`.
  bool run(const std::vector<TensorView> &inputs, const std::string &function,
           std::vector<OwnedTensor> &outputs, std::string &error);

private:
  struct Sequence;
  struct Binding;
  bool bind(const weir_function_desc &function,
            const std::vector<TensorView> &inputs, Binding &binding,
            std::string &error) const;
  bool bindMask(const TensorView &mask, int64_t batch, Sequence &sequence,
                std::string &error) const;
  bool call(Binding &binding, std::vector<OwnedTensor> &outputs,
            std::string &error);
  bool stream(Binding &binding, std::vector<OwnedTensor> &outputs,
              std::string &error);

  std::shared_ptr<const Program> program;
  int threads;
  Buffer arena;
};

} // namespace weir::rt

#endif // LIB_RUNTIME_FORWARD_H
