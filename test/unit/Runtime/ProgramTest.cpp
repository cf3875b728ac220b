//===- ProgramTest.cpp - Tests of model tables and weights files ----------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Program.h"
#include "DType.h"
#include "TemporaryFile.h"
#include "ToyModels.h"

#include <cmath>
#include <cstring>
#include <vector>

using namespace weir::rt;
using namespace toy;

static std::string weightsFile(uint32_t version, uint64_t id, uint64_t bytes,
                               size_t size) {
  std::string text(size, '\0');
  auto put = [&](size_t at, const void *data, size_t count) {
    if (at + count <= size)
      std::memcpy(&text[at], data, count);
  };
  put(0, "WEIRWTS1", 8);
  put(8, &version, 4);
  put(12, &id, 8);
  put(20, &bytes, 8);
  return text;
}

TEST(Weights, AreMappedAndChecked) {
  StreamingModel model(kAll);
  model.desc.weights_bytes = 10;
  std::string error;
  auto open = [&](const std::string &contents) {
    TemporaryFile file(contents);
    auto program = Program::open(model.desc, file.path, error);
    size_t at = error.find(file.path);
    if (at != std::string::npos)
      error.replace(at, file.path.size(), "W");
    return program;
  };
  std::string good = weightsFile(4, 0x1234, 10, 4106);
  good[4096] = 7;
  auto program = open(good);
  ASSERT_TRUE(program) << error;
  EXPECT_EQ(program->weights().size(), 10);
  EXPECT_EQ(program->weights().data()[0], 7);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(program->weights().data()) % 64, 0u);

  EXPECT_FALSE(open(weightsFile(4, 0x1235, 10, 4106)));
  EXPECT_EQ(error, "weights file 'W' belongs to another model: its id is "
                   "0000000000001235, expected 0000000000001234");
  EXPECT_FALSE(open(weightsFile(1, 0x1234, 10, 4106)));
  EXPECT_EQ(error, "weights file 'W' has version 1, expected 4: compile the "
                   "model again");
  EXPECT_FALSE(open(weightsFile(4, 0x1234, 11, 4107)));
  EXPECT_EQ(error, "weights file 'W' holds 11 bytes of weights, expected 10");
  for (size_t size = 1; size < 4106; size += size < 32 ? 1 : 1018) {
    EXPECT_FALSE(open(good.substr(0, size)));
    EXPECT_NE(error.find(size < 4096 ? "is not a weights file: it has "
                                     : "is truncated: it has "),
              std::string::npos)
        << error;
  }
  good[0] = 'w';
  EXPECT_FALSE(open(good));
  EXPECT_EQ(error,
            "'W' is not a weights file: it does not start with WEIRWTS1");
  EXPECT_FALSE(Program::open(model.desc, "/nonexistent", error));
  EXPECT_EQ(error, "weights file: cannot open '/nonexistent': No such file or "
                   "directory");
  EXPECT_FALSE(Program::open(model.desc, "", error));
  EXPECT_NE(error.find("WeirRuntimeTests.weights'"), std::string::npos);
  EXPECT_NE(error.find("(keep it beside the executable, or name it with "
                       "--weights)"),
            std::string::npos);
}

TEST(Program, DrawsWeights) {
  StreamingModel model(kAll);
  model.desc.weights_bytes = 4098;
  std::string error;
  auto draw = [&](uint64_t seed) {
    auto program = Program::open(model.desc, "", error, {}, seed);
    EXPECT_TRUE(program) << error;
    const uint8_t *data = program->weights().data();
    return std::vector<uint8_t>(data, data + program->weights().size());
  };
  std::vector<uint8_t> first = draw(1);
  EXPECT_EQ(first.size(), 4098u);
  EXPECT_EQ(first, draw(1));
  EXPECT_NE(first, draw(2));
  int64_t negative = 0;
  for (size_t at = 0; at < first.size(); at += 2) {
    float value =
        bfloatToFloat(static_cast<uint16_t>(first[at] | first[at + 1] << 8));
    EXPECT_GE(std::abs(value), 0x1p-6f);
    EXPECT_LT(std::abs(value), 0x1p-5f);
    negative += value < 0;
  }
  EXPECT_GT(negative, 900);
  EXPECT_LT(negative, 1150);
}

