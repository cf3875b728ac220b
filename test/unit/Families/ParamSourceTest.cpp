//===- ParamSourceTest.cpp - The numbers of parameters --------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Models.h"
#include "mlir/Parser/Parser.h"

using namespace llvm;
using namespace weir;

namespace {

/// A module of parameters, over a checkpoint with `a` = [[0, 1, 2], [3, 4, 5]]
/// / 1024 and the layers `l.0`, `l.1` = [1, 1 + 1/1024], [2, 2 + 1/1024].
struct ParamSourceTest : public testing::Test {
  void SetUp() override {
    SmallModel model;
    model.addTensor("a", {2, 3});
    model.addTensor("l.0", {2});
    model.addTensor("l.1", {2});
    model.config["model_type"] = "none";
    model.write(dir);
    checkpoint = openOrFail(dir.path());
    loadImportDialects(context);
  }

  /// The numbers of @p of the module, or the message of the error.
  std::vector<float> evaluate(StringRef text, std::string &message,
                              bool withCheckpoint = true) {
    // Modules made by a program may never have met the verifier.
    module = mlir::parseSourceString<mlir::ModuleOp>(
        text, mlir::ParserConfig(&context, /*verifyAfterParse=*/false));
    if (!module) {
      ADD_FAILURE() << text.str();
      return {};
    }
    mlir::SymbolTable symbols(*module);
    auto source = buildParamSource(symbols.lookup<ParamOp>("p"), symbols,
                                   withCheckpoint ? checkpoint.get() : nullptr);
    if (!source) {
      message = toString(source.takeError());
      return {};
    }
    return cantFail((*source)->evaluate());
  }

  void expectValues(StringRef text, std::vector<float> expected) {
    std::string message;
    EXPECT_EQ(evaluate(text, message), expected) << message;
  }
  void expectFailure(StringRef text, StringRef part,
                     bool withCheckpoint = true) {
    std::string message;
    EXPECT_TRUE(evaluate(text, message, withCheckpoint).empty());
    EXPECT_NE(message.find(part.str()), std::string::npos) << message;
  }

  TempDir dir;
  std::unique_ptr<Checkpoint> checkpoint;
  mlir::MLIRContext context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

} // namespace

/// n / 1024.
static float part(int n) { return static_cast<float>(n) / 1024; }

TEST_F(ParamSourceTest, expressions) {
  expectValues(
      R"(weir.param @p : tensor<2xf32> = dense<[1.0, 2.5]> : tensor<2xf32>)",
      {1, 2.5});
  expectValues(R"(weir.param @p : tensor<2xf64> = dense<3.0> : tensor<2xf64>)",
               {3, 3});
  expectValues(
      R"(weir.param @p : tensor<2x2xf32> = #weir.checkpoint<"l.*", [1, 0]>)",
      {2, 2 + part(1), 1, 1 + part(1)});
  StringRef a = R"(weir.param @a : tensor<2x3xf32> = #weir.checkpoint<"a">
)";
  expectValues(
      (a + "weir.param @p : tensor<3x2xf32> = #weir.transpose<@a, [1, 0]>")
          .str(),
      {0, part(3), part(1), part(4), part(2), part(5)});
  expectValues((a + "weir.param @p : tensor<2x1xf32> = #weir.slice<@a, axis = "
                    "1, offset = 2, size = 1>")
                   .str(),
               {part(2), part(5)});
  expectValues((a + "weir.param @p : tensor<6xf32> = #weir.reshape<@a>").str(),
               {0, part(1), part(2), part(3), part(4), part(5)});
  expectValues(
      (a + "weir.param @b : tensor<1x3xf32> = dense<7.0> : tensor<1x3xf32>\n"
           "weir.param @p : tensor<3x3xf32> = #weir.concat<[@b, @a], axis = 0>")
          .str(),
      {7, 7, 7, 0, part(1), part(2), part(3), part(4), part(5)});
}

TEST_F(ParamSourceTest, errors) {
  expectFailure(R"(weir.param @p : tensor<2xf32> = #weir.checkpoint<"b">)",
                "no tensor named 'b'");
  expectFailure(R"(weir.param @p : tensor<2xf32> = #weir.checkpoint<"a">)",
                "when there is no checkpoint", false);
  expectFailure(R"(weir.param @p : tensor<2xf32> = #weir.checkpoint<"a">)",
                "has extents [2] and its source [2, 3]");
  expectFailure("weir.param @p : tensor<2xf32> = #weir.reshape<@q>",
                "names @q, which is no weir.param");
  expectFailure("weir.param @p : tensor<2xf32> = #weir.reshape<@q>\n"
                "weir.param @q : tensor<2xf32> = #weir.reshape<@p>",
                "parameter @p is made of itself");
  expectFailure("weir.param @a : tensor<2x3xf32> = #weir.checkpoint<\"a\">\n"
                "weir.param @p : tensor<2xf32> = #weir.slice<@a, axis = 2, "
                "offset = 0, size = 1>",
                "along axis 2");
  expectFailure("weir.param @a : tensor<2x3xf32> = #weir.checkpoint<\"a\">\n"
                "weir.param @p : tensor<1x3x16xf32> = #weir.pack<@a, values, "
                "panel = 16, bits = 32, group = 0>",
                "is packed");
}
