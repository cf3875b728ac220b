//===- ToyModels.cpp - Model tables written by hand -----------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ToyModels.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>

std::vector<int64_t> toy::trace;
int64_t toy::arenaGiven = 0, toy::arenaAsked = 0;
int32_t toy::positionLie = 0;

namespace {
/// A memref descriptor of rank R, as compiled code sees it.
template <typename T, int R>
struct MemRef {
  T *allocated, *aligned;
  int64_t offset;
  int64_t sizes[R], strides[R];
};
template <typename T>
struct MemRef<T, 0> {
  T *allocated, *aligned;
  int64_t offset;
};

template <typename T, int R>
MemRef<T, R> &arg(void **argv, int index) {
  return *static_cast<MemRef<T, R> *>(argv[index]);
}

/// Takes memory from the arena, and fails loudly when it was sized too small.
class Arena {
public:
  explicit Arena(MemRef<int8_t, 1> &memref) : memref(memref) {
    toy::arenaGiven = memref.sizes[0];
    if (reinterpret_cast<uintptr_t>(memref.aligned) % 64 != 0)
      std::abort();
    std::memset(memref.aligned, 0x7b, static_cast<size_t>(memref.sizes[0]));
  }
  float *take(int64_t count) {
    float *at = reinterpret_cast<float *>(memref.aligned + used);
    used += count * 4;
    if (used > memref.sizes[0])
      std::abort();
    return at;
  }

private:
  MemRef<int8_t, 1> &memref;
  int64_t used = 0;
};

template <int R>
MemRef<float, R> dense(float *data, const int64_t (&sizes)[R]) {
  MemRef<float, R> result = {data, data, 0, {}, {}};
  int64_t stride = 1;
  for (int i = R - 1; i >= 0; --i) {
    result.sizes[i] = sizes[i];
    result.strides[i] = stride;
    stride *= sizes[i];
  }
  return result;
}
} // namespace

static int32_t stepCarry(int32_t carry, int32_t token, int32_t layer) {
  // Wide, because damaged states bring any number in.
  return static_cast<int32_t>((int64_t(carry) * 7 + token + 3 * layer + 1) %
                              1009);
}

/// Arguments: input_ids, arena, position, [history], [carry], [source, rows],
/// [lengths].
template <int kMemory, bool kLast, bool kLengths>
static void extendToy(void **argv) {
  constexpr bool kHistory = (kMemory & (toy::kAll | toy::kWindow)) != 0;
  constexpr bool kHasCarry = (kMemory & toy::kCarry) != 0;
  constexpr bool kReads = (kMemory & toy::kSource) != 0;
  auto &ids = arg<int32_t, 2>(argv, 0);
  Arena arena(arg<int8_t, 1>(argv, 1));
  auto &position = arg<int32_t, 1>(argv, 2);
  int next = 3;
  // [layer 2, batch, capacity, 1]
  auto *history = kHistory ? &arg<int32_t, 4>(argv, next++) : nullptr;
  // [batch, layer 2]
  auto *carry = kHasCarry ? &arg<int32_t, 2>(argv, next++) : nullptr;
  // [layer 2, batch, positions] and [batch]
  auto *source = kReads ? &arg<int32_t, 3>(argv, next++) : nullptr;
  auto *rows = kReads ? &arg<int32_t, 1>(argv, next++) : nullptr;
  int64_t batch = ids.sizes[0], time = ids.sizes[1];
  toy::trace.push_back(kLast ? -time : time);
  const int32_t *lengths =
      kLengths ? arg<int32_t, 1>(argv, next++).aligned : nullptr;

  int64_t steps = kLast ? 1 : time;
  float *logits = arena.take(batch * steps * toy::kVocab);
  float *scores = arena.take(batch * steps);
  for (int64_t b = 0; b < batch; ++b) {
    int64_t length = kLengths ? lengths[b] : time;
    for (int64_t t = 0; t < length; ++t) {
      int32_t token = ids.aligned[b * time + t];
      int64_t p = position.aligned[b];
      float score = 0;
      if (kHistory) {
        int64_t capacity = history->sizes[2];
        for (int layer = 0; layer < 2; ++layer) {
          int32_t *ring =
              history->aligned + (layer * history->sizes[1] + b) * capacity;
          ring[p % capacity] = token + layer;
          int64_t back = (kMemory & toy::kAll) ? p : toy::kLookback;
          for (int64_t j = 0; j <= back; ++j)
            // Reads before the start rely on zeros, on purpose.
            score += static_cast<float>((j + 1) *
                                        ring[(p - j + capacity) % capacity]);
        }
      }
      if (kHasCarry)
        for (int layer = 0; layer < 2; ++layer) {
          int32_t &value = carry->aligned[b * 2 + layer];
          value = stepCarry(value, token, layer);
          score += static_cast<float>(value);
        }
      if (kReads)
        for (int64_t i = 0; i < 2 * rows->aligned[b]; ++i) {
          int64_t layer = i % 2, place = layer * batch + b;
          score += static_cast<float>(
              source->aligned[place * source->sizes[2] + i / 2]);
        }
      position.aligned[b] += 1;
      int64_t at = b * steps + (kLast ? 0 : t);
      scores[at] = score;
      for (int64_t v = 0; v < toy::kVocab; ++v)
        logits[at * toy::kVocab + v] =
            v == static_cast<int64_t>(score) % toy::kVocab ? 1.0f : 0.0f;
    }
    position.aligned[b] += toy::positionLie;
  }
  auto *out = static_cast<char *>(argv[next]);
  if (kLast) {
    auto first = dense(logits, {batch, toy::kVocab});
    auto second = dense(scores, {batch});
    std::memcpy(out, &first, sizeof(first));
    std::memcpy(out + sizeof(first), &second, sizeof(second));
  } else {
    auto first = dense(logits, {batch, time, toy::kVocab});
    auto second = dense(scores, {batch, time});
    std::memcpy(out, &first, sizeof(first));
    std::memcpy(out + sizeof(first), &second, sizeof(second));
  }
}

