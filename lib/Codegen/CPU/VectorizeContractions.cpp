//===- VectorizeContractions.cpp - Matrix products in registers -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A contraction with one row axis i, one column axis j and one summed axis k,
// on tiles that fit the caches, so that only registers matter here.
//
// Outer products: a register tile is R rows x C vectors of columns. Each step
// along k loads C vectors of the second factor and R elements of the first, and
// does R * C fused multiply-adds. R * C = 24 fills the 32 registers of AVX-512
// and keeps both multiply units busy; of such tiles the one is taken that fits
// the extents best (64 rows of 96 columns: 8 by 3).
//
// Dot products: for each of R x C pairs of rows of both factors, a vector of
// partial sums along k, added up across its lanes at the end.
//
// A start that is another tensor times a number, or times a number a row (the
// state of a recurrence that decays) or a column (sums of a softmax whose
// maximum grows), is scaled as it is loaded.
//
// Static extents are cut evenly (50 rows are 5 tiles of 10), dynamic ones into
// whole tiles and then single rows.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "weir/Codegen/ExtentBounds.h"
#include "weir/Codegen/Passes.h"

namespace weir {
#define GEN_PASS_DEF_VECTORIZECONTRACTIONS
#include "weir/Codegen/CPUPasses.h.inc"
} // namespace weir

using namespace mlir;

/// Multiply-adds in one pass of a loop, beside which its counting is cheap.
static constexpr int64_t MultipliesPerPass = 64;

/// Has LLVM make `count` passes of `loop` one, behind what simplifies them: an
/// analysis of tensors and most of compiling then see each operation once.
static void unrollBy(scf::ForOp loop, int64_t count) {
  if (count < 2)
    return;
  MLIRContext *context = loop.getContext();
  auto unroll = LLVM::LoopUnrollAttr::get(
      context, /*disable=*/{}, Builder(context).getI32IntegerAttr(count),
      /*runtimeDisable=*/{}, /*full=*/{}, /*followupUnrolled=*/{},
      /*followupRemainder=*/{}, /*followupAll=*/{});
  loop->setAttr(LLVM::LoopAnnotationAttr::name,
                LLVM::LoopAnnotationAttr::get(
                    context, /*disableNonforced=*/{}, /*vectorize=*/{},
                    /*interleave=*/{}, unroll, /*unrollAndJam=*/{}, /*licm=*/{},
                    /*distribute=*/{}, /*pipeline=*/{}, /*peeled=*/{},
                    /*unswitch=*/{}, /*mustProgress=*/{}, /*isVectorized=*/{},
                    /*startLoc=*/{}, /*endLoc=*/{}, /*parallelAccesses=*/{}));
}

namespace {
/// A factor of the product: a matrix and which of its axes is summed over.
struct Factor {
  Value tensor;
  /// The axis summed over: 0 or 1. The other one is a result axis.
  unsigned summed;
};

/// A contraction of the kind this pass handles.
struct Contraction {
  Operation *op;
  Factor lhs; ///< has the rows
  Factor rhs; ///< has the columns
  /// The result's start: a tensor to update, or a number to start from.
  Value destination;
  std::optional<Value> start;
  /// What the tensor to update is multiplied by first, if anything: a number, a
  /// tensor of one, or one number a row or a column.
  Value scale;
  bool scalesColumns = false;
  Type element;
};

/// Consecutive tiles of one size along an axis.
struct Span {
  Value first, last;
  int64_t size;
};

/// A register tile: rows, and vectors of columns.
struct RegisterTile {
  int64_t rows, vectors;
};

/// Emits the loops of one contraction.
class ContractionEmitter {
public:
  ContractionEmitter(OpBuilder &builder, const Contraction &contraction,
                     int64_t lanes, int64_t rows)
      : builder(builder), loc(contraction.op->getLoc()), c(contraction),
        lanes(lanes), rows(rows) {}

