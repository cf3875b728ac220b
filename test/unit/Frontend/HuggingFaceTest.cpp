//===- HuggingFaceTest.cpp - Hugging Face directories --------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestFiles.h"

#include <random>

using namespace llvm;
using namespace weir;

static const char tinyHeader[] =
    R"({"__metadata__":{"format":"pt"},)"
    R"("b":{"dtype":"F32","shape":[2,1],"data_offsets":[2,10]},)"
    R"("a":{"dtype":"BF16","shape":[],"data_offsets":[0,2]},)"
    R"("none":{"dtype":"F32","shape":[0,5],"data_offsets":[10,10]}})";

static std::string makeTiny() {
  return makeSafetensors(tinyHeader, bytesOf<uint16_t>(0x3f80) +
                                         bytesOf<float>({2.0f, 3.0f}));
}

TEST(PythonJson, numbersOutsideJson) {
  Expected<json::Value> value = parsePythonJson(
      R"({"a": NaN, "b": [Infinity,-Infinity, -1], "c": "NaN \" Infinity"})",
      "f");
  ASSERT_TRUE(bool(value));
  json::Object &object = *value->getAsObject();
  EXPECT_EQ(object.get("a")->kind(), json::Value::Null);
  json::Array &b = *object.getArray("b");
  EXPECT_EQ(b[0].getAsString(), "Infinity");
  EXPECT_EQ(b[1].getAsString(), "-Infinity");
  EXPECT_EQ(b[2].getAsInteger(), -1);
  EXPECT_EQ(object.getString("c"), "NaN \" Infinity");
}

TEST(PythonJson, refusals) {
  for (StringRef text : {"", "{", "{\"a\":}", "{\"a", "Inf", "\"\\", "nan"}) {
    Expected<json::Value> value = parsePythonJson(text, "the-file");
    ASSERT_FALSE(bool(value)) << text.str();
    EXPECT_NE(toString(value.takeError()).find("the-file: invalid JSON"),
              std::string::npos);
  }
  Expected<json::Value> value =
      parsePythonJson(std::string(1000000, '['), "the-file");
  ASSERT_FALSE(bool(value));
  EXPECT_NE(toString(value.takeError()).find("nested deeper than 128"),
            std::string::npos);
}

TEST(HuggingFace, singleFile) {
  TempDir dir;
  dir.write("config.json", R"({"model_type": "tiny", "limit": Infinity})");
  dir.write("tokenizer.json", "{\"t\":1}");
  // The weights may have another name when they are alone.
  for (StringRef name : {"weights.safetensors", "model.safetensors"}) {
    dir.write(name, makeTiny());
    std::unique_ptr<Checkpoint> checkpoint = openOrFail(dir.path());
    ASSERT_TRUE(checkpoint);
    EXPECT_EQ(checkpoint->format(), Checkpoint::Format::HuggingFace);
    EXPECT_EQ(checkpoint->config().getString("model_type"), "tiny");
    EXPECT_EQ(checkpoint->config().getString("limit"), "Infinity");
    EXPECT_EQ(checkpoint->textFile("tokenizer.json"), "{\"t\":1}");
    EXPECT_FALSE(checkpoint->textFile("generation_config.json"));
    EXPECT_FALSE(checkpoint->ggufMetadata());
    std::vector<std::string> names;
    for (const TensorInfo &tensor : checkpoint->tensors())
      names.push_back(tensor.name);
    EXPECT_EQ(names, std::vector<std::string>({"a", "b", "none"}));
    const TensorInfo *b = checkpoint->lookup("b");
    EXPECT_EQ(ArrayRef<int64_t>(b->shape), ArrayRef<int64_t>({2, 1}));
    std::vector<float> values(2);
    ASSERT_FALSE(errorToBool(decodeToF32(b->type, b->bytes, values)));
    EXPECT_EQ(values, std::vector<float>({2.0f, 3.0f}));
    EXPECT_FALSE(checkpoint->lookup("__metadata__"));
  }
}

