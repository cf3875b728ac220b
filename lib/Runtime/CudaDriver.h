//===- CudaDriver.h - What is used of the CUDA driver -----------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Declared here, so that neither building nor running needs NVIDIA's toolkit:
// the driver is opened when a model asks for it. Names and numbers are those of
// the driver API's documentation.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_CUDADRIVER_H
#define LIB_RUNTIME_CUDADRIVER_H

#include <cstddef>
#include <cstdint>
#include <string>

namespace weir::rt::cuda {

using Result = int;
using DeviceNumber = int;
using Pointer = unsigned long long;
using Context = struct ContextHandle *;
using Module = struct ModuleHandle *;
using Function = struct FunctionHandle *;
using Stream = struct StreamHandle *;
using Event = struct EventHandle *;
using Graph = struct GraphHandle *;
using GraphExec = struct GraphExecHandle *;

static constexpr Result Success = 0;
static constexpr Result OutOfMemory = 2;
static constexpr unsigned AttachGlobal = 1;
static constexpr unsigned NonBlocking = 1;
/// Captures what this thread launches to a stream, whatever others do.
static constexpr int CaptureThreadLocal = 1;
/// Device attributes.
static constexpr int ClockKHz = 13;
static constexpr int Multiprocessors = 16;
static constexpr int MemoryClockKHz = 36;
static constexpr int ComputeMajor = 75;
static constexpr int ComputeMinor = 76;
static constexpr int ManagedMemory = 83;
/// A function's attribute: bytes of shared memory that launches may ask for.
static constexpr int MostSharedBytes = 8;
/// Options of module loading.
static constexpr int ErrorLogBuffer = 5;
static constexpr int ErrorLogBytes = 6;

/// Of maps of tensors: elements of bf16, permuted pieces, and how much of a
/// row comes to the second cache at once.
static constexpr int TensorBF16 = 9;
static constexpr int TensorSwizzle128 = 3;
static constexpr int TensorPromote128 = 2;

/// The driver's functions, by the names of their current versions.
#define WEIR_CUDA_FUNCTIONS(X)                                                 \
  X(Init, "cuInit", (unsigned))                                                \
  X(DriverGetVersion, "cuDriverGetVersion", (int *))                           \
  X(GetErrorName, "cuGetErrorName", (Result, const char **))                   \
  X(GetErrorString, "cuGetErrorString", (Result, const char **))               \
  X(DeviceGetCount, "cuDeviceGetCount", (int *))                               \
  X(DeviceGet, "cuDeviceGet", (DeviceNumber *, int))                           \
  X(DeviceGetName, "cuDeviceGetName", (char *, int, DeviceNumber))             \
  X(DeviceGetAttribute, "cuDeviceGetAttribute", (int *, int, DeviceNumber))    \
  X(PrimaryRetain, "cuDevicePrimaryCtxRetain", (Context *, DeviceNumber))      \
  X(PrimaryRelease, "cuDevicePrimaryCtxRelease_v2", (DeviceNumber))            \
  X(CtxSetCurrent, "cuCtxSetCurrent", (Context))                               \
  X(MemGetInfo, "cuMemGetInfo_v2", (size_t *, size_t *))                       \
  X(MemAlloc, "cuMemAlloc_v2", (Pointer *, size_t))                            \
  X(MemAllocManaged, "cuMemAllocManaged", (Pointer *, size_t, unsigned))       \
  X(MemFree, "cuMemFree_v2", (Pointer))                                        \
  X(MemsetD8Async, "cuMemsetD8Async",                                          \
    (Pointer, unsigned char, size_t, Stream))                                  \
  X(MemcpyHtoDAsync, "cuMemcpyHtoDAsync_v2",                                   \
    (Pointer, const void *, size_t, Stream))                                   \
  X(MemcpyDtoHAsync, "cuMemcpyDtoHAsync_v2",                                   \
    (void *, Pointer, size_t, Stream))                                         \
  X(StreamCreate, "cuStreamCreate", (Stream *, unsigned))                      \
  X(StreamDestroy, "cuStreamDestroy_v2", (Stream))                             \
  X(StreamSynchronize, "cuStreamSynchronize", (Stream))                        \
  X(EventCreate, "cuEventCreate", (Event *, unsigned))                         \
  X(EventDestroy, "cuEventDestroy_v2", (Event))                                \
  X(EventRecord, "cuEventRecord", (Event, Stream))                             \
  X(EventSynchronize, "cuEventSynchronize", (Event))                           \
  X(EventElapsedTime, "cuEventElapsedTime", (float *, Event, Event))           \
  X(ModuleLoadDataEx, "cuModuleLoadDataEx",                                    \
    (Module *, const void *, unsigned, int *, void **))                        \
  X(ModuleUnload, "cuModuleUnload", (Module))                                  \
  X(ModuleGetFunction, "cuModuleGetFunction",                                  \
    (Function *, Module, const char *))                                        \
  X(FuncSetAttribute, "cuFuncSetAttribute", (Function, int, int))              \
  X(LaunchKernel, "cuLaunchKernel",                                            \
    (Function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,     \
     unsigned, Stream, void **, void **))

/// Functions that older drivers lack: of CUDA 12, for models for sm_90a alone,
/// and of CUDA 12.4 and before, for graphs (CudaReplay.h).
#define WEIR_CUDA_NEW_FUNCTIONS(X)                                             \
  X(FuncGetParamInfo, "cuFuncGetParamInfo",                                    \
    (Function, size_t, size_t *, size_t *))                                    \
  X(StreamBeginCapture, "cuStreamBeginCapture_v2", (Stream, int))              \
  X(StreamEndCapture, "cuStreamEndCapture", (Stream, Graph *))                 \
  X(GraphInstantiate, "cuGraphInstantiateWithFlags",                           \
    (GraphExec *, Graph, unsigned long long))                                  \
  X(GraphDestroy, "cuGraphDestroy", (Graph))                                   \
  X(GraphLaunch, "cuGraphLaunch", (GraphExec, Stream))                         \
  X(GraphExecDestroy, "cuGraphExecDestroy", (GraphExec))                       \
  X(TensorMapEncodeTiled, "cuTensorMapEncodeTiled",                            \
    (void *, int, unsigned, void *, const uint64_t *, const uint64_t *,        \
     const unsigned *, const unsigned *, int, int, int, int))

/// The opened driver; nothing closes it again.
struct Driver {
#define WEIR_CUDA_MEMBER(name, symbol, arguments) Result(*name) arguments;
  WEIR_CUDA_FUNCTIONS(WEIR_CUDA_MEMBER)
  /// Null where the driver lacks them.
  WEIR_CUDA_NEW_FUNCTIONS(WEIR_CUDA_MEMBER)
#undef WEIR_CUDA_MEMBER

  /// The driver of this machine, or null with an error.
  static const Driver *open(std::string &error);

  /// The driver's name and words for `result`.
  std::string describe(Result result) const;
};

} // namespace weir::rt::cuda

#endif // LIB_RUNTIME_CUDADRIVER_H
