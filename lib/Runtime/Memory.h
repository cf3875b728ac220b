//===- Memory.h - Aligned buffers and files ---------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_MEMORY_H
#define LIB_RUNTIME_MEMORY_H

#include "Device.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace weir::rt {

/// Zeroed memory aligned to a page, straight from the kernel: a large buffer of
/// which little is used (a history sized for the longest sequence) costs only
/// the pages touched. It may be memory of a device instead.
class Buffer {
public:
  Buffer() = default;
  ~Buffer() { release(); }
  Buffer(Buffer &&other) noexcept { *this = std::move(other); }
  Buffer &operator=(Buffer &&other) noexcept {
    std::swap(ptr, other.ptr);
    std::swap(length, other.length);
    std::swap(device, other.device);
    std::swap(reach, other.reach);
    return *this;
  }
  Buffer(const Buffer &) = delete;
  Buffer &operator=(const Buffer &) = delete;

  /// Replaces the contents by `bytes` zeros; false when memory is out. Little
  /// of `sparse` memory is ever touched: it comes in small pages.
  bool allocate(size_t bytes, bool sparse = false);

  /// The same on `owner`, or in the host's memory when it is null; false with
  /// an error.
  bool allocateOn(std::shared_ptr<Device> owner, size_t bytes, Reach who,
                  std::string &error, bool sparse = false);

  /// The same, but keeps a buffer that is already large enough as it is.
  bool ensureOn(std::shared_ptr<Device> owner, size_t bytes, Reach who,
                std::string &error) {
    return bytes <= length || allocateOn(std::move(owner), bytes, who, error);
  }

  uint8_t *data() const { return static_cast<uint8_t *>(ptr); }
  size_t size() const { return length; }

private:
  void release();
  void *ptr = nullptr;
  size_t length = 0;
  std::shared_ptr<Device> device; ///< null: the host
  Reach reach = Reach::Kernels;
};

/// A whole file mapped for reading.
class MappedFile {
public:
  MappedFile() = default;
  ~MappedFile();
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;

  /// Maps `path`; an empty file maps to size 0.
  bool open(const std::string &path, std::string &error);

  const uint8_t *data() const { return ptr; }
  size_t size() const { return length; }

private:
  const uint8_t *ptr = nullptr;
  size_t length = 0;
};

/// Writes a file under a temporary name beside `path` and renames it when all
/// is on disk, so that a reader never sees half a file.
class AtomicFile {
public:
  AtomicFile() = default;
  /// Removes the temporary file unless commit succeeded.
  ~AtomicFile();
  AtomicFile(const AtomicFile &) = delete;
  AtomicFile &operator=(const AtomicFile &) = delete;

  bool open(const std::string &path, std::string &error);
  bool write(const void *data, size_t bytes, std::string &error);
  bool commit(std::string &error);

private:
  std::string target, temporary;
  int fd = -1;
};

} // namespace weir::rt

#endif // LIB_RUNTIME_MEMORY_H