  Value emitOuterProducts();
  Value emitDotProducts();

private:
  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }
  Value add(Value a, int64_t b) {
    return b ? arith::AddIOp::create(builder, loc, a, constant(b)) : a;
  }
  Value getDim(Value tensor, int64_t axis) {
    return builder.createOrFold<tensor::DimOp>(loc, tensor, axis);
  }
  Value widen(Value value) {
    Type type = c.element;
    if (auto vector = dyn_cast<VectorType>(value.getType()))
      type = vector.clone(type);
    if (value.getType() == type)
      return value;
    return arith::ExtFOp::create(builder, loc, type, value);
  }
  /// `size` elements along the last axis.
  Value load(Value tensor, Value row, Value column, int64_t size) {
    Type element = cast<RankedTensorType>(tensor.getType()).getElementType();
    return vector::TransferReadOp::create(
        builder, loc, VectorType::get({size}, element), tensor,
        ValueRange{row, column}, /*padding=*/std::nullopt,
        ArrayRef<bool>{true});
  }
  Value store(Value vector, Value tensor, Value row, Value column) {
    return vector::TransferWriteOp::create(builder, loc, vector, tensor,
                                           ValueRange{row, column},
                                           ArrayRef<bool>{true})
        .getResult();
  }
  /// Cuts an axis of `extent` (or, if dynamic, of `dynamic`) into tiles of at
  /// most `size`.
  SmallVector<Span> cut(int64_t extent, Value dynamic, int64_t size);
  /// A loop over the tiles of `span` that hands on a tensor.
  Value forEach(const Span &span, Value tensor,
                llvm::function_ref<Value(Value first, Value tensor)> body);
  /// What `sums` are after all steps along the summed axis, some to a pass.
  using StepFn =
      llvm::function_ref<SmallVector<Value>(Value k, ArrayRef<Value> sums)>;
  SmallVector<Value> sumOver(ArrayRef<Value> sums, StepFn step);
  /// A number by which row `row` of the tensor to update is multiplied.
  Value getScale(Value row);
  /// All columns of `rowCount` rows from `row` on.
  Value emitRows(Value tensor, Value row, int64_t rowCount, int64_t vectors);
  /// `vectors` vectors of columns from `column` on, of all rows.
  Value emitColumns(Value tensor, Value column, ArrayRef<int64_t> widths,
                    ArrayRef<Span> rowSpans);
  /// Vectors that are left of the columns behind `done`.
  SmallVector<int64_t> getRest(int64_t columns, int64_t done) {
    SmallVector<int64_t> widths((columns - done) / lanes, lanes);
    if (int64_t rest = (columns - done) % lanes)
      widths.push_back(rest);
    return widths;
  }
  bool hasLargeColumns() const;
  /// The register tile that takes least time for outer products of `rowExtent`
  /// (dynamic ones of at most `bound`) by `columns`.
  RegisterTile chooseTile(int64_t rowExtent, std::optional<int64_t> bound,
                          int64_t columns) const;
  Value emitOuterTile(Value tensor, Value row, int64_t rowCount, Value column,
                      ArrayRef<int64_t> widths);
  Value emitDotTile(Value tensor, Value row, int64_t rowCount, Value column,
                    int64_t columnCount);

  OpBuilder &builder;
  Location loc;
  const Contraction &c;
  int64_t lanes, rows;
};
} // namespace

SmallVector<Span> ContractionEmitter::cut(int64_t extent, Value dynamic,
                                          int64_t size) {
  Value zero = constant(0);
  if (ShapedType::isDynamic(extent)) {
    Value rest = arith::RemSIOp::create(builder, loc, dynamic, constant(size));
    Value whole = arith::SubIOp::create(builder, loc, dynamic, rest);
    if (size == 1)
      return {{zero, dynamic, 1}};
    return {{zero, whole, size}, {whole, dynamic, 1}};
  }
  int64_t count = llvm::divideCeil(extent, size);
  if (!count)
    return {};
  int64_t larger = llvm::divideCeil(extent, count);
  // `count` tiles, of `larger` rows or one less.
  int64_t fewer = count * larger - extent;
  Value middle = constant((count - fewer) * larger);
  SmallVector<Span> spans{{zero, middle, larger}};
  if (fewer)
    spans.push_back({middle, constant(extent), larger - 1});
  return spans;
}

