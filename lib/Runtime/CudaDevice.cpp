//===- CudaDevice.cpp - Kernels on an NVIDIA GPU ----------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One stream per program: launches, copies and clearing follow each other in
// the order they were asked for. Weights and scratch memory are the device's
// own; the state is managed memory, which moves to whoever touches it, since
// the runtime itself edits it between calls (truncation, saving, beams).
//
//===----------------------------------------------------------------------===//

#include "CudaReplay.h"
#include "CudaTimer.h"

#include <cstring>
#include <dlfcn.h>

using namespace weir::rt;
using namespace weir::rt::cuda;

static std::string getTooOld(const char *missing) {
  return std::string("the CUDA driver is too old: it has no ") + missing;
}

const Driver *Driver::open(std::string &error) {
  static constexpr char kName[] = "libcuda.so.1";
  void *library = dlopen(kName, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    error = std::string("no CUDA driver here (") + kName +
            " is not found): expected a machine with an NVIDIA GPU and its "
            "driver, or a model compiled with --target=cpu";
    return nullptr;
  }
  static Driver driver;
  const char *missing = nullptr;
#define WEIR_CUDA_LOAD(name, symbol, arguments)                                \
  if (!(driver.name =                                                          \
            reinterpret_cast<Result(*) arguments>(dlsym(library, symbol))))    \
    missing = symbol;
  WEIR_CUDA_NEW_FUNCTIONS(WEIR_CUDA_LOAD)
  // Not every model calls these.
  missing = nullptr;
  WEIR_CUDA_FUNCTIONS(WEIR_CUDA_LOAD)
#undef WEIR_CUDA_LOAD
  if (!missing)
    return &driver;
  error = getTooOld(missing);
  return nullptr;
}

std::string Driver::describe(Result result) const {
  const char *name = nullptr, *text = nullptr;
  GetErrorName(result, &name);
  GetErrorString(result, &text);
  return std::string(name ? name : "unknown error") + " (" +
         (text ? text : std::to_string(result).c_str()) + ")";
}

namespace {
class CudaDevice : public Device {
public:
  CudaDevice(const Driver &driver, const weir_model_desc &model)
      : driver(driver), model(model) {}
  ~CudaDevice() override;

  bool start(std::string &error);

  void *allocate(size_t bytes, Reach reach, std::string &error) override;
  void release(void *memory, size_t bytes, Reach reach) override;
  bool upload(void *to, const void *from, size_t bytes,
              std::string &error) override;
  bool download(void *to, const void *from, size_t bytes,
                std::string &error) override;
  void launch(LaunchQueue &queue, int32_t kernel, int64_t blocks,
              int32_t threads, void **arguments) override;
  void encode(LaunchQueue &queue, void *map, const TensorMap &tensor) override;
  bool submit(LaunchQueue &queue) override;
  bool wait(LaunchQueue &queue) override;
  std::unique_ptr<CallTimer> makeTimer(int64_t calls,
                                       std::string &error) override;
  DeviceFacts facts() const override { return described; }

private:
  /// The code that runs here fastest, or null with an error.
  const weir_image_desc *chooseImage(int major, int minor, std::string &error);
  bool loadImage(const weir_image_desc &image, std::string &error);
  /// Asks the driver for what `facts` tells.
  void describe(int arch, const char *code);
  /// Whether `result` is no error; else says what failed.
  bool check(Result result, const char *what, std::string &error) const;
  void checkLaunch(Result result, const char *kernel, std::string &error) const;

  const Driver &driver;
  const weir_model_desc &model;
  DeviceNumber number = 0;
  std::string name;
  DeviceFacts described;
  Context context = nullptr;
  Stream stream = nullptr;
  Module module = nullptr;
  std::vector<Kernel> kernels;
  /// Whether the kernels' arguments are known, and graphs can be made.
  bool replays = false;
};
} // namespace

std::shared_ptr<Device> weir::rt::openCudaDevice(const weir_model_desc &model,
                                                 std::string &error) {
  const Driver *driver = Driver::open(error);
  if (!driver)
    return nullptr;
  auto device = std::make_shared<CudaDevice>(*driver, model);
  if (!device->start(error))
    return nullptr;
  return device;
}

