//===- TimeFunction.cpp - How long calls of a function take ---------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Inputs are where kernels see them before the first call, weights and scratch
// memory too. A device with a clock of its own is given one call behind the
// other, and nobody waits in between; elsewhere the host's clock tells.
//
//===----------------------------------------------------------------------===//

#include "TimeFunction.h"
#include "CallFrame.h"
#include "DType.h"
#include "SplitMix.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

using namespace weir::rt;

using Json = nlohmann::ordered_json;

/// A GPU has its kernels loaded by the first call and, where calls are alike, a
/// graph of them made by the second; its clocks rise within this time.
static constexpr int64_t kWarmCalls = 3;
static constexpr double kWarmSeconds = 0.05;

static double now() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

double weir::rt::findMedian(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  size_t half = values.size() / 2;
  return values.size() % 2 ? values[half]
                           : (values[half - 1] + values[half]) / 2;
}

/// Fills `tensor`, of `count` elements of `arg`'s type.
static bool drawElements(const weir_value_desc &arg, size_t count,
                         SplitMix &random, uint8_t *to, std::string &error) {
  // By parts, so that no second tensor is held.
  static constexpr size_t kPart = 4096;
  float floats[kPart];
  int64_t integers[kPart];
  bool real = isFloatType(arg.dtype);
  auto limit = static_cast<uint64_t>(arg.limit > 0 ? arg.limit : 2);
  for (size_t at = 0; at < count; at += kPart) {
    size_t some = std::min(kPart, count - at);
    for (size_t i = 0; i < some; ++i) {
      uint64_t word = random.next();
      if (real)
        floats[i] = static_cast<float>(word >> 40) * 0x1p-23f - 1;
      else
        integers[i] = static_cast<int64_t>((word >> 32) % limit);
    }
    const void *from = real ? static_cast<const void *>(floats) : integers;
    if (!convertElements(from, real ? WEIR_F32 : WEIR_I64,
                         to + at * dtypeSize(arg.dtype), arg.dtype, some,
                         error))
      return false;
  }
  return true;
}

/// Whether calls of `function` can be repeated: they are no steps.
static bool checkRepeatable(const weir_function_desc &function,
                            std::string &error) {
  if (!isExtend(function))
    return true;
  error = std::string("function '") + function.name +
          "' appends to a state: time it by --bench P,D";
  return false;
}

bool weir::rt::drawInputs(const weir_function_desc &function, uint64_t seed,
                          std::vector<OwnedTensor> &inputs,
                          std::string &error) {
  if (!checkRepeatable(function, error))
    return false;
  SplitMix random(seed);
  for (int32_t i = 0; i < function.num_args; ++i) {
    const weir_value_desc &arg = function.args[i];
    if (arg.role != WEIR_ROLE_DATA)
      continue;
    std::string where = std::string("input '") + arg.name + "' of function '" +
                        function.name + "'";
    std::vector<int64_t> shape(arg.shape, arg.shape + arg.rank);
    if (std::count(shape.begin(), shape.end(), WEIR_DYNAMIC)) {
      error = where + " has shape " + shapeToString(shape) +
              ", and inputs are drawn of fixed extents alone: give them with "
              "--inputs";
      return false;
    }
    OwnedTensor &input = inputs.emplace_back();
    int64_t bytes, count;
    if (!byteSize(shape, dtypeSize(arg.dtype), bytes) ||
        !byteSize(shape, 1, count) ||
        !input.memory.allocate(static_cast<size_t>(bytes))) {
      error = "cannot allocate " + where + " of shape " + shapeToString(shape);
      return false;
    }
    if (!drawElements(arg, static_cast<size_t>(count), random,
                      input.memory.data(), error)) {
      error = where + ": " + error;
      return false;
    }
    input.view = {arg.name, arg.dtype, shape, input.memory.data(),
                  static_cast<size_t>(bytes)};
  }
  return true;
}

