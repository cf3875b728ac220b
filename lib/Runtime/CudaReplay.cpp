//===- CudaReplay.cpp - Launches that repeat themselves ---------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CudaReplay.h"

#include <algorithm>
#include <cstring>

using namespace weir::rt;
using namespace weir::rt::cuda;

bool Kernel::readArguments(const Driver &driver) {
  size_t offset, bytes;
  while (driver.FuncGetParamInfo(function, argumentBytes.size(), &offset,
                                 &bytes) == Success)
    argumentBytes.push_back(bytes);
  return !argumentBytes.empty();
}

Result Kernel::launch(const Driver &driver, unsigned blocks, unsigned threads,
                      Stream stream, void **arguments) const {
  return driver.LaunchKernel(function, blocks, 1, 1, threads, 1, 1, sharedBytes,
                             stream, arguments, nullptr);
}

bool Replay::isOffered(const Driver &driver) {
  return driver.FuncGetParamInfo && driver.StreamBeginCapture &&
         driver.StreamEndCapture && driver.GraphInstantiate &&
         driver.GraphDestroy && driver.GraphLaunch && driver.GraphExecDestroy;
}

Replay::~Replay() { forget(); }

void Replay::forget() {
  if (!graph)
    return;
  driver.CtxSetCurrent(context);
  driver.GraphExecDestroy(graph);
  graph = nullptr;
}

void Replay::note(const Kernel &kernel, unsigned blocks, unsigned threads,
                  void **arguments) {
  now.launches.push_back({&kernel, blocks, threads, now.bytes.size()});
  for (size_t i = 0; i < kernel.argumentBytes.size(); ++i) {
    auto *from = static_cast<const char *>(arguments[i]);
    now.bytes.insert(now.bytes.end(), from, from + kernel.argumentBytes[i]);
  }
}

bool Replay::isRepeated() const {
  size_t last = now.launches.size() - 1;
  if (last >= before.launches.size())
    return false;
  const Launch &a = now.launches[last], &b = before.launches[last];
  size_t bytes = now.bytes.size() - a.at;
  return a.kernel == b.kernel && a.blocks == b.blocks &&
         a.threads == b.threads && a.at == b.at &&
         b.at + bytes <= before.bytes.size() &&
         std::memcmp(&now.bytes[0] + a.at, &before.bytes[0] + b.at, bytes) == 0;
}

Result Replay::launchRest(Stream to, const char *&failed) {
  std::vector<void *> places;
  for (; launched < now.launches.size(); ++launched) {
    const Launch &launch = now.launches[launched];
    places.clear();
    size_t at = launch.at;
    for (size_t bytes : launch.kernel->argumentBytes) {
      places.push_back(&now.bytes[0] + at);
      at += bytes;
    }
    Result result = launch.kernel->launch(driver, launch.blocks, launch.threads,
                                          to, places.data());
    if (result != Success) {
      failed = launch.kernel->name;
      return result;
    }
  }
  return Success;
}

Result Replay::launch(const Kernel &kernel, unsigned blocks, unsigned threads,
                      void **arguments, const char *&failed) {
  note(kernel, blocks, threads, arguments);
  repeats = repeats && !refused && isRepeated();
  return repeats ? Success : launchRest(stream, failed);
}

GraphExec Replay::capture() {
  // Launches to a stream of its own, so that nothing else is captured.
  Stream side = nullptr;
  if (driver.StreamCreate(&side, NonBlocking) != Success)
    return nullptr;
  Graph captured = nullptr;
  GraphExec made = nullptr;
  const char *failed = nullptr;
  if (driver.StreamBeginCapture(side, CaptureThreadLocal) == Success) {
    Result result = launchRest(side, failed);
    Result end = driver.StreamEndCapture(side, &captured);
    launched = 0;
    if (result == Success && end == Success && captured &&
        driver.GraphInstantiate(&made, captured, 0) != Success)
      made = nullptr;
    if (captured)
      driver.GraphDestroy(captured);
  }
  driver.StreamDestroy(side);
  return made;
}

Result Replay::finish(const char *&failed) {
  Result result = Success;
  bool whole = repeats && now.launches.size() > 1 &&
               now.launches.size() == before.launches.size();
  if (!whole)
    forget();
  else if (!graph)
    refused = !(graph = capture());
  if (whole && graph) {
    failed = "a graph of kernels";
    result = driver.GraphLaunch(graph, stream);
  } else {
    result = launchRest(stream, failed);
  }
  std::swap(before, now);
  drop();
  return result;
}

void Replay::drop() {
  now.launches.clear();
  now.bytes.clear();
  launched = 0;
  repeats = true;
}
