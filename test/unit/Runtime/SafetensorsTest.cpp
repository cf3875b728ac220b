//===- SafetensorsTest.cpp - Tests of named tensors in files --------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Safetensors.h"
#include "DType.h"
#include "TemporaryFile.h"

#include <cstring>
#include <random>

using namespace weir::rt;

static std::string encode(const std::string &header,
                          const std::string &data = "") {
  std::string text(8, '\0');
  for (int i = 0; i < 8; ++i)
    text[i] = static_cast<char>(uint64_t(header.size()) >> (8 * i));
  return text + header + data;
}

/// The error for the contents, or "" when they are accepted. The bytes are
/// copied to a block of their very size, for sanitizers to see overruns.
static std::string parse(const std::string &contents,
                         std::vector<TensorView> *result = nullptr) {
  std::vector<uint8_t> exact(contents.begin(), contents.end());
  exact.shrink_to_fit();
  std::vector<TensorView> tensors;
  std::string error;
  if (!parseSafetensors(exact.data(), exact.size(), tensors, error)) {
    EXPECT_FALSE(error.empty());
    return error;
  }
  if (result)
    *result = tensors;
  return "";
}

static std::string tensor(const std::string &name, const std::string &type,
                          const std::string &shape,
                          const std::string &offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + type + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

TEST(Safetensors, ReadsAllTypes) {
  const char *types[] = {"F64", "F32", "F16", "BF16", "I64",
                         "I32", "I16", "I8",  "U8",   "BOOL"};
  for (const char *type : types) {
    int32_t dtype;
    ASSERT_TRUE(dtypeFromName(type, dtype));
    size_t bytes = 2 * dtypeSize(dtype);
    std::vector<TensorView> tensors;
    EXPECT_EQ(parse(encode("{" +
                               tensor("x", type, "[1,2]",
                                      "[0," + std::to_string(bytes) + "]") +
                               "}",
                           std::string(bytes, 'a')),
                    &tensors),
              "");
    ASSERT_EQ(tensors.size(), 1u);
    EXPECT_EQ(tensors[0].dtype, dtype);
    EXPECT_EQ(tensors[0].bytes, bytes);
  }
}

TEST(Safetensors, ReadsScalarsEmptyTensorsAndMetadata) {
  std::vector<TensorView> tensors;
  EXPECT_EQ(parse(encode("{\"__metadata__\":{\"format\":\"pt\"}," +
                             tensor("b", "U8", "[]", "[0,1]") + "," +
                             tensor("a", "F32", "[0,5]", "[0,0]") + "}  ",
                         "z"),
                  &tensors),
            "");
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[0].name, "a");
  EXPECT_EQ(tensors[1].name, "b");
  EXPECT_TRUE(tensors[1].shape.empty());
}

TEST(Safetensors, RefusesWhatIsWrong) {
  std::string good = tensor("x", "U8", "[2]", "[0,2]");
  EXPECT_EQ(parse("abc"), "file has 3 bytes, too few for a safetensors header");
  EXPECT_EQ(parse(std::string(7, '\xff') + std::string(1, '\x7f') + "{}"),
            "header claims 9223372036854775807 bytes and the file has 2 after "
            "its length: not a safetensors file, or a truncated one");
  EXPECT_EQ(parse(encode("{" + good + "," + good + "}", "ab")),
            "tensor 'x': the name appears twice");
  EXPECT_EQ(parse(encode("{" + tensor("x", "U4", "[2]", "[0,2]") + "}", "ab")),
            "tensor 'x': element type 'U4' is not one of F64, F32, F16, BF16, "
            "I64, I32, I16, I8, U8, BOOL");
  EXPECT_EQ(parse(encode("{" + tensor("x", "U8", "[3]", "[0,2]") + "}", "ab")),
            "tensor 'x': data_offsets span 2 bytes, but U8 [3] needs 3");
  EXPECT_EQ(parse(encode("{" + tensor("x", "U8", "[2]", "[0,2]") + "}", "a")),
            "tensor 'x': data_offsets [0, 2] lie outside the 1 bytes of data: "
            "truncated file");
  EXPECT_EQ(parse(encode("{" + tensor("x", "U8", "[2]", "[2,0]") + "}", "ab")),
            "tensor 'x': data_offsets [2, 0] lie outside the 2 bytes of data: "
            "truncated file");
  EXPECT_EQ(
      parse(encode("{" + good + "," + tensor("y", "U8", "[2]", "[1,3]") + "}",
                   "abc")),
      "tensor 'y': data starts at 1, expected 2 (it overlaps another "
      "tensor)");
  EXPECT_EQ(
      parse(encode("{" + good + "," + tensor("y", "U8", "[1]", "[3,4]") + "}",
                   "abcd")),
      "tensor 'y': data starts at 3, expected 2 (bytes before it belong "
      "to no tensor)");
  EXPECT_EQ(parse(encode("{" + good + "}", "abc")),
            "file has 1 bytes after its last tensor");
  EXPECT_EQ(
      parse(encode(
          "{" + tensor("x", "F32", "[4611686018427387904,4]", "[0,0]") + "}")),
      "tensor 'x': shape [4611686018427387904, 4] is too large");
  EXPECT_EQ(parse(encode("{" + tensor("x", "U8", "[-1]", "[0,0]") + "}")),
            "tensor 'x': header holds number -1 where none may be");
  EXPECT_EQ(parse(encode("{" + tensor("x", "U8", "[1.5]", "[0,0]") + "}")),
            "tensor 'x': header holds number 1.5 where none may be");
  EXPECT_EQ(
      parse(encode("{" + tensor("x", "U8", "[18446744073709551615]", "[0,0]") +
                   "}")),
      "tensor 'x': number 18446744073709551615 is too large");
  EXPECT_EQ(parse(encode("{" + tensor("x", "U8", "[0]", "[0]") + "}")),
            "tensor 'x': data_offsets has 1 numbers, expected 2");
  EXPECT_EQ(parse(encode("{\"x\":{\"dtype\":\"U8\",\"shape\":[0]}}")),
            "tensor 'x': field 'data_offsets' is missing");
  EXPECT_EQ(parse(encode("{\"x\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}")),
            "tensor 'x': field 'dtype' appears twice");
  EXPECT_EQ(parse(encode("{\"x\":{\"stride\":[0]}}")),
            "tensor 'x': field 'stride' is not known");
  EXPECT_EQ(parse(encode("{\"x\":{\"shape\":[[0]]}}")),
            "tensor 'x': header holds an array where none may be");
  EXPECT_EQ(parse(encode("{\"x\":null}")),
            "tensor 'x': header holds null where none may be");
  EXPECT_EQ(parse(encode("[]")), "header holds an array where none may be");
  EXPECT_EQ(parse(encode("7")), "header holds number 7 where none may be");
  EXPECT_EQ(parse(encode("{")), "header is not valid JSON at byte 2");
  EXPECT_EQ(parse(encode("")), "header is not valid JSON at byte 1");
  EXPECT_EQ(parse(encode("{} {}")), "header is not valid JSON at byte 4");
  // Nesting is refused before it could exhaust anything.
  EXPECT_EQ(parse(encode(std::string(1000000, '['))),
            "header holds an array where none may be");
}