bool ForwardRunner::time(const std::vector<TensorView> &inputs,
                         const std::string &name, int64_t calls,
                         FunctionTimes &times,
                         std::vector<OwnedTensor> &outputs,
                         std::string &error) {
  outputs.clear();
  Binding binding;
  if (!bindFirst(inputs, name, binding, error) ||
      !checkRepeatable(*binding.function, error))
    return false;
  const std::shared_ptr<Device> &device = program->device();
  CallFrame frame(*binding.function, device);
  if (!prepare(binding, frame, error) || !frame.upload(error))
    return false;
  std::unique_ptr<CallTimer> timer;
  if (device && !(timer = device->makeTimer(calls, error)) && !error.empty())
    return false;
  times = FunctionTimes();
  times.function = binding.function->name;
  times.byEvents = timer != nullptr;
  double begin = now();
  while (times.warmCalls < (timer ? kWarmCalls : 1) ||
         (timer && now() - begin < kWarmSeconds)) {
    if (!frame.start(error) || !frame.wait(error))
      return false;
    ++times.warmCalls;
  }
  times.kernels = frame.launches();
  for (int64_t call = 0; call < calls; ++call) {
    if (timer) {
      if (!timer->begin(error) || !frame.start(error) || !timer->end(error))
        return false;
      continue;
    }
    begin = now();
    if (!frame.start(error) || !frame.wait(error))
      return false;
    times.milliseconds.push_back((now() - begin) * 1e3);
  }
  return (!timer || timer->read(times.milliseconds, error)) &&
         frame.finish(binding.batch, WEIR_DYNAMIC, error) &&
         collect(binding, frame, outputs, error);
}

std::string weir::rt::describeTimes(const FunctionTimes &times,
                                    const Program &program, int threads) {
  std::string text = "on: ";
  if (const std::shared_ptr<Device> &device = program.device()) {
    DeviceFacts facts = device->facts();
    text += facts.name;
    if (!facts.arch.empty())
      text += ", " + facts.arch + " with code for " + facts.code + ", " +
              std::to_string(facts.multiprocessors) +
              " multiprocessors at up to " + std::to_string(facts.clockMHz) +
              " MHz, memory at up to " + std::to_string(facts.memoryMHz) +
              " MHz, driver for CUDA " + facts.driver;
  } else {
    text += std::string(program.model().target ? program.model().target : "") +
            ", threads: " + std::to_string(threads);
  }
  const std::vector<double> &all = times.milliseconds;
  char figures[128];
  std::snprintf(figures, sizeof(figures), "median %.4f ms, least %.4f ms",
                findMedian(all), *std::min_element(all.begin(), all.end()));
  text += "\n" + times.function + ": " + figures + ", of " +
          std::to_string(all.size()) + " calls";
  if (times.kernels)
    text += " of " + std::to_string(times.kernels) + " kernels";
  return text + ", by the " + (times.byEvents ? "device's" : "host's") +
         " clock\n";
}

std::string weir::rt::printTimes(const FunctionTimes &times,
                                 const Program &program, int threads) {
  const std::vector<double> &all = times.milliseconds;
  Json json = {{"model", program.model().name},
               {"function", times.function},
               {"clock", times.byEvents ? "device" : "host"},
               {"warm_calls", times.warmCalls},
               {"calls", all.size()},
               {"median_ms", findMedian(all)},
               {"min_ms", *std::min_element(all.begin(), all.end())},
               {"max_ms", *std::max_element(all.begin(), all.end())}};
  const std::shared_ptr<Device> &device = program.device();
  if (!device) {
    json["threads"] = threads;
    return json.dump(2) + "\n";
  }
  json["kernels"] = times.kernels;
  DeviceFacts facts = device->facts();
  json["device"] = {{"name", facts.name}};
  if (!facts.arch.empty())
    json["device"].update({{"arch", facts.arch},
                           {"code", facts.code},
                           {"cuda", facts.driver},
                           {"multiprocessors", facts.multiprocessors},
                           {"most_clock_mhz", facts.clockMHz},
                           {"most_memory_clock_mhz", facts.memoryMHz}});
  return json.dump(2) + "\n";
}
