//===- Device.cpp - What runs the kernels of a model ----------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Device.h"

using namespace weir::rt;

Device::~Device() = default;
CallTimer::~CallTimer() = default;

std::shared_ptr<Device> Device::open(const weir_model_desc &model,
                                     const SimtOptions &simt,
                                     std::string &error) {
  switch (model.device->kind) {
  case WEIR_DEVICE_CUDA:
    return openCudaDevice(model, error);
  case WEIR_DEVICE_SIMT:
    return openSimtDevice(model, simt, error);
  default:
    error = std::string("model '") + model.name + "' is for device kind " +
            std::to_string(model.device->kind) + ", which is not known";
    return nullptr;
  }
}

// Called by generated code, as is the next.
extern "C" void weir_rt_launch(void *queue, int32_t kernel, int64_t blocks,
                               int32_t threads, void **arguments) {
  auto &target = *static_cast<LaunchQueue *>(queue);
  if (blocks <= 0 || !target.error.empty())
    return;
  ++target.launches;
  target.device->launch(target, kernel, blocks, threads, arguments);
}

/// Makes a map of a tensor of bf16 whose extents, steps in bytes and boxes are
/// in `numbers`, five of each.
extern "C" void weir_rt_tensor_map(void *queue, void *map, int64_t base,
                                   int32_t rank, const int64_t *numbers) {
  auto &target = *static_cast<LaunchQueue *>(queue);
  if (!target.error.empty())
    return;
  TensorMap tensor;
  tensor.base = base;
  tensor.rank = rank;
  for (int32_t axis = 0; axis < rank && axis < kMostAxes; ++axis) {
    // An empty tensor is in no launch that has blocks.
    tensor.sizes[axis] = numbers[axis] > 0 ? numbers[axis] : 1;
    tensor.strides[axis] = numbers[kMostAxes + axis];
    tensor.box[axis] = static_cast<int32_t>(numbers[2 * kMostAxes + axis]);
  }
  target.device->encode(target, map, tensor);
}
