//===- StateFile.cpp - Saving and loading sessions ------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All numbers are little endian and packed:
//
//   "WEIRSTA1", u32 format version, u32 batch, u64 weights id,
//   u32 slots, per slot: string name, u32 dtype, u32 kind, i64 lookback,
//     u32 rank, i64 extents (WEIR_DYNAMIC for batch, capacity and source), for
//     MEMORY slots: i64 positions of the source, -1 when none were encoded,
//   u32 inputs, per input: string name, u64 bytes of one step,
//   per row: i64 position, u32 pending tokens, i32 tokens,
//     per HISTORY slot: i64 oldest position held, then its entries up to the
//       position, per CARRY or MEMORY slot: its contents,
//     per input: u64 logged steps, their bytes,
//   u64 FNV-1a hash of all before.
//
// A string is u32 length and bytes. Entries of histories are stored by
// position, so that a session of another maximum length can load them.
//
//===----------------------------------------------------------------------===//

#include "DType.h"
#include "Session.h"

#include <cstring>

using namespace weir::rt;

static constexpr char kMagic[] = "WEIRSTA1";
static constexpr uint32_t kVersion = 1;
static constexpr uint64_t kHashStart = 0xcbf29ce484222325;

static uint64_t hashBytes(uint64_t hash, const void *data, size_t bytes) {
  const uint8_t *next = static_cast<const uint8_t *>(data);
  for (size_t i = 0; i < bytes; ++i)
    hash = (hash ^ next[i]) * 0x100000001b3;
  return hash;
}

namespace {
/// Buffers and hashes what goes to a file; the first error sticks.
class Writer {
public:
  Writer(AtomicFile &file, std::string &error) : file(file), error(error) {}

  void bytes(const void *data, size_t size) {
    hash = hashBytes(hash, data, size);
    const uint8_t *from = static_cast<const uint8_t *>(data);
    buffer.insert(buffer.end(), from, from + size);
    if (buffer.size() >= size_t(1) << 20)
      flush();
  }
  template <typename T>
  void number(T value) {
    bytes(&value, sizeof(T));
  }
  void string(const char *text) {
    number(static_cast<uint32_t>(std::strlen(text)));
    bytes(text, std::strlen(text));
  }
  bool finish() {
    number(hash);
    flush();
    return ok;
  }

private:
  void flush() {
    ok = ok && file.write(buffer.data(), buffer.size(), error);
    buffer.clear();
  }
  AtomicFile &file;
  std::string &error;
  std::vector<uint8_t> buffer;
  uint64_t hash = kHashStart;
  bool ok = true;
};

/// Reads from memory; past the end everything is zero and `ok` turns false.
class Reader {
public:
  Reader(const uint8_t *data, size_t size) : next(data), left(size) {}

  const uint8_t *bytes(size_t size) {
    if (size > left) {
      ok = false;
      left = 0;
      return nullptr;
    }
    const uint8_t *at = next;
    next += size;
    left -= size;
    return at;
  }
  template <typename T>
  T number() {
    T value = 0;
    if (const uint8_t *at = bytes(sizeof(T)))
      std::memcpy(&value, at, sizeof(T));
    return value;
  }
  std::string string() {
    uint32_t size = number<uint32_t>();
    const uint8_t *at = bytes(size);
    return at ? std::string(reinterpret_cast<const char *>(at), size) : "";
  }
  size_t remaining() const { return left; }
  bool ok = true;

private:
  const uint8_t *next;
  size_t left;
};

/// Where the parts of one row lie in a checked file.
struct RowParts {
  int64_t position = 0;
  std::vector<int32_t> pending;
  std::vector<int64_t> held;         ///< per slot
  std::vector<const uint8_t *> data; ///< per slot
  std::vector<const uint8_t *> logs; ///< per input
  std::vector<size_t> logBytes;
};
} // namespace

/// Bytes of a slot per row, and of a history or memory per row and position.
static size_t entryBytes(const SlotMemory &slot) {
  size_t bytes = slot.elementBytes;
  for (int32_t d = 0; d < slot.desc->rank; ++d)
    if (d != slot.batchAxis && d != slot.capacityAxis && d != slot.sourceAxis)
      bytes *= static_cast<size_t>(slot.shape[d]);
  return bytes;
}

/// The extent as it is compared between sessions.
static int64_t savedExtent(const SlotMemory &slot, int32_t axis) {
  return axis == slot.batchAxis || axis == slot.capacityAxis ||
                 axis == slot.sourceAxis
             ? WEIR_DYNAMIC
             : slot.shape[static_cast<size_t>(axis)];
}

