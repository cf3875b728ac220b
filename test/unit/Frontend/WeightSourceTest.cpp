//===- WeightSourceTest.cpp - Evaluation of weight expressions -----------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Frontend/WeightSource.h"
#include "TestFiles.h"

#include <numeric>
#include <random>

using namespace llvm;
using namespace weir;

/// Unwraps what must succeed.
template <typename T>
static T get(Expected<T> value) {
  if (value)
    return std::move(*value);
  ADD_FAILURE() << toString(value.takeError());
  return T();
}

template <typename T>
static bool fails(Expected<T> value) {
  bool failed = !value;
  consumeError(value.takeError());
  return failed;
}

/// A constant that counts from `first`.
static WeightRef count(std::vector<int64_t> shape, float first = 0) {
  int64_t size = 1;
  for (int64_t extent : shape)
    size *= extent;
  std::vector<float> values(size);
  std::iota(values.begin(), values.end(), first);
  return get(WeightSource::constant(values, shape));
}

/// Reads all, and checks that reading by random ranges and by rows agrees.
static std::vector<float> readAll(const WeightRef &source) {
  std::vector<float> all = get(source->evaluate());
  std::mt19937 random(5);
  int64_t size = source->getNumElements();
  for (int i = 0; i != 40 && size != 0; ++i) {
    int64_t begin = random() % size;
    int64_t end = begin + random() % (size - begin + 1);
    std::vector<float> part(end - begin);
    EXPECT_FALSE(errorToBool(source->read(begin, part)));
    EXPECT_EQ(part, std::vector<float>(all.begin() + begin, all.begin() + end))
        << begin << " to " << end;
  }
  std::vector<float> rows;
  if (!source->shape().empty())
    for (int64_t i = 0; i != source->shape().front(); ++i)
      for (float value : get(source->evaluateSlice(i)))
        rows.push_back(value);
  if (!source->shape().empty()) {
    EXPECT_EQ(rows, all);
  }
  return all;
}

using V = std::vector<float>;

TEST(WeightSource, stackAndConcat) {
  WeightRef a = count({2, 2}), b = count({2, 2}, 10), c = count({2, 1}, 20);
  WeightRef stacked = get(WeightSource::stack({a, b, a}));
  EXPECT_EQ(stacked->shape(), ArrayRef<int64_t>({3, 2, 2}));
  EXPECT_EQ(readAll(stacked), V({0, 1, 2, 3, 10, 11, 12, 13, 0, 1, 2, 3}));
  WeightRef rows = get(WeightSource::concat(0, {a, b}));
  EXPECT_EQ(readAll(rows), V({0, 1, 2, 3, 10, 11, 12, 13}));
  WeightRef columns = get(WeightSource::concat(1, {a, c, b}));
  EXPECT_EQ(columns->shape(), ArrayRef<int64_t>({2, 5}));
  EXPECT_EQ(readAll(columns), V({0, 1, 20, 10, 11, 2, 3, 21, 12, 13}));
  // Scalars stack to a vector; empty parts add nothing.
  WeightRef scalar = count({}, 7);
  EXPECT_EQ(readAll(get(WeightSource::stack({scalar, scalar}))), V({7, 7}));
  WeightRef empty = count({0, 2});
  EXPECT_EQ(readAll(get(WeightSource::concat(0, {empty, a, empty}))),
            V({0, 1, 2, 3}));

  EXPECT_TRUE(fails(WeightSource::stack({})));
  EXPECT_TRUE(fails(WeightSource::stack({a, c})));
  EXPECT_TRUE(fails(WeightSource::concat(0, {})));
  EXPECT_TRUE(fails(WeightSource::concat(0, {a, c})));
  EXPECT_TRUE(fails(WeightSource::concat(1, {a, scalar})));
  EXPECT_TRUE(fails(WeightSource::concat(2, {a, a})));
  EXPECT_TRUE(fails(WeightSource::constant({1.0f}, {2})));
}

