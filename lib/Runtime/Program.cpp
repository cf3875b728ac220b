//===- Program.cpp - A checked model table and its weights ----------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Program.h"
#include "DType.h"

#include <cstring>

using namespace weir::rt;

int32_t weir::rt::findAxis(const weir_value_desc &value, int32_t axis) {
  for (int32_t i = 0; i < value.rank; ++i)
    if (value.axes[i] == axis)
      return i;
  return -1;
}

int32_t weir::rt::findRole(const weir_function_desc &function, int32_t role) {
  for (int32_t i = 0; i < function.num_args; ++i)
    if (function.args[i].role == role)
      return i;
  return -1;
}

const weir_function_desc *weir::rt::findEncoder(const weir_model_desc &model) {
  for (uint32_t i = 0; i < model.num_functions; ++i)
    if (model.functions[i].method == WEIR_METHOD_ENCODE)
      return &model.functions[i];
  return nullptr;
}

size_t weir::rt::countSequences(const weir_function_desc &function) {
  int32_t last = 0;
  for (int32_t i = 0; i < function.num_args; ++i)
    last = std::max(last, function.args[i].sequence);
  return static_cast<size_t>(last) + 1;
}

/// Checks the parts that values and slots share. `what` names the entry.
static bool checkShape(const std::string &what, const char *name,
                       const int64_t *shape, const int32_t *axes, int32_t dtype,
                       int32_t rank, std::string &error) {
  if (!name) {
    error = what + " has no name";
    return false;
  }
  std::string where = what + " '" + name + "'";
  if (rank < 0 || (rank > 0 && (!shape || !axes))) {
    error = where + " has no shape";
    return false;
  }
  if (!dtypeSize(dtype)) {
    error = where + " has element type " + std::to_string(dtype) +
            ", which is not known";
    return false;
  }
  int64_t seen = 0;
  for (int32_t i = 0; i < rank; ++i) {
    if (shape[i] < 0 && shape[i] != WEIR_DYNAMIC) {
      error = where + " has extent " + std::to_string(shape[i]);
      return false;
    }
    if (axes[i] < WEIR_AXIS_NONE || axes[i] > WEIR_AXIS_SOURCE) {
      error = where + " has axis kind " + std::to_string(axes[i]);
      return false;
    }
    if (axes[i] == WEIR_AXIS_NONE || axes[i] == WEIR_AXIS_LAYER)
      continue;
    if (seen & (int64_t(1) << axes[i])) {
      error = where + " names one axis twice";
      return false;
    }
    seen |= int64_t(1) << axes[i];
  }
  return true;
}

static bool checkSlot(const weir_slot_desc &slot, std::string &error) {
  if (!checkShape("slot", slot.name, slot.shape, slot.axes, slot.dtype,
                  slot.rank, error))
    return false;
  std::string where = std::string("slot '") + slot.name + "'";
  int batch = 0, capacity = 0;
  for (int32_t i = 0; i < slot.rank; ++i) {
    batch += slot.axes[i] == WEIR_AXIS_BATCH;
    capacity += slot.axes[i] == WEIR_AXIS_CAPACITY;
    if (slot.axes[i] == WEIR_AXIS_SOURCE && slot.kind != WEIR_SLOT_MEMORY) {
      error = where + " has positions of an encoder and is no memory";
      return false;
    }
    if (slot.shape[i] == WEIR_DYNAMIC && slot.axes[i] != WEIR_AXIS_BATCH &&
        slot.axes[i] != WEIR_AXIS_CAPACITY &&
        slot.axes[i] != WEIR_AXIS_SOURCE) {
      error = where + " has a dynamic extent on axis " + std::to_string(i) +
              ", which is neither batch nor capacity";
      return false;
    }
  }
  if (batch != 1) {
    error = where + " has no batch axis";
    return false;
  }
  switch (slot.kind) {
  case WEIR_SLOT_POSITION:
    if (slot.rank == 1 && slot.dtype == WEIR_I32)
      return true;
    error = where + " is a position and must be I32 [batch]";
    return false;
  case WEIR_SLOT_HISTORY:
    if (capacity == 1 && (slot.lookback >= 0 || slot.lookback == WEIR_DYNAMIC))
      return true;
    error = where + (capacity == 1 ? " has a negative look-back"
                                   : " is a history without a capacity axis");
    return false;
  case WEIR_SLOT_CARRY:
    if (capacity == 0)
      return true;
    error = where + " is a carry and cannot have a capacity axis";
    return false;
  case WEIR_SLOT_MEMORY:
    if (capacity == 0)
      return true;
    error = where + " is a memory and cannot have a capacity axis";
    return false;
  default:
    error = where + " has kind " + std::to_string(slot.kind) +
            ", which is not known";
    return false;
  }
}

