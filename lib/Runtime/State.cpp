//===- State.cpp - The memory of a sequence model -------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "State.h"
#include "DType.h"

#include <cstring>

using namespace weir::rt;

/// Adds without overflow; extents near the limit mean "no limit".
static int64_t addSaturated(int64_t a, int64_t b) {
  int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

/// The capacity of a history whose table leaves it open.
static int64_t chooseCapacity(const weir_slot_desc &slot,
                              const StateShape &shape) {
  int64_t capacity = shape.maxLength;
  if (slot.lookback != WEIR_DYNAMIC)
    capacity = std::min(
        capacity, addSaturated(addSaturated(slot.lookback, shape.maxBlock),
                               shape.rollbackDepth));
  // Whole vectors of positions, so that compiled code may read them so.
  return addSaturated(capacity, 15) / 16 * 16;
}

bool State::create(const weir_model_desc &model, const StateShape &shape,
                   const std::shared_ptr<Device> &device, std::string &error) {
  slotList.clear();
  slotList.resize(model.num_slots);
  for (uint32_t i = 0; i < model.num_slots; ++i) {
    SlotMemory &slot = slotList[i];
    const weir_slot_desc &desc = model.slots[i];
    std::string where = std::string("slot '") + desc.name + "'";
    slot.desc = &desc;
    slot.elementBytes = dtypeSize(desc.dtype);
    slot.shape.assign(desc.shape, desc.shape + desc.rank);
    for (int32_t d = 0; d < desc.rank; ++d) {
      int64_t &extent = slot.shape[d];
      if (desc.axes[d] == WEIR_AXIS_BATCH) {
        slot.batchAxis = d;
        if (extent == WEIR_DYNAMIC)
          extent = shape.batch;
        if (extent != shape.batch) {
          error = where + " is compiled for a batch of " +
                  std::to_string(extent) + ", not " +
                  std::to_string(shape.batch);
          return false;
        }
      } else if (desc.axes[d] == WEIR_AXIS_SOURCE) {
        // There are none until something is encoded.
        slot.sourceAxis = d;
        extent = 0;
      } else if (desc.axes[d] == WEIR_AXIS_CAPACITY) {
        slot.capacityAxis = d;
        if (extent == WEIR_DYNAMIC)
          extent = chooseCapacity(desc, shape);
        int64_t needed =
            desc.lookback == WEIR_DYNAMIC
                ? shape.maxLength
                : std::min(shape.maxLength,
                           addSaturated(desc.lookback, shape.maxBlock));
        if (extent < needed || extent < 1) {
          error = where + " holds " + std::to_string(extent) +
                  " positions, and a maximum length of " +
                  std::to_string(shape.maxLength) + " with blocks of " +
                  std::to_string(shape.maxBlock) + " needs " +
                  std::to_string(needed);
          return false;
        }
      }
    }
    int64_t bytes;
    std::string reason;
    if (!byteSize(slot.shape, slot.elementBytes, bytes) ||
        !slot.memory.allocateOn(device, static_cast<size_t>(bytes), Reach::Both,
                                reason, /*sparse=*/true)) {
      error = "cannot allocate " + where + " of shape " +
              shapeToString(slot.shape) +
              ": choose a smaller maximum length or batch";
      if (device)
        error += " (" + reason + ")";
      return false;
    }
  }
  positions.assign(static_cast<size_t>(shape.batch), 0);
  highWater = positions;
  held.assign(slotList.size(), positions);
  return true;
}

bool State::makeMemories(const std::vector<int64_t> &positions,
                         const std::shared_ptr<Device> &device,
                         std::string &error) {
  std::vector<Buffer> buffers(slotList.size());
  for (size_t s = 0; s < slotList.size(); ++s) {
    const SlotMemory &slot = slotList[s];
    if (slot.desc->kind != WEIR_SLOT_MEMORY)
      continue;
    std::vector<int64_t> shape = slot.shape;
    if (slot.sourceAxis >= 0)
      shape[slot.sourceAxis] = positions[s];
    int64_t bytes;
    std::string reason;
    if (!byteSize(shape, slot.elementBytes, bytes) ||
        !buffers[s].allocateOn(device, static_cast<size_t>(bytes), Reach::Both,
                               reason)) {
      error = std::string("cannot allocate slot '") + slot.desc->name +
              "' of shape " + shapeToString(shape) +
              ": encode a smaller batch or less of it";
      return false;
    }
  }
  for (size_t s = 0; s < slotList.size(); ++s) {
    SlotMemory &slot = slotList[s];
    if (slot.desc->kind != WEIR_SLOT_MEMORY)
      continue;
    slot.memory = std::move(buffers[s]);
    if (slot.sourceAxis >= 0)
      slot.shape[slot.sourceAxis] = positions[s];
  }
  return true;
}

std::vector<int64_t> State::sources() const {
  std::vector<int64_t> positions;
  for (const SlotMemory &slot : slotList)
    positions.push_back(slot.sourceAxis < 0 ? 0 : slot.shape[slot.sourceAxis]);
  return positions;
}

size_t State::bytes() const {
  size_t total = 0;
  for (const SlotMemory &slot : slotList)
    total += slot.memory.size();
  return total;
}

void State::writePosition(int64_t row) {
  int32_t value = static_cast<int32_t>(positions[row]);
  for (SlotMemory &slot : slotList)
    if (slot.desc->kind == WEIR_SLOT_POSITION)
      std::memcpy(slot.memory.data() + row * 4, &value, 4);
}

bool State::advance(const int64_t *counts, const char *function,
                    std::string &error) {
  for (int64_t row = 0; row < batch(); ++row) {
    positions[row] += counts[row];
    highWater[row] = std::max(highWater[row], positions[row]);
    for (size_t s = 0; s < slotList.size(); ++s) {
      const SlotMemory &slot = slotList[s];
      if (slot.desc->kind == WEIR_SLOT_HISTORY)
        held[s][row] = std::max(held[s][row], highWater[row] - slot.capacity());
      if (slot.desc->kind != WEIR_SLOT_POSITION)
        continue;
      int32_t found;
      std::memcpy(&found, slot.memory.data() + row * 4, 4);
      if (found != positions[row]) {
        error = std::string("function '") + function + "' left row " +
                std::to_string(row) + " of slot '" + slot.desc->name + "' at " +
                std::to_string(found) + ", expected " +
                std::to_string(positions[row]);
        return false;
      }
    }
  }
  return true;
}

bool State::canStandAt(int64_t row, int64_t position) const {
  const char *slot;
  return position == 0 || position >= oldestPosition(row, slot);
}

int64_t State::oldestPosition(int64_t row, const char *&slot) const {
  int64_t oldest = 0;
  slot = nullptr;
  for (size_t s = 0; s < slotList.size(); ++s) {
    const weir_slot_desc &desc = *slotList[s].desc;
    if (desc.kind != WEIR_SLOT_HISTORY || held[s][row] == 0)
      continue;
    int64_t lookback = desc.lookback == WEIR_DYNAMIC ? 0 : desc.lookback;
    if (addSaturated(held[s][row], lookback) > oldest) {
      oldest = addSaturated(held[s][row], lookback);
      slot = desc.name;
    }
  }
  return oldest;
}

void State::truncate(int64_t row, int64_t position) {
  for (size_t s = 0; s < slotList.size(); ++s) {
    SlotMemory &slot = slotList[s];
    auto zero = [](uint8_t *data, size_t bytes) {
      std::memset(data, 0, bytes);
    };
    // A row set back must be indistinguishable from one that never went
    // further, even to code that reads entries before position 0 as zeros.
    if (slot.desc->kind == WEIR_SLOT_HISTORY)
      visit(slot, row, std::max(position, highWater[row] - slot.capacity()),
            highWater[row], zero);
    else if (slot.desc->kind == WEIR_SLOT_CARRY && position == 0)
      visit(slot, row, 0, 0, zero);
    if (position == 0)
      held[s][row] = 0;
  }
  positions[row] = position;
  if (position == 0)
    highWater[row] = 0;
  writePosition(row);
}

void State::saveCarry(int64_t row, std::vector<uint8_t> &bytes) const {
  bytes.clear();
  for (const SlotMemory &slot : slotList)
    if (slot.desc->kind == WEIR_SLOT_CARRY)
      visit(slot, row, 0, 0, [&](const uint8_t *data, size_t size) {
        bytes.insert(bytes.end(), data, data + size);
      });
}

void State::restoreCarry(int64_t row, const std::vector<uint8_t> &bytes) {
  const uint8_t *next = bytes.data();
  for (SlotMemory &slot : slotList)
    if (slot.desc->kind == WEIR_SLOT_CARRY)
      visit(slot, row, 0, 0, [&](uint8_t *data, size_t size) {
        std::memcpy(data, next, size);
        next += size;
      });
}

void State::packRow(int64_t row, RowCopy &copy) const {
  copy.position = positions[row];
  copy.highWater = highWater[row];
  copy.bytes.clear();
  copy.held.clear();
  for (size_t s = 0; s < slotList.size(); ++s) {
    const SlotMemory &slot = slotList[s];
    copy.held.push_back(held[s][row]);
    if (slot.desc->kind == WEIR_SLOT_POSITION)
      continue;
    visit(slot, row, std::max<int64_t>(0, highWater[row] - slot.capacity()),
          highWater[row], [&](const uint8_t *data, size_t size) {
            copy.bytes.insert(copy.bytes.end(), data, data + size);
          });
  }
}

void State::unpackRow(int64_t row, const RowCopy &copy) {
  truncate(row, 0);
  positions[row] = copy.position;
  highWater[row] = copy.highWater;
  const uint8_t *next = copy.bytes.data();
  for (size_t s = 0; s < slotList.size(); ++s) {
    SlotMemory &slot = slotList[s];
    held[s][row] = copy.held[s];
    if (slot.desc->kind == WEIR_SLOT_POSITION)
      continue;
    visit(slot, row, std::max<int64_t>(0, highWater[row] - slot.capacity()),
          highWater[row], [&](uint8_t *data, size_t size) {
            std::memcpy(data, next, size);
            next += size;
          });
  }
  writePosition(row);
}

void State::copyFrom(const State &other) {
  // Row by row, so that only the used part of large histories is touched.
  RowCopy copy;
  for (int64_t row = 0; row < batch(); ++row) {
    other.packRow(row, copy);
    unpackRow(row, copy);
  }
}

void State::reorder(const std::vector<int64_t> &from) {
  // Only rows that change are copied; beams mostly stay where they are.
  std::vector<RowCopy> copies(from.size());
  for (size_t row = 0; row < from.size(); ++row)
    if (from[row] != static_cast<int64_t>(row))
      packRow(from[row], copies[row]);
  for (size_t row = 0; row < from.size(); ++row)
    if (from[row] != static_cast<int64_t>(row))
      unpackRow(static_cast<int64_t>(row), copies[row]);
}

void State::place(int64_t row, int64_t position,
                  const std::vector<int64_t> &heldFrom) {
  positions[row] = highWater[row] = position;
  for (size_t s = 0; s < slotList.size(); ++s)
    if (slotList[s].desc->kind == WEIR_SLOT_HISTORY)
      held[s][row] = std::max(heldFrom[s], position - slotList[s].capacity());
  writePosition(row);
}