bool Session::save(const std::string &path, std::string &error) const {
  AtomicFile file;
  if (!file.open(path, error))
    return false;
  Writer out(file, error);
  out.bytes(kMagic, 8);
  out.number(kVersion);
  out.number(static_cast<uint32_t>(opts.batch));
  out.number(owner->model().weights_id);
  const std::vector<SlotMemory> &slots = state.slots();
  out.number(static_cast<uint32_t>(slots.size()));
  for (const SlotMemory &slot : slots) {
    out.string(slot.desc->name);
    out.number(static_cast<uint32_t>(slot.desc->dtype));
    out.number(static_cast<uint32_t>(slot.desc->kind));
    out.number(slot.desc->lookback);
    out.number(static_cast<uint32_t>(slot.desc->rank));
    for (int32_t d = 0; d < slot.desc->rank; ++d)
      out.number(savedExtent(slot, d));
    if (slot.desc->kind == WEIR_SLOT_MEMORY)
      out.number(!encoded              ? int64_t(-1)
                 : slot.sourceAxis < 0 ? int64_t(0)
                                       : slot.shape[slot.sourceAxis]);
  }
  out.number(static_cast<uint32_t>(inputList.size()));
  for (size_t i = 0; i < inputList.size(); ++i) {
    out.string(inputList[i]->name);
    out.number(static_cast<uint64_t>(stepBytes[i]));
  }
  for (int64_t row = 0; row < opts.batch; ++row) {
    out.number(position(row));
    out.number(static_cast<uint32_t>(pendingTokens[row].size()));
    for (int32_t token : pendingTokens[row])
      out.number(token);
    auto write = [&](const uint8_t *data, size_t size) {
      out.bytes(data, size);
    };
    for (size_t s = 0; s < slots.size(); ++s) {
      if (slots[s].desc->kind == WEIR_SLOT_POSITION)
        continue;
      int64_t held = std::min(state.heldFrom(s, row), position(row));
      if (slots[s].desc->kind == WEIR_SLOT_HISTORY)
        out.number(held);
      State::visit(slots[s], row, held, position(row), write);
    }
    for (size_t i = 0; i < inputList.size(); ++i) {
      const std::vector<uint8_t> &log = logs[row].inputs[i];
      out.number(static_cast<uint64_t>(keepLog ? position(row) : 0));
      out.bytes(log.data(), log.size());
    }
  }
  return out.finish() && file.commit(error);
}

/// Reads and checks one row; what is wrong goes to `error`.
static bool readRow(Reader &in, const State &state, int64_t row,
                    int64_t maxLength, const std::vector<int64_t> &sources,
                    const std::vector<size_t> &stepBytes, bool keepLog,
                    RowParts &parts, std::string &error) {
  parts.position = in.number<int64_t>();
  if (in.ok && (parts.position < 0 || parts.position > maxLength)) {
    error = "row " + std::to_string(row) + " stands at position " +
            std::to_string(parts.position) +
            ", and the maximum length of this session is " +
            std::to_string(maxLength);
    return false;
  }
  uint32_t pending = in.number<uint32_t>();
  if (const uint8_t *at = in.bytes(size_t(pending) * 4)) {
    parts.pending.resize(pending);
    if (pending)
      std::memcpy(parts.pending.data(), at, size_t(pending) * 4);
  }
  for (size_t s = 0; s < state.slots().size(); ++s) {
    const SlotMemory &slot = state.slots()[s];
    int64_t held = 0, entries = 1;
    if (slot.sourceAxis >= 0)
      entries = sources[s];
    if (slot.desc->kind == WEIR_SLOT_POSITION) {
      entries = 0;
    } else if (slot.desc->kind == WEIR_SLOT_HISTORY) {
      held = in.number<int64_t>();
      // A reader of everything needs everything.
      bool whole = slot.desc->lookback == WEIR_DYNAMIC;
      if (held < 0 || held > parts.position || (whole && held != 0)) {
        error = "row " + std::to_string(row) + " holds slot '" +
                slot.desc->name + "' from position " + std::to_string(held) +
                " on";
        return false;
      }
      entries = parts.position - held;
    }
    size_t bytes;
    if (__builtin_mul_overflow(static_cast<size_t>(entries), entryBytes(slot),
                               &bytes))
      bytes = SIZE_MAX;
    parts.held.push_back(held);
    parts.data.push_back(in.bytes(bytes));
  }
  for (size_t step : stepBytes) {
    uint64_t steps = in.number<uint64_t>();
    uint64_t expected = keepLog ? static_cast<uint64_t>(parts.position) : 0;
    if (in.ok && steps != expected) {
      error = "row " + std::to_string(row) + " has " + std::to_string(steps) +
              " logged steps, expected " + std::to_string(expected);
      return false;
    }
    size_t bytes;
    if (__builtin_mul_overflow(static_cast<size_t>(steps), step, &bytes))
      bytes = SIZE_MAX;
    parts.logs.push_back(in.bytes(bytes));
    parts.logBytes.push_back(bytes);
  }
  return true;
}

