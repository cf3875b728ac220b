//===- GGUFTest.cpp - Reading of GGUF files ------------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestFiles.h"

#include <limits>
#include <random>

using namespace llvm;
using namespace weir;

/// A bit of everything: all value types, nested arrays, three tensors.
static GGUFBuilder makeBuilder() {
  GGUFBuilder b;
  b.addKey("general.architecture", 8, ggufString("tiny"));
  b.addKey("u8", 0, bytesOf<uint8_t>(200));
  b.addKey("i8", 1, bytesOf<int8_t>(-100));
  b.addKey("u16", 2, bytesOf<uint16_t>(60000));
  b.addKey("i16", 3, bytesOf<int16_t>(-30000));
  b.addKey("u32", 4, bytesOf<uint32_t>(4000000000u));
  b.addKey("i32", 5, bytesOf<int32_t>(-5));
  b.addKey("f32", 6, bytesOf<float>(0.5f));
  b.addKey("bool", 7, bytesOf<uint8_t>(1));
  b.addKey("u64", 10, bytesOf<uint64_t>(UINT64_MAX));
  b.addKey("i64", 11, bytesOf<int64_t>(INT64_MIN));
  b.addKey("f64", 12, bytesOf<double>(1e300));
  b.addKey("inf", 6, bytesOf(-std::numeric_limits<float>::infinity()));
  b.addKey("nan", 12, bytesOf(std::numeric_limits<double>::quiet_NaN()));
  b.addKey("latin", 8, ggufString("\xe9"));
  b.addKey("words", 9,
           bytesOf<uint32_t>(8) + bytesOf<uint64_t>(2) + ggufString("one") +
               ggufString("\xff"));
  b.addKey("numbers", 9,
           bytesOf<uint32_t>(5) + bytesOf<uint64_t>(3) +
               bytesOf<int32_t>({1, -2, 3}));
  b.addKey("reals", 9,
           bytesOf<uint32_t>(12) + bytesOf<uint64_t>(2) +
               bytesOf<double>({0.25, 1e300}));
  b.addKey("nested", 9,
           bytesOf<uint32_t>(9) + bytesOf<uint64_t>(2) + bytesOf<uint32_t>(1) +
               bytesOf<uint64_t>(1) + bytesOf<int8_t>(-7) +
               bytesOf<uint32_t>(8) + bytesOf<uint64_t>(0));
  b.addTensor("a", {3, 2}, 0, bytesOf<float>({1, 2, 3, 4, 5, 6}));
  b.addTensor("b", {32, 2}, 8, std::string(68, '\1'));
  b.addTensor("c", {}, 1, bytesOf<uint16_t>(0x3c00));
  return b;
}

