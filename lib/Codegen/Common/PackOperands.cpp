//===- PackOperands.cpp - Factors of large products in panels --*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A product of two tensors that are computed, or handed in, has no weight that
// could be laid out while compiling. Its second factor is laid out by the
// program, which is one copy for as many multiplications as there are rows, and
// the product is then what one with a weight is: the same micro-kernels, tiles
// and fused epilogues. Left alone, rows of the second factor would be gone
// through far apart, once for each row of the first.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "weir/Codegen/Passes.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/Weir.h"
#include "llvm/Support/MathExtras.h"

namespace weir {
#define GEN_PASS_DEF_PACKOPERANDS
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

namespace {
/// A tensor whose axes are to be those of a batch, then `outer`, then `inner`.
struct Factor {
  Value tensor;
  /// Where these axes are in `tensor`; the batch's are all others, in order.
  unsigned outer, inner;

  RankedTensorType getType() const {
    return cast<RankedTensorType>(tensor.getType());
  }
  int64_t getExtent(unsigned axis) const { return getType().getDimSize(axis); }
  bool hasBatch() const { return getType().getRank() == 3; }
};

/// lhs[batch, m, k] times rhs[batch, n, k], summed over k.
struct Product {
  linalg::LinalgOp op;
  Factor lhs; ///< outer: m, inner: k
  Factor rhs; ///< outer: n, inner: k

  int64_t getRows() const { return lhs.getExtent(lhs.outer); }
  int64_t getColumns() const { return rhs.getExtent(rhs.outer); }
  int64_t getReduction() const { return rhs.getExtent(rhs.inner); }
};

struct PackOperandsPass : weir::impl::PackOperandsBase<PackOperandsPass> {
  using PackOperandsBase::PackOperandsBase;

  bool isWorthwhile(int64_t rows, int64_t columns, int64_t reduction) const;
  bool hasPairs(Value lhs, Value rhs, int64_t reduction) const;
  Value packPanels(OpBuilder &builder, Location loc, const Factor &factor,
                   bool inPairs);
  Value buildProduct(OpBuilder &builder, Location loc, Value input,
                     Value panels, RankedTensorType type, Value bias);
  /// The products of a batch one by one, each shared by all threads, as a
  /// tensor like `like`.
  Value buildBatch(OpBuilder &builder, Location loc, Value input, Value panels,
                   Value like);
  void rewrite(LinearOp linear);
  void rewrite(const Product &product);
  void runOnOperation() override;
};
} // namespace

static Type getElement(Value tensor) {
  return cast<RankedTensorType>(tensor.getType()).getElementType();
}

static bool isNarrowFloat(Type type) {
  return type.isF32() || type.isBF16() || type.isF16();
}

/// Whether panels repay their copy. Extents that are not known while compiling
/// count as many.
bool PackOperandsPass::isWorthwhile(int64_t rows, int64_t columns,
                                    int64_t reduction) const {
  return (ShapedType::isDynamic(rows) || rows >= leastRows) &&
         columns >= panel && columns * reduction >= leastElements;
}

/// Whether factors are multiplied as pairs of bf16.
bool PackOperandsPass::hasPairs(Value lhs, Value rhs, int64_t reduction) const {
  bool areBF16 = getElement(lhs).isBF16() && getElement(rhs).isBF16();
  return reduction % 2 == 0 && (compute == "bf16" || (pairs && areBF16));
}

/// `factor` with its axes in order, its elements as `type`.
static Value arrange(OpBuilder &builder, Location loc, const Factor &factor,
                     Type type) {
  unsigned rank = factor.getType().getRank();
  if (factor.outer + 2 == rank && factor.inner + 1 == rank &&
      factor.getType().getElementType() == type)
    return factor.tensor;
  SmallVector<unsigned> order;
  for (unsigned axis = 0; axis < rank; ++axis)
    if (axis != factor.outer && axis != factor.inner)
      order.push_back(axis);
  order.append({factor.outer, factor.inner});
  return buildTransposed(builder, loc, factor.tensor, order, type);
}

/// `tensor` with zeros behind the end of its axis `axis`, up to `extent`.
static Value padTo(OpBuilder &builder, Location loc, Value tensor,
                   unsigned axis, int64_t extent) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (type.getDimSize(axis) == extent)
    return tensor;
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, tensor);
  SmallVector<OpFoldResult> padded(sizes);
  padded[axis] = builder.getIndexAttr(extent);
  Value zero = buildFloat(builder, loc, type.getElementType(), 0.0);
  Value empty =
      tensor::EmptyOp::create(builder, loc, padded, type.getElementType());
  Value zeros = linalg::FillOp::create(builder, loc, zero, empty).getResult(0);
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0)),
      strides(sizes.size(), builder.getIndexAttr(1));
  return tensor::InsertSliceOp::create(builder, loc, tensor, zeros, offsets,
                                       sizes, strides);
}