Value ContractionEmitter::forEach(
    const Span &span, Value tensor,
    llvm::function_ref<Value(Value first, Value tensor)> body) {
  auto loop = scf::ForOp::create(
      builder, loc, span.first, span.last, constant(span.size),
      ValueRange{tensor},
      [&](OpBuilder &b, Location l, Value index, ValueRange args) {
        OpBuilder::InsertionGuard guard(builder);
        builder.setInsertionPointToEnd(b.getInsertionBlock());
        scf::YieldOp::create(builder, l, body(index, args[0]));
      });
  return loop.getResult(0);
}

SmallVector<Value> ContractionEmitter::sumOver(ArrayRef<Value> sums,
                                               StepFn step) {
  int64_t extent =
      cast<RankedTensorType>(c.lhs.tensor.getType()).getDimSize(c.lhs.summed);
  int64_t pass = std::max<int64_t>(1, MultipliesPerPass / sums.size());
  SmallVector<Value> carried(sums);
  // What is left of a dynamic extent LLVM puts behind the loop.
  SmallVector<Span> spans =
      ShapedType::isDynamic(extent)
          ? SmallVector<Span>{{constant(0), getDim(c.lhs.tensor, c.lhs.summed),
                               pass}}
          : cut(extent, Value(), pass);
  for (const Span &span : spans) {
    auto loop = scf::ForOp::create(
        builder, loc, span.first, span.last, constant(1), carried,
        [&](OpBuilder &b, Location, Value k, ValueRange args) {
          OpBuilder::InsertionGuard guard(builder);
          builder.setInsertionPointToEnd(b.getInsertionBlock());
          scf::YieldOp::create(builder, loc, step(k, SmallVector<Value>(args)));
        });
    unrollBy(loop, span.size);
    carried.assign(loop.result_begin(), loop.result_end());
  }
  return carried;
}

Value ContractionEmitter::emitOuterTile(Value tensor, Value row,
                                        int64_t rowCount, Value column,
                                        ArrayRef<int64_t> widths) {
  SmallVector<Value> rowIndices, columnIndices;
  for (int64_t r = 0; r < rowCount; ++r)
    rowIndices.push_back(add(row, r));
  int64_t offset = 0;
  for (int64_t width : widths) {
    columnIndices.push_back(add(column, offset));
    offset += width;
  }
  SmallVector<Value> accumulators;
  auto splat = [&](Value number, int64_t width) -> Value {
    return vector::BroadcastOp::create(
        builder, loc, VectorType::get({width}, c.element), number);
  };
  SmallVector<Value> columnScales;
  if (c.scalesColumns)
    for (auto [at, width] : llvm::zip(columnIndices, widths))
      columnScales.push_back(vector::TransferReadOp::create(
          builder, loc, VectorType::get({width}, c.element), c.scale,
          ValueRange{at}, /*padding=*/std::nullopt, ArrayRef<bool>{true}));
  for (Value r : rowIndices) {
    Value scale = c.scale && !c.scalesColumns ? getScale(r) : Value();
    for (auto [i, at, width] : llvm::enumerate(columnIndices, widths)) {
      Value begin =
          c.start ? splat(*c.start, width) : load(tensor, r, at, width);
      Value factor = c.scalesColumns ? columnScales[i]
                     : scale         ? splat(scale, width)
                                     : Value();
      if (factor)
        begin = arith::MulFOp::create(builder, loc, begin, factor);
      accumulators.push_back(begin);
    }
  }
  accumulators = sumOver(accumulators, [&](Value k, ArrayRef<Value> sums) {
    SmallVector<Value> factors, next;
    for (auto [at, width] : llvm::zip(columnIndices, widths))
      factors.push_back(widen(load(c.rhs.tensor, k, at, width)));
    for (auto [i, r] : llvm::enumerate(rowIndices)) {
      SmallVector<Value> place{r, k};
      if (c.lhs.summed == 0)
        std::swap(place[0], place[1]);
      Value element =
          widen(tensor::ExtractOp::create(builder, loc, c.lhs.tensor, place));
      for (auto [j, width] : llvm::enumerate(widths))
        next.push_back(vector::FMAOp::create(builder, loc,
                                             splat(element, width), factors[j],
                                             sums[i * widths.size() + j]));
    }
    return next;
  });
  unsigned next = 0;
  for (Value r : rowIndices)
    for (Value at : columnIndices)
      tensor = store(accumulators[next++], tensor, r, at);
  return tensor;
}

