//===- Device.cpp - What runs the kernels of a model ----------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Device.h"

using namespace weir::rt;

Device::~Device() = default;

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

// Called by generated code.
extern "C" void weir_rt_launch(void *queue, int32_t kernel, int64_t blocks,
                               int32_t threads, void **arguments) {
  auto &target = *static_cast<LaunchQueue *>(queue);
  if (blocks > 0 && target.error.empty())
    target.device->launch(target, kernel, blocks, threads, arguments);
}