/// The panels of `factor`: [batch, n / panel, k, panel], or, with `inPairs`,
/// [batch, n / panel, k / 2, panel, 2] of bf16.
Value PackOperandsPass::packPanels(OpBuilder &builder, Location loc,
                                   const Factor &factor, bool inPairs) {
  int64_t columns = factor.getExtent(factor.outer);
  int64_t panels = llvm::divideCeil(columns, panel);
  Value padded =
      padTo(builder, loc, factor.tensor, factor.outer, panels * panel);
  // Cut the columns into panels, and the reduction into pairs.
  unsigned rank = factor.getType().getRank(), axis = 0;
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, padded);
  SmallVector<OpFoldResult> cut;
  SmallVector<ReassociationIndices> groups;
  unsigned batchAt = 0, panelsAt = 0, columnAt = 0, stepAt = 0, evenAt = 0;
  for (unsigned i = 0; i < rank; ++i) {
    ReassociationIndices group{axis++};
    if (i == factor.outer) {
      panelsAt = group[0];
      columnAt = axis;
      group.push_back(axis++);
      cut.append({builder.getIndexAttr(panels), builder.getIndexAttr(panel)});
    } else if (i == factor.inner && inPairs) {
      stepAt = group[0];
      evenAt = axis;
      group.push_back(axis++);
      cut.append({builder.getIndexAttr(factor.getExtent(i) / 2),
                  builder.getIndexAttr(2)});
    } else {
      (i == factor.inner ? stepAt : batchAt) = group[0];
      cut.push_back(sizes[i]);
    }
    groups.push_back(group);
  }
  Type element = getElement(padded);
  auto [shape, dynamic] = decomposeMixedValues(cut);
  Value blocks = tensor::ExpandShapeOp::create(
      builder, loc, RankedTensorType::get(shape, element), padded, groups, cut);
  SmallVector<unsigned> order;
  if (factor.hasBatch())
    order.push_back(batchAt);
  order.append({panelsAt, stepAt, columnAt});
  if (inPairs)
    order.push_back(evenAt);
  return buildTransposed(builder, loc, blocks, order,
                         inPairs ? Type(builder.getBF16Type()) : element);
}

Value PackOperandsPass::buildProduct(OpBuilder &builder, Location loc,
                                     Value input, Value panels,
                                     RankedTensorType type, Value bias) {
  int64_t bits = getElement(panels).getIntOrFloatBitWidth();
  return PackedLinearOp::create(
      builder, loc, type, input, panels, /*scales=*/Value(), /*mins=*/Value(),
      bias, /*input_scales=*/Value(), /*input_sums=*/Value(), /*init=*/Value(),
      bits, /*group=*/32, PackCode::Affine, /*schedule=*/ScheduleAttr());
}

