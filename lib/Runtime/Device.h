//===- Device.h - What runs the kernels of a model --------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_DEVICE_H
#define LIB_RUNTIME_DEVICE_H

#include "TensorMap.h"
#include "weir-rt/ModelDesc.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace weir::rt {

/// What a device remembers of the calls of one function.
struct LaunchHistory {
  virtual ~LaunchHistory() = default;
};

/// What the calls of a compiled function launch to, one call after the other.
/// The first error of a call stays: launches behind it do nothing.
struct LaunchQueue {
  class Device *device = nullptr;
  std::string error;
  std::unique_ptr<LaunchHistory> history;
};

/// Who reads and writes memory of a device.
enum class Reach {
  Kernels, ///< kernels alone: scratch memory, weights
  Both     ///< the host too, between calls: the state
};

/// How the emulator runs kernels.
struct SimtOptions {
  bool copyAtIssue = false;    ///< not as late as waits allow
  bool countConflicts = false; ///< of the banks of shared memory
};

/// The place that kernels run in, with memory of its own. All sessions of a
/// program share one.
class Device {
public:
  /// Opens what `model` was compiled for, which must have kernels. The error
  /// says what is missing.
  static std::shared_ptr<Device> open(const weir_model_desc &model,
                                      const SimtOptions &simt,
                                      std::string &error);
  virtual ~Device();

  /// Zeroed memory, or null with an error.
  virtual void *allocate(size_t bytes, Reach reach, std::string &error) = 0;
  virtual void release(void *memory, size_t bytes, Reach reach) = 0;

  /// Copies to and from memory of the device, behind all launches so far.
  virtual bool upload(void *to, const void *from, size_t bytes,
                      std::string &error) = 0;
  virtual bool download(void *to, const void *from, size_t bytes,
                        std::string &error) = 0;

  /// Runs kernel `kernel` with `blocks` blocks of `threads` threads. Arguments
  /// are read before this returns; what goes wrong is told to the queue.
  virtual void launch(LaunchQueue &queue, int32_t kernel, int64_t blocks,
                      int32_t threads, void **arguments) = 0;

  /// Writes to `map` what kernels get of `tensor`; faults are told to the
  /// queue.
  virtual void encode(LaunchQueue &queue, void *map,
                      const TensorMap &tensor) = 0;

  /// Ends a call: waits for the launches of `queue`; false with the queue's
  /// error.
  virtual bool finish(LaunchQueue &queue) = 0;

  /// What was counted so far, as lines of text.
  virtual std::string report() const { return {}; }
};

/// The devices there are; each is null with an error.
std::shared_ptr<Device> openCudaDevice(const weir_model_desc &model,
                                       std::string &error);
std::shared_ptr<Device> openSimtDevice(const weir_model_desc &model,
                                       const SimtOptions &options,
                                       std::string &error);

} // namespace weir::rt

#endif // LIB_RUNTIME_DEVICE_H
