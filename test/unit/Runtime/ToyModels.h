//===- ToyModels.h - Model tables written by hand ---------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TEST_UNIT_RUNTIME_TOYMODELS_H
#define TEST_UNIT_RUNTIME_TOYMODELS_H

#include "weir-rt/ModelDesc.h"

#include <cstdint>
#include <string>
#include <vector>

namespace toy {

/// Tokens are 0 to 15.
constexpr int64_t kVocab = 16;
/// Tokens a windowed model looks back at, itself not counted.
constexpr int64_t kLookback = 6;

/// What a streaming toy remembers.
enum Memory {
  kAll = 1,    ///< a history of all tokens
  kWindow = 2, ///< a history of the last kLookback tokens
  kCarry = 4,  ///< a hash of all tokens, overwritten each step
  kSource = 8, ///< what an encoder read, which is added to each score
};

/// Which extending functions a streaming toy has.
struct Functions {
  std::vector<int64_t> all = {WEIR_DYNAMIC};  ///< block lengths of EXTEND
  std::vector<int64_t> last = {WEIR_DYNAMIC}; ///< of EXTEND_LAST
  bool lengths = true;                        ///< take row lengths
};

/// A streaming model over "input_ids" whose results are "logits" (1 at the
/// token that the memory adds up to) and "score" (the sum itself). Owns its
/// table.
class StreamingModel {
public:
  StreamingModel(int memory, Functions functions = Functions(),
                 int64_t maxLength = 64, uint32_t maxBlock = 8);
  StreamingModel(const StreamingModel &) = delete;

  weir_model_desc desc = {};
  std::vector<weir_function_desc> functions;
  std::vector<weir_slot_desc> slots;

private:
  void addFunction(int memory, bool last, int64_t time, bool lengths);
  void addEncoder();
  std::vector<std::vector<weir_value_desc>> values;
};

/// The score after `tokens`, computed without any of the runtime; `source` is
/// what an encoder read for the row.
float expectedScore(int memory, const std::vector<int32_t> &tokens,
                    const std::vector<int32_t> &source = {});
/// The scores of all prefixes.
std::vector<float> expectedScores(int memory,
                                  const std::vector<int32_t> &tokens);
/// The token that greedy generation takes next.
int32_t expectedToken(int memory, const std::vector<int32_t> &tokens);

/// Block lengths of the calls since the last clear, negative for EXTEND_LAST.
extern std::vector<int64_t> trace;
/// The arena size of the last call, and the largest the functions asked for.
extern int64_t arenaGiven, arenaAsked;
/// The number of tokens a streaming call claims to have seen besides those it
/// was given; makes it lie about its position.
extern int32_t positionLie;

/// A whole-sequence model: "input_ids" I32 [B, T], "features" F32 [B, T, 2] and
/// row lengths give "sums" F32 [B, T] (running sums), "echo" F32 [T, B, 2] (the
/// features, transposed) and "total" F32 [B].
extern const weir_model_desc forwardModel;

/// A model of two sequences: "input_ids" and "decoder_input_ids" I32 [B, T] of
/// different T, the latter below 7 and at most 3 in a row, give "sums" F32 [B,
/// T of the latter].
extern const weir_model_desc pairModel;

/// Two plain functions: "scale" of "x" F32 [?, 3] and scalar "factor" F32 []
/// gives "y" with the strides of a transposed tensor; "flip" of "flags" BOOL
/// [4] and "attention_mask" F32 [4] gives "z".
extern const weir_model_desc plainModel;

} // namespace toy

#endif // TEST_UNIT_RUNTIME_TOYMODELS_H