TEST(Program, RefusesBadTables) {
  std::string error;
  auto expectError = [&](const weir_model_desc &desc, const char *message) {
    EXPECT_FALSE(checkModel(desc, error));
    EXPECT_EQ(error, message);
  };
  StreamingModel model(kAll | kCarry);
  EXPECT_TRUE(checkModel(model.desc, error)) << error;
  EXPECT_TRUE(checkModel(forwardModel, error)) << error;
  EXPECT_TRUE(checkModel(plainModel, error)) << error;

  weir_model_desc desc = model.desc;
  desc.abi_version = 9;
  expectError(desc, "model was compiled for runtime version 9, this is version "
                    "4: compile it again");
  desc = model.desc;
  desc.max_length = 0;
  expectError(desc, "model table is incomplete");

  auto slotError = [&](size_t slot, auto change, const char *message) {
    weir_slot_desc saved = model.slots[slot];
    change(model.slots[slot]);
    expectError(model.desc, message);
    model.slots[slot] = saved;
  };
  slotError(
      0, [](weir_slot_desc &slot) { slot.dtype = WEIR_I64; },
      "slot 'position' is a position and must be I32 [batch]");
  slotError(
      0, [](weir_slot_desc &slot) { slot.kind = 5; },
      "slot 'position' has kind 5, which is not known");
  slotError(
      0, [](weir_slot_desc &slot) { slot.dtype = 50; },
      "slot 'position' has element type 50, which is not known");
  slotError(
      1, [](weir_slot_desc &slot) { slot.kind = WEIR_SLOT_CARRY; },
      "slot 'history' is a carry and cannot have a capacity axis");
  slotError(
      1, [](weir_slot_desc &slot) { slot.lookback = -1; },
      "slot 'history' has a negative look-back");
  slotError(
      2, [](weir_slot_desc &slot) { slot.kind = WEIR_SLOT_HISTORY; },
      "slot 'carry' is a history without a capacity axis");
  static const int32_t kNone[] = {WEIR_AXIS_NONE, WEIR_AXIS_LAYER};
  static const int64_t kFixed[] = {2, 2};
  slotError(
      2,
      [](weir_slot_desc &slot) {
        slot.axes = kNone;
        slot.shape = kFixed;
      },
      "slot 'carry' has no batch axis");
  slotError(
      2, [](weir_slot_desc &slot) { slot.axes = kNone; },
      "slot 'carry' has a dynamic extent on axis 0, which is neither batch nor "
      "capacity");

  auto functionError = [&](auto change, const char *message) {
    weir_function_desc saved = model.functions[0];
    std::vector<weir_value_desc> args(saved.args, saved.args + saved.num_args);
    std::vector<weir_value_desc> results(saved.results,
                                         saved.results + saved.num_results);
    model.functions[0].args = args.data();
    model.functions[0].results = results.data();
    change(model.functions[0], args, results);
    expectError(model.desc, message);
    model.functions[0] = saved;
  };
  functionError(
      [](auto &function, auto &, auto &) { function.invoke = nullptr; },
      "function 'extend' is incomplete in the model table");
  functionError([](auto &function, auto &, auto &) { function.method = 7; },
                "function 'extend' has method 7, which is not known");
  functionError([](auto &function, auto &, auto &) { function.time = 0; },
                "function 'extend' has a block length of 0");
  functionError(
      [](auto &function, auto &, auto &) { function.arena_bytes = nullptr; },
      "function 'extend' takes an arena and does not tell its size");
  functionError(
      [](auto &function, auto &, auto &) {
        function.method = WEIR_METHOD_PLAIN;
      },
      "function 'extend': argument 'position' is state, which only extending "
      "functions have");
  functionError([](auto &, auto &args, auto &) { args[2].slot = 1; },
                "function 'extend': argument 'position' does not have the type "
                "its role asks for");
  functionError([](auto &, auto &args, auto &) { args[2].slot = 3; },
                "function 'extend': argument 'position' does not have the type "
                "its role asks for");
  functionError([](auto &, auto &args, auto &) { args[0].role = 9; },
                "function 'extend': argument 'input_ids' has role 9, which is "
                "not known");
  functionError(
      [](auto &, auto &args, auto &) { args[0].role = WEIR_ROLE_OPTIONAL; },
      "function 'extend': argument 'input_ids' is optional, which inputs of "
      "extending functions cannot be");
  functionError([](auto &, auto &args, auto &) { args[0].sequence = 1; },
                "function 'extend': argument 'input_ids' belongs to sequence 1 "
                "of 1");
  functionError([](auto &, auto &, auto &results) { results[0].sequence = 1; },
                "function 'extend': result 'logits' belongs to sequence 1 of "
                "1");
  functionError([](auto &, auto &args, auto &) { args[2].limit = 5; },
                "function 'extend': argument 'position' has a limit of 5, "
                "which integers [rows, time] and row lengths may have");
  functionError([](auto &, auto &args, auto &) { args[0].axes = kNone; },
                "function 'extend' has no argument with a time axis to append");
  functionError([](auto &, auto &, auto &results) { results[1].axes = kNone; },
                "function 'extend': result 'score' is not [batch, time, ...]");
  static const int32_t kTimeBatch[] = {WEIR_AXIS_TIME, WEIR_AXIS_BATCH};
  functionError([](auto &, auto &args, auto &) { args[0].axes = kTimeBatch; },
                "function 'extend': argument 'input_ids' is not [batch, time, "
                "fixed extents]");
  static const int32_t kTwice[] = {WEIR_AXIS_TIME, WEIR_AXIS_TIME};
  functionError([](auto &, auto &args, auto &) { args[0].axes = kTwice; },
                "function 'extend': argument 'input_ids' names one axis twice");
}
