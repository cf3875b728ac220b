//===- DeviceCode.cpp - Kernels of a model ------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DeviceCode.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "weir-rt/ModelDesc.h"
#include "weir/Codegen/GPUPasses.h"
#include "weir/Target/NVPTX.h"

using namespace mlir;
using namespace weir;

bool weir::hasKernels(const CompileOptions &options) {
  return options.target == "cuda" || options.target == "simt";
}

llvm::SmallVector<StringRef> weir::getGPUArchs(const CompileOptions &options) {
  llvm::SmallVector<StringRef> archs;
  StringRef(options.gpuArch).split(archs, ',', -1, /*KeepEmpty=*/false);
  return archs;
}

int64_t weir::getSharedBytes(const CompileOptions &options) {
  int64_t least = std::numeric_limits<int64_t>::max();
  for (StringRef arch : getGPUArchs(options))
    least = std::min(least, getSharedBytes(arch));
  return least;
}

bool weir::usesWarpgroups(const CompileOptions &options) {
  return hasKernels(options) &&
         llvm::all_of(getGPUArchs(options),
                      [](StringRef arch) { return arch == "sm_90a"; });
}

/// Puts each kernel's shared buffers into one piece of memory.
static LogicalResult poolShared(ModuleOp module) {
  PassManager pm(module.getContext());
  pm.addNestedPass<gpu::GPUModuleOp>(createPoolShared());
  return pm.run(module);
}

/// Moves what `function` says of its shared memory to `kernel`.
static void takeShared(LLVM::LLVMFuncOp function, KernelInterface &kernel) {
  auto shared = function->getAttrOfType<DenseI64ArrayAttr>(SharedAttrName);
  if (!shared)
    return;
  kernel.shared.assign(shared.asArrayRef().begin(), shared.asArrayRef().end());
  function->removeAttr(SharedAttrName);
}

/// The kernels of `module` by their numbers.
static std::vector<KernelInterface> listKernels(gpu::GPUModuleOp kernels) {
  std::vector<KernelInterface> list;
  for (auto kernel : kernels.getOps<LLVM::LLVMFuncOp>())
    if (!kernel.isExternal())
      list.push_back({kernel.getName().str(), false, {}});
  return list;
}

static LogicalResult emulate(ModuleOp module, DeviceInterface &device) {
  PassManager pm(module.getContext());
  pm.addPass(createEmulateKernels());
  pm.addPass(createCSEPass());
  if (failed(pm.run(module)))
    return failure();
  for (KernelInterface &kernel : device.kernels) {
    kernel.emulated = true;
    takeShared(module.lookupSymbol<LLVM::LLVMFuncOp>(kernel.name), kernel);
  }
  return success();
}

/// PTX of `kernels` for `arch`, or an error there.
static FailureOr<std::string> translate(gpu::GPUModuleOp kernels,
                                        StringRef arch) {
  llvm::Expected<std::string> ptx = emitPTX(kernels, arch);
  if (!ptx)
    return kernels.emitError(llvm::toString(ptx.takeError()));
  return std::move(*ptx);
}

static LogicalResult addImages(gpu::GPUModuleOp kernels, StringRef arch,
                               bool withText, DeviceInterface &device) {
  FailureOr<std::string> ptx = translate(kernels, arch);
  if (failed(ptx))
    return failure();
  llvm::Expected<std::optional<std::string>> code = assemblePTX(*ptx, arch);
  if (!code)
    return kernels.emitError(llvm::toString(code.takeError()));
  if (*code)
    device.images.push_back({arch.str(), std::move(**code), WEIR_IMAGE_CUBIN});
  if (!*code || withText)
    device.images.push_back({arch.str(), std::move(*ptx), WEIR_IMAGE_PTX});
  return success();
}

FailureOr<DeviceInterface>
weir::buildDeviceCode(ModuleOp module, const CompileOptions &options) {
  DeviceInterface device;
  bool cuda = options.target == "cuda";
  device.kind = cuda ? WEIR_DEVICE_CUDA : WEIR_DEVICE_SIMT;
  auto modules = llvm::to_vector(module.getOps<gpu::GPUModuleOp>());
  // A function that moves nothing launches nothing.
  if (modules.empty())
    return device;
  gpu::GPUModuleOp kernels = modules.front();
  device.kernels = listKernels(kernels);
  if (!cuda) {
    if (failed(emulate(module, device)))
      return failure();
    return device;
  }
  if (failed(poolShared(module)))
    return failure();
  for (KernelInterface &kernel : device.kernels)
    takeShared(kernels.lookupSymbol<LLVM::LLVMFuncOp>(kernel.name), kernel);
  // Text of the first architecture that has successors serves GPUs that are
  // not listed.
  bool textDone = false;
  for (StringRef arch : getGPUArchs(options)) {
    bool withText = !textDone && !arch.ends_with("a");
    textDone |= withText;
    if (failed(addImages(kernels, arch, withText, device)))
      return failure();
  }
  kernels.erase();
  return device;
}

FailureOr<std::string> weir::buildPTX(ModuleOp module,
                                      const CompileOptions &options) {
  auto modules = llvm::to_vector(module.getOps<gpu::GPUModuleOp>());
  if (modules.empty())
    return module.emitError("has no kernels to write PTX of");
  if (failed(poolShared(module)))
    return failure();
  StringRef arch = getGPUArchs(options).front();
  FailureOr<std::string> ptx = translate(modules.front(), arch);
  if (failed(ptx))
    return failure();
  // What an executable would hold, if an assembler is there to see.
  if (auto code = assemblePTX(*ptx, arch); !code)
    return modules.front().emitError(llvm::toString(code.takeError()));
  return ptx;
}