template <bool kLast>
static int64_t extendArena(void **argv) {
  auto &ids = arg<int32_t, 2>(argv, 0);
  int64_t steps = kLast ? 1 : ids.sizes[1];
  int64_t bytes = ids.sizes[0] * steps * (toy::kVocab + 1) * 4;
  toy::arenaAsked = std::max(toy::arenaAsked, bytes);
  return bytes;
}

/// Arguments: input_ids, lengths, arena. Gives each token, and one more, and
/// the rows' lengths.
static void encodeToy(void **argv) {
  auto &ids = arg<int32_t, 2>(argv, 0);
  auto &lengths = arg<int32_t, 1>(argv, 1);
  Arena arena(arg<int8_t, 1>(argv, 2));
  int64_t batch = ids.sizes[0], time = ids.sizes[1];
  auto *tokens = reinterpret_cast<int32_t *>(arena.take(2 * batch * time));
  auto *rows = reinterpret_cast<int32_t *>(arena.take(batch));
  for (int64_t i = 0; i < batch * time; ++i) {
    tokens[i] = ids.aligned[i];
    tokens[batch * time + i] = ids.aligned[i] + 1;
  }
  std::memcpy(rows, lengths.aligned, static_cast<size_t>(batch) * 4);
  // Descriptors do not depend on the element type.
  auto first =
      dense(reinterpret_cast<float *>(tokens), {int64_t(2), batch, time});
  auto second = dense(reinterpret_cast<float *>(rows), {batch});
  auto *out = static_cast<char *>(argv[3]);
  std::memcpy(out, &first, sizeof(first));
  std::memcpy(out + sizeof(first), &second, sizeof(second));
}

static int64_t encodeArena(void **argv) {
  auto &ids = arg<int32_t, 2>(argv, 0);
  return (2 * ids.sizes[0] * ids.sizes[1] + ids.sizes[0]) * 4;
}

using Invoke = void (*)(void **);

template <int kMemory>
static Invoke pick(bool last, bool lengths) {
  if (last)
    return lengths ? extendToy<kMemory, true, true>
                   : extendToy<kMemory, true, false>;
  return lengths ? extendToy<kMemory, false, true>
                 : extendToy<kMemory, false, false>;
}

static Invoke pick(int memory, bool last, bool lengths) {
  switch (memory) {
  case toy::kAll:
    return pick<toy::kAll>(last, lengths);
  case toy::kWindow:
    return pick<toy::kWindow>(last, lengths);
  case toy::kCarry:
    return pick<toy::kCarry>(last, lengths);
  case toy::kAll | toy::kCarry:
    return pick<toy::kAll | toy::kCarry>(last, lengths);
  case toy::kWindow | toy::kCarry:
    return pick<toy::kWindow | toy::kCarry>(last, lengths);
  case toy::kAll | toy::kSource:
    return pick<toy::kAll | toy::kSource>(last, lengths);
  case toy::kCarry | toy::kSource:
    return pick<toy::kCarry | toy::kSource>(last, lengths);
  }
  std::abort();
}

