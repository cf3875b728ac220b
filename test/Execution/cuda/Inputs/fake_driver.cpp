// A CUDA driver without a GPU, for what goes wrong before a kernel runs. The
// variable FAKE_GPU says what it has: none, sm_NN, or sm_NN,full for one
// without memory. Launches compute nothing and succeed; each takes a quarter of
// a millisecond of the time that events tell.

#include <cstddef>
#include <cstdlib>
#include <cstring>

static const char *has() {
  const char *text = std::getenv("FAKE_GPU");
  return text ? text : "none";
}

static long launches = 0;

extern "C" {
int cuInit(unsigned) { return std::strcmp(has(), "none") == 0 ? 100 : 0; }
int cuDriverGetVersion(int *version) { return *version = 13000, 0; }
int cuGetErrorName(int code, const char **name) {
  *name = code == 100 ? "CUDA_ERROR_NO_DEVICE" : "CUDA_ERROR_OTHER";
  return 0;
}
int cuGetErrorString(int code, const char **text) {
  *text = code == 100 ? "no CUDA-capable device is detected" : "other";
  return 0;
}
int cuDeviceGetCount(int *count) { return *count = 1, 0; }
int cuDeviceGet(int *device, int number) { return *device = number, 0; }
int cuDeviceGetName(char *name, int bytes, int) {
  std::strncpy(name, "Fake GPU", bytes);
  return 0;
}
int cuDeviceGetAttribute(int *value, int attribute, int) {
  int number = std::atoi(has() + 3);
  *value = attribute == 75   ? number / 10
           : attribute == 76 ? number % 10
           : attribute == 13 ? 1980000
           : attribute == 36 ? 2619000
           : attribute == 16 ? 132
                             : 1;
  return 0;
}
int cuDevicePrimaryCtxRetain(void **context, int) {
  static int place;
  *context = &place;
  return 0;
}
int cuDevicePrimaryCtxRelease_v2(int) { return 0; }
int cuCtxSetCurrent(void *) { return 0; }
int cuMemGetInfo_v2(size_t *free, size_t *total) {
  *free = 1000;
  *total = 2000;
  return 0;
}
int cuMemAlloc_v2(unsigned long long *memory, size_t bytes) {
  if (std::strstr(has(), ",full"))
    return 2;
  *memory = reinterpret_cast<unsigned long long>(std::malloc(bytes));
  return 0;
}
int cuMemAllocManaged(unsigned long long *memory, size_t bytes, unsigned) {
  return cuMemAlloc_v2(memory, bytes);
}
int cuMemFree_v2(unsigned long long memory) {
  std::free(reinterpret_cast<void *>(memory));
  return 0;
}
int cuMemsetD8Async(unsigned long long to, unsigned char value, size_t bytes,
                    void *) {
  std::memset(reinterpret_cast<void *>(to), value, bytes);
  return 0;
}
int cuMemcpyHtoDAsync_v2(unsigned long long to, const void *from, size_t bytes,
                         void *) {
  std::memcpy(reinterpret_cast<void *>(to), from, bytes);
  return 0;
}
int cuMemcpyDtoHAsync_v2(void *to, unsigned long long from, size_t bytes,
                         void *) {
  std::memcpy(to, reinterpret_cast<void *>(from), bytes);
  return 0;
}
int cuStreamCreate(void **stream, unsigned) { return *stream = nullptr, 0; }
int cuStreamDestroy_v2(void *) { return 0; }
int cuStreamSynchronize(void *) { return 0; }
int cuModuleLoadDataEx(void **module, const void *, unsigned, int *, void **) {
  return *module = nullptr, 0;
}
int cuModuleUnload(void *) { return 0; }
int cuModuleGetFunction(void **function, void *, const char *name) {
  *function = const_cast<char *>(name);
  return 0;
}
int cuFuncSetAttribute(void *, int, int bytes) {
  int number = std::atoi(has() + 3);
  return bytes > (number == 86 || number == 89 ? 99 : 163) * 1024;
}
int cuEventCreate(void **event, unsigned) {
  *event = new long(0);
  return 0;
}
int cuEventDestroy_v2(void *event) {
  delete static_cast<long *>(event);
  return 0;
}
int cuEventRecord(void *event, void *) {
  *static_cast<long *>(event) = launches;
  return 0;
}
int cuEventSynchronize(void *) { return 0; }
int cuEventElapsedTime(float *milliseconds, void *from, void *to) {
  *milliseconds =
      0.25f * (*static_cast<long *>(to) - *static_cast<long *>(from));
  return 0;
}
int cuLaunchKernel(void *, unsigned, unsigned, unsigned, unsigned, unsigned,
                   unsigned, unsigned, void *, void **, void **) {
  ++launches;
  return 0;
}
}
