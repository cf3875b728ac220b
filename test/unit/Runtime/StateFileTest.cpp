//===- StateFileTest.cpp - Tests of saved states --------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SessionFixture.h"
#include "TemporaryFile.h"

using namespace weir::rt;
using namespace toy;

namespace {
class StateFile : public SessionTest,
                  public testing::WithParamInterface<int> {};
} // namespace

INSTANTIATE_TEST_SUITE_P(Memories, StateFile,
                         testing::Values(kAll, kWindow, kCarry, kAll | kCarry,
                                         kWindow | kCarry));

TEST_P(StateFile, LoadContinuesWhereSaveStopped) {
  StreamingModel model(GetParam());
  SessionOptions options;
  options.batch = 3;
  auto session = open(model, options);
  std::vector<Tokens> rows = {randomTokens(41, 1), {}, randomTokens(5, 2)};
  extendAll(*session, rows);
  session->setPending(2, {3, 1});
  TemporaryFile file;
  ASSERT_TRUE(session->save(file.path, error)) << error;
  auto other = open(model, options);
  extendAll(*other, {{1, 2, 3}, {4}, Tokens(30, 5)});
  ASSERT_TRUE(other->load(file.path, error)) << error;
  EXPECT_EQ(other->pending(2), (Tokens{3, 1}));
  auto copy = other->fork(error);
  ASSERT_TRUE(copy) << error;
  for (int64_t row = 0; row < 3; ++row) {
    EXPECT_EQ(copy->position(row), static_cast<int64_t>(rows[row].size()));
    expectContinues(GetParam(), *copy, row, rows[row], randomTokens(12, 5));
  }
  // Going back to before the save works as in the session that saved.
  ASSERT_TRUE(other->rollback(2, 4, error)) << error;
  rows[2].pop_back();
  expectContinues(GetParam(), *other, 2, rows[2], randomTokens(3, 6));
}

TEST_P(StateFile, CapacitiesMayDiffer) {
  StreamingModel model(GetParam());
  SessionOptions wide, narrow;
  wide.rollbackDepth = 30;
  Tokens tokens = randomTokens(50, 1);
  TemporaryFile file;
  for (bool fromWide : {true, false}) {
    auto session = open(model, fromWide ? wide : narrow);
    extendAll(*session, {tokens});
    ASSERT_TRUE(session->save(file.path, error)) << error;
    auto other = open(model, fromWide ? narrow : wide);
    ASSERT_TRUE(other->load(file.path, error)) << error;
    auto copy = other->fork(error);
    expectContinues(GetParam(), *copy, 0, tokens, randomTokens(14, 2));
    // What the narrow ring had lost stays lost in the wide one.
    if (GetParam() == kWindow) {
      EXPECT_FALSE(other->rollback(0, 30, error));
    }
  }
}

TEST_P(StateFile, DamageIsFoundAndLeavesTheSessionAlone) {
  StreamingModel model(GetParam());
  auto session = open(model);
  Tokens tokens = randomTokens(9, 1);
  extendAll(*session, {tokens});
  TemporaryFile file;
  ASSERT_TRUE(session->save(file.path, error)) << error;
  std::string whole = file.read();
  auto other = open(model);
  Tokens own = {5, 6};
  extendAll(*other, {own});
  for (size_t size = 0; size < whole.size(); ++size) {
    file.write(whole.substr(0, size));
    EXPECT_FALSE(other->load(file.path, error)) << size;
  }
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x41);
    file.write(flipped);
    EXPECT_FALSE(other->load(file.path, error)) << at;
  }
  expectContinues(GetParam(), *other, 0, own, randomTokens(4, 2));
}

/// Puts the right hash on a changed file, as a forger would.
static void sign(std::string &contents) {
  uint64_t hash = 0xcbf29ce484222325;
  for (size_t i = 0; i + 8 < contents.size(); ++i)
    hash = (hash ^ static_cast<uint8_t>(contents[i])) * 0x100000001b3;
  std::memcpy(&contents[contents.size() - 8], &hash, 8);
}

TEST_P(StateFile, NoForgedFileCrashes) {
  StreamingModel model(GetParam());
  auto session = open(model);
  extendAll(*session, {randomTokens(20, 1)});
  TemporaryFile file;
  ASSERT_TRUE(session->save(file.path, error)) << error;
  std::string whole = file.read();
  // Numbers are of 4 and 8 bytes: the changes come at each of their places.
  const char changes[] = {'\x01', '\x80', '\xff', '\x10', '\x40'};
  for (size_t at = 8; at + 8 < whole.size(); ++at) {
    std::string forged = whole;
    forged[at] = static_cast<char>(forged[at] ^ changes[at % 5]);
    sign(forged);
    file.write(forged);
    auto other = open(model);
    if (other->load(file.path, error)) {
      std::vector<std::vector<float>> scores;
      extend(*other, {{1, 2}}, Outputs::All, scores);
    }
  }
  for (size_t size = 16; size < whole.size(); size += 3) {
    std::string forged = whole.substr(0, size);
    sign(forged);
    file.write(forged);
    EXPECT_FALSE(open(model)->load(file.path, error)) << size;
  }
}

TEST_F(SessionTest, OtherStatesAreRefused) {
  StreamingModel model(kAll);
  auto session = open(model);
  extendAll(*session, {randomTokens(20, 1)});
  TemporaryFile file;
  ASSERT_TRUE(session->save(file.path, error)) << error;
  std::string prefix = "cannot load state '" + file.path + "': ";
  auto expectError = [&](const weir_model_desc &desc, SessionOptions options,
                         const std::string &message) {
    auto other = Session::open(program(desc), options, error);
    ASSERT_TRUE(other) << error;
    EXPECT_FALSE(other->load(file.path, error));
    EXPECT_EQ(error, prefix + message);
  };
  SessionOptions options;
  options.batch = 2;
  expectError(model.desc, options, "its batch is 1, expected 2");
  options = SessionOptions();
  options.maxLength = 19;
  expectError(model.desc, options,
              "row 0 stands at position 20, and the maximum length of this "
              "session is 19");
  StreamingModel other(kAll);
  other.desc.weights_id = 1;
  expectError(other.desc, {}, "it was saved by a model with other weights");
  StreamingModel carry(kAll | kCarry);
  expectError(carry.desc, {}, "it has 2 slots, expected 3");
  StreamingModel window(kWindow);
  expectError(window.desc, {},
              "its slot 'history' differs from slot 'history' of this model");
  file.write("hello");
  expectError(model.desc, {}, "it is not a state file");
  EXPECT_FALSE(session->load("/nonexistent", error));
  EXPECT_EQ(error, "cannot open '/nonexistent': No such file or directory");
  EXPECT_FALSE(session->save("/nonexistent/x", error));
  EXPECT_EQ(error, "cannot create '/nonexistent/x': No such file or directory");
}

TEST_F(SessionTest, OnlyTheUsedPartIsSaved) {
  StreamingModel model(kAll, Functions(), 1 << 20);
  auto session = open(model);
  extendAll(*session, {randomTokens(10, 1)});
  TemporaryFile file;
  ASSERT_TRUE(session->save(file.path, error)) << error;
  EXPECT_LT(file.read().size(), 1000u);
}