float toy::expectedScore(int memory, const std::vector<int32_t> &tokens,
                         const std::vector<int32_t> &source) {
  float score = 0;
  for (int32_t token : source)
    score += static_cast<float>(2 * token + 1);
  int64_t count = static_cast<int64_t>(tokens.size());
  for (int32_t layer = 0; layer < 2; ++layer) {
    if (memory & (kAll | kWindow))
      for (int64_t j = 0; j < count && (!(memory & kWindow) || j <= kLookback);
           ++j)
        score += static_cast<float>((j + 1) * (tokens[count - 1 - j] + layer));
    int32_t carry = 0;
    for (int32_t token : tokens)
      carry = stepCarry(carry, token, layer);
    if (memory & kCarry)
      score += static_cast<float>(carry);
  }
  return score;
}

std::vector<float> toy::expectedScores(int memory,
                                       const std::vector<int32_t> &tokens) {
  std::vector<float> scores;
  for (size_t i = 1; i <= tokens.size(); ++i)
    scores.push_back(expectedScore(
        memory,
        std::vector<int32_t>(tokens.begin(),
                             tokens.begin() + static_cast<std::ptrdiff_t>(i))));
  return scores;
}

int32_t toy::expectedToken(int memory, const std::vector<int32_t> &tokens) {
  return static_cast<int32_t>(
      static_cast<int64_t>(expectedScore(memory, tokens)) % kVocab);
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

static constexpr int64_t D = WEIR_DYNAMIC;
static constexpr int32_t B = WEIR_AXIS_BATCH, T = WEIR_AXIS_TIME,
                         N = WEIR_AXIS_NONE, L = WEIR_AXIS_LAYER,
                         C = WEIR_AXIS_CAPACITY;

static const int64_t kOne[] = {D}, kTwo[] = {D, D};
static const int64_t kFixedTimes[][2] = {{D, 1}, {D, 2}, {D, 4}, {D, 8}};
static const int32_t kNoAxes[] = {N, N, N}, kNoAxis[] = {N}, kBatch[] = {B},
                     kBatchTime[] = {B, T}, kBatchTimeNone[] = {B, T, N},
                     kBatchNone[] = {B, N};
static const int64_t kHistoryShape[] = {2, D, D, 1}, kCarryShape[] = {D, 2};
static const int32_t kHistoryAxes[] = {L, B, C, N}, kCarryAxes[] = {B, L};
static const int64_t kSourceShape[] = {2, D, D};
static const int32_t kSourceAxes[] = {L, B, WEIR_AXIS_SOURCE};
static const int64_t kLogits[] = {D, D, toy::kVocab},
                     kLastLogits[] = {D, toy::kVocab};
static const int32_t kEos[] = {13};

toy::StreamingModel::StreamingModel(int memory, Functions which,
                                    int64_t maxLength, uint32_t maxBlock) {
  slots.push_back(
      {"position", kOne, kBatch, WEIR_I32, 1, WEIR_SLOT_POSITION, 0, 0});
  if (memory & (kAll | kWindow))
    slots.push_back({"history", kHistoryShape, kHistoryAxes, WEIR_I32, 4,
                     WEIR_SLOT_HISTORY, 0, memory & kAll ? D : kLookback});
  if (memory & kCarry)
    slots.push_back(
        {"carry", kCarryShape, kCarryAxes, WEIR_I32, 2, WEIR_SLOT_CARRY, 0, 0});
  if (memory & kSource) {
    slots.push_back({"source", kSourceShape, kSourceAxes, WEIR_I32, 3,
                     WEIR_SLOT_MEMORY, 0, 0});
    slots.push_back(
        {"rows", kOne, kBatch, WEIR_I32, 1, WEIR_SLOT_MEMORY, 0, 0});
    addEncoder();
  }
  for (int64_t time : which.all)
    addFunction(memory, false, time, which.lengths);
  for (int64_t time : which.last)
    addFunction(memory, true, time, which.lengths);
  desc.abi_version = WEIR_ABI_VERSION;
  desc.num_functions = static_cast<uint32_t>(functions.size());
  desc.num_slots = static_cast<uint32_t>(slots.size());
  desc.max_block = maxBlock;
  desc.name = "toy";
  desc.compiler = "by hand";
  desc.target = "any";
  desc.options = "";
  desc.functions = functions.data();
  desc.slots = slots.data();
  desc.max_length = maxLength;
  desc.vocab_size = kVocab;
  desc.weights_id = 0x1234;
  desc.tokens = {-1, -1, kEos, 1, 0, -1, -1, -1, 0, nullptr};
}

void toy::StreamingModel::addEncoder() {
  auto slot = static_cast<int32_t>(slots.size()) - 2;
  values.push_back(
      {{"input_ids", kTwo, kBatchTime, WEIR_I32, 2, WEIR_ROLE_DATA, -1, 0, 0,
        0},
       {"lengths", kOne, kBatch, WEIR_I32, 1, WEIR_ROLE_LENGTHS, -1, 0, 0, 5},
       {"arena", kOne, kNoAxis, WEIR_I8, 1, WEIR_ROLE_ARENA, -1, 0, 0, 0}});
  values.push_back({{"source", kSourceShape, kNoAxes, WEIR_I32, 3,
                     WEIR_ROLE_SLOT, slot, 0, 0, 0},
                    {"rows", kOne, kNoAxes, WEIR_I32, 1, WEIR_ROLE_SLOT,
                     slot + 1, 0, 0, 0}});
  functions.push_back({"encode", values[values.size() - 2].data(),
                       values.back().data(), encodeToy, encodeArena, 3, 2,
                       WEIR_METHOD_ENCODE, 0, D});
}

void toy::StreamingModel::addFunction(int memory, bool last, int64_t time,
                                      bool lengths) {
  std::vector<weir_value_desc> args;
  const int64_t *idsShape = kTwo;
  for (const auto &shape : kFixedTimes)
    if (shape[1] == time)
      idsShape = shape;
  if (time != D && idsShape == kTwo)
    std::abort();
  args.push_back({"input_ids", idsShape, kBatchTime, WEIR_I32, 2,
                  WEIR_ROLE_DATA, -1, 0, 0, 0});
  args.push_back(
      {"arena", kOne, kNoAxis, WEIR_I8, 1, WEIR_ROLE_ARENA, -1, 0, 0, 0});
  for (size_t i = 0; i < slots.size(); ++i)
    args.push_back({slots[i].name, slots[i].shape, slots[i].axes,
                    slots[i].dtype, slots[i].rank, WEIR_ROLE_SLOT,
                    static_cast<int32_t>(i), 0, 0, 0});
  if (lengths)
    args.push_back(
        {"lengths", kOne, kBatch, WEIR_I32, 1, WEIR_ROLE_LENGTHS, -1, 0, 0, 0});
  values.push_back(args);
  if (last)
    values.push_back(
        {{"logits", kLastLogits, kBatchNone, WEIR_F32, 2, 0, -1, 0, 0, 0},
         {"score", kOne, kBatch, WEIR_F32, 1, 0, -1, 0, 0, 0}});
  else
    values.push_back(
        {{"logits", kLogits, kBatchTimeNone, WEIR_F32, 3, 0, -1, 0, 0, 0},
         {"score", kTwo, kBatchTime, WEIR_F32, 2, 0, -1, 0, 0, 0}});
  weir_function_desc function = {};
  function.name = last ? "extend_last" : "extend";
  function.args = values[values.size() - 2].data();
  function.results = values.back().data();
  function.invoke = pick(memory, last, lengths);
  function.arena_bytes = last ? extendArena<true> : extendArena<false>;
  function.num_args = static_cast<int32_t>(args.size());
  function.num_results = 2;
  function.method = last ? WEIR_METHOD_EXTEND_LAST : WEIR_METHOD_EXTEND;
  function.time = time;
  functions.push_back(function);
}

//===----------------------------------------------------------------------===//
// Whole sequences
//===----------------------------------------------------------------------===//

/// Padding is computed as 99, to be seen if it gets out.
static void forwardToy(void **argv) {
  auto &ids = arg<int32_t, 2>(argv, 0);
  auto &features = arg<float, 3>(argv, 1);
  auto &lengths = arg<int32_t, 1>(argv, 2);
  Arena arena(arg<int8_t, 1>(argv, 3));
  int64_t batch = ids.sizes[0], time = ids.sizes[1];
  float *sums = arena.take(batch * time);
  float *echo = arena.take(batch * time * 2);
  float *total = arena.take(batch);
  for (int64_t b = 0; b < batch; ++b) {
    total[b] = 0;
    for (int64_t t = 0; t < time; ++t) {
      int64_t at = b * time + t;
      bool visible = t < lengths.aligned[b];
      if (visible)
        total[b] += static_cast<float>(ids.aligned[at]);
      sums[at] = visible ? total[b] : 99;
      for (int64_t i = 0; i < 2; ++i)
        echo[(t * batch + b) * 2 + i] =
            visible ? features.aligned[at * 2 + i] : 99;
    }
  }
  auto first = dense(sums, {batch, time});
  auto second = dense(echo, {time, batch, int64_t(2)});
  auto third = dense(total, {batch});
  auto *out = static_cast<char *>(argv[4]);
  std::memcpy(out, &first, sizeof(first));
  std::memcpy(out + sizeof(first), &second, sizeof(second));
  std::memcpy(out + sizeof(first) + sizeof(second), &third, sizeof(third));
}

static int64_t forwardArena(void **argv) {
  auto &ids = arg<int32_t, 2>(argv, 0);
  return (ids.sizes[0] * ids.sizes[1] * 3 + ids.sizes[0]) * 4;
}

static const int64_t kFeatures[] = {D, D, 2};
static const int32_t kTimeBatchNone[] = {T, B, N};
static const weir_value_desc kForwardArgs[] = {
    {"input_ids", kTwo, kBatchTime, WEIR_I32, 2, WEIR_ROLE_DATA, -1, 0, 0, 0},
    {"features", kFeatures, kBatchTimeNone, WEIR_F32, 3, WEIR_ROLE_DATA, -1, 0,
     0, 0},
    {"lengths", kOne, kBatch, WEIR_I32, 1, WEIR_ROLE_LENGTHS, -1, 0, 0, 0},
    {"arena", kOne, kNoAxis, WEIR_I8, 1, WEIR_ROLE_ARENA, -1, 0, 0, 0}};
static const weir_value_desc kForwardResults[] = {
    {"sums", kTwo, kBatchTime, WEIR_F32, 2, 0, -1, 0, 0, 0},
    {"echo", kFeatures, kTimeBatchNone, WEIR_F32, 3, 0, -1, 0, 0, 0},
    {"total", kOne, kBatch, WEIR_F32, 1, 0, -1, 0, 0, 0}};
static const weir_function_desc kForwardFunctions[] = {
    {"forward", kForwardArgs, kForwardResults, forwardToy, forwardArena, 4, 3,
     WEIR_METHOD_FORWARD, 0, D}};

const weir_model_desc toy::forwardModel = {
    WEIR_ABI_VERSION,
    1,
    0,
    0,
    "whole",
    "by hand",
    "any",
    "",
    kForwardFunctions,
    nullptr,
    D,
    0,
    0,
    0,
    nullptr,
    0,
    {-1, -1, nullptr, 0, 0, -1, -1, -1, 0, nullptr},
    /*device=*/nullptr};

/// What `read` sums up in each row, added to each token of `written`.
static void pairToy(void **argv) {
  auto &read = arg<int32_t, 2>(argv, 0);
  auto &readLengths = arg<int32_t, 1>(argv, 1);
  auto &written = arg<int32_t, 2>(argv, 2);
  auto &lengths = arg<int32_t, 1>(argv, 3);
  Arena arena(arg<int8_t, 1>(argv, 4));
  int64_t batch = written.sizes[0], time = written.sizes[1];
  float *out = arena.take(batch * time);
  for (int64_t b = 0; b < batch; ++b) {
    float sum = 0;
    for (int64_t t = 0; t < readLengths.aligned[b]; ++t)
      sum += static_cast<float>(read.aligned[b * read.sizes[1] + t]);
    for (int64_t t = 0; t < time; ++t)
      out[b * time + t] =
          t < lengths.aligned[b]
              ? sum + static_cast<float>(written.aligned[b * time + t])
              : 99;
  }
  auto result = dense(out, {batch, time});
  std::memcpy(argv[5], &result, sizeof(result));
}

static int64_t pairArena(void **argv) {
  auto &written = arg<int32_t, 2>(argv, 2);
  return written.sizes[0] * written.sizes[1] * 4;
}

static const weir_value_desc kPairArgs[] = {
    {"input_ids", kTwo, kBatchTime, WEIR_I32, 2, WEIR_ROLE_DATA, -1, 0, 0, 0},
    {"lengths", kOne, kBatch, WEIR_I32, 1, WEIR_ROLE_LENGTHS, -1, 0, 0, 0},
    {"decoder_input_ids", kTwo, kBatchTime, WEIR_I32, 2, WEIR_ROLE_DATA, -1, 1,
     0, 7},
    {"decoder_lengths", kOne, kBatch, WEIR_I32, 1, WEIR_ROLE_LENGTHS, -1, 1, 0,
     3},
    {"arena", kOne, kNoAxis, WEIR_I8, 1, WEIR_ROLE_ARENA, -1, 0, 0, 0}};
static const weir_value_desc kPairResults[] = {
    {"sums", kTwo, kBatchTime, WEIR_F32, 2, 0, -1, 1, 0, 0}};
static const weir_function_desc kPairFunctions[] = {
    {"forward", kPairArgs, kPairResults, pairToy, pairArena, 5, 1,
     WEIR_METHOD_FORWARD, 0, D}};

const weir_model_desc toy::pairModel = {
    WEIR_ABI_VERSION,
    1,
    0,
    0,
    "pair",
    "by hand",
    "any",
    "",
    kPairFunctions,
    nullptr,
    D,
    0,
    0,
    0,
    nullptr,
    0,
    {-1, -1, nullptr, 0, 0, -1, -1, -1, 0, nullptr},
    /*device=*/nullptr};

/// Computes into columns and returns rows: strides are not the identity.
static void scaleToy(void **argv) {
  auto &x = arg<float, 2>(argv, 0);
  float factor = *arg<float, 0>(argv, 1).aligned;
  Arena arena(arg<int8_t, 1>(argv, 2));
  int64_t rows = x.sizes[0];
  float *y = arena.take(rows * 3 + 1);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < 3; ++j)
      y[1 + j * rows + i] = factor * x.aligned[i * 3 + j];
  MemRef<float, 2> result = {y, y, 1, {rows, 3}, {1, rows}};
  std::memcpy(argv[3], &result, sizeof(result));
}

