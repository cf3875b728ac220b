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
#include <vector>

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
  int64_t launches = 0; ///< of the last call
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

/// What a device says of itself, beside figures.
struct DeviceFacts {
  std::string name;
  std::string arch;   ///< of the device, e.g. "sm_90"
  std::string code;   ///< what of the model runs there, e.g. "sm_90a"
  std::string driver; ///< the newest CUDA that it offers, e.g. "13.0"
  /// The highest there are; actual ones change with temperature and power.
  int clockMHz = 0, memoryMHz = 0;
  int multiprocessors = 0;
};

/// Times calls by a device's own clock, in the order they are launched.
class CallTimer {
public:
  virtual ~CallTimer();
  /// Empties caches and marks where a call begins. Waits for nothing.
  virtual bool begin(std::string &error) = 0;
  /// Marks where it ends.
  virtual bool end(std::string &error) = 0;
  /// Waits for all calls and tells the milliseconds of each.
  virtual bool read(std::vector<double> &milliseconds, std::string &error) = 0;
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

  /// Ends a call: all its launches are on their way; false with the queue's
  /// error.
  virtual bool submit(LaunchQueue &queue) = 0;

  /// Waits for all launches of `queue`; false with the queue's error.
  virtual bool wait(LaunchQueue &queue) = 0;

  /// A timer for as many calls, or null: with an error, or without one where
  /// the host's clock tells as well, since launches return when they are done.
  virtual std::unique_ptr<CallTimer> makeTimer(int64_t, std::string &) {
    return nullptr;
  }

  virtual DeviceFacts facts() const = 0;

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