bool CudaDevice::check(Result result, const char *what,
                       std::string &error) const {
  if (result == Success)
    return true;
  error = std::string("GPU: ") + what + ": " + driver.describe(result);
  return false;
}

void CudaDevice::checkLaunch(Result result, const char *kernel,
                             std::string &error) const {
  if (result != Success)
    check(result, (std::string("cannot launch ") + kernel).c_str(), error);
}

/// An architecture's number and whether code for it runs on it alone: "sm_90a"
/// gives 90 and true.
static bool parseArch(const char *arch, int &value, bool &exact) {
  value = 0;
  exact = false;
  if (std::strncmp(arch, "sm_", 3) != 0)
    return false;
  const char *at = arch + 3;
  for (; *at >= '0' && *at <= '9'; ++at)
    value = value * 10 + (*at - '0');
  exact = *at == 'a';
  return at != arch + 3;
}

const weir_image_desc *CudaDevice::chooseImage(int major, int minor,
                                               std::string &error) {
  const weir_device_desc &device = *model.device;
  int here = major * 10 + minor, best = -1;
  const weir_image_desc *chosen = nullptr;
  std::string offered;
  for (int32_t i = 0; i < device.num_images; ++i) {
    const weir_image_desc &image = device.images[i];
    int arch;
    bool exact;
    if (!parseArch(image.arch, arch, exact))
      continue;
    offered += std::string(offered.empty() ? "" : ", ") + image.arch;
    // Machine code runs on later minor versions, text on all later ones.
    bool cubin = image.kind == WEIR_IMAGE_CUBIN;
    bool runs = exact   ? arch == here
                : cubin ? arch / 10 == major && arch <= here
                        : arch <= here;
    int rank = arch * 4 + (exact ? 2 : 0) + (cubin ? 1 : 0);
    if (runs && rank > best) {
      best = rank;
      chosen = &image;
    }
  }
  if (!chosen)
    error = "model '" + std::string(model.name) + "' was compiled for " +
            (offered.empty() ? "no GPU" : offered) + ", and this GPU, " + name +
            ", is sm_" + std::to_string(here) +
            ": compile it with --gpu-arch=sm_" + std::to_string(here);
  return chosen;
}

bool CudaDevice::loadImage(const weir_image_desc &image, std::string &error) {
  std::vector<char> log(4096, 0);
  int options[] = {ErrorLogBuffer, ErrorLogBytes};
  void *values[] = {log.data(), reinterpret_cast<void *>(log.size() - 1)};
  Result result =
      driver.ModuleLoadDataEx(&module, image.data, 2, options, values);
  if (!check(result, "cannot load the kernels", error)) {
    error += std::string(" for ") + image.arch + " on " + name;
    if (log[0])
      error += std::string(": ") + log.data();
    return false;
  }
  const weir_device_desc &device = *model.device;
  kernels.resize(static_cast<size_t>(device.num_kernels));
  replays = Replay::isOffered(driver);
  for (int32_t i = 0; i < device.num_kernels; ++i) {
    const weir_kernel_desc &desc = device.kernels[i];
    Kernel &kernel = kernels[static_cast<size_t>(i)];
    kernel.name = desc.name;
    if (!check(driver.ModuleGetFunction(&kernel.function, module, desc.name),
               desc.name, error))
      return false;
    for (int32_t b = 0; b < desc.num_shared; ++b)
      kernel.sharedBytes += static_cast<unsigned>(desc.shared[b]);
    if (!check(driver.FuncSetAttribute(kernel.function, MostSharedBytes,
                                       static_cast<int>(kernel.sharedBytes)),
               "shared memory", error)) {
      error += ": kernel " + std::string(desc.name) + " needs " +
               std::to_string(kernel.sharedBytes) + " bytes, more than " +
               name +
               " gives a block; compile the model with --gpu-arch of this GPU";
      return false;
    }
    replays = replays && kernel.readArguments(driver);
  }
  return true;
}