static int64_t scaleArena(void **argv) {
  return (arg<float, 2>(argv, 0).sizes[0] * 3 + 1) * 4;
}

static void flipToy(void **argv) {
  auto &flags = arg<uint8_t, 1>(argv, 0);
  auto &mask = arg<float, 1>(argv, 1);
  static uint8_t flipped[4];
  for (int i = 0; i < 4; ++i)
    flipped[i] = mask.aligned[i] > 0 ? !flags.aligned[i] : flags.aligned[i];
  MemRef<uint8_t, 1> result = {flipped, flipped, 0, {4}, {1}};
  std::memcpy(argv[2], &result, sizeof(result));
}

static const int64_t kThree[] = {D, 3}, kFour[] = {4};
static const weir_value_desc kScaleArgs[] = {
    {"x", kThree, kNoAxes, WEIR_F32, 2, WEIR_ROLE_DATA, -1, 0, 0, 0},
    {"factor", nullptr, nullptr, WEIR_F32, 0, WEIR_ROLE_DATA, -1, 0, 0, 0},
    {"arena", kOne, kNoAxis, WEIR_I8, 1, WEIR_ROLE_ARENA, -1, 0, 0, 0}};
static const weir_value_desc kScaleResults[] = {
    {"y", kThree, kNoAxes, WEIR_F32, 2, 0, -1, 0, 0, 0}};