TEST(GGUF, readsEverything) {
  TempDir dir;
  for (uint32_t version : {2u, 3u}) {
    GGUFBuilder builder = makeBuilder();
    builder.version = version;
    std::unique_ptr<Checkpoint> checkpoint =
        openOrFail(dir.write("m.gguf", builder.build()));
    ASSERT_TRUE(checkpoint);
    EXPECT_EQ(checkpoint->format(), Checkpoint::Format::GGUF);
    EXPECT_EQ(checkpoint->path(), dir.path("m.gguf"));
    const json::Object &config = checkpoint->config();
    EXPECT_EQ(config.getString("general.architecture"), "tiny");
    EXPECT_EQ(config.getInteger("u8"), 200);
    EXPECT_EQ(config.getInteger("i8"), -100);
    EXPECT_EQ(config.getInteger("u16"), 60000);
    EXPECT_EQ(config.getInteger("i16"), -30000);
    EXPECT_EQ(config.getInteger("u32"), 4000000000);
    EXPECT_EQ(config.getInteger("i32"), -5);
    EXPECT_EQ(config.getNumber("f32"), 0.5);
    EXPECT_EQ(config.getBoolean("bool"), true);
    EXPECT_EQ(config.get("u64")->getAsUINT64(), UINT64_MAX);
    EXPECT_EQ(config.getInteger("i64"), INT64_MIN);
    EXPECT_EQ(config.getNumber("f64"), 1e300);
    EXPECT_EQ(config.getString("inf"), "-Infinity");
    EXPECT_EQ(config.get("nan")->kind(), json::Value::Null);
    EXPECT_EQ(config.getString("latin"), "\xef\xbf\xbd");
    EXPECT_FALSE(config.get("words"));

    const GGUFMetadata *metadata = checkpoint->ggufMetadata();
    ASSERT_TRUE(metadata);
    EXPECT_EQ(metadata->getString("latin"), "\xe9");
    auto words = metadata->getStrings("words");
    ASSERT_TRUE(words);
    EXPECT_EQ(words->vec(), std::vector<StringRef>({"one", "\xff"}));
    EXPECT_EQ(metadata->getIntegers("numbers"),
              std::vector<int64_t>({1, -2, 3}));
    EXPECT_EQ(metadata->getFloats("numbers"), std::vector<float>({1, -2, 3}));
    EXPECT_EQ(
        metadata->getFloats("reals"),
        std::vector<float>({0.25f, std::numeric_limits<float>::infinity()}));
    EXPECT_FALSE(metadata->getIntegers("reals"));
    EXPECT_FALSE(metadata->getStrings("numbers"));
    EXPECT_FALSE(metadata->getFloats("words"));
    EXPECT_FALSE(metadata->getFloats("absent"));
    const GGUFArray *nested = metadata->getArray("nested");
    ASSERT_TRUE(nested);
    ASSERT_EQ(nested->arrays.size(), 2u);
    EXPECT_EQ(nested->arrays[0].bytes.size(), 1u);
    EXPECT_TRUE(nested->arrays[1].strings.empty());

    ASSERT_EQ(checkpoint->tensors().size(), 3u);
    const TensorInfo *a = checkpoint->lookup("a");
    ASSERT_TRUE(a);
    EXPECT_EQ(ArrayRef<int64_t>(a->shape), ArrayRef<int64_t>({2, 3}));
    std::vector<float> values(6);
    ASSERT_FALSE(errorToBool(decodeToF32(a->type, a->bytes, values)));
    EXPECT_EQ(values, std::vector<float>({1, 2, 3, 4, 5, 6}));
    EXPECT_TRUE(checkpoint->lookup("c")->shape.empty());
    EXPECT_EQ(checkpoint->lookup("b")->type, StorageType::Q8_0);

    checkpoint->markUsed("b");
    checkpoint->markUsed("absent");
    EXPECT_EQ(checkpoint->unusedTensors(), std::vector<StringRef>({"a", "c"}));
    Expected<const TensorInfo *> used = checkpoint->use("c");
    ASSERT_TRUE(bool(used));
    EXPECT_EQ(checkpoint->unusedTensors(), std::vector<StringRef>({"a"}));
    Expected<const TensorInfo *> missing = checkpoint->use("aa");
    ASSERT_FALSE(bool(missing));
    EXPECT_NE(toString(missing.takeError()).find("nearest is 'a'"),
              std::string::npos);
    EXPECT_FALSE(checkpoint->textFile("tokenizer.json"));
  }
}

TEST(GGUF, truncatedAnywhere) {
  TempDir dir;
  std::string file = makeBuilder().build();
  for (size_t size = 0; size != file.size(); ++size) {
    SCOPED_TRACE(size);
    expectOpenError(dir.write("m.gguf", StringRef(file).take_front(size)),
                    {"m.gguf: "});
  }
}

TEST(GGUF, flippedBytes) {
  TempDir dir;
  std::string file = makeBuilder().build();
  std::mt19937 random(11);
  for (int i = 0; i != 4000; ++i) {
    std::string damaged = file;
    for (int flips = 1 + random() % 3; flips != 0; --flips)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    Expected<std::unique_ptr<Checkpoint>> checkpoint =
        openCheckpoint(dir.write("m.gguf", damaged));
    if (checkpoint)
      touchTensors(**checkpoint);
    else
      consumeError(checkpoint.takeError());
  }
}

/// Opens what a change to an empty builder makes, expecting these words.
static void expectRefused(function_ref<void(GGUFBuilder &)> change,
                          ArrayRef<StringRef> parts) {
  TempDir dir;
  GGUFBuilder builder;
  builder.data = std::string(256, '\0');
  change(builder);
  expectOpenError(dir.write("m.gguf", builder.build()), parts);
}