Value PackOperandsPass::buildBatch(OpBuilder &builder, Location loc,
                                   Value input, Value panels, Value like) {
  // A slice's places, and its type, which is one axis less.
  struct Slice {
    Slice(OpBuilder &b, Location loc, Value tensor, Value index)
        : sizes(tensor::getMixedSizes(b, loc, tensor)),
          offsets(sizes.size(), b.getIndexAttr(0)),
          strides(sizes.size(), b.getIndexAttr(1)) {
      offsets[0] = index;
      sizes[0] = b.getIndexAttr(1);
      auto whole = cast<RankedTensorType>(tensor.getType());
      type = RankedTensorType::get(whole.getShape().drop_front(),
                                   whole.getElementType());
    }
    SmallVector<OpFoldResult> sizes, offsets, strides;
    RankedTensorType type;
  };
  auto take = [&](OpBuilder &b, Value tensor, Value index) -> Value {
    Slice at(b, loc, tensor, index);
    return tensor::ExtractSliceOp::create(b, loc, at.type, tensor, at.offsets,
                                          at.sizes, at.strides);
  };
  Value empty = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, like),
      getElement(like));
  Value count = builder.createOrFold<tensor::DimOp>(loc, like, 0);
  auto loop = scf::ForOp::create(
      builder, loc, buildIndex(builder, loc, 0), count,
      buildIndex(builder, loc, 1), ValueRange{empty},
      [&](OpBuilder &b, Location, Value i, ValueRange carried) {
        Slice at(b, loc, carried[0], i);
        Value part =
            buildProduct(b, loc, take(b, input, i), take(b, panels, i), at.type,
                         /*bias=*/Value());
        Value next = tensor::InsertSliceOp::create(
            b, loc, part, carried[0], at.offsets, at.sizes, at.strides);
        scf::YieldOp::create(b, loc, next);
      });
  return loop.getResult(0);
}

void PackOperandsPass::rewrite(LinearOp linear) {
  OpBuilder builder(linear);
  Location loc = linear.getLoc();
  Value input = linear.getInput(), matrix = linear.getWeight();
  auto type = cast<RankedTensorType>(input.getType());
  bool inPairs = hasPairs(input, matrix, type.getShape().back());
  Value panels = packPanels(builder, loc, {matrix, 0, 1}, inPairs);
  if (inPairs)
    input = buildConverted(builder, loc, input, builder.getBF16Type());
  Value result = buildProduct(builder, loc, input, panels, linear.getType(),
                              linear.getBias());
  linear.replaceAllUsesWith(result);
  linear.erase();
}

void PackOperandsPass::rewrite(const Product &product) {
  linalg::LinalgOp op = product.op;
  OpBuilder builder(op);
  Location loc = op.getLoc();
  bool inPairs =
      hasPairs(product.lhs.tensor, product.rhs.tensor, product.getReduction());
  Type inputType = inPairs ? Type(builder.getBF16Type()) : builder.getF32Type();
  Value input = arrange(builder, loc, product.lhs, inputType);
  Value panels = packPanels(builder, loc, product.rhs, inPairs);
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  Value init = op.getDpsInits()[0];
  Value result =
      product.lhs.hasBatch()
          ? buildBatch(builder, loc, input, panels, init)
          : buildProduct(builder, loc, input, panels, type, /*bias=*/Value());
  auto fill = init.getDefiningOp<linalg::FillOp>();
  if (!fill || !matchPattern(fill.getInputs()[0], m_AnyZeroFloat())) {
    AffineMap all = builder.getMultiDimIdentityMap(type.getRank());
    result = buildElementwise(
        builder, loc, tensor::getMixedSizes(builder, loc, init),
        type.getElementType(), {result, init}, {all, all},
        [](OpBuilder &b, Location l, ValueRange in) -> Value {
          return arith::AddFOp::create(b, l, in[0], in[1]);
        });
  }
  op->getResult(0).replaceAllUsesWith(result);
  op->erase();
}