static const weir_value_desc kFlipArgs[] = {
    {"flags", kFour, kNoAxis, WEIR_BOOL, 1, WEIR_ROLE_DATA, -1, 0, 0, 0},
    {"attention_mask", kFour, kNoAxis, WEIR_F32, 1, WEIR_ROLE_DATA, -1, 0, 0,
     0}};
static const weir_value_desc kFlipResults[] = {
    {"z", kFour, kNoAxis, WEIR_BOOL, 1, 0, -1, 0, 0, 0}};
static const weir_function_desc kPlainFunctions[] = {
    {"scale", kScaleArgs, kScaleResults, scaleToy, scaleArena, 3, 1,
     WEIR_METHOD_PLAIN, 0, D},
    {"flip", kFlipArgs, kFlipResults, flipToy, nullptr, 2, 1, WEIR_METHOD_PLAIN,
     0, D}};

const weir_model_desc toy::plainModel = {
    WEIR_ABI_VERSION,
    2,
    0,
    0,
    "plain",
    "by hand",
    "any",
    "",
    kPlainFunctions,
    nullptr,
    D,
    0,
    0,
    0,
    nullptr,
    0,
    {-1, -1, nullptr, 0, 0, -1, -1, -1, 0, nullptr},
    /*device=*/nullptr};