TEST(WeightSource, permuteReshapeSlice) {
  WeightRef a = count({2, 3});
  EXPECT_EQ(readAll(get(WeightSource::permute({1, 0}, a))),
            V({0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(get(WeightSource::permute({0, 1}, a)), a);
  WeightRef cube = count({2, 3, 2});
  EXPECT_EQ(readAll(get(WeightSource::permute({1, 0, 2}, cube))),
            V({0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11}));
  EXPECT_EQ(readAll(get(WeightSource::permute({0, 2, 1}, cube))),
            V({0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11}));
  // There and back is nothing.
  WeightRef there = get(WeightSource::permute({2, 0, 1}, cube));
  EXPECT_EQ(get(WeightSource::permute({1, 2, 0}, there)), cube);

  WeightRef flat = get(WeightSource::reshape({6}, a));
  EXPECT_EQ(readAll(flat), V({0, 1, 2, 3, 4, 5}));
  WeightRef box = get(WeightSource::slice({0, 1, 0}, {2, 2, 1}, cube));
  EXPECT_EQ(readAll(box), V({2, 4, 8, 10}));
  EXPECT_EQ(readAll(get(WeightSource::slice({0, 1, 0}, {2, 1, 2}, cube))),
            V({2, 3, 8, 9}));
  WeightRef transposed = get(WeightSource::permute({1, 0}, a));
  EXPECT_EQ(readAll(get(WeightSource::slice({1, 0}, {2, 1}, transposed))),
            V({1, 2}));

  EXPECT_TRUE(fails(WeightSource::permute({0, 0}, a)));
  EXPECT_TRUE(fails(WeightSource::permute({0}, a)));
  EXPECT_TRUE(fails(WeightSource::reshape({4}, a)));
  EXPECT_TRUE(fails(WeightSource::reshape({-2, -3}, a)));
  EXPECT_TRUE(fails(WeightSource::slice({0, 2}, {2, 2}, a)));
  EXPECT_TRUE(fails(WeightSource::slice({-1, 0}, {1, 1}, a)));
  EXPECT_TRUE(fails(WeightSource::slice({0}, {1}, a)));
  std::vector<float> out(7);
  EXPECT_TRUE(errorToBool(a->read(0, out)));
  EXPECT_TRUE(errorToBool(a->readRows(0, 3, out)));
  EXPECT_TRUE(fails(a->evaluateSlice(2)));
  EXPECT_TRUE(fails(a->evaluateSlice(-1)));
}

TEST(WeightSource, scattersInsideOthers) {
  // Every node over transposed sources, against the plain index arithmetic.
  WeightRef a = count({5, 37}), b = count({5, 37}, 1000);
  WeightRef at = get(WeightSource::permute({1, 0}, a));
  WeightRef bt = get(WeightSource::permute({1, 0}, b));
  WeightRef joined = get(WeightSource::concat(1, {at, bt}));
  WeightRef stacked = get(WeightSource::stack({joined, joined}));
  WeightRef cut = get(WeightSource::slice({1, 3, 2}, {1, 30, 6}, stacked));
  WeightRef back = get(WeightSource::permute({2, 0, 1}, cut));
  WeightRef flat = get(WeightSource::reshape({6, 30}, back));
  std::vector<float> values = readAll(flat);
  for (int64_t i = 0; i != 6; ++i)
    for (int64_t j = 0; j != 30; ++j) {
      int64_t column = i + 2, row = j + 3;
      float expected =
          column < 5 ? column * 37 + row : 1000 + (column - 5) * 37 + row;
      ASSERT_EQ(values[i * 30 + j], expected) << i << ", " << j;
    }
  readAll(stacked);
  WeightRef again = get(WeightSource::reshape({37, 2, 5}, joined));
  readAll(get(WeightSource::permute({1, 0, 2}, again)));
  readAll(get(WeightSource::concat(0, {joined, joined, joined})));
  readAll(get(WeightSource::cast(StorageType::BF16, joined)));
}

TEST(WeightSource, largeInThreads) {
  WeightRef a = count({3, 700, 512});
  WeightRef t = get(WeightSource::permute({0, 2, 1}, a));
  std::vector<float> values = get(t->evaluate());
  for (int64_t i = 0; i != 3; ++i)
    for (int64_t j = 0; j != 512; ++j)
      for (int64_t k = 0; k != 700; ++k)
        ASSERT_EQ(values[(i * 512 + j) * 700 + k], (i * 700 + k) * 512 + j);
}

TEST(WeightSource, cast) {
  WeightRef a = get(WeightSource::constant({1.0f + 0x1p-9f, 3.0f}, {2}));
  WeightRef b = get(WeightSource::cast(StorageType::BF16, a));
  EXPECT_EQ(readAll(b), V({1.0f, 3.0f}));
  EXPECT_EQ(b->storedType(), StorageType::BF16);
  EXPECT_EQ(get(WeightSource::cast(StorageType::F32, a)), a);
  EXPECT_TRUE(fails(WeightSource::cast(StorageType::Q8_0, a)));
}

namespace {

/// Four matrices of random blocks of one type, and one of halves.
struct Blocks : testing::TestWithParam<StorageType> {
  void SetUp() override {
    std::mt19937 random(23);
    GGUFBuilder builder;
    size_t stride = getBytesPerBlock(GetParam());
    for (int i = 0; i != 4; ++i) {
      std::string bytes(stride * 6 * 2, '\0');
      for (char &byte : bytes)
        byte = static_cast<char>(random());
      for (size_t at = 0; at != bytes.size(); at += stride)
        for (size_t high : {0, 1, 3}) // finite scales
          bytes[at + high] &= static_cast<char>(high ? 0xbf : 0x7f);
      uint32_t type = GetParam() == StorageType::Q8_0    ? 8
                      : GetParam() == StorageType::Q4_0  ? 2
                      : GetParam() == StorageType::MXFP4 ? 39
                                                         : 3;
      builder.addTensor(std::string(1, static_cast<char>('a' + i)), {64, 6},
                        type, bytes);
    }
    builder.addTensor("h", {64, 6}, 1, std::string(64 * 6 * 2, '\0'));
    checkpoint = openOrFail(dir.write("m.gguf", builder.build()));
    ASSERT_TRUE(checkpoint);
  }
  WeightRef leaf(StringRef name) {
    return get(WeightSource::leaf(*checkpoint, name));
  }
  /// The blocks of all rows stand for the values that reading gives.
  void expectBlocks(const WeightRef &source) {
    ASSERT_EQ(source->blockType(), GetParam());
    int64_t rows = source->getNumElements() / source->shape().back();
    std::optional<QuantizedRows> blocks = get(source->blockRows(0, rows));
    ASSERT_TRUE(blocks);
    EXPECT_EQ(blocks->numCols, source->shape().back());
    EXPECT_EQ(dequantize(*blocks), readAll(source));
  }

  TempDir dir;
  std::unique_ptr<Checkpoint> checkpoint;
};

} // namespace

TEST_P(Blocks, throughRowRearrangements) {
  WeightRef a = leaf("a"), b = leaf("b"), c = leaf("c"), h = leaf("h");
  EXPECT_EQ(checkpoint->unusedTensors(), std::vector<StringRef>({"d"}));
  expectBlocks(a);
  WeightRef ab = get(WeightSource::concat(0, {a, b, c}));
  expectBlocks(ab);
  WeightRef ba = get(WeightSource::concat(0, {c, b, a}));
  WeightRef stacked = get(WeightSource::stack({ab, ba}));
  expectBlocks(stacked);
  EXPECT_EQ(dequantize(*get(stacked->blocks(1))), readAll(ba));
  // The rows of heads interleaved, as rotary embeddings need them.
  WeightRef heads = get(WeightSource::reshape(
      {2, 18 / 2 * 2 / 6, 3, 64}, get(WeightSource::reshape({18, 64}, ab))));
  WeightRef swapped = get(WeightSource::permute({0, 2, 1, 3}, heads));
  expectBlocks(get(WeightSource::reshape({18, 64}, swapped)));
  expectBlocks(get(WeightSource::slice({1, 4, 0}, {1, 9, 64}, stacked)));
  expectBlocks(get(
      WeightSource::concat(1, {stacked, get(WeightSource::stack({a, b}))})));

  // What breaks rows or mixes types has none.
  for (const WeightRef &source :
       {get(WeightSource::permute({1, 0}, a)),
        get(WeightSource::concat(1, {a, b})),
        get(WeightSource::concat(0, {a, h})),
        get(WeightSource::reshape({12, 32}, a)),
        get(WeightSource::slice({0, 0}, {6, 32}, a)),
        get(WeightSource::cast(StorageType::F16, a)), h}) {
    EXPECT_FALSE(source->blockType());
    EXPECT_FALSE(get(source->blockRows(0, 1)));
    readAll(source);
  }
  EXPECT_EQ(h->storedType(), StorageType::F16);
  EXPECT_FALSE(get(WeightSource::concat(0, {a, h}))->storedType());
  EXPECT_TRUE(fails(stacked->blocks(2)));
  EXPECT_TRUE(fails(a->blockRows(4, 7)));
  EXPECT_TRUE(fails(WeightSource::leaf(*checkpoint, "missing")));
}

INSTANTIATE_TEST_SUITE_P(Types, Blocks,
                         testing::Values(StorageType::Q8_0, StorageType::Q4_0,
                                         StorageType::Q4_1, StorageType::MXFP4),
                         [](const auto &info) {
                           return getStorageTypeName(info.param).str();
                         });

TEST(WeightSource, undecodableLeaf) {
  TensorInfo tensor;
  tensor.name = "w";
  tensor.type = StorageType::Q2_K;
  Expected<WeightRef> leaf = WeightSource::leaf(tensor);
  ASSERT_FALSE(bool(leaf));
  EXPECT_NE(toString(leaf.takeError())
                .find("'w': cannot decode weights stored "
                      "as Q2_K"),
            std::string::npos);
}
