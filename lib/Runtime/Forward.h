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

class CallFrame;
struct FunctionTimes;

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

  int threadCount() const { return threads; }

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

  /// Runs a function that `run` would choose `calls` times on the same inputs,
  /// which are copied to where they are read once and for all, after some calls
  /// that do not count, and tells how long each took. The results are those of
  /// the last. Functions that extend a state are refused.
  bool time(const std::vector<TensorView> &inputs, const std::string &function,
            int64_t calls, FunctionTimes &times,
            std::vector<OwnedTensor> &outputs, std::string &error);

  /// The functions that `run` tries in turn; none, with an error, where the
  /// model has none or none called `function`.
  std::vector<const weir_function_desc *>
  findCandidates(const std::string &function, std::string &error) const;

private:
  /// For each row and time index of a tensor to be made, the time index its
  /// contents come from, or -1 for zeros.
  using TimeMap = std::vector<std::vector<int64_t>>;

  /// One of a function's sequences.
  struct Sequence {
    int64_t time = WEIR_DYNAMIC;
    std::vector<int32_t> lengths; ///< per row, if rows are known
    bool compacted = false;
    TimeMap gather, scatter; ///< set when compacted
  };

  /// A function with all it needs for one run.
  struct Binding {
    const weir_function_desc *function = nullptr;
    int64_t batch = WEIR_DYNAMIC;
    std::vector<Sequence> sequences;
    std::vector<std::vector<int64_t>> shapes; ///< per argument
    std::vector<Buffer> data;                 ///< per input
  };

  /// Binds `inputs` to the first function that takes them.
  bool bindFirst(const std::vector<TensorView> &inputs,
                 const std::string &function, Binding &binding,
                 std::string &error) const;
  bool bind(const weir_function_desc &function,
            const std::vector<TensorView> &inputs, Binding &binding,
            std::string &error) const;
  bool bindMask(const TensorView &mask, int64_t batch, Sequence &sequence,
                std::string &error) const;
  static void moveTime(const uint8_t *from, uint8_t *to,
                       const std::vector<int64_t> &shape, int32_t batchAxis,
                       int32_t timeAxis, size_t elementBytes,
                       const TimeMap &map);
  /// Points the arguments of `frame` at what was bound, and at scratch memory.
  bool prepare(Binding &binding, CallFrame &frame, std::string &error);
  /// Copies the results of the last call.
  bool collect(const Binding &binding, const CallFrame &frame,
               std::vector<OwnedTensor> &outputs, std::string &error) const;
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