TEST(HuggingFace, directories) {
  TempDir dir;
  expectOpenError(dir.path(), {"no config.json"});
  dir.write("m.gguf", "GGUF");
  expectOpenError(dir.path(), {"'m.gguf'; give the GGUF file itself"});
  dir.write("config.json", "[]");
  expectOpenError(dir.path(), {"config.json: expected a JSON object"});
  dir.write("config.json", "{\"a\": }");
  expectOpenError(dir.path(), {"config.json: invalid JSON"});
  dir.write("config.json", "{}");
  expectOpenError(dir.path(), {"no weights in this directory"});
  dir.write("pytorch_model.bin", "PK");
  expectOpenError(dir.path(),
                  {"'pytorch_model.bin', expected safetensors; convert"});
  dir.write("x.safetensors", makeTiny());
  EXPECT_TRUE(openOrFail(dir.path()));
  dir.write("y.safetensors", makeTiny());
  expectOpenError(dir.path(), {"'x.safetensors', 'y.safetensors'"});
}

TEST(HuggingFace, shards) {
  TempDir dir;
  dir.write("config.json", "{}");
  dir.write("one.safetensors", makeTiny());
  dir.write("two.safetensors",
            makeSafetensors(
                R"({"c":{"dtype":"I8","shape":[3],"data_offsets":[0,3]}})",
                "\1\2\3"));
  auto writeIndex = [&](StringRef map) {
    dir.write("model.safetensors.index.json",
              ("{\"metadata\":{},\"weight_map\":" + map + "}").str());
  };
  writeIndex(R"({"c":"two.safetensors","a":"one.safetensors",
                 "b":"one.safetensors"})");
  std::unique_ptr<Checkpoint> checkpoint = openOrFail(dir.path());
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->unusedTensors(),
            std::vector<StringRef>({"a", "b", "none", "c"}));

  writeIndex(R"({"c":"three.safetensors"})");
  expectOpenError(dir.path(), {"index.json: shard 'three.safetensors' is "
                               "missing"});
  writeIndex(R"({"d":"two.safetensors"})");
  expectOpenError(dir.path(),
                  {"tensor 'd' is missing from shard 'two.safetensors'"});
  // Present, but in another shard.
  writeIndex(R"({"b":"one.safetensors","a":"two.safetensors"})");
  expectOpenError(dir.path(),
                  {"tensor 'a' is missing from shard 'two.safetensors'"});
  for (StringRef name : {"../one.safetensors", "/etc/passwd", "", ".."})
    writeIndex(("{\"a\":\"" + name + "\"}").str()),
        expectOpenError(dir.path(), {"expected a plain file name"});
  writeIndex(R"({"a":1})");
  expectOpenError(dir.path(), {"expected a file name"});
  writeIndex("[]");
  expectOpenError(dir.path(), {"'weight_map'"});
  dir.write("two.safetensors", makeTiny());
  writeIndex(R"({"a":"one.safetensors","b":"two.safetensors"})");
  expectOpenError(dir.path(), {"two.safetensors: tensor 'a' is defined twice"});
}

TEST(Safetensors, truncatedAnywhere) {
  TempDir dir;
  dir.write("config.json", "{}");
  std::string file = makeTiny();
  for (size_t size = 0; size != file.size(); ++size) {
    SCOPED_TRACE(size);
    dir.write("model.safetensors", StringRef(file).take_front(size));
    expectOpenError(dir.path(), {"model.safetensors: "});
  }
}

TEST(Safetensors, fileByItself) {
  TempDir dir;
  std::string path = dir.write("weights.safetensors", makeTiny());
  Expected<std::unique_ptr<Checkpoint>> opened = openWeights(path);
  ASSERT_TRUE(bool(opened)) << toString(opened.takeError());
  EXPECT_FALSE((*opened)->tensors().empty());
  EXPECT_TRUE((*opened)->config().empty());
  touchTensors(**opened);
  // It is not a model, and a damaged one is not read.
  expectOpenError(path, {"expected a directory or a GGUF file"});
  path = dir.write("cut.safetensors", StringRef(makeTiny()).drop_back(1).str());
  Expected<std::unique_ptr<Checkpoint>> cut = openWeights(path);
  ASSERT_FALSE(bool(cut));
  EXPECT_NE(toString(cut.takeError()).find("cut.safetensors: "),
            std::string::npos);
  // Folders are checkpoints, as ever.
  dir.write("config.json", "{}");
  dir.write("model.safetensors", makeTiny());
  Expected<std::unique_ptr<Checkpoint>> folder = openWeights(dir.path());
  EXPECT_TRUE(bool(folder)) << toString(folder.takeError());
}

