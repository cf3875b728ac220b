//===- Weights.cpp - The mapped weights file ------------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Weights.h"
#include "SharedLibrary.h"
#include "SplitMix.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace weir::rt;

std::string weir::rt::executablePath() {
  std::string path(256, '\0');
  while (true) {
    ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
    if (length < 0)
      break;
    if (static_cast<size_t>(length) < path.size()) {
      path.resize(static_cast<size_t>(length));
      return path;
    }
    path.resize(path.size() * 2);
  }
  // Without /proc, by the name it was started with.
  auto *name = reinterpret_cast<const char *>(getauxval(AT_EXECFN));
  char *real = name ? realpath(name, nullptr) : nullptr;
  path = real ? real : "";
  std::free(real);
  return path;
}

std::string weir::rt::defaultWeightsPath() {
  std::string path = executablePath();
  return path.empty() ? path : path + ".weights";
}

static std::string hex(uint64_t value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%016llx",
                static_cast<unsigned long long>(value));
  return text;
}

std::shared_ptr<const Weights> Weights::open(const weir_model_desc &model,
                                             const std::string &path,
                                             std::string &error) {
  auto weights = std::make_shared<Weights>();
  if (model.weights_bytes == 0)
    return weights;
  std::string library = path.empty() ? sharedLibraryOf(model) : "";
  std::string name = !library.empty() ? library + ".weights"
                     : path.empty()   ? defaultWeightsPath()
                                      : path;
  if (name.empty()) {
    error = "cannot tell where the executable is: name the weights file";
    return nullptr;
  }
  if (!weights->file.open(name, error)) {
    error = "weights file: " + error;
    if (!library.empty())
      error += " (keep it beside the library, or pass its path)";
    else if (path.empty())
      error += " (keep it beside the executable, or name it with --weights)";
    return nullptr;
  }
  const uint8_t *data = weights->file.data();
  size_t size = weights->file.size();
  if (size < kPayloadOffset || std::memcmp(data, WEIR_WEIGHTS_MAGIC, 8) != 0) {
    error = "'" + name + "' is not a weights file: " +
            (size < kPayloadOffset
                 ? "it has " + std::to_string(size) + " bytes, expected " +
                       std::to_string(kPayloadOffset) + " of header"
                 : std::string("it does not start with ") + WEIR_WEIGHTS_MAGIC);
    return nullptr;
  }
  // The compiler supports little-endian hosts only, as the file is.
  uint32_t version;
  uint64_t id, payload;
  std::memcpy(&version, data + WEIR_WEIGHTS_VERSION_AT, 4);
  std::memcpy(&id, data + WEIR_WEIGHTS_ID_AT, 8);
  std::memcpy(&payload, data + WEIR_WEIGHTS_BYTES_AT, 8);
  if (version != WEIR_ABI_VERSION) {
    error = "weights file '" + name + "' has version " +
            std::to_string(version) + ", expected " +
            std::to_string(WEIR_ABI_VERSION) + ": compile the model again";
    return nullptr;
  }
  if (id != model.weights_id) {
    error = "weights file '" + name + "' belongs to another model: its id is " +
            hex(id) + ", expected " + hex(model.weights_id);
    return nullptr;
  }
  if (payload != static_cast<uint64_t>(model.weights_bytes)) {
    error = "weights file '" + name + "' holds " + std::to_string(payload) +
            " bytes of weights, expected " +
            std::to_string(model.weights_bytes);
    return nullptr;
  }
  if (size - kPayloadOffset < payload) {
    error = "weights file '" + name + "' is truncated: it has " +
            std::to_string(size) + " bytes, expected " +
            std::to_string(kPayloadOffset + payload);
    return nullptr;
  }
  weights->bytes = model.weights_bytes;
  // Experts that no token chooses need not be read.
  uint32_t partial;
  std::memcpy(&partial, data + WEIR_WEIGHTS_PARTIAL_AT, 4);
  if (!partial)
    madvise(const_cast<uint8_t *>(data), size, MADV_WILLNEED);
  return weights;
}

Weights::~Weights() {
  if (drawn)
    munmap(drawn, static_cast<size_t>(bytes));
}

std::shared_ptr<const Weights>
Weights::draw(const weir_model_desc &model, uint64_t seed, std::string &error) {
  auto weights = std::make_shared<Weights>();
  if (model.weights_bytes == 0)
    return weights;
  auto size = static_cast<size_t>(model.weights_bytes);
  void *memory = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    error =
        "random weights: cannot allocate " + std::to_string(size) + " bytes";
    return nullptr;
  }
  weights->drawn = static_cast<uint8_t *>(memory);
  weights->bytes = model.weights_bytes;
  SplitMix random(seed);
  for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
    // Each 16 bits keep a sign and seven bits of mantissa.
    uint64_t word = random.next();
    word = (word & 0x807f807f807f807f) | 0x3c803c803c803c80;
    std::memcpy(weights->drawn + at, &word, std::min(sizeof(word), size - at));
  }
  return weights;
}
