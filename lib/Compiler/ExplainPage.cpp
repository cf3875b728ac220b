//===- ExplainPage.cpp - What a model does, as a page -----------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One page that needs nothing else: a drawing of each layer's mask, then the
// text of --explain. A mask is drawn over as many positions as it takes to see
// what repeats, in 32 by 32 tiles. The class of a tile is what generated code
// finds of it: that code is built with the tile's bounds as constants, and
// folded. Attention that is alike in several layers is drawn once.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "weir/Compiler/Explain.h"
#include "weir/IR/TileClasses.h"
#include "weir/IR/Weir.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/Support/Format.h"
#include <array>

using namespace mlir;
using namespace weir;

/// Tiles along each axis of a drawing, and the pixels of one.
static constexpr int64_t Tiles = 32, Pixels = 9;

/// Positions drawn of a mask that reaches any distance, and the most of others.
static constexpr int64_t Unbounded = 1024, MostPositions = 65536;

namespace {
/// Attention of one kind, and where it is.
struct Drawing {
  AttentionOp op;
  std::string layers;
};

/// What is known of a tile. Of a predicate that reads tensors it may be known
/// only when running.
enum TileKind : unsigned { Empty, Full, Partial, Unknown, TileKinds };
} // namespace

/// Text as it stands in a page.
static std::string escape(StringRef text) {
  std::string escaped;
  for (char letter : text)
    if (letter == '<')
      escaped += "&lt;";
    else if (letter == '>')
      escaped += "&gt;";
    else if (letter == '&')
      escaped += "&amp;";
    else
      escaped += letter;
  return escaped;
}

/// The layers of `order` that are of `kind`, runs together: "0-4, 6-10".
static std::string describeLayers(ArrayRef<int32_t> order, int32_t kind) {
  std::string text;
  for (size_t i = 0; i < order.size(); ++i) {
    if (order[i] != kind)
      continue;
    size_t end = i;
    while (end + 1 < order.size() && order[end + 1] == kind)
      ++end;
    text += (text.empty() ? "" : ", ") + std::to_string(i);
    if (end > i)
      text += "-" + std::to_string(end);
    i = end;
  }
  return text;
}

static std::string describeMask(AttentionOp op) {
  std::string text;
  llvm::raw_string_ostream(text) << op.getMask();
  // Without the attribute's name.
  text = StringRef(text)
             .drop_until([](char c) { return c == '<'; })
             .drop_front()
             .drop_back()
             .str();
  if (!op.getWhere().empty())
    text += " where a predicate holds";
  if (op.getBlockList())
    text += ", of blocks that a list names";
  return text;
}

/// How many positions show what the mask repeats.
static int64_t getPositions(AttentionOp op) {
  MaskReach reach = op.getReach();
  int64_t behind = reach.behind.value_or(0), ahead = reach.ahead.value_or(0);
  int64_t positions = Unbounded;
  if (reach.behind || ahead > 0)
    positions = 4 * std::max(behind, ahead);
  return std::clamp<int64_t>(llvm::PowerOf2Ceil(positions), 4 * Tiles,
                             MostPositions);
}

/// The class of the tile of queries and keys that begin at `query` and `key`:
/// what is known of it once all that is constant is folded.
static TileKind classify(AttentionOp op, int64_t query, int64_t key,
                         int64_t size) {
  Location loc = op.getLoc();
  OpBuilder builder(op.getContext());
  Block block;
  builder.setInsertionPointToStart(&block);
  auto range = [&](int64_t first, int64_t count) -> TileRange {
    return {arith::ConstantIndexOp::create(builder, loc, first),
            arith::ConstantIndexOp::create(builder, loc, first + count - 1)};
  };
  TileRange queries = range(query, size), keys = range(key, size);
  TileClass tile =
      buildTileClass(builder, loc, op.getMask().getExpression(), queries, keys);
  if (!op.getWhere().empty()) {
    Block &body = op.getWhere().front();
    auto heads = cast<RankedTensorType>(op.getQuery().getType()).getDimSize(2);
    tile = buildBoth(builder, loc, tile,
                     buildTileClass(builder, loc,
                                    body.getTerminator()->getOperand(0),
                                    {{body.getArgument(0), range(0, 1)},
                                     {body.getArgument(1), range(0, heads)},
                                     {body.getArgument(2), queries},
                                     {body.getArgument(3), keys}}));
  }
  // Held by an operation, so that folding follows them.
  OperationState state(loc, UnrealizedConversionCastOp::getOperationName());
  state.addOperands({tile.any, tile.all});
  state.addTypes(builder.getI1Type());
  Operation *holder = builder.create(state);
  for (Operation &inner : llvm::make_early_inc_range(block)) {
    if (&inner == holder || inner.hasTrait<OpTrait::ConstantLike>())
      continue;
    SmallVector<OpFoldResult> folded;
    if (failed(inner.fold(folded)) || folded.size() != inner.getNumResults())
      continue;
    builder.setInsertionPoint(&inner);
    for (auto [result, value] : llvm::zip_equal(inner.getResults(), folded)) {
      Value replacement = dyn_cast<Value>(value);
      if (!replacement) {
        Operation *constant = inner.getDialect()->materializeConstant(
            builder, cast<Attribute>(value), result.getType(), loc);
        if (!constant)
          constant = op->getContext()
                         ->getLoadedDialect<arith::ArithDialect>()
                         ->materializeConstant(builder, cast<Attribute>(value),
                                               result.getType(), loc);
        if (!constant)
          continue;
        replacement = constant->getResult(0);
      }
      result.replaceAllUsesWith(replacement);
    }
  }
  // What data says may be anything while compiling.
  bool readsData = false;
  op.getWhere().walk([&](tensor::ExtractOp) { readsData = true; });
  APInt any, all;
  bool isKnown = matchPattern(holder->getOperand(0), m_ConstantInt(&any));
  isKnown &= matchPattern(holder->getOperand(1), m_ConstantInt(&all));
  block.dropAllReferences();
  while (!block.empty())
    block.back().erase();
  if (!isKnown)
    return Unknown;
  if (any.isZero())
    return Empty;
  if (!all.isZero())
    return Full;
  return readsData ? Unknown : Partial;
}

