//===- Arguments.h - Command line arguments of a compiled model -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LIB_RUNTIME_ARGUMENTS_H
#define LIB_RUNTIME_ARGUMENTS_H

#include "Device.h"
#include "Generate.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::rt {

/// What the user asked for.
struct Arguments {
  enum class StatsFormat { None, Text, Json };

  bool help = false, version = false, info = false;
  bool hasPrompt = false, hasTokens = false;
  bool printTokens = false;
  StatsFormat stats = StatsFormat::None;
  std::string prompt, promptFile;
  std::vector<int32_t> tokens;
  /// What a decoder begins with that reads an encoder.
  bool hasDecoderTokens = false;
  std::vector<int32_t> decoderTokens;
  GenerateOptions generate;
  std::string inputs, outputs, function;
  std::string saveState, loadState, weights;
  int64_t maxLength = 0;
  int threads = 0;
  /// Draws weights, from this.
  std::optional<uint64_t> randomWeights;
  SimtOptions simt;
  /// Times a model, by tokens.
  bool bench = false;
  int64_t benchPrompt = 0, benchDecode = 0, benchRepeats = 3;
  /// Times a function of tensors by as many calls; 0: does not.
  int64_t benchCalls = 0;
  /// Options that only make sense for generation, for the message when there
  /// is nothing to generate from.
  std::string generationOption;
};

/// Reads the arguments; false when they are wrong, with the reason in `error`.
/// `hasEncoder` says whether the model has one, whose input may be named.
bool parseArguments(int argc, char **argv, bool hasEncoder,
                    Arguments &arguments, std::string &error);

/// The help text; `name` is how the program is called.
std::string helpText(const std::string &name, const std::string &model);

} // namespace weir::rt

#endif // LIB_RUNTIME_ARGUMENTS_H