TEST(Safetensors, flippedBytes) {
  TempDir dir;
  dir.write("config.json", "{}");
  std::string file = makeTiny();
  std::mt19937 random(13);
  for (int i = 0; i != 4000; ++i) {
    std::string damaged = file;
    for (int flips = 1 + random() % 3; flips != 0; --flips)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    dir.write("model.safetensors", damaged);
    Expected<std::unique_ptr<Checkpoint>> checkpoint =
        openCheckpoint(dir.path());
    if (checkpoint)
      touchTensors(**checkpoint);
    else
      consumeError(checkpoint.takeError());
  }
}

TEST(Safetensors, refusals) {
  TempDir dir;
  dir.write("config.json", "{}");
  auto refuse = [&](StringRef header, StringRef data, StringRef part) {
    dir.write("model.safetensors", makeSafetensors(header, data));
    expectOpenError(dir.path(), {"model.safetensors: ", part});
  };
  auto refuseEntry = [&](StringRef entry, StringRef part) {
    refuse(("{\"t\":" + entry + "}").str(), "12345678", part);
  };
  dir.write("model.safetensors", bytesOf<uint64_t>(~0ull) + "{}");
  expectOpenError(dir.path(), {"claims 18446744073709551615 bytes, 2 follow"});
  refuse("[]", "", "expected a JSON object");
  refuse("{", "", "invalid JSON");
  refuse("\xff", "", "invalid JSON");
  refuseEntry("1", "tensor 't': expected an object");
  refuseEntry("{}", "expected a string as dtype");
  refuseEntry(R"({"dtype":"F4","shape":[],"data_offsets":[0,8]})",
              "unknown dtype 'F4'");
  refuseEntry(R"({"dtype":"Q8_0","shape":[],"data_offsets":[0,8]})",
              "unknown dtype 'Q8_0'");
  refuseEntry(R"({"dtype":"F32","data_offsets":[0,8]})", "array as shape");
  refuseEntry(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})",
              "extents from 0");
  refuseEntry(R"({"dtype":"F32","shape":[1.5],"data_offsets":[0,8]})",
              "extents from 0");
  refuseEntry(R"({"dtype":"F32","shape":[1e30],"data_offsets":[0,8]})",
              "extents from 0");
  refuseEntry(
      R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]})",
      "too many elements");
  refuseEntry(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})",
              "shape [3] take 12 bytes, but its data_offsets span 8");
  refuseEntry(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})",
              "0 <= begin <= end");
  refuseEntry(R"({"dtype":"F32","shape":[2],"data_offsets":[0]})",
              "0 <= begin <= end");
  refuseEntry(R"({"dtype":"F32","shape":[2],"data_offsets":[-8,0]})",
              "0 <= begin <= end");
  refuseEntry(R"({"dtype":"F32","shape":[3],"data_offsets":[0,12]})",
              "ends at byte 12, but the file has 8");
  refuseEntry(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})",
              "4 bytes follow");
  refuseEntry(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})",
              "leave a gap");
  std::string entry = R"("t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  refuse("{" + entry + "," + entry + "}", "1234", "'t' is defined twice");
  refuse("{" + entry + ",\"\\u0074\"" + entry.substr(3) + "}", "1234",
         "defined twice");
  refuse("{" + entry +
             R"(,"u":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
         "12345678", "overlap");
}

