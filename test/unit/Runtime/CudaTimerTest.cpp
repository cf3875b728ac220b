//===- CudaTimerTest.cpp - Times of calls by a GPU's events -----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A driver that writes down what reaches the stream; an event knows how much
// was launched in front of it.
//
//===----------------------------------------------------------------------===//

#include "CudaTimer.h"
#include "CudaReplay.h"

#include "gtest/gtest.h"

using namespace weir::rt::cuda;

namespace {
struct Log {
  std::vector<std::string> stream;
  std::vector<float> at; ///< launches in front of each event
  float launched = 0;
  int destroyed = 0, freed = 0;
  Result refuses = Success;
};
Log *theLog;

size_t number(Event event) { return reinterpret_cast<size_t>(event) - 1; }

Driver makeDriver() {
  Driver driver = {};
  driver.CtxSetCurrent = [](Context) { return Success; };
  driver.GetErrorName = [](Result, const char **name) -> Result {
    *name = "CUDA_ERROR_FAKE";
    return Success;
  };
  driver.GetErrorString = [](Result, const char **text) -> Result {
    *text = "it was asked to";
    return Success;
  };
  driver.MemAlloc = [](Pointer *memory, size_t bytes) -> Result {
    *memory = bytes == EventTimer::kScrubBytes ? 64 : 0;
    return Success;
  };
  driver.MemFree = [](Pointer) -> Result {
    ++theLog->freed;
    return Success;
  };
  driver.MemsetD8Async = [](Pointer memory, unsigned char, size_t bytes,
                            Stream) -> Result {
    EXPECT_EQ(memory, 64u);
    EXPECT_EQ(bytes, EventTimer::kScrubBytes);
    theLog->stream.push_back("scrub");
    return Success;
  };
  driver.EventCreate = [](Event *event, unsigned) -> Result {
    theLog->at.push_back(-1);
    *event = reinterpret_cast<Event>(theLog->at.size());
    return theLog->refuses;
  };
  driver.EventDestroy = [](Event) -> Result {
    ++theLog->destroyed;
    return Success;
  };
  driver.EventRecord = [](Event event, Stream) -> Result {
    theLog->at[number(event)] = theLog->launched;
    theLog->stream.push_back("event");
    return Success;
  };
  driver.EventSynchronize = [](Event) -> Result {
    theLog->stream.push_back("wait");
    return Success;
  };
  driver.EventElapsedTime = [](float *elapsed, Event from, Event to) -> Result {
    *elapsed = theLog->at[number(to)] - theLog->at[number(from)];
    return Success;
  };
  driver.LaunchKernel = [](Function, unsigned, unsigned, unsigned, unsigned,
                           unsigned, unsigned, unsigned, Stream, void **,
                           void **) -> Result {
    theLog->stream.push_back("launch");
    ++theLog->launched;
    return Success;
  };
  driver.FuncGetParamInfo = [](Function, size_t number, size_t *,
                               size_t *bytes) -> Result {
    *bytes = sizeof(int);
    return number == 0 ? Success : 1;
  };
  return driver;
}

class CudaTimer : public testing::Test {
protected:
  CudaTimer() : driver(makeDriver()) { theLog = &log; }

  Log log;
  Driver driver;
  std::string error;
};

TEST_F(CudaTimer, EventsAreRoundTheLaunchesOfACall) {
  Kernel kernel;
  ASSERT_TRUE(kernel.readArguments(driver));
  {
    EventTimer timer(driver, nullptr, nullptr);
    ASSERT_EQ(timer.create(2), Success);
    Replay replay(driver, nullptr, nullptr);
    // Launches of the second call are put off to its end, but for the last
    // one, which the first call did not have.
    for (int launches : {2, 3}) {
      ASSERT_TRUE(timer.begin(error));
      const char *failed = nullptr;
      int argument = 1;
      void *places[] = {&argument};
      for (int i = 0; i < launches; ++i)
        ASSERT_EQ(replay.launch(kernel, 1, 32, places, failed), Success);
      ASSERT_EQ(replay.finish(failed), Success);
      ASSERT_TRUE(timer.end(error));
    }
    std::vector<double> times;
    ASSERT_TRUE(timer.read(times, error));
    EXPECT_EQ(times, (std::vector<double>{2, 3}));
    EXPECT_EQ(log.stream,
              (std::vector<std::string>{"scrub", "event", "launch", "launch",
                                        "event", "scrub", "event", "launch",
                                        "launch", "launch", "event", "wait"}));
    // Read once, and ready for more.
    times.clear();
    ASSERT_TRUE(timer.read(times, error));
    EXPECT_TRUE(times.empty());
  }
  EXPECT_EQ(log.destroyed, 4);
  EXPECT_EQ(log.freed, 1);
}

TEST_F(CudaTimer, WhatTheDriverRefusesIsSaid) {
  EventTimer timer(driver, nullptr, nullptr);
  ASSERT_EQ(timer.create(1), Success);
  driver.EventRecord = [](Event, Stream) -> Result { return 700; };
  EXPECT_FALSE(timer.begin(error));
  EXPECT_EQ(error, "GPU: cannot time calls: CUDA_ERROR_FAKE (it was asked to)");
  log.refuses = 2;
  EventTimer other(driver, nullptr, nullptr);
  EXPECT_EQ(other.create(3), 2);
}
} // namespace