Value ContractionEmitter::getScale(Value row) {
  auto type = dyn_cast<RankedTensorType>(c.scale.getType());
  if (!type)
    return c.scale;
  return tensor::ExtractOp::create(
      builder, loc, c.scale, type.getRank() ? ValueRange(row) : ValueRange());
}

Value ContractionEmitter::emitRows(Value tensor, Value row, int64_t rowCount,
                                   int64_t vectors) {
  int64_t columns =
      cast<RankedTensorType>(c.destination.getType()).getDimSize(1);
  int64_t width = vectors * lanes, done = columns / width * width;
  if (done) {
    SmallVector<int64_t> widths(vectors, lanes);
    tensor =
        forEach({constant(0), constant(done), width}, tensor,
                [&](Value column, Value tensor) {
                  return emitOuterTile(tensor, row, rowCount, column, widths);
                });
  }
  if (done < columns)
    tensor = emitOuterTile(tensor, row, rowCount, constant(done),
                           getRest(columns, done));
  return tensor;
}

Value ContractionEmitter::emitColumns(Value tensor, Value column,
                                      ArrayRef<int64_t> widths,
                                      ArrayRef<Span> rowSpans) {
  for (const Span &span : rowSpans)
    tensor = forEach(span, tensor, [&](Value row, Value tensor) {
      return emitOuterTile(tensor, row, span.size, column, widths);
    });
  return tensor;
}

/// Half of a first-level cache.
static constexpr int64_t NearBytes = 16384;

/// Whether the second factor is too large for the nearest cache while the first
/// one is small: then all rows take part of the columns, before the next part.
bool ContractionEmitter::hasLargeColumns() const {
  auto countBytes = [](Value tensor) -> std::optional<int64_t> {
    auto type = cast<RankedTensorType>(tensor.getType());
    if (!type.hasStaticShape())
      return std::nullopt;
    return type.getNumElements() * type.getElementTypeBitWidth() / 8;
  };
  std::optional<int64_t> left = countBytes(c.lhs.tensor),
                         right = countBytes(c.rhs.tensor);
  return left && right && *left <= NearBytes && *right > NearBytes;
}

/// Multiply-adds that are under way at once: with fewer in a tile, units wait
/// for results.
static constexpr int64_t MultipliesInFlight = 8;

/// About what a step of a tile of `rows` by `vectors` takes: as long as its
/// multiply-adds or its loads, whichever are more. Loads beside them count a
/// little.
static int64_t estimateStep(int64_t rows, int64_t vectors) {
  int64_t loads = rows + vectors;
  return 8 * std::max({rows * vectors, loads, MultipliesInFlight}) + loads;
}

RegisterTile ContractionEmitter::chooseTile(int64_t rowExtent,
                                            std::optional<int64_t> bound,
                                            int64_t columns) const {
  bool isDynamic = ShapedType::isDynamic(rowExtent);
  int64_t accumulators = 2 * rows;
  // Of rows without a bound only as many are counted on as fill a tile.
  int64_t extent = isDynamic ? bound.value_or(rows) : rowExtent;
  int64_t columnVectors = llvm::divideCeil(columns, lanes);
  // All rows by `vectors` vectors.
  auto estimateRows = [&](int64_t size, int64_t vectors) {
    if (isDynamic)
      return extent / size * estimateStep(size, vectors) +
             extent % size * estimateStep(1, vectors);
    int64_t count = llvm::divideCeil(extent, size),
            larger = llvm::divideCeil(extent, count),
            fewer = count * larger - extent;
    return (count - fewer) * estimateStep(larger, vectors) +
           fewer * estimateStep(larger - 1, vectors);
  };
  RegisterTile best{std::max<int64_t>(std::min(extent, rows), 1), 2};
  std::optional<int64_t> least;
  for (int64_t vectors = 2;
       extent > 0 && vectors <= std::max<int64_t>(rows / 3, 2); ++vectors) {
    int64_t most = std::min({extent, accumulators / vectors, rows});
    // Static extents are cut evenly below the largest size anyway.
    for (int64_t size = most; size >= (isDynamic ? 1 : most); --size) {
      int64_t cost = columnVectors / vectors * estimateRows(size, vectors);
      if (int64_t rest = columnVectors % vectors)
        cost += estimateRows(size, rest);
      if (!least || cost < *least) {
        least = cost;
        best = {size, vectors};
      }
    }
  }
  return best;
}