/// Recognises a product of two matrices, or of those of one batch; otherwise
/// `reason` says what is in the way, or is empty where `op` is none at all.
static std::optional<Product> match(linalg::LinalgOp op, std::string &reason) {
  if (!op.hasPureTensorSemantics() || !linalg::isaContractionOpInterface(op))
    return std::nullopt;
  FailureOr<linalg::ContractionDimensions> dims =
      linalg::inferContractionDims(op);
  if (failed(dims) || dims->m.empty() || dims->n.empty() || dims->k.empty())
    return std::nullopt;
  Value lhs = op.getDpsInputs()[0], rhs = op.getDpsInputs()[1];
  if (!getElement(op.getDpsInits()[0]).isF32() ||
      !isNarrowFloat(getElement(lhs)) || !isNarrowFloat(getElement(rhs))) {
    reason = "sums that are not f32, or factors that are no floats up to f32";
    return std::nullopt;
  }
  if (dims->m.size() != 1 || dims->n.size() != 1 || dims->k.size() != 1 ||
      dims->batch.size() > 1) {
    reason = "more than one axis of rows, of columns, of sums or of a batch";
    return std::nullopt;
  }
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  auto find = [&](unsigned operand, unsigned loop) {
    return *maps[operand].getResultPosition(
        getAffineDimExpr(loop, op.getContext()));
  };
  Product product{op,
                  {lhs, find(0, dims->m[0]), find(0, dims->k[0])},
                  {rhs, find(1, dims->n[0]), find(1, dims->k[0])}};
  unsigned row = find(2, dims->m[0]), column = find(2, dims->n[0]);
  if (product.lhs.hasBatch() ? row != 1 || column != 2
                             : row != 0 || column != 1) {
    reason = "a result whose axes are not batch, rows, columns";
    return std::nullopt;
  }
  if (ShapedType::isDynamic(product.getColumns()) ||
      ShapedType::isDynamic(product.getReduction())) {
    reason = "columns or sums of dynamic extent";
    return std::nullopt;
  }
  return product;
}

void PackOperandsPass::runOnOperation() {
  if (panel < 1 || (compute != "f32" && compute != "bf16")) {
    getOperation()->emitError()
        << "weir-pack-operands has panel=" << panel.getValue()
        << " compute=" << compute
        << ", expected a positive panel and f32 or bf16";
    return signalPassFailure();
  }
  // Where threads share the work: bodies of other operations are tiles of it.
  SmallVector<LinearOp> linears;
  SmallVector<linalg::LinalgOp> others;
  getOperation()->walk([&](Operation *op) {
    if (!isa_and_present<func::FuncOp, StackOp>(op->getParentOp()))
      return;
    if (auto linear = dyn_cast<LinearOp>(op))
      linears.push_back(linear);
    else if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
      others.push_back(linalgOp);
  });
  for (LinearOp linear : linears) {
    auto weight = cast<RankedTensorType>(linear.getWeight().getType());
    auto input = cast<RankedTensorType>(linear.getInput().getType());
    int64_t rows = 1;
    for (int64_t extent : input.getShape().drop_back())
      rows = ShapedType::isDynamic(extent) || ShapedType::isDynamic(rows)
                 ? ShapedType::kDynamic
                 : rows * extent;
    if (weight.hasStaticShape() && isNarrowFloat(weight.getElementType()) &&
        input.getElementType().isF32() &&
        isWorthwhile(rows, weight.getDimSize(0), weight.getDimSize(1)))
      rewrite(linear);
  }
  for (linalg::LinalgOp op : others) {
    std::string reason;
    std::optional<Product> product = match(op, reason);
    if (!product && !reason.empty())
      remark::missed(op.getLoc(), remark::RemarkOpts::name("PackOperand")
                                      .category("weir-pack-operands"))
          << remark::reason("{0}", reason);
    if (product && isWorthwhile(product->getRows(), product->getColumns(),
                                product->getReduction()))
      rewrite(*product);
  }
}