/// Sequence functions store tokens as [batch, time, ...]; see ADR 001.
static bool checkExtend(const weir_function_desc &function,
                        std::string &error) {
  std::string where = std::string("function '") + function.name + "'";
  if (function.time != WEIR_DYNAMIC && function.time < 1) {
    error = where + " has a block length of " + std::to_string(function.time);
    return false;
  }
  bool hasInput = false;
  for (int32_t i = 0; i < function.num_args; ++i) {
    const weir_value_desc &arg = function.args[i];
    if (arg.role != WEIR_ROLE_DATA || findAxis(arg, WEIR_AXIS_TIME) < 0)
      continue;
    hasInput = true;
    bool fits = arg.rank >= 2 && arg.axes[0] == WEIR_AXIS_BATCH &&
                arg.axes[1] == WEIR_AXIS_TIME &&
                (arg.shape[1] == WEIR_DYNAMIC || arg.shape[1] == function.time);
    for (int32_t d = 2; d < arg.rank; ++d)
      fits &= arg.shape[d] != WEIR_DYNAMIC;
    if (!fits) {
      error = where + ": argument '" + arg.name +
              "' is not [batch, time, fixed extents]";
      return false;
    }
  }
  if (!hasInput) {
    error = where + " has no argument with a time axis to append";
    return false;
  }
  for (int32_t i = 0; i < function.num_results; ++i) {
    const weir_value_desc &result = function.results[i];
    int32_t time = findAxis(result, WEIR_AXIS_TIME);
    bool last = function.method == WEIR_METHOD_EXTEND_LAST;
    bool fits = result.rank >= 1 && result.axes[0] == WEIR_AXIS_BATCH;
    fits &= last ? time < 0 || (time == 1 && result.shape[1] == 1) : time == 1;
    if (!fits) {
      error = where + ": result '" + result.name + "' is not " +
              (last ? "[batch, ...]" : "[batch, time, ...]");
      return false;
    }
  }
  return true;
}

/// Checks which sequence `value` belongs to, of `count`.
static bool checkSequence(const std::string &where,
                          const weir_value_desc &value, int32_t count,
                          std::string &error) {
  if (value.sequence >= 0 && value.sequence < count)
    return true;
  error = where + " '" + value.name + "' belongs to sequence " +
          std::to_string(value.sequence) + " of " + std::to_string(count);
  return false;
}

static bool checkFunction(const weir_model_desc &model,
                          const weir_function_desc &function,
                          std::string &error) {
  if (!function.name || !function.invoke || function.num_args < 0 ||
      function.num_results < 0 || (function.num_args && !function.args) ||
      (function.num_results && !function.results)) {
    error = std::string("function '") +
            (function.name ? function.name : "(no name)") +
            "' is incomplete in the model table";
    return false;
  }
  std::string where = std::string("function '") + function.name + "'";
  if (function.method < WEIR_METHOD_FORWARD ||
      function.method > WEIR_METHOD_ENCODE) {
    error = where + " has method " + std::to_string(function.method) +
            ", which is not known";
    return false;
  }
  for (int32_t i = 0; i < function.num_args; ++i) {
    const weir_value_desc &arg = function.args[i];
    if (!checkShape(where + ": argument", arg.name, arg.shape, arg.axes,
                    arg.dtype, arg.rank, error))
      return false;
    std::string name = where + ": argument '" + arg.name + "'";
    // A number to keep what is counted small.
    int32_t most = isExtend(function) ? 1 : 16;
    if (!checkSequence(where + ": argument", arg, most, error))
      return false;
    bool isNumbered = arg.role == WEIR_ROLE_LENGTHS ||
                      (isInput(arg) && arg.rank == 2 &&
                       (arg.dtype == WEIR_I32 || arg.dtype == WEIR_I64));
    if (arg.limit < 0 || (arg.limit > 0 && !isNumbered)) {
      error = name + " has a limit of " + std::to_string(arg.limit) +
              ", which integers [rows, time] and row lengths may have";
      return false;
    }
    bool fits = true;
    switch (arg.role) {
    case WEIR_ROLE_DATA:
      break;
    case WEIR_ROLE_OPTIONAL:
      if (isExtend(function)) {
        error = name + " is optional, which inputs of extending functions "
                       "cannot be";
        return false;
      }
      break;
    case WEIR_ROLE_LENGTHS:
      fits = arg.rank == 1 && arg.dtype == WEIR_I32;
      break;
    case WEIR_ROLE_WEIGHTS:
    case WEIR_ROLE_ARENA:
      fits = arg.rank == 1 && dtypeSize(arg.dtype) == 1;
      break;
    case WEIR_ROLE_QUEUE:
      fits = model.device != nullptr;
      break;
    case WEIR_ROLE_SLOT:
      if (!isExtend(function)) {
        error = name + " is state, which only extending functions have";
        return false;
      }
      fits = arg.slot >= 0 && static_cast<uint32_t>(arg.slot) < model.num_slots;
      fits = fits && model.slots[arg.slot].rank == arg.rank &&
             model.slots[arg.slot].dtype == arg.dtype;
      break;
    default:
      error = name + " has role " + std::to_string(arg.role) +
              ", which is not known";
      return false;
    }
    if (!fits) {
      error = name + " does not have the type its role asks for";
      return false;
    }
  }
  for (int32_t i = 0; i < function.num_results; ++i) {
    const weir_value_desc &value = function.results[i];
    if (!checkShape(where + ": result", value.name, value.shape, value.axes,
                    value.dtype, value.rank, error) ||
        !checkSequence(where + ": result", value,
                       static_cast<int32_t>(countSequences(function)), error))
      return false;
  }
  if (findRole(function, WEIR_ROLE_ARENA) >= 0 && !function.arena_bytes) {
    error = where + " takes an arena and does not tell its size";
    return false;
  }
  return !isExtend(function) || checkExtend(function, error);
}