Value ContractionEmitter::emitOuterProducts() {
  auto result = cast<RankedTensorType>(c.destination.getType());
  int64_t columns = result.getDimSize(1);
  Value rowExtent = getDim(c.destination, 0);
  std::optional<int64_t> bound;
  if (result.isDynamicDim(0))
    bound = weir::findExtentBound(rowExtent);
  RegisterTile tile = chooseTile(result.getDimSize(0), bound, columns);
  int64_t vectors = tile.vectors;
  Value tensor = c.destination;
  SmallVector<Span> rowSpans = cut(result.getDimSize(0), rowExtent, tile.rows);
  if (!hasLargeColumns()) {
    for (const Span &span : rowSpans)
      tensor = forEach(span, tensor, [&](Value row, Value tensor) {
        return emitRows(tensor, row, span.size, vectors);
      });
    return tensor;
  }
  int64_t width = vectors * lanes, done = columns / width * width;
  if (done) {
    SmallVector<int64_t> widths(vectors, lanes);
    tensor = forEach({constant(0), constant(done), width}, tensor,
                     [&](Value column, Value tensor) {
                       return emitColumns(tensor, column, widths, rowSpans);
                     });
  }
  if (done < columns)
    tensor =
        emitColumns(tensor, constant(done), getRest(columns, done), rowSpans);
  return tensor;
}

Value ContractionEmitter::emitDotTile(Value tensor, Value row, int64_t rowCount,
                                      Value column, int64_t columnCount) {
  auto lhsType = cast<RankedTensorType>(c.lhs.tensor.getType());
  int64_t extent = lhsType.getDimSize(1);
  SmallVector<Value> rowIndices, columnIndices;
  for (int64_t r = 0; r < rowCount; ++r)
    rowIndices.push_back(add(row, r));
  for (int64_t r = 0; r < columnCount; ++r)
    columnIndices.push_back(add(column, r));
  auto vectorType = VectorType::get({lanes}, c.element);
  Value zero = arith::ConstantOp::create(builder, loc,
                                         builder.getFloatAttr(c.element, 0.0));
  auto fold = [&](Value k, int64_t width, ValueRange sums) {
    SmallVector<Value> lhs, rhs, next;
    for (Value r : rowIndices)
      lhs.push_back(widen(load(c.lhs.tensor, r, k, width)));
    for (Value r : columnIndices)
      rhs.push_back(widen(load(c.rhs.tensor, r, k, width)));
    for (auto [i, a] : llvm::enumerate(lhs))
      for (auto [j, b] : llvm::enumerate(rhs))
        next.push_back(vector::FMAOp::create(builder, loc, a, b,
                                             sums[i * rhs.size() + j]));
    return next;
  };
  int64_t whole = extent / lanes * lanes, rest = extent - whole;
  int64_t pairs = rowCount * columnCount;
  SmallVector<Value> totals;
  if (whole) {
    Value start = vector::BroadcastOp::create(builder, loc, vectorType, zero);
    SmallVector<Value> sums(pairs, start);
    auto loop = scf::ForOp::create(
        builder, loc, constant(0), constant(whole), constant(lanes), sums,
        [&](OpBuilder &b, Location, Value k, ValueRange args) {
          OpBuilder::InsertionGuard guard(builder);
          builder.setInsertionPointToEnd(b.getInsertionBlock());
          scf::YieldOp::create(builder, loc, fold(k, lanes, args));
        });
    // The extent is a head's; unrolled, the loads run ahead.
    unrollBy(loop, whole / lanes);
    for (Value sum : loop.getResults())
      totals.push_back(
          vector::ReductionOp::create(builder, loc, vector::CombiningKind::ADD,
                                      sum, arith::FastMathFlags::reassoc));
  }
  if (rest) {
    Value start = vector::BroadcastOp::create(
        builder, loc, VectorType::get({rest}, c.element), zero);
    SmallVector<Value> sums =
        fold(constant(whole), rest, SmallVector<Value>(pairs, start));
    for (auto [i, sum] : llvm::enumerate(sums)) {
      Value total =
          vector::ReductionOp::create(builder, loc, vector::CombiningKind::ADD,
                                      sum, arith::FastMathFlags::reassoc);
      if (whole)
        totals[i] = arith::AddFOp::create(builder, loc, totals[i], total);
      else
        totals.push_back(total);
    }
  }
  unsigned next = 0;
  for (Value r : rowIndices)
    for (Value column : columnIndices) {
      Value start = c.start ? *c.start
                            : Value(tensor::ExtractOp::create(
                                  builder, loc, tensor, ValueRange{r, column}));
      Value total = totals.empty() ? zero : totals[next++];
      tensor = tensor::InsertOp::create(
          builder, loc, arith::AddFOp::create(builder, loc, start, total),
          tensor, ValueRange{r, column});
    }
  return tensor;
}