TEST(HuggingFace, scaledFloat8) {
  TempDir dir;
  auto configure = [&](StringRef block) {
    dir.write("config.json",
              ("{\"quantization_config\":{\"quant_method\":\"fp8\","
               "\"weight_block_size\":" +
               block + "}}")
                  .str());
  };
  auto write = [&](StringRef type, StringRef scales, int bytes,
                   StringRef name) {
    std::string end = std::to_string(260 + bytes);
    dir.write(
        "model.safetensors",
        makeSafetensors(
            ("{\"w.weight\":{\"dtype\":\"F8_E4M3\",\"shape\":[2,130],"
             "\"data_offsets\":[0,260]},\"" +
             name + "\":{\"dtype\":\"" + type + "\",\"shape\":" + scales +
             ",\"data_offsets\":[260," + end + "]}}")
                .str(),
            std::string(260, '\x38') +
                std::string("\0\0\0\x40\0\0\x80\x3f", 8).substr(0, bytes)));
  };
  configure("[128,128]");
  write("F32", "[1,2]", 8, "w.weight_scale_inv");
  std::unique_ptr<Checkpoint> checkpoint = openOrFail(dir.path());
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->unusedTensors(), std::vector<StringRef>({"w.weight"}));
  const TensorInfo *w = checkpoint->lookup("w.weight");
  EXPECT_EQ(w->readScales(1), std::vector<float>({2, 1}));

  write("F32", "[2,1]", 8, "w.weight_scale_inv");
  expectOpenError(dir.path(),
                  {"'w.weight_scale_inv' is F32 [2, 1] beside 'w.weight' of "
                   "shape [2, 130], expected floats [1, 2] for blocks of [128, "
                   "128]"});
  write("F32", "[1,2]", 8, "w.scales");
  expectOpenError(dir.path(),
                  {"'w.weight' of F8_E4M3 has no 'w.weight_scale_inv'"});
  configure("[128,100]");
  expectOpenError(dir.path(), {"weight_block_size of quantization_config is "
                               "[128,100], expected"});
  // One for all, or for each row.
  configure("null");
  write("F32", "[]", 4, "w.weight_scale");
  checkpoint = openOrFail(dir.path());
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->lookup("w.weight")->readScales(1),
            std::vector<float>({2}));
  write("F32", "[2,1]", 8, "w.weight_scale");
  checkpoint = openOrFail(dir.path());
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->lookup("w.weight")->readScales(1),
            std::vector<float>({1}));
}

TEST(HuggingFace, microscaling) {
  TempDir dir;
  auto write = [&](StringRef blocks, StringRef scales, StringRef name) {
    dir.write("model.safetensors",
              makeSafetensors(("{\"w_blocks\":{\"dtype\":\"U8\",\"shape\":" +
                               blocks + ",\"data_offsets\":[0,32]},\"" + name +
                               "\":{\"dtype\":\"U8\",\"shape\":" + scales +
                               ",\"data_offsets\":[32,34]}}")
                                  .str(),
                              std::string(16, '\x21') +
                                  std::string(16, '\xf0') + "\x80\x7e"));
  };
  dir.write("config.json",
            R"({"quantization_config":{"quant_method":"mxfp4"}})");
  write("[2,1,16]", "[2,1]", "w_scales");
  std::unique_ptr<Checkpoint> checkpoint = openOrFail(dir.path());
  ASSERT_TRUE(checkpoint);
  EXPECT_EQ(checkpoint->unusedTensors(), std::vector<StringRef>({"w"}));
  const TensorInfo *w = checkpoint->lookup("w");
  ASSERT_TRUE(w);
  EXPECT_EQ(ArrayRef<int64_t>(w->shape), ArrayRef<int64_t>({2, 32}));
  EXPECT_EQ(ArrayRef(w->scales), ArrayRef<uint8_t>({0x80, 0x7e}));

  write("[1,2,16]", "[2,1]", "w_scales");
  expectOpenError(dir.path(),
                  {"'w_blocks' and 'w_scales' are U8 [1, 2, 16] and U8 [2, 1], "
                   "expected U8 [..., blocks, 16] and U8 [..., blocks]"});
  write("[2,2,8]", "[2]", "w_scales");
  expectOpenError(dir.path(), {"are U8 [2, 2, 8] and U8 [2]"});
  write("[2,1,16]", "[2,1]", "w_scale");
  expectOpenError(dir.path(), {"'w_blocks' has no 'w_scales' beside it"});
  // Names alone mean nothing.
  dir.write("config.json", "{}");
  checkpoint = openOrFail(dir.path());
  ASSERT_TRUE(checkpoint);
  EXPECT_FALSE(checkpoint->lookup("w"));
}