TEST(Safetensors, NoPrefixOrFlippedByteCrashes) {
  std::string whole = encode("{" + tensor("x", "F32", "[2]", "[0,8]") + "," +
                                 tensor("y", "BOOL", "[2]", "[8,10]") + "}",
                             "0123456789");
  ASSERT_EQ(parse(whole), "");
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(parse(whole.substr(0, size)), "") << size;
  for (size_t at = 0; at < whole.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = whole;
      flipped[at] = static_cast<char>(flipped[at] ^ (1 << bit));
      parse(flipped);
    }
}

TEST(Safetensors, WritesWhatItReads) {
  TemporaryFile file;
  float x[] = {1, 2, 3};
  int64_t y = -5;
  std::vector<TensorView> tensors = {
      {"logits \"quoted\" \xc3\xa9", WEIR_F32, {1, 3}, x, sizeof(x)},
      {"y", WEIR_I64, {}, &y, sizeof(y)},
      {"empty", WEIR_U8, {0}, nullptr, 0}};
  std::string error;
  ASSERT_TRUE(writeSafetensors(file.path, tensors, error)) << error;
  auto read = SafetensorsFile::open(file.path, error);
  ASSERT_TRUE(read) << error;
  ASSERT_EQ(read->tensors().size(), 3u);
  for (const TensorView &tensor : tensors) {
    const TensorView *found = read->find(tensor.name);
    ASSERT_TRUE(found) << tensor.name;
    EXPECT_EQ(found->dtype, tensor.dtype);
    EXPECT_EQ(found->shape, tensor.shape);
    ASSERT_EQ(found->bytes, tensor.bytes);
    if (tensor.bytes) {
      EXPECT_EQ(std::memcmp(found->data, tensor.data, tensor.bytes), 0);
    }
  }
  EXPECT_EQ(read->find("z"), nullptr);
}

TEST(Safetensors, WriterRefusesWhatIsWrong) {
  TemporaryFile file;
  std::string error;
  uint8_t data[4] = {};
  EXPECT_FALSE(
      writeSafetensors(file.path, {{"x", WEIR_F32, {2}, data, 4}}, error));
  EXPECT_EQ(error,
            "tensor 'x' has 4 bytes, which its shape [2] does not account for");
  EXPECT_FALSE(writeSafetensors(
      file.path, {{"x", WEIR_F32, {1}, data, 4}, {"x", WEIR_F32, {1}, data, 4}},
      error));
  EXPECT_EQ(error, "tensor name 'x' is taken");
  EXPECT_FALSE(file.exists());
  EXPECT_FALSE(writeSafetensors("/nonexistent/x", {}, error));
  EXPECT_EQ(error, "cannot create '/nonexistent/x': No such file or directory");
}

TEST(Safetensors, OpenNamesTheFile) {
  std::string error;
  EXPECT_EQ(SafetensorsFile::open("/nonexistent", error), nullptr);
  EXPECT_EQ(error, "cannot open '/nonexistent': No such file or directory");
  EXPECT_EQ(SafetensorsFile::open("/", error), nullptr);
  EXPECT_EQ(error, "cannot read '/': it is not a regular file");
  TemporaryFile file("x");
  EXPECT_EQ(SafetensorsFile::open(file.path, error), nullptr);
  EXPECT_EQ(error, "cannot read '" + file.path +
                       "': file has 1 bytes, too few for a safetensors header");
}
