//===- CallFrame.h - Arguments and results of one compiled function -*- C++
//-*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_CALLFRAME_H
#define LIB_RUNTIME_CALLFRAME_H

#include "Memory.h"
#include "weir-rt/ModelDesc.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::rt {

/// A result as the compiled function left it: strides count elements, and the
/// data live in the arena, or in the frame's copy of it, until the next call.
struct ResultView {
  const uint8_t *data;
  const int64_t *sizes;
  const int64_t *strides;
  int32_t rank;
  size_t elementBytes;
};

/// Copies a strided tensor to dense row-major memory.
void copyDense(const ResultView &view, void *to);

/// Whether the elements of `view` below axis `from` lie densely, so that one
/// entry of the axes before is one block of memory.
bool isDenseFrom(const ResultView &view, int32_t from);

/// The memref descriptors for calling one function (docs/adr/001): built once,
/// so that a call allocates nothing. Extents and pointers of arguments may be
/// changed between calls; strides are always the identity layout's.
class CallFrame {
public:
  /// `device` runs the function's kernels; null where it has none.
  CallFrame(const weir_function_desc &function, std::shared_ptr<Device> device);

  /// Describes argument `index`; `shape` has the argument's rank. What the
  /// caller provides (data, lengths) is memory of the host and is copied to the
  /// device with each call; all else lies where kernels see it.
  void setArg(int32_t index, const void *data, const int64_t *shape);

  /// The arena bytes the function needs for the extents set so far; false when
  /// it asks for a negative number.
  bool arenaBytes(int64_t &bytes, std::string &error);

  /// Calls the function and checks that the extents of its results agree with
  /// its table where those are fixed, and with `batch` and `time` elsewhere
  /// (either may be WEIR_DYNAMIC: any).
  bool invoke(int64_t batch, int64_t time, std::string &error);

  /// The parts of `invoke`, for calls that are repeated: the inputs' upload,
  /// once, then calls that may begin before those in front of them have ended;
  /// `finish` waits too and has the results of the last one.
  bool upload(std::string &error);
  bool start(std::string &error);
  bool wait(std::string &error);
  bool finish(int64_t batch, int64_t time, std::string &error);

  /// The kernels that the last call launched.
  int64_t launches() const { return queue ? queue->launches : 0; }

  /// Result `index` of the last call.
  ResultView result(int32_t index) const;

  const weir_function_desc &function() const { return *desc; }

private:
  /// False, with the queue's error.
  bool fail(std::string &error) const;
  /// Puts results where the host sees them.
  bool downloadResults(std::string &error);

  const weir_function_desc *desc;
  std::shared_ptr<Device> device;
  /// Where launches go; apart, since generated code knows its address.
  std::unique_ptr<LaunchQueue> queue;
  std::vector<Buffer> mirrors;              ///< per argument, on the device
  std::vector<std::vector<uint8_t>> copies; ///< per result, on the host
  std::vector<int64_t> words;               ///< descriptors of all arguments
  std::vector<int64_t> resultWords;         ///< descriptors of all results
  std::vector<size_t> argAt, resultAt;
  std::vector<void *> argv;
};

} // namespace weir::rt

#endif // LIB_RUNTIME_CALLFRAME_H