Value ContractionEmitter::emitDotProducts() {
  auto result = cast<RankedTensorType>(c.destination.getType());
  // Rows of the first factor are few and stay in registers.
  constexpr int64_t rowSize = 4, columnSize = 4;
  Value tensor = c.destination;
  for (const Span &columnSpan :
       cut(result.getDimSize(1), getDim(c.destination, 1), columnSize))
    tensor = forEach(columnSpan, tensor, [&](Value column, Value tensor) {
      for (const Span &rowSpan :
           cut(result.getDimSize(0), getDim(c.destination, 0), rowSize))
        tensor = forEach(rowSpan, tensor, [&](Value row, Value tensor) {
          return emitDotTile(tensor, row, rowSpan.size, column,
                             columnSpan.size);
        });
      return tensor;
    });
  return tensor;
}

/// The argument of `block` that `value` is, perhaps widened.
static std::optional<unsigned> getWidenedArgument(Block &block, Value value) {
  if (auto widened = value.getDefiningOp<arith::ExtFOp>())
    value = widened.getIn();
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getOwner() != &block)
    return std::nullopt;
  return argument.getArgNumber();
}

/// Whether the body is `result + lhs * rhs` in floats.
static bool isMultiplyAdd(linalg::LinalgOp op) {
  Block &body = *op.getBlock();
  Operation *yield = body.getTerminator();
  auto sum = yield->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!sum)
    return false;
  for (bool swapped : {false, true}) {
    Value carried = swapped ? sum.getRhs() : sum.getLhs();
    Value added = swapped ? sum.getLhs() : sum.getRhs();
    auto product = added.getDefiningOp<arith::MulFOp>();
    if (!product || carried != body.getArgument(2))
      continue;
    std::optional<unsigned> lhs = getWidenedArgument(body, product.getLhs());
    std::optional<unsigned> rhs = getWidenedArgument(body, product.getRhs());
    return lhs && rhs && *lhs + *rhs == 1;
  }
  return false;
}

/// If `tensor` is another one times a number, or times a number a row or a
/// column, and nobody else reads it: that operation.
static linalg::GenericOp getScaling(Value tensor) {
  auto op = tensor.getDefiningOp<linalg::GenericOp>();
  if (!op || !tensor.hasOneUse() || op.getNumDpsInputs() != 1 ||
      op.getNumDpsInits() != 1 || op.getNumParallelLoops() != 2 ||
      op.getNumLoops() != 2 || !op.hasPureTensorSemantics() ||
      !op.getIndexingMapsArray()[1].isIdentity())
    return {};
  AffineMap map = op.getIndexingMapsArray()[0];
  if (map.getNumResults() > 1 || !map.isProjectedPermutation())
    return {};
  Block &body = *op.getBlock();
  auto product =
      body.getTerminator()->getOperand(0).getDefiningOp<arith::MulFOp>();
  if (!product || !body.getArguments().back().hasOneUse() ||
      !llvm::is_contained(product->getOperands(), body.getArgument(0)) ||
      !llvm::is_contained(product->getOperands(), body.getArgument(1)))
    return {};
  return op;
}

