//===- Encode.cpp - What steps read of an encoder -------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An encoder runs as a whole-sequence function does, with the same checks of
// its inputs and their masks. Its results, one for each memory, are copied into
// the state, from where steps read them.
//
//===----------------------------------------------------------------------===//

#include "DType.h"
#include "Forward.h"
#include "Session.h"

#include <cstring>

using namespace weir::rt;

/// The result that is the memory `slot`, or null.
static const OwnedTensor *findMemory(const std::vector<OwnedTensor> &outputs,
                                     const SlotMemory &slot) {
  for (const OwnedTensor &output : outputs)
    if (output.view.name == slot.desc->name)
      return &output;
  return nullptr;
}

bool Session::encode(const std::vector<TensorView> &inputs,
                     std::string &error) {
  const weir_function_desc *function = owner->encoder();
  if (!function) {
    error = std::string("model '") + owner->model().name + "' has no encoder";
    return false;
  }
  ForwardRunner runner(owner, opts.threads);
  std::vector<OwnedTensor> outputs;
  if (!runner.run(inputs, function->name, outputs, error))
    return false;
  std::vector<int64_t> positions = state.sources();
  for (size_t s = 0; s < positions.size(); ++s) {
    const SlotMemory &slot = state.slots()[s];
    if (slot.desc->kind != WEIR_SLOT_MEMORY)
      continue;
    const OwnedTensor *output = findMemory(outputs, slot);
    if (!output) {
      error = std::string("function '") + function->name +
              "' does not give slot '" + slot.desc->name + "'";
      return false;
    }
    const std::vector<int64_t> &shape = output->view.shape;
    if (shape[slot.batchAxis] != opts.batch) {
      error =
          "the encoder's inputs have " + std::to_string(shape[slot.batchAxis]) +
          " rows, and the session has a batch of " + std::to_string(opts.batch);
      return false;
    }
    if (slot.sourceAxis >= 0)
      positions[s] = shape[slot.sourceAxis];
  }
  if (!state.makeMemories(positions, owner->device(), error))
    return false;
  for (SlotMemory &slot : state.slots())
    if (slot.desc->kind == WEIR_SLOT_MEMORY && slot.memory.size() > 0)
      std::memcpy(slot.memory.data(), findMemory(outputs, slot)->view.data,
                  slot.memory.size());
  reset();
  // Steps need more scratch memory the more they read; without it there is
  // nothing to extend.
  encoded = sizeArena(error);
  return encoded;
}
