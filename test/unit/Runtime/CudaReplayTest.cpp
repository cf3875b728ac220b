//===- CudaReplayTest.cpp - Launches that repeat themselves -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A driver that writes down what reaches the stream, in which order; a graph
// runs what was captured, with the arguments of then.
//
//===----------------------------------------------------------------------===//

#include "CudaReplay.h"

#include "gtest/gtest.h"

using namespace weir::rt::cuda;

namespace {
struct Ran {
  Function function;
  unsigned blocks;
  int argument;
  bool operator==(const Ran &other) const {
    return function == other.function && blocks == other.blocks &&
           argument == other.argument;
  }
};

/// What the driver below was asked for.
struct Log {
  std::vector<Ran> ran, captured;
  std::vector<std::vector<Ran>> graphs;
  int direct = 0, replayed = 0, destroyed = 0;
  bool refuses = false;
  Function broken = nullptr;
};
Log *theLog;

template <typename T>
T handle(size_t number) {
  return reinterpret_cast<T>(number);
}
const auto Main = handle<Stream>(1), Side = handle<Stream>(2);

Driver makeDriver() {
  Driver driver = {};
  driver.CtxSetCurrent = [](Context) { return Success; };
  driver.StreamCreate = [](Stream *stream, unsigned) {
    *stream = Side;
    return Success;
  };
  driver.StreamDestroy = [](Stream) { return Success; };
  driver.LaunchKernel = [](Function function, unsigned blocks, unsigned,
                           unsigned, unsigned, unsigned, unsigned, unsigned,
                           Stream stream, void **arguments, void **) -> Result {
    if (function == theLog->broken)
      return 700;
    Ran ran{function, blocks, *static_cast<int *>(arguments[0])};
    if (stream == Side) {
      theLog->captured.push_back(ran);
    } else {
      theLog->ran.push_back(ran);
      ++theLog->direct;
    }
    return Success;
  };
  // Kernels that it knows have one argument.
  driver.FuncGetParamInfo = [](Function function, size_t number, size_t *offset,
                               size_t *bytes) -> Result {
    if (number > 0 || !function)
      return 1;
    *offset = 0;
    *bytes = sizeof(int);
    return Success;
  };
  driver.StreamBeginCapture = [](Stream, int) -> Result {
    theLog->captured.clear();
    return theLog->refuses ? 1 : Success;
  };
  driver.StreamEndCapture = [](Stream, Graph *graph) {
    theLog->graphs.push_back(theLog->captured);
    *graph = handle<Graph>(theLog->graphs.size());
    return Success;
  };
  driver.GraphInstantiate = [](GraphExec *made, Graph graph,
                               unsigned long long) {
    *made = reinterpret_cast<GraphExec>(graph);
    return Success;
  };
  driver.GraphDestroy = [](Graph) { return Success; };
  driver.GraphLaunch = [](GraphExec graph, Stream) {
    const auto &all = theLog->graphs[reinterpret_cast<size_t>(graph) - 1];
    theLog->ran.insert(theLog->ran.end(), all.begin(), all.end());
    ++theLog->replayed;
    return Success;
  };
  driver.GraphExecDestroy = [](GraphExec) {
    ++theLog->destroyed;
    return Success;
  };
  return driver;
}

class CudaReplay : public testing::Test {
protected:
  CudaReplay() : driver(makeDriver()), replay(driver, nullptr, Main) {
    theLog = &log;
    for (size_t i = 0; i < 3; ++i) {
      kernels[i].function = handle<Function>(i + 1);
      kernels[i].name = names[i];
      EXPECT_TRUE(kernels[i].readArguments(driver));
    }
  }

  /// One call: kernels 0, 1, ... with these arguments.
  Result call(std::vector<int> arguments, unsigned blocks = 1) {
    const char *failed = nullptr;
    std::vector<Ran> expected = log.ran;
    for (size_t i = 0; i < arguments.size(); ++i) {
      int argument = arguments[i];
      expected.push_back({kernels[i].function, blocks, argument});
      void *places[] = {&argument};
      Result result = replay.launch(kernels[i], blocks, 32, places, failed);
      if (result != Success) {
        EXPECT_STREQ(failed, names[i]);
        replay.drop();
        return result;
      }
      argument = -1; // read before launch returns
    }
    Result result = replay.finish(failed);
    if (result == Success)
      EXPECT_TRUE(log.ran == expected);
    return result;
  }

  static constexpr const char *names[] = {"a", "b", "c"};
  Log log;
  Driver driver;
  Kernel kernels[3];
  Replay replay;
};

TEST_F(CudaReplay, SameCallsBecomeAGraph) {
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(call({1, 2, 3}), Success);
  EXPECT_EQ(log.direct, 3);
  EXPECT_EQ(log.graphs.size(), 1u);
  EXPECT_EQ(log.replayed, 3);
}

TEST_F(CudaReplay, OtherArgumentsAreLaunchedInOrder) {
  call({1, 2, 3});
  call({1, 2, 3});
  call({1, 2, 4});
  EXPECT_EQ(log.replayed, 1);
  EXPECT_EQ(log.destroyed, 1);
  call({1, 2, 4});
  EXPECT_EQ(log.replayed, 2);
  call({5, 2, 4});
  call({1, 2, 4}, /*blocks=*/2);
  EXPECT_EQ(log.replayed, 2);
}

TEST_F(CudaReplay, ShorterAndLongerCallsAreOthers) {
  call({1, 2, 3});
  call({1, 2});
  call({1, 2, 3});
  EXPECT_EQ(log.replayed, 0);
  call({1, 2, 3});
  EXPECT_EQ(log.replayed, 1);
  call({1, 2});
  EXPECT_EQ(log.replayed, 1);
}

TEST_F(CudaReplay, NothingOrOneKernelIsNoGraph) {
  for (int i = 0; i < 3; ++i)
    call({});
  for (int i = 0; i < 3; ++i)
    call({1});
  EXPECT_TRUE(log.graphs.empty());
}

TEST_F(CudaReplay, LaunchesByItselfWhereTheDriverRefuses) {
  log.refuses = true;
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(call({1, 2}), Success);
  EXPECT_EQ(log.replayed, 0);
  EXPECT_EQ(log.direct, 8);
}

TEST_F(CudaReplay, UnknownArgumentsAreSaid) {
  EXPECT_TRUE(Replay::isOffered(driver));
  Kernel unknown;
  EXPECT_FALSE(unknown.readArguments(driver));
  driver.FuncGetParamInfo = nullptr;
  EXPECT_FALSE(Replay::isOffered(driver));
}

TEST_F(CudaReplay, AFailedCallIsForgotten) {
  call({1, 2, 3});
  call({1, 2, 3});
  log.broken = kernels[1].function;
  EXPECT_NE(call({4, 2, 3}), Success);
  log.broken = nullptr;
  EXPECT_EQ(call({1, 2, 3}), Success);
  EXPECT_EQ(log.replayed, 2);
}
} // namespace
