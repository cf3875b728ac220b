//===- CallFrame.cpp - Arguments and results of one compiled function -----===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CallFrame.h"
#include "DType.h"
#include "Program.h"

#include <cstring>

using namespace weir::rt;

static_assert(sizeof(void *) == sizeof(int64_t),
              "descriptors are laid out in 8-byte words");

/// Words of a descriptor: two pointers, the offset, sizes, strides.
static size_t descriptorWords(int32_t rank) {
  return 3 + 2 * static_cast<size_t>(rank);
}

void weir::rt::copyDense(const ResultView &view, void *to) {
  uint8_t *out = static_cast<uint8_t *>(to);
  // The innermost dense axes are copied as one run.
  int32_t outer = view.rank;
  size_t run = view.elementBytes;
  int64_t expected = 1;
  while (outer > 0 &&
         (view.sizes[outer - 1] == 1 || view.strides[outer - 1] == expected)) {
    expected *= view.sizes[outer - 1];
    run *= static_cast<size_t>(view.sizes[outer - 1]);
    --outer;
  }
  for (int32_t i = 0; i < view.rank; ++i)
    if (view.sizes[i] == 0)
      return;
  std::vector<int64_t> index(static_cast<size_t>(outer), 0);
  while (true) {
    int64_t offset = 0;
    for (int32_t i = 0; i < outer; ++i)
      offset += index[i] * view.strides[i];
    std::memcpy(
        out, view.data + offset * static_cast<int64_t>(view.elementBytes), run);
    out += run;
    int32_t axis = outer - 1;
    while (axis >= 0 && ++index[axis] == view.sizes[axis])
      index[axis--] = 0;
    if (axis < 0)
      return;
  }
}

bool weir::rt::isDenseFrom(const ResultView &view, int32_t from) {
  int64_t expected = 1;
  for (int32_t i = view.rank - 1; i >= from; --i) {
    if (view.sizes[i] != 1 && view.strides[i] != expected)
      return false;
    expected *= view.sizes[i];
  }
  return true;
}

CallFrame::CallFrame(const weir_function_desc &function,
                     std::shared_ptr<Device> runs)
    : desc(&function), device(std::move(runs)) {
  size_t total = 0;
  for (int32_t i = 0; i < desc->num_args; ++i) {
    argAt.push_back(total);
    total += descriptorWords(desc->args[i].rank);
  }
  words.assign(total, 0);
  total = 0;
  for (int32_t i = 0; i < desc->num_results; ++i) {
    resultAt.push_back(total);
    total += descriptorWords(desc->results[i].rank);
  }
  // Never empty: its address is passed even when nothing is returned.
  resultWords.assign(total + 1, 0);
  for (size_t at : argAt)
    argv.push_back(&words[at]);
  argv.push_back(resultWords.data());
  if (!device)
    return;
  queue = std::make_unique<LaunchQueue>();
  queue->device = device.get();
  for (int32_t i = 0; i < desc->num_args; ++i)
    if (desc->args[i].role == WEIR_ROLE_QUEUE)
      argv[i] = queue.get();
  mirrors.resize(static_cast<size_t>(desc->num_args));
  copies.resize(static_cast<size_t>(desc->num_results));
}

bool CallFrame::upload(std::string &error) {
  for (size_t i = 0; i < mirrors.size(); ++i) {
    const weir_value_desc &arg = desc->args[i];
    if (!isInput(arg) && arg.role != WEIR_ROLE_LENGTHS)
      continue;
    int64_t *at = &words[argAt[i]];
    size_t bytes = dtypeSize(arg.dtype);
    for (int32_t d = 0; d < arg.rank; ++d)
      bytes *= static_cast<size_t>(at[3 + d]);
    if (bytes == 0)
      continue;
    if (mirrors[i].size() < bytes &&
        !mirrors[i].allocateOn(device, bytes, Reach::Kernels, error))
      return false;
    const void *from = reinterpret_cast<void *>(static_cast<uintptr_t>(at[1]));
    if (!device->upload(mirrors[i].data(), from, bytes, error))
      return false;
    at[0] = at[1] =
        static_cast<int64_t>(reinterpret_cast<uintptr_t>(mirrors[i].data()));
  }
  return true;
}