TEST(GGUF, refusals) {
  using B = GGUFBuilder;
  expectRefused([](B &b) { b.version = 1; }, {"version 1, expected 2 or 3"});
  expectRefused([](B &b) { b.version = 0x03000000; }, {"big-endian"});
  expectRefused([](B &b) { b.numKeys = UINT64_MAX; },
                {"claims 18446744073709551615 metadata keys"});
  expectRefused([](B &b) { b.numTensors = 1ull << 60; }, {"tensors"});
  expectRefused([](B &b) { b.addKey("k", 13, ""); }, {"is 13, expected 0"});
  expectRefused(
      [](B &b) {
        b.addKey("k", 9, bytesOf<uint32_t>(4) + bytesOf<uint64_t>(1ull << 62));
      },
      {"claims 4611686018427387904 elements"});
  expectRefused([](B &b) { b.addKey("k", 8, bytesOf<uint64_t>(~0ull)); },
                {"truncated", "18446744073709551615 bytes"});
  expectRefused(
      [](B &b) {
        b.addKey("k", 0, "1");
        b.addKey("k", 0, "1");
      },
      {"'k' occurs twice"});
  expectRefused([](B &b) { b.addKey("\xff", 0, "1"); }, {"not UTF-8"});
  expectRefused(
      [](B &b) {
        std::string deep;
        for (int i = 0; i != 100; ++i)
          deep += bytesOf<uint32_t>(9) + bytesOf<uint64_t>(1);
        b.addKey("k", 9, deep);
      },
      {"nested deeper"});
  for (uint32_t alignment : {0u, 3u, 1u << 31})
    expectRefused(
        [&](B &b) { b.addKey("general.alignment", 4, bytesOf(alignment)); },
        {"general.alignment is", "power of two"});
  expectRefused([](B &b) { b.addKey("split.count", 2, bytesOf<uint16_t>(2)); },
                {"one of 2 parts"});

  expectRefused([](B &b) { b.addInfo("t", {4}, 4, 0); },
                {"'t' has type number 4"});
  expectRefused([](B &b) { b.addInfo("t", {4}, 0, 8); },
                {"'t' is misaligned: offset 8, expected a multiple of 32"});
  expectRefused([](B &b) { b.addInfo("t", {65}, 0, 0); },
                {"'t' takes 260 bytes from byte 0 of the data, which has 256"});
  expectRefused([](B &b) { b.addInfo("t", {1}, 0, 1ull << 63); },
                {"'t' takes 4 bytes"});
  expectRefused([](B &b) { b.addInfo("t", {31}, 8, 0); },
                {"multiple of 32, the block size of Q8_0"});
  expectRefused([](B &b) { b.addInfo("t", {~0ull}, 0, 0); },
                {"'t' has an extent of 18446744073709551615"});
  expectRefused([](B &b) { b.addInfo("t", {1ull << 40, 1ull << 40}, 0, 0); },
                {"too many elements"});
  expectRefused([](B &b) { b.addInfo("t", std::vector<uint64_t>(9, 1), 0, 0); },
                {"rank 9, expected at most 8"});
  expectRefused(
      [](B &b) {
        b.addInfo("t", {4}, 0, 0);
        b.addInfo("t", {4}, 0, 32);
      },
      {"'t' is defined twice"});
  expectRefused(
      [](B &b) {
        b.addInfo("t", {16}, 0, 0);
        b.addInfo("u", {16}, 0, 32);
      },
      {"'t' and 'u' overlap"});

  TempDir dir;
  expectOpenError(dir.write("x", "ELF!"), {"begins with 'GGUF'", "'ELF!'"});
  expectOpenError(dir.path("absent"), {"absent: cannot open"});
  expectOpenError(dir.write("w.safetensors", ""), {"give the directory"});
}

TEST(GGUF, ownAlignment) {
  TempDir dir;
  GGUFBuilder builder;
  builder.alignment = 8;
  builder.addKey("general.alignment", 4, bytesOf<uint32_t>(8));
  builder.addTensor("a", {1}, 0, bytesOf(2.0f));
  builder.addTensor("b", {1}, 0, bytesOf(3.0f));
  std::unique_ptr<Checkpoint> checkpoint =
      openOrFail(dir.write("m.gguf", builder.build()));
  ASSERT_TRUE(checkpoint);
  float value;
  const TensorInfo *tensor = checkpoint->lookup("b");
  ASSERT_FALSE(errorToBool(decodeToF32(tensor->type, tensor->bytes, value)));
  EXPECT_EQ(value, 3.0f);
}