/// Recognises a contraction; on failure `reason` says what is in the way, or is
/// empty when `op` is not a contraction of matrices at all.
static std::optional<Contraction> matchContraction(linalg::LinalgOp op,
                                                   StringRef &reason) {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
      op.getNumLoops() != 3 || op.getNumReductionLoops() != 1 ||
      !op.hasPureTensorSemantics() || !isMultiplyAdd(op))
    return std::nullopt;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  for (AffineMap map : maps)
    if (map.getNumResults() != 2 || !map.isProjectedPermutation())
      return std::nullopt;
  unsigned row = maps[2].getDimPosition(0), column = maps[2].getDimPosition(1);
  SmallVector<unsigned> reduced;
  op.getReductionDims(reduced);
  auto find = [](AffineMap map, unsigned dim) {
    return map.getResultPosition(getAffineDimExpr(dim, map.getContext()));
  };
  Contraction c;
  c.op = op;
  c.destination = op.getDpsInits()[0];
  for (unsigned i : {0u, 1u}) {
    std::optional<unsigned> summed = find(maps[i], reduced[0]);
    if (!summed)
      return std::nullopt;
    Factor factor{op.getDpsInputs()[i], *summed};
    if (find(maps[i], row))
      c.lhs = factor;
    else if (find(maps[i], column))
      c.rhs = factor;
  }
  if (!c.lhs.tensor || !c.rhs.tensor)
    return std::nullopt;
  auto result = cast<RankedTensorType>(c.destination.getType());
  c.element = result.getElementType();
  bool outer = c.rhs.summed == 0;
  if (outer && result.isDynamicDim(1)) {
    reason = "the columns have a dynamic extent";
    return std::nullopt;
  }
  if (!outer && c.lhs.summed == 0) {
    reason = "neither factor is contiguous along an axis of vectors";
    return std::nullopt;
  }
  if (!outer && cast<RankedTensorType>(c.lhs.tensor.getType())
                    .isDynamicDim(c.lhs.summed)) {
    reason = "the axis summed over has a dynamic extent";
    return std::nullopt;
  }
  if (auto fill = c.destination.getDefiningOp<linalg::FillOp>()) {
    c.start = fill.getInputs()[0];
    c.destination = fill.getOutputs()[0];
  } else if (linalg::GenericOp scaling = getScaling(c.destination);
             scaling && outer) {
    c.scale = scaling.getInputs()[0];
    c.scalesColumns = scaling.getIndexingMapsArray()[0].isFunctionOfDim(1);
    c.destination = scaling.getOutputs()[0];
  }
  return c;
}

namespace {
struct VectorizeContractionsPass
    : weir::impl::VectorizeContractionsBase<VectorizeContractionsPass> {
  using VectorizeContractionsBase::VectorizeContractionsBase;

  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> ops;
    getOperation()->walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    for (linalg::LinalgOp op : ops) {
      StringRef reason;
      std::optional<Contraction> contraction = matchContraction(op, reason);
      if (!contraction) {
        if (!reason.empty())
          remark::missed(op.getLoc(),
                         remark::RemarkOpts::name("VectorizeContractions")
                             .category("weir-vectorize"))
              << remark::reason("{0}", reason);
        continue;
      }
      int64_t lanes = vectorBits / contraction->element.getIntOrFloatBitWidth();
      OpBuilder builder(op);
      ContractionEmitter emitter(builder, *contraction, lanes, rows);
      Value result = contraction->rhs.summed == 0 ? emitter.emitOuterProducts()
                                                  : emitter.emitDotProducts();
      Operation *scaling =
          contraction->scale ? op.getDpsInits()[0].getDefiningOp() : nullptr;
      op->getResult(0).replaceAllUsesWith(result);
      op->erase();
      if (scaling)
        scaling->erase();
    }
  }
};
} // namespace
