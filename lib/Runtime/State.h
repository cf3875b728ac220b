//===- State.h - The memory of a sequence model -----------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_STATE_H
#define LIB_RUNTIME_STATE_H

#include "Memory.h"
#include "weir-rt/ModelDesc.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace weir::rt {

/// What decides the sizes of the slots.
struct StateShape {
  int64_t batch = 1;
  int64_t maxLength = 0; ///< positions a row may have; resolved, never 0
  int64_t maxBlock = 1;
  int64_t rollbackDepth = 0;
};

/// One slot with its memory.
struct SlotMemory {
  const weir_slot_desc *desc = nullptr;
  std::vector<int64_t> shape; ///< no dynamic extents left
  int32_t batchAxis = -1;
  int32_t capacityAxis = -1; ///< -1 for slots without one
  int32_t sourceAxis = -1;   ///< likewise
  size_t elementBytes = 0;
  Buffer memory;

  int64_t capacity() const {
    return capacityAxis < 0 ? 0 : shape[static_cast<size_t>(capacityAxis)];
  }
};

/// All slots of a session and the positions of its rows: everything that says
/// where a sequence stands. Knows how entries lie in memory, and nothing of
/// functions or tokens.
///
/// Of a ring only the newest `capacity` positions survive, and going back does
/// not bring the overwritten ones again. `highWater` (the furthest a row has
/// been) and `heldFrom` (the oldest position still in a slot) keep track.
class State {
public:
  /// Allocates zeroed slots, where the kernels of `device` see them too unless
  /// it is null.
  bool create(const weir_model_desc &model, const StateShape &shape,
              const std::shared_ptr<Device> &device, std::string &error);

  std::vector<SlotMemory> &slots() { return slotList; }
  const std::vector<SlotMemory> &slots() const { return slotList; }
  int64_t batch() const { return static_cast<int64_t>(positions.size()); }
  int64_t position(int64_t row) const { return positions[row]; }
  int64_t heldFrom(size_t slot, int64_t row) const { return held[slot][row]; }
  /// Makes all memories anew, zeroed, for `positions[s]` positions of what an
  /// encoder reads in slot s. On an error all stay as they are.
  bool makeMemories(const std::vector<int64_t> &positions,
                    const std::shared_ptr<Device> &device, std::string &error);

  /// The positions of each slot, as `makeMemories` takes them.
  std::vector<int64_t> sources() const;

  /// All slot memory reserved, in bytes.
  size_t bytes() const;

  /// Notes that compiled code appended `counts[row]` tokens to each row, and
  /// checks that its POSITION slots say the same.
  bool advance(const int64_t *counts, const char *function, std::string &error);

  /// Whether the histories of `row` are complete for a reader at `position`.
  bool canStandAt(int64_t row, int64_t position) const;

  /// The smallest position other than 0 that canStandAt allows, and the slot
  /// that limits it (null when none does).
  int64_t oldestPosition(int64_t row, const char *&slot) const;

  /// Sets the position of `row` back and zeroes the history entries from there
  /// on. Position 0 also zeroes carries.
  void truncate(int64_t row, int64_t position);

  /// Copies of the CARRY slots of one row, all after one another.
  void saveCarry(int64_t row, std::vector<uint8_t> &bytes) const;
  void restoreCarry(int64_t row, const std::vector<uint8_t> &bytes);

  /// Copies everything from a state of the same shape, that of memories
  /// included.
  void copyFrom(const State &other);

  /// Row b becomes what row `from[b]` was.
  void reorder(const std::vector<int64_t> &from);

  /// Declares that `row` stands at `position` and that history slot `slot`
  /// holds positions from `heldFrom[slot]` on; the entries are filled in by the
  /// caller through visit. For loading; the row must have been truncated to 0.
  void place(int64_t row, int64_t position,
             const std::vector<int64_t> &heldFrom);

  /// Calls `visitor(pointer, bytes)` for the memory of `row` in `slot`, in an
  /// order that does not depend on the capacity: outer axes, then the positions
  /// [from, to) of a history (at most the capacity of them), then inner axes.
  /// Slots without a capacity axis ignore the positions.
  template <typename Fn>
  static void visit(const SlotMemory &slot, int64_t row, int64_t from,
                    int64_t to, Fn visitor);

private:
  struct RowCopy {
    int64_t position, highWater;
    std::vector<int64_t> held;
    std::vector<uint8_t> bytes;
  };
  void packRow(int64_t row, RowCopy &copy) const;
  void unpackRow(int64_t row, const RowCopy &copy);
  void writePosition(int64_t row);

  std::vector<SlotMemory> slotList;
  std::vector<int64_t> positions, highWater;
  std::vector<std::vector<int64_t>> held; ///< [slot][row]
};

template <typename Fn>
void State::visit(const SlotMemory &slot, int64_t row, int64_t from, int64_t to,
                  Fn visitor) {
  int32_t capacityAxis = slot.capacityAxis;
  int32_t last = std::max(slot.batchAxis, capacityAxis);
  int64_t capacity = slot.capacity();
  if (capacityAxis >= 0 && from >= to)
    return;
  std::vector<int64_t> strides(slot.shape.size());
  int64_t inner = static_cast<int64_t>(slot.elementBytes);
  for (size_t i = slot.shape.size(); i-- > 0;) {
    if (slot.shape[i] == 0)
      return;
    strides[i] = inner;
    inner *= slot.shape[i];
  }
  uint8_t *base = slot.memory.data();
  std::vector<int64_t> index(static_cast<size_t>(last) + 1, 0);
  while (true) {
    int64_t offset = 0;
    for (int32_t i = 0; i <= last; ++i) {
      int64_t at = index[i];
      if (i == slot.batchAxis)
        at = row;
      else if (i == capacityAxis)
        at = i == last ? 0 : (from + at) % capacity;
      offset += at * strides[i];
    }
    if (last == capacityAxis) {
      // Positions are the innermost loop: at most two stretches of memory.
      int64_t first = from % capacity;
      int64_t head = std::min(to - from, capacity - first);
      visitor(base + offset + first * strides[last],
              static_cast<size_t>(head * strides[last]));
      if (to - from > head)
        visitor(base + offset,
                static_cast<size_t>((to - from - head) * strides[last]));
    } else {
      visitor(base + offset, static_cast<size_t>(strides[last]));
    }
    int32_t axis = last;
    for (; axis >= 0; --axis) {
      int64_t extent = slot.shape[axis];
      if (axis == slot.batchAxis || (axis == capacityAxis && axis == last))
        extent = 1;
      else if (axis == capacityAxis)
        extent = to - from;
      if (++index[axis] < extent)
        break;
      index[axis] = 0;
    }
    if (axis < 0)
      return;
  }
}

} // namespace weir::rt

#endif // LIB_RUNTIME_STATE_H
