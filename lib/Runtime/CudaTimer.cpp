//===- CudaTimer.cpp - Times of calls by a GPU's events ---------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaTimer.h"

using namespace weir::rt;
using namespace weir::rt::cuda;

Result EventTimer::create(int64_t calls) {
  Result result = driver.CtxSetCurrent(context);
  if (result == Success)
    result = driver.MemAlloc(&scrubbed, kScrubBytes);
  for (int64_t i = 0; i < calls && result == Success; ++i) {
    auto &[first, last] = events.emplace_back();
    result = driver.EventCreate(&first, 0);
    if (result == Success)
      result = driver.EventCreate(&last, 0);
  }
  return result;
}

EventTimer::~EventTimer() {
  driver.CtxSetCurrent(context);
  for (auto [first, last] : events)
    for (Event event : {first, last})
      if (event)
        driver.EventDestroy(event);
  if (scrubbed)
    driver.MemFree(scrubbed);
}

bool EventTimer::check(Result result, std::string &error) const {
  if (result != Success)
    error = "GPU: cannot time calls: " + driver.describe(result);
  return result == Success;
}

bool EventTimer::begin(std::string &error) {
  return check(driver.CtxSetCurrent(context), error) &&
         check(driver.MemsetD8Async(scrubbed, 0, kScrubBytes, stream), error) &&
         check(driver.EventRecord(events[calls].first, stream), error);
}

bool EventTimer::end(std::string &error) {
  return check(driver.EventRecord(events[calls++].second, stream), error);
}

bool EventTimer::read(std::vector<double> &milliseconds, std::string &error) {
  if (calls && !check(driver.EventSynchronize(events[calls - 1].second), error))
    return false;
  for (size_t i = 0; i < calls; ++i) {
    float elapsed = 0;
    if (!check(driver.EventElapsedTime(&elapsed, events[i].first,
                                       events[i].second),
               error))
      return false;
    milliseconds.push_back(static_cast<double>(elapsed));
  }
  calls = 0;
  return true;
}
