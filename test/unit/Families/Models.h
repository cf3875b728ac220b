//===- Models.h - Checkpoints of small models ------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Configurations and tensors to import, and the module or the errors that come
// of them, as text.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TEST_UNIT_FAMILIES_MODELS_H
#define WEIR_TEST_UNIT_FAMILIES_MODELS_H

#include "../Frontend/TestFiles.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "weir/Frontend/Import.h"
#include "llvm/Support/FormatVariadic.h"

namespace weir {

/// A small model; keys and tensors can be changed before it is imported.
struct SmallModel {
  llvm::json::Object config;
  std::vector<std::pair<std::string, std::vector<int64_t>>> tensors;
  std::string generationConfig;

  void addTensor(llvm::StringRef name, std::vector<int64_t> shape) {
    tensors.emplace_back(name.str(), std::move(shape));
  }
  void dropTensor(llvm::StringRef name) {
    llvm::erase_if(tensors,
                   [&](const auto &tensor) { return tensor.first == name; });
  }

  /// Writes the files. Tensors count up from their place in the list, so that
  /// no two have the same numbers.
  void write(const TempDir &dir) const {
    dir.write(
        "config.json",
        llvm::formatv("{0:2}", llvm::json::Value(llvm::json::Object(config)))
            .str());
    if (!generationConfig.empty())
      dir.write("generation_config.json", generationConfig);
    llvm::json::Object header;
    std::string data;
    for (auto [place, tensor] : llvm::enumerate(tensors)) {
      int64_t count = 1;
      llvm::json::Array shape;
      for (int64_t extent : tensor.second) {
        count *= extent;
        shape.push_back(extent);
      }
      std::vector<float> values(count);
      for (auto [i, value] : llvm::enumerate(values))
        value = static_cast<float>(place) + static_cast<float>(i) / 1024;
      size_t begin = data.size();
      data += bytesOf(llvm::ArrayRef<float>(values));
      header[tensor.first] = llvm::json::Object{
          {"dtype", "F32"},
          {"shape", std::move(shape)},
          {"data_offsets",
           llvm::json::Array{static_cast<int64_t>(begin),
                             static_cast<int64_t>(data.size())}}};
    }
    std::string text =
        llvm::formatv("{0}", llvm::json::Value(std::move(header)));
    dir.write("model.safetensors", makeSafetensors(text, data));
  }
};

/// Llama with 2 layers, or another family with the same weights.
inline SmallModel makeLlama(llvm::StringRef architecture = "LlamaForCausalLM",
                            llvm::StringRef prefix = "model.") {
  SmallModel model;
  model.config =
      llvm::json::Object{{"architectures", llvm::json::Array{architecture}},
                         {"hidden_size", 8},
                         {"intermediate_size", 12},
                         {"num_hidden_layers", 2},
                         {"num_attention_heads", 2},
                         {"num_key_value_heads", 1},
                         {"max_position_embeddings", 64},
                         {"vocab_size", 10},
                         {"rms_norm_eps", 0.001}};
  std::string root = prefix.str();
  model.addTensor(root + "embed_tokens.weight", {10, 8});
  for (int layer = 0; layer < 2; ++layer) {
    std::string block = root + "layers." + std::to_string(layer) + ".";
    model.addTensor(block + "input_layernorm.weight", {8});
    model.addTensor(block + "post_attention_layernorm.weight", {8});
    model.addTensor(block + "self_attn.q_proj.weight", {8, 8});
    model.addTensor(block + "self_attn.k_proj.weight", {4, 8});
    model.addTensor(block + "self_attn.v_proj.weight", {4, 8});
    model.addTensor(block + "self_attn.o_proj.weight", {8, 8});
    model.addTensor(block + "mlp.gate_proj.weight", {12, 8});
    model.addTensor(block + "mlp.up_proj.weight", {12, 8});
    model.addTensor(block + "mlp.down_proj.weight", {8, 12});
  }
  model.addTensor(root + "norm.weight", {8});
  model.addTensor("lm_head.weight", {10, 8});
  return model;
}

/// GPT-2 with 2 layers.
inline SmallModel makeGPT2() {
  SmallModel model;
  model.config = llvm::json::Object{
      {"architectures", llvm::json::Array{"GPT2LMHeadModel"}},
      {"n_embd", 8},
      {"n_layer", 2},
      {"n_head", 2},
      {"n_positions", 16},
      {"n_inner", nullptr},
      {"vocab_size", 10}};
  model.addTensor("wte.weight", {10, 8});
  model.addTensor("wpe.weight", {16, 8});
  for (int layer = 0; layer < 2; ++layer) {
    std::string block = "h." + std::to_string(layer) + ".";
    for (const char *norm : {"ln_1", "ln_2"})
      for (const char *part : {".weight", ".bias"})
        model.addTensor(block + norm + part, {8});
    model.addTensor(block + "attn.bias", {1, 1, 16, 16});
    model.addTensor(block + "attn.c_attn.weight", {8, 24});
    model.addTensor(block + "attn.c_attn.bias", {24});
    model.addTensor(block + "attn.c_proj.weight", {8, 8});
    model.addTensor(block + "attn.c_proj.bias", {8});
    model.addTensor(block + "mlp.c_fc.weight", {8, 32});
    model.addTensor(block + "mlp.c_fc.bias", {32});
    model.addTensor(block + "mlp.c_proj.weight", {32, 8});
    model.addTensor(block + "mlp.c_proj.bias", {8});
  }
  model.addTensor("ln_f.weight", {8});
  model.addTensor("ln_f.bias", {8});
  return model;
}

/// What an import gave: the module, and the diagnostics in the order they came.
struct ImportResult {
  std::string module;
  std::string diagnostics;
  bool succeeded = false;
};

inline ImportResult importPath(llvm::StringRef path,
                               const ImportOptions &options = {}) {
  ImportResult result;
  std::unique_ptr<Checkpoint> checkpoint = openOrFail(path);
  if (!checkpoint)
    return result;
  mlir::MLIRContext context;
  mlir::ScopedDiagnosticHandler handler(
      &context, [&](mlir::Diagnostic &diagnostic) {
        result.diagnostics += diagnostic.str() + "\n";
        return mlir::success();
      });
  auto module = importModel(context, *checkpoint, options);
  result.succeeded = mlir::succeeded(module);
  if (result.succeeded) {
    llvm::raw_string_ostream os(result.module);
    (*module)->print(os);
  }
  return result;
}

inline ImportResult importSmall(const SmallModel &model,
                                const ImportOptions &options = {}) {
  TempDir dir;
  model.write(dir);
  return importPath(dir.path(), options);
}

/// Expects a module whose text holds all of `parts`, and gives it.
inline std::string expectModule(const ImportResult &result,
                                llvm::ArrayRef<llvm::StringRef> parts = {}) {
  EXPECT_TRUE(result.succeeded) << result.diagnostics;
  for (llvm::StringRef part : parts)
    EXPECT_NE(result.module.find(part.str()), std::string::npos)
        << result.module << "\n  lacks " << part.str();
  return result.module;
}

/// Expects no module, and diagnostics that hold all of `parts`.
inline void expectError(const ImportResult &result,
                        llvm::ArrayRef<llvm::StringRef> parts) {
  EXPECT_FALSE(result.succeeded);
  for (llvm::StringRef part : parts)
    EXPECT_NE(result.diagnostics.find(part.str()), std::string::npos)
        << result.diagnostics << "\n  lacks " << part.str();
}

} // namespace weir

#endif // WEIR_TEST_UNIT_FAMILIES_MODELS_H