bool CudaDevice::start(std::string &error) {
  int count = 0;
  Result result = driver.Init(0);
  if (result == Success)
    result = driver.DeviceGetCount(&count);
  if (result != Success || count == 0) {
    error =
        "no CUDA device here" +
        (result == Success ? std::string() : ": " + driver.describe(result)) +
        "; expected an NVIDIA GPU, or a model compiled with --target=cpu";
    return false;
  }
  char text[256] = "";
  int major = 0, minor = 0, managed = 0;
  if (!check(driver.DeviceGet(&number, 0), "cannot open device 0", error) ||
      !check(driver.DeviceGetName(text, sizeof(text), number), "name", error) ||
      !check(driver.DeviceGetAttribute(&major, ComputeMajor, number), "version",
             error) ||
      !check(driver.DeviceGetAttribute(&minor, ComputeMinor, number), "version",
             error) ||
      !check(driver.DeviceGetAttribute(&managed, ManagedMemory, number),
             "managed memory", error))
    return false;
  name = text;
  if (!managed) {
    error = "GPU " + name + " has no managed memory, which the state lies in";
    return false;
  }
  const weir_image_desc *image = chooseImage(major, minor, error);
  if (!image)
    return false;
  describe(major * 10 + minor, image->arch);
  return check(driver.PrimaryRetain(&context, number), "cannot make a context",
               error) &&
         check(driver.CtxSetCurrent(context), "context", error) &&
         check(driver.StreamCreate(&stream, NonBlocking),
               "cannot make a stream", error) &&
         loadImage(*image, error);
}

void CudaDevice::describe(int arch, const char *code) {
  described.name = name;
  described.arch = "sm_" + std::to_string(arch);
  described.code = code;
  int version = 0;
  if (driver.DriverGetVersion(&version) == Success)
    described.driver = std::to_string(version / 1000) + "." +
                       std::to_string(version % 1000 / 10);
  // What a driver does not tell stays 0.
  auto ask = [&](int attribute) {
    int value = 0;
    return driver.DeviceGetAttribute(&value, attribute, number) == Success
               ? value
               : 0;
  };
  described.clockMHz = ask(ClockKHz) / 1000;
  described.memoryMHz = ask(MemoryClockKHz) / 1000;
  described.multiprocessors = ask(Multiprocessors);
}

CudaDevice::~CudaDevice() {
  if (!context)
    return;
  driver.CtxSetCurrent(context);
  if (module)
    driver.ModuleUnload(module);
  if (stream)
    driver.StreamDestroy(stream);
  driver.PrimaryRelease(number);
}

void *CudaDevice::allocate(size_t bytes, Reach reach, std::string &error) {
  Pointer memory = 0;
  if (!check(driver.CtxSetCurrent(context), "context", error))
    return nullptr;
  Result result = reach == Reach::Both
                      ? driver.MemAllocManaged(&memory, bytes, AttachGlobal)
                      : driver.MemAlloc(&memory, bytes);
  if (result == OutOfMemory) {
    size_t free = 0, total = 0;
    driver.MemGetInfo(&free, &total);
    error = "too little memory on GPU " + name + ": " + std::to_string(bytes) +
            " bytes are needed, " + std::to_string(free) + " of " +
            std::to_string(total) +
            " are free; choose a smaller maximum length, block or batch";
    return nullptr;
  }
  if (!check(result, "cannot allocate", error))
    return nullptr;
  if (!check(driver.MemsetD8Async(memory, 0, bytes, stream), "clearing",
             error) ||
      !check(driver.StreamSynchronize(stream), "clearing", error)) {
    driver.MemFree(memory);
    return nullptr;
  }
  return reinterpret_cast<void *>(memory);
}

void CudaDevice::release(void *memory, size_t, Reach) {
  driver.CtxSetCurrent(context);
  driver.MemFree(reinterpret_cast<Pointer>(memory));
}

