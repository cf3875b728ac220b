//===- CudaTimer.h - Times of calls by a GPU's events -----------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_CUDATIMER_H
#define LIB_RUNTIME_CUDATIMER_H

#include "CudaDriver.h"
#include "Device.h"

#include <utility>
#include <vector>

namespace weir::rt::cuda {

/// A pair of events around each call. Between calls a buffer is written that is
/// larger than any cache: each call reads its inputs from memory, and while
/// that is written the host gets ahead, so that what a launch costs there does
/// not count.
class EventTimer : public CallTimer {
public:
  /// Bytes that are written between calls; peers are timed alike
  /// (bench/weirbench/gpu).
  static constexpr size_t kScrubBytes = size_t(256) << 20;

  EventTimer(const Driver &driver, Context context, Stream stream)
      : driver(driver), context(context), stream(stream) {}
  ~EventTimer() override;

  /// Makes the events of `calls` calls.
  Result create(int64_t calls);

  bool begin(std::string &error) override;
  bool end(std::string &error) override;
  bool read(std::vector<double> &milliseconds, std::string &error) override;

private:
  bool check(Result result, std::string &error) const;

  const Driver &driver;
  Context context;
  Stream stream;
  Pointer scrubbed = 0;
  std::vector<std::pair<Event, Event>> events;
  size_t calls = 0; ///< since the last reading
};

} // namespace weir::rt::cuda

#endif // LIB_RUNTIME_CUDATIMER_H