bool CallFrame::downloadResults(std::string &error) {
  for (size_t i = 0; i < copies.size(); ++i) {
    int64_t *at = &resultWords[resultAt[i]];
    int32_t rank = desc->results[i].rank;
    // All between the first element and the last, whatever the strides.
    int64_t elements = 1;
    for (int32_t d = 0; d < rank; ++d)
      elements = at[3 + d] == 0 || elements == 0
                     ? 0
                     : elements + (at[3 + d] - 1) * at[3 + rank + d];
    size_t width = dtypeSize(desc->results[i].dtype);
    size_t bytes = static_cast<size_t>(elements) * width;
    if (bytes == 0)
      continue;
    if (copies[i].size() < bytes)
      copies[i].resize(bytes);
    auto *from =
        reinterpret_cast<const uint8_t *>(static_cast<uintptr_t>(at[1])) +
        at[2] * static_cast<int64_t>(width);
    if (!device->download(copies[i].data(), from, bytes, error))
      return false;
    at[1] = static_cast<int64_t>(reinterpret_cast<uintptr_t>(copies[i].data()));
    at[2] = 0;
  }
  return true;
}

void CallFrame::setArg(int32_t index, const void *data, const int64_t *shape) {
  int64_t *at = &words[argAt[index]];
  int32_t rank = desc->args[index].rank;
  at[0] = at[1] = static_cast<int64_t>(reinterpret_cast<uintptr_t>(data));
  at[2] = 0;
  int64_t stride = 1;
  for (int32_t i = rank - 1; i >= 0; --i) {
    at[3 + i] = shape[i];
    at[3 + rank + i] = stride;
    stride *= shape[i];
  }
}

bool CallFrame::arenaBytes(int64_t &bytes, std::string &error) {
  bytes = desc->arena_bytes ? desc->arena_bytes(argv.data()) : 0;
  if (bytes >= 0)
    return true;
  error = std::string("function '") + desc->name + "' asks for " +
          std::to_string(bytes) + " bytes of scratch memory";
  return false;
}

bool CallFrame::invoke(int64_t batch, int64_t time, std::string &error) {
  return upload(error) && start(error) && finish(batch, time, error);
}

bool CallFrame::start(std::string &error) {
  if (!queue) {
    desc->invoke(argv.data());
    return true;
  }
  queue->error.clear();
  queue->launches = 0;
  desc->invoke(argv.data());
  if (device->submit(*queue))
    return true;
  // What was launched may still use memory that the caller has.
  device->wait(*queue);
  return fail(error);
}

bool CallFrame::fail(std::string &error) const {
  error = std::string("function '") + desc->name + "': " + queue->error;
  return false;
}

bool CallFrame::wait(std::string &error) {
  return !queue || device->wait(*queue) || fail(error);
}

bool CallFrame::finish(int64_t batch, int64_t time, std::string &error) {
  if (!wait(error) || !downloadResults(error))
    return false;
  for (int32_t i = 0; i < desc->num_results; ++i) {
    const weir_value_desc &value = desc->results[i];
    const int64_t *sizes = &resultWords[resultAt[i] + 3];
    for (int32_t d = 0; d < value.rank; ++d) {
      int64_t expected = value.shape[d];
      if (expected == WEIR_DYNAMIC && value.axes[d] == WEIR_AXIS_BATCH)
        expected = batch;
      if (expected == WEIR_DYNAMIC && value.axes[d] == WEIR_AXIS_TIME)
        expected = time;
      if (expected == WEIR_DYNAMIC ? sizes[d] >= 0 : sizes[d] == expected)
        continue;
      error = std::string("function '") + desc->name + "' returned '" +
              value.name + "' with shape " + shapeToString(sizes, value.rank) +
              ", expected " +
              (expected == WEIR_DYNAMIC ? "no negative extent"
                                        : std::to_string(expected)) +
              " on axis " + std::to_string(d);
      return false;
    }
  }
  return true;
}

ResultView CallFrame::result(int32_t index) const {
  const int64_t *at = &resultWords[resultAt[index]];
  const weir_value_desc &value = desc->results[index];
  size_t elementBytes = dtypeSize(value.dtype);
  const uint8_t *base =
      reinterpret_cast<const uint8_t *>(static_cast<uintptr_t>(at[1]));
  // An empty result may have no memory; then no offset applies either.
  const uint8_t *data =
      base ? base + at[2] * static_cast<int64_t>(elementBytes) : nullptr;
  return {data, at + 3, at + 3 + value.rank, value.rank, elementBytes};
}