bool CudaDevice::upload(void *to, const void *from, size_t bytes,
                        std::string &error) {
  return check(driver.CtxSetCurrent(context), "context", error) &&
         check(driver.MemcpyHtoDAsync(reinterpret_cast<Pointer>(to), from,
                                      bytes, stream),
               "copy to the device", error) &&
         // The source may be gone when this returns.
         check(driver.StreamSynchronize(stream), "copy to the device", error);
}

bool CudaDevice::download(void *to, const void *from, size_t bytes,
                          std::string &error) {
  return check(driver.CtxSetCurrent(context), "context", error) &&
         check(driver.MemcpyDtoHAsync(to, reinterpret_cast<Pointer>(from),
                                      bytes, stream),
               "copy from the device", error) &&
         check(driver.StreamSynchronize(stream), "copy from the device", error);
}

void CudaDevice::launch(LaunchQueue &queue, int32_t number, int64_t blocks,
                        int32_t threads, void **arguments) {
  if (number < 0 || static_cast<size_t>(number) >= kernels.size() ||
      blocks > INT32_MAX) {
    queue.error = "launch of kernel " + std::to_string(number) + " with " +
                  std::to_string(blocks) + " blocks, expected one of " +
                  std::to_string(kernels.size()) +
                  " with fewer than 2^31 blocks";
    return;
  }
  if (!check(driver.CtxSetCurrent(context), "context", queue.error))
    return;
  const Kernel &kernel = kernels[static_cast<size_t>(number)];
  const char *failed = kernel.name;
  auto grid = static_cast<unsigned>(blocks);
  auto width = static_cast<unsigned>(threads);
  Result result;
  if (replays) {
    if (!queue.history)
      queue.history = std::make_unique<Replay>(driver, context, stream);
    result = static_cast<Replay &>(*queue.history)
                 .launch(kernel, grid, width, arguments, failed);
  } else {
    result = kernel.launch(driver, grid, width, stream, arguments);
  }
  checkLaunch(result, failed, queue.error);
}

void CudaDevice::encode(LaunchQueue &queue, void *map,
                        const TensorMap &tensor) {
  queue.error = tensor.findFault();
  if (!driver.TensorMapEncodeTiled)
    queue.error = getTooOld("cuTensorMapEncodeTiled");
  if (!queue.error.empty())
    return;
  uint64_t sizes[kMostAxes], strides[kMostAxes];
  unsigned box[kMostAxes], steps[kMostAxes];
  for (int32_t axis = 0; axis < tensor.rank; ++axis) {
    sizes[axis] = static_cast<uint64_t>(tensor.sizes[axis]);
    box[axis] = static_cast<unsigned>(tensor.box[axis]);
    steps[axis] = 1;
    // The first axis has none.
    if (axis > 0)
      strides[axis - 1] = static_cast<uint64_t>(tensor.strides[axis]);
  }
  check(driver.TensorMapEncodeTiled(
            map, TensorBF16, static_cast<unsigned>(tensor.rank),
            reinterpret_cast<void *>(tensor.base), sizes, strides, box, steps,
            /*interleave=*/0, TensorSwizzle128, TensorPromote128,
            /*oobFill=*/0),
        "map of a tensor", queue.error);
}

bool CudaDevice::submit(LaunchQueue &queue) {
  if (auto *replay = static_cast<Replay *>(queue.history.get())) {
    if (queue.error.empty()) {
      const char *failed = "";
      Result result = replay->finish(failed);
      checkLaunch(result, failed, queue.error);
    } else {
      replay->drop();
    }
  }
  return queue.error.empty();
}

bool CudaDevice::wait(LaunchQueue &queue) {
  std::string error;
  if (!check(driver.StreamSynchronize(stream), "a kernel failed", error) &&
      queue.error.empty())
    queue.error = error;
  return queue.error.empty();
}

std::unique_ptr<CallTimer> CudaDevice::makeTimer(int64_t calls,
                                                 std::string &error) {
  auto timer = std::make_unique<EventTimer>(driver, context, stream);
  Result result = timer->create(calls);
  if (check(result, "cannot time calls", error))
    return timer;
  return nullptr;
}