/// Checks that each memory is given by one result of an encoder.
static bool checkMemories(const weir_model_desc &model, std::string &error) {
  const weir_function_desc *encoder = findEncoder(model);
  for (uint32_t s = 0; s < model.num_slots; ++s) {
    const weir_slot_desc &slot = model.slots[s];
    if (slot.kind != WEIR_SLOT_MEMORY)
      continue;
    std::string where = std::string("slot '") + slot.name + "'";
    int32_t given = 0;
    for (int32_t i = 0; encoder && i < encoder->num_results; ++i) {
      const weir_value_desc &result = encoder->results[i];
      if (result.role != WEIR_ROLE_SLOT ||
          result.slot != static_cast<int32_t>(s))
        continue;
      ++given;
      if (result.rank != slot.rank || result.dtype != slot.dtype ||
          std::strcmp(result.name, slot.name) != 0) {
        error = where + " is given by a result of another type or name";
        return false;
      }
    }
    if (given == 1)
      continue;
    error = where + " is a memory, and " + std::to_string(given) +
            " results of an encoder give it, expected 1";
    return false;
  }
  return true;
}

bool weir::rt::checkModel(const weir_model_desc &model, std::string &error) {
  // First: the rest of the table may look different in another version.
  if (model.abi_version != WEIR_ABI_VERSION) {
    error = "model was compiled for runtime version " +
            std::to_string(model.abi_version) + ", this is version " +
            std::to_string(WEIR_ABI_VERSION) + ": compile it again";
    return false;
  }
  if (!model.name || (model.num_functions && !model.functions) ||
      (model.num_slots && !model.slots) || model.weights_bytes < 0 ||
      model.vocab_size < 0 ||
      (model.max_length < 1 && model.max_length != WEIR_DYNAMIC)) {
    error = "model table is incomplete";
    return false;
  }
  if (model.device && (model.device->num_kernels < 0 ||
                       (model.device->num_kernels && !model.device->kernels) ||
                       (model.device->num_images && !model.device->images))) {
    error = "table of kernels is incomplete";
    return false;
  }
  for (uint32_t i = 0; i < model.num_slots; ++i)
    if (!checkSlot(model.slots[i], error))
      return false;
  for (uint32_t i = 0; i < model.num_functions; ++i)
    if (!checkFunction(model, model.functions[i], error))
      return false;
  return checkMemories(model, error);
}

std::shared_ptr<const Program> Program::open(const weir_model_desc &model,
                                             const std::string &weightsPath,
                                             std::string &error,
                                             const SimtOptions &simt,
                                             std::optional<uint64_t> seed) {
  if (!checkModel(model, error))
    return nullptr;
  auto program = std::make_shared<Program>();
  program->desc = &model;
  program->mapped = seed ? Weights::draw(model, *seed, error)
                         : Weights::open(model, weightsPath, error);
  if (!program->mapped)
    return nullptr;
  if (!model.device)
    return program;
  program->kernels = Device::open(model, simt, error);
  if (!program->kernels)
    return nullptr;
  if (program->mapped->size() == 0)
    return program;
  auto bytes = static_cast<size_t>(program->mapped->size());
  if (!program->uploaded.allocateOn(program->kernels, bytes, Reach::Kernels,
                                    error) ||
      !program->kernels->upload(program->uploaded.data(),
                                program->mapped->data(), bytes, error)) {
    error = "weights: " + error;
    return nullptr;
  }
  return program;
}

bool Program::streams() const {
  for (uint32_t i = 0; i < desc->num_functions; ++i)
    if (isExtend(desc->functions[i]))
      return true;
  return false;
}

bool Program::hasCarry() const {
  for (uint32_t i = 0; i < desc->num_slots; ++i)
    if (desc->slots[i].kind == WEIR_SLOT_CARRY)
      return true;
  return false;
}
