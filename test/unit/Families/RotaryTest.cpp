//===- RotaryTest.cpp - Spellings of rotary parameters --------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Models.h"

using namespace llvm;
using namespace weir;

/// Imports a model with these parameters under `key`.
static ImportResult importRotary(json::Object parameters,
                                 StringRef key = "rope_scaling",
                                 const ImportOptions &options = {}) {
  SmallModel model = makeLlama();
  model.config[key] = std::move(parameters);
  return importSmall(model, options);
}

TEST(Rotary, base) {
  expectModule(importRotary(json::Object()), {"base(1.000000e+04) dims(4) :"});
  expectModule(importRotary(json::Object{{"rope_theta", 500.0},
                                         {"rope_type", "default"}},
                            "rope_parameters"),
               {"base(5.000000e+02) dims(4) :"});
  SmallModel model = makeLlama();
  model.config["rope_theta"] = 700.0;
  expectModule(importSmall(model), {"base(7.000000e+02)"});
  model.config["rope_theta"] = -1.0;
  expectError(importSmall(model), {"expected a positive number"});
}

TEST(Rotary, oldAndNewSpelling) {
  for (StringRef key : {"rope_scaling", "rope_parameters"})
    for (StringRef type : {"type", "rope_type"})
      expectModule(
          importRotary(json::Object{{type, "linear"}, {"factor", 2.0}}, key),
          {"kind = linear, factor = 2.000000e+00"});
}

TEST(Rotary, dynamic) {
  ImportOptions options;
  options.maxLength = 128;
  expectModule(importRotary(json::Object{{"type", "dynamic"}, {"factor", 2.0}},
                            "rope_scaling", options),
               {"kind = dynamic", "original = 64", "length = 128"});
}

TEST(Rotary, llama3) {
  json::Object parameters{{"rope_type", "llama3"},
                          {"factor", 8.0},
                          {"low_freq_factor", 1.0},
                          {"high_freq_factor", 4.0}};
  // The original length is the configuration's, unless said otherwise.
  expectModule(importRotary(json::Object(parameters)),
               {"kind = llama3", "original = 64", "low = 1.0", "high = 4.0"});
  parameters["original_max_position_embeddings"] = 16;
  expectModule(importRotary(json::Object(parameters)), {"original = 16"});
  parameters.erase("low_freq_factor");
  expectError(importRotary(std::move(parameters)),
              {"'rope_scaling' lacks 'low_freq_factor'"});
}

TEST(Rotary, yarn) {
  json::Object parameters{{"rope_type", "yarn"},
                          {"factor", 4.0},
                          {"original_max_position_embeddings", 16}};
  // 0.1 ln 4 + 1
  expectModule(importRotary(json::Object(parameters)),
               {"kind = yarn", "original = 16", "low = 1.0", "high = 3.2",
                "truncate = true", "scale(1.138629"});
  parameters["mscale"] = 0.5;
  parameters["mscale_all_dim"] = 1.0;
  parameters["truncate"] = false;
  parameters["beta_fast"] = 8;
  // (0.05 ln 4 + 1) / (0.1 ln 4 + 1)
  expectModule(importRotary(json::Object(parameters)),
               {"high = 8.0", "truncate = false", "scale(0.939124"});
  parameters["attention_factor"] = 1.5;
  expectModule(importRotary(std::move(parameters)), {"scale(1.500000e+00)"});
}

TEST(Rotary, longRope) {
  json::Object parameters{{"rope_type", "longrope"},
                          {"short_factor", json::Array{1.0, 2.0}},
                          {"long_factor", json::Array{3.0, 4.0}},
                          {"original_max_position_embeddings", 16}};
  expectModule(importRotary(json::Object(parameters)), {"3.0", "scale(1.2247"});
  ImportOptions options;
  options.maxLength = 16;
  expectModule(importRotary(json::Object(parameters), "rope_scaling", options),
               {"1.000000e+00, 2.000000e+00"});
  parameters["long_factor"] = json::Array{1.0};
  expectError(importRotary(std::move(parameters)),
              {"'long_factor' of 'rope_scaling' has 1 numbers, expected 2"});
}

TEST(Rotary, notUnderstood) {
  expectError(importRotary(json::Object{{"type", "su"}}),
              {"has the type 'su'"});
  expectError(importRotary(json::Object{{"mrope_section", json::Array{1, 1}}}),
              {"key 'mrope_section' of 'rope_scaling'"});
  SmallModel model = makeLlama();
  model.config["head_dim"] = 5;
  expectError(importSmall(model),
              {"rotary embedding of 5 features in heads of 5"});
  // transformers rotates whole heads all the same.
  model = makeLlama();
  model.config["partial_rotary_factor"] = 0.5;
  expectModule(importSmall(model), {"dims(4)"});
  model.config["rope_scaling"] =
      json::Object{{"type", "linear"}, {"factor", 2.0}};
  expectError(importSmall(model), {"rotates whole heads"});
}
