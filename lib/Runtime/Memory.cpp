//===- Memory.cpp - Aligned buffers and files -----------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Memory.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace weir::rt;

bool Buffer::allocate(size_t bytes, bool sparse) {
  release();
  if (bytes == 0)
    return true;
  void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return false;
  ptr = memory;
  length = bytes;
  // The kernel would clear a huge page for the first entry of every layer.
  if (sparse)
    madvise(ptr, length, MADV_NOHUGEPAGE);
  return true;
}

bool Buffer::allocateOn(std::shared_ptr<Device> owner, size_t bytes, Reach who,
                        std::string &error, bool sparse) {
  if (!owner) {
    if (allocate(bytes, sparse))
      return true;
    error = "cannot allocate " + std::to_string(bytes) + " bytes";
    return false;
  }
  release();
  if (bytes == 0)
    return true;
  ptr = owner->allocate(bytes, who, error);
  if (!ptr)
    return false;
  length = bytes;
  device = std::move(owner);
  reach = who;
  return true;
}

void Buffer::release() {
  if (ptr && device)
    device->release(ptr, length, reach);
  else if (ptr)
    munmap(ptr, length);
  ptr = nullptr;
  length = 0;
  device.reset();
}

static std::string systemError(const char *what, const std::string &path) {
  return std::string("cannot ") + what + " '" + path +
         "': " + std::strerror(errno);
}

MappedFile::~MappedFile() {
  if (ptr)
    munmap(const_cast<uint8_t *>(ptr), length);
}

bool MappedFile::open(const std::string &path, std::string &error) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    error = systemError("open", path);
    return false;
  }
  struct stat info;
  if (fstat(fd, &info) != 0) {
    error = systemError("read", path);
    ::close(fd);
    return false;
  }
  if (!S_ISREG(info.st_mode)) {
    error = "cannot read '" + path + "': it is not a regular file";
    ::close(fd);
    return false;
  }
  if (info.st_size > 0) {
    size_t bytes = static_cast<size_t>(info.st_size);
    void *memory = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
      error = systemError("map", path);
      ::close(fd);
      return false;
    }
    ptr = static_cast<const uint8_t *>(memory);
    length = bytes;
  }
  ::close(fd);
  return true;
}

AtomicFile::~AtomicFile() {
  if (fd >= 0)
    ::close(fd);
  if (!temporary.empty())
    ::unlink(temporary.c_str());
}

bool AtomicFile::open(const std::string &path, std::string &error) {
  target = path;
  std::string name = path + ".XXXXXX";
  fd = ::mkstemp(name.data());
  if (fd < 0) {
    error = systemError("create", path);
    return false;
  }
  temporary = name;
  // mkstemp makes a private file; give it the mode any new file would have.
  mode_t mask = ::umask(0);
  ::umask(mask);
  ::fchmod(fd, 0666 & ~mask);
  return true;
}

bool AtomicFile::write(const void *data, size_t bytes, std::string &error) {
  const char *next = static_cast<const char *>(data);
  while (bytes > 0) {
    ssize_t written = ::write(fd, next, bytes);
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0) {
      error = systemError("write", target);
      return false;
    }
    next += written;
    bytes -= static_cast<size_t>(written);
  }
  return true;
}

bool AtomicFile::commit(std::string &error) {
  int descriptor = fd;
  fd = -1;
  if (::close(descriptor) != 0) {
    error = systemError("write", target);
    return false;
  }
  if (::rename(temporary.c_str(), target.c_str()) != 0) {
    error = systemError("write", target);
    return false;
  }
  temporary.clear();
  return true;
}