static std::string percent(int64_t part, int64_t whole) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format(
      "%.1f%%", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
  return text;
}

/// The tiles of a mask, each query's row below those before it.
static void draw(llvm::raw_ostream &os, const Drawing &drawing) {
  int64_t positions = getPositions(drawing.op), size = positions / Tiles;
  int64_t side = Tiles * Pixels;
  std::string squares;
  llvm::raw_string_ostream svg(squares);
  constexpr std::array<StringRef, TileKinds> Names = {"empty", "full",
                                                      "partial", "unknown"};
  std::array<int64_t, TileKinds> counts = {};
  for (int64_t i = 0; i < Tiles; ++i)
    for (int64_t j = 0; j < Tiles; ++j) {
      TileKind kind = classify(drawing.op, i * size, j * size, size);
      ++counts[kind];
      if (kind != Empty)
        svg << "<rect class=\"" << Names[kind] << "\" x=\"" << j * Pixels
            << "\" y=\"" << i * Pixels << "\" width=\"" << Pixels - 1
            << "\" height=\"" << Pixels - 1 << "\"/>\n";
    }
  constexpr int64_t All = Tiles * Tiles;
  os << "<figure>\n<figcaption><b>" << escape(drawing.layers) << "</b><br>"
     << escape(describeMask(drawing.op)) << "</figcaption>\n"
     << "<svg viewBox=\"-1 -1 " << side + 1 << ' ' << side + 1 << "\" width=\""
     << side << "\" height=\"" << side
     << "\" role=\"img\"><rect class=\"empty\" x=\"-1\" y=\"-1\" width=\""
     << side + 1 << "\" height=\"" << side + 1 << "\"/>\n"
     << svg.str() << "</svg>\n<p>" << positions << " positions, tiles of "
     << size << "<br>skipped " << percent(counts[Empty], All)
     << "<br>without a mask " << percent(counts[Full], All) << "<br>masked "
     << percent(counts[Partial], All);
  if (counts[Unknown])
    os << "<br>seen when running " << percent(counts[Unknown], All);
  os << "</p>\n</figure>\n";
}

/// Attention of the first function that has any, alike ones together.
static SmallVector<Drawing> collect(ModuleOp module) {
  llvm::MapVector<StringRef, Drawing> drawings;
  for (auto function : module.getOps<func::FuncOp>()) {
    function.walk<WalkOrder::PreOrder>([&](AttentionOp op) {
      std::string where = "@" + function.getSymName().str();
      if (auto stack = op->getParentOfType<StackOp>())
        for (auto [kind, region] : llvm::enumerate(stack.getKinds()))
          if (region.isAncestor(op->getParentRegion()))
            where =
                (stack.getLayerCount(kind) == 1 ? "layer " : "layers ") +
                describeLayers(stack.getOrder(), static_cast<int32_t>(kind));
      std::string key = where + describeMask(op);
      StringRef name = StringAttr::get(op.getContext(), key).getValue();
      drawings.insert({name, {op, where}});
    });
    if (!drawings.empty())
      break;
  }
  SmallVector<Drawing> found;
  for (auto &[key, drawing] : drawings)
    found.push_back(drawing);
  return found;
}

void weir::explainModuleAsPage(llvm::raw_ostream &os, ModuleOp module,
                               const ExplainOptions &options) {
  os << R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>weirc --explain</title>
<style>
body { font: 15px sans-serif; margin: 2em; color: #222; }
pre { font: 13px monospace; overflow-x: auto; }
figure { display: inline-block; vertical-align: top; margin: 0 2em 1.5em 0; }
figcaption { max-width: 288px; margin-bottom: 0.5em; }
.empty { fill: #e8e8e8; }
.full { fill: #2f6f9f; }
.partial { fill: #e39b3b; }
.unknown { fill: #a88bb8; }
.key { display: inline-block; width: 1em; height: 1em; margin: 0 0.4em 0 1em;
       vertical-align: -0.1em; }
</style>
</head>
<body>
<h1>What attends to what</h1>
)";
  SmallVector<Drawing> drawings = collect(module);
  if (drawings.empty())
    os << "<p>Nothing attends.</p>\n";
  else
    os << "<p>Queries go down, keys to the right."
          "<span class=\"key\" style=\"background:#e8e8e8\"></span>skipped"
          "<span class=\"key\" style=\"background:#2f6f9f\"></span>computed "
          "without a mask"
          "<span class=\"key\" style=\"background:#e39b3b\"></span>masked pair "
          "by pair"
          "<span class=\"key\" style=\"background:#a88bb8\"></span>as data "
          "says, seen when running</p>\n";
  for (const Drawing &drawing : drawings)
    draw(os, drawing);
  std::string text;
  llvm::raw_string_ostream table(text);
  explainModule(table, module, options);
  os << "<h1>What is computed</h1>\n<pre>\n"
     << escape(table.str()) << "</pre>\n</body>\n</html>\n";
}