/// Checks that the slot table of the file is that of `state`, and reads how
/// many positions its memories have and whether anything was encoded.
static bool readSlots(Reader &in, const State &state,
                      std::vector<int64_t> &sources, bool &encoded,
                      std::string &error) {
  sources.assign(state.slots().size(), 0);
  uint32_t count = in.number<uint32_t>();
  bool same = count == state.slots().size();
  for (size_t s = 0; same && s < state.slots().size(); ++s) {
    const SlotMemory &slot = state.slots()[s];
    std::string name = in.string();
    same = name == slot.desc->name;
    same &= in.number<uint32_t>() == static_cast<uint32_t>(slot.desc->dtype);
    same &= in.number<uint32_t>() == static_cast<uint32_t>(slot.desc->kind);
    same &= in.number<int64_t>() == slot.desc->lookback;
    same &= in.number<uint32_t>() == static_cast<uint32_t>(slot.desc->rank);
    for (int32_t d = 0; same && d < slot.desc->rank; ++d)
      same = in.number<int64_t>() == savedExtent(slot, d);
    if (same && slot.desc->kind == WEIR_SLOT_MEMORY) {
      int64_t source = in.number<int64_t>();
      encoded = source >= 0;
      sources[s] = std::max<int64_t>(source, 0);
    }
    if (!same && in.ok)
      error = "its slot '" + name + "' differs from slot '" + slot.desc->name +
              "' of this model";
  }
  if (!same && in.ok && error.empty())
    error = "it has " + std::to_string(count) + " slots, expected " +
            std::to_string(state.slots().size());
  return same;
}

bool Session::load(const std::string &path, std::string &error) {
  MappedFile file;
  if (!file.open(path, error))
    return false;
  auto fail = [&](const std::string &message) {
    error = "cannot load state '" + path + "': " + message;
    return false;
  };
  if (file.size() < 16 || std::memcmp(file.data(), kMagic, 8) != 0)
    return fail("it is not a state file");
  Reader in(file.data(), file.size() - 8);
  in.bytes(8);
  if (uint32_t version = in.number<uint32_t>(); version != kVersion)
    return fail("its format version is " + std::to_string(version) +
                ", expected " + std::to_string(kVersion));
  uint64_t stored;
  std::memcpy(&stored, file.data() + file.size() - 8, 8);
  if (hashBytes(kHashStart, file.data(), file.size() - 8) != stored)
    return fail("it is truncated or damaged");
  if (uint32_t batch = in.number<uint32_t>();
      batch != static_cast<uint64_t>(opts.batch))
    return fail("its batch is " + std::to_string(batch) + ", expected " +
                std::to_string(opts.batch));
  if (in.number<uint64_t>() != owner->model().weights_id)
    return fail("it was saved by a model with other weights");

  std::string detail;
  std::vector<int64_t> sources;
  bool hasEncoded = false;
  bool good = readSlots(in, state, sources, hasEncoded, detail);
  good = good && in.number<uint32_t>() == inputList.size();
  for (size_t i = 0; good && i < inputList.size(); ++i) {
    good = in.string() == inputList[i]->name;
    good &= in.number<uint64_t>() == stepBytes[i];
  }
  if (!good)
    return fail(detail.empty() ? "its inputs differ from this model's"
                               : detail);
  std::vector<RowParts> rows(static_cast<size_t>(opts.batch));
  for (int64_t row = 0; row < opts.batch; ++row)
    if (!readRow(in, state, row, opts.maxLength, sources, stepBytes, keepLog,
                 rows[row], detail))
      return fail(detail);
  if (!in.ok || in.remaining() != 0)
    return fail("its size does not agree with its contents");

  if (!state.makeMemories(sources, owner->device(), detail))
    return fail(detail);
  encoded = hasEncoded;
  // Nothing but want of scratch memory can fail from here on.
  reset();
  for (int64_t row = 0; row < opts.batch; ++row) {
    RowParts &parts = rows[row];
    state.place(row, parts.position, parts.held);
    for (size_t s = 0; s < state.slots().size(); ++s) {
      SlotMemory &slot = state.slots()[s];
      if (slot.desc->kind == WEIR_SLOT_POSITION)
        continue;
      int64_t saved = parts.position - parts.held[s];
      int64_t from = state.heldFrom(s, row);
      // The file keeps [outer][position][inner]; a smaller ring takes the end
      // of each stretch of positions.
      size_t skip = 0, stretch = 0;
      if (slot.desc->kind == WEIR_SLOT_HISTORY) {
        size_t inner = slot.elementBytes;
        for (int32_t d = slot.capacityAxis + 1; d < slot.desc->rank; ++d)
          if (d != slot.batchAxis)
            inner *= static_cast<size_t>(slot.shape[d]);
        skip = static_cast<size_t>(from - parts.held[s]) * inner;
        stretch = static_cast<size_t>(saved) * inner;
      }
      const uint8_t *next = parts.data[s];
      size_t within = 0;
      State::visit(slot, row, from, parts.position,
                   [&](uint8_t *to, size_t size) {
                     if (stretch && within == 0) {
                       next += skip;
                       within = skip;
                     }
                     std::memcpy(to, next, size);
                     next += size;
                     if (stretch && (within += size) == stretch)
                       within = 0;
                   });
    }
    pendingTokens[row] = std::move(parts.pending);
    if (!keepLog)
      continue;
    for (size_t i = 0; i < inputList.size(); ++i)
      logs[row].inputs[i].assign(parts.logs[i],
                                 parts.logs[i] + parts.logBytes[i]);
    if (parts.position > 0)
      snapshot(row);
  }
  return sizeArena(error);
}
