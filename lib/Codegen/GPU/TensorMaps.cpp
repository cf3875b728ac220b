//===- TensorMaps.cpp - Maps of tensors that kernels copy by ----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TensorMaps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
using namespace weir;

/// The runtime function that encodes a map (lib/Runtime/Device.cpp), and the
/// axes it takes numbers of.
static constexpr StringLiteral EncodeName = "weir_rt_tensor_map";
static constexpr int64_t MostAxes = 5;
/// Elements of a row of a box: 128 bytes.
static constexpr int64_t BoxElements = 64;

static bool isOutside(gpu::LaunchOp launch, Value value) {
  return !launch.getBody().isAncestor(value.getParentRegion());
}

static bool isWhole(Value buffer) {
  return cast<MemRefType>(buffer.getType()).getLayout().isIdentity();
}

/// The buffer that `view` is part of; what is cut out of the arena is one.
static Value findBuffer(Value view) {
  while (auto op = view.getDefiningOp<ViewLikeOpInterface>()) {
    if (isa<memref::ViewOp>(op))
      break;
    view = op.getViewSource();
  }
  return view;
}

/// Whether `launch` may write to `buffer`, or to what nobody knows.
static bool mayWrite(gpu::LaunchOp launch, Value buffer) {
  WalkResult walk = launch.walk([&](MemoryEffectOpInterface op) {
    SmallVector<MemoryEffects::EffectInstance> effects;
    op.getEffects<MemoryEffects::Write>(effects);
    for (const MemoryEffects::EffectInstance &effect : effects) {
      Value target =
          effect.getValue() ? findBuffer(effect.getValue()) : Value();
      bool known = target && (isa<BlockArgument>(target) ||
                              target.getDefiningOp<memref::ViewOp>());
      if (!known || target == buffer)
        return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return walk.wasInterrupted();
}

std::optional<MappedRows> weir::findMappedRows(gpu::LaunchOp launch,
                                               PackedProduct &product,
                                               std::string &why) {
  auto function = launch->getParentOfType<func::FuncOp>();
  if (!function || function.getNumArguments() == 0 ||
      !isa<LLVM::LLVMPointerType>(function.getArgumentTypes().back())) {
    why = "the host has no queue, which weir-map-kernels gives it";
    return std::nullopt;
  }
  MappedRows rows;
  rows.root = product.getInput();
  if (auto view = rows.root.getDefiningOp<memref::SubViewOp>()) {
    int64_t rank = view.getType().getRank();
    bool fits = view.getSourceType().getRank() == rank && rank >= 2 &&
                llvm::all_of(view.getMixedStrides(), [](OpFoldResult stride) {
                  return isConstantIntValue(stride, 1);
                });
    // One row behind the other, all of each.
    for (int64_t axis = 0; fits && axis < rank; ++axis)
      if (axis + 2 < rank)
        fits = isConstantIntValue(view.getMixedSizes()[axis], 1);
      else if (axis + 1 == rank)
        fits = isConstantIntValue(view.getMixedOffsets()[axis], 0) &&
               isConstantIntValue(view.getMixedSizes()[axis],
                                  view.getSourceType().getDimSize(axis));
    if (!fits) {
      why = "rows of the input do not lie one behind the other";
      return std::nullopt;
    }
    rows.root = view.getSource();
    rows.offsets = view.getMixedOffsets();
    rows.offsets.pop_back();
  }
  if (!isOutside(launch, rows.root) || !isWhole(rows.root)) {
    why = "the input is no part of a whole buffer from outside of the kernel";
    return std::nullopt;
  }
  if (product.reduction * 2 % 16 != 0) {
    why = "rows of the input are no multiple of 16 bytes";
    return std::nullopt;
  }
  if (mayWrite(launch, findBuffer(rows.root))) {
    why = "the kernel writes its input, or what is not known";
    return std::nullopt;
  }
  return rows;
}

bool weir::isMappedWeight(gpu::LaunchOp launch, PackedProduct &product,
                          std::string &why) {
  Value weight = product.load.getMemRef();
  auto type = cast<MemRefType>(weight.getType());
  if (product.pairs && type.hasStaticShape() && type.getRank() <= MostAxes &&
      isOutside(launch, weight) && isWhole(weight))
    return true;
  why = "the weight is not in pairs, or no whole buffer from outside of the "
        "kernel with at most two axes in front of those of a panel";
  return false;
}

//===----------------------------------------------------------------------===//
// The host's part
//===----------------------------------------------------------------------===//

namespace {
/// One axis of a map.
struct MapAxis {
  OpFoldResult size, stride; ///< elements, bytes
  int64_t box;
};
} // namespace

static LLVM::LLVMFuncOp getEncodeFunction(gpu::LaunchOp launch) {
  auto module = launch->getParentOfType<ModuleOp>();
  if (auto function = module.lookupSymbol<LLVM::LLVMFuncOp>(EncodeName))
    return function;
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  Type i32 = builder.getI32Type(), i64 = builder.getI64Type();
  auto type =
      LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(builder.getContext()),
                                  {pointer, pointer, i64, i32, pointer});
  return LLVM::LLVMFuncOp::create(builder, module.getLoc(), EncodeName, type);
}

static Value buildMap(gpu::LaunchOp launch, Value buffer,
                      ArrayRef<MapAxis> axes) {
  Location loc = launch.getLoc();
  auto function = launch->getParentOfType<func::FuncOp>();
  OpBuilder head = OpBuilder::atBlockBegin(&function.getBody().front());
  OpBuilder builder(launch);
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  auto allocate = [&](Type type, int64_t count, int64_t alignment) -> Value {
    Value size =
        LLVM::ConstantOp::create(head, loc, head.getI32IntegerAttr(count));
    return LLVM::AllocaOp::create(head, loc, pointer, type, size,
                                  static_cast<unsigned>(alignment));
  };
  Value map = allocate(head.getI8Type(), TensorMapBytes, TensorMapAlignment);
  Value numbers = allocate(head.getI64Type(), 3 * MostAxes, 8);
  auto store = [&](int64_t place, OpFoldResult number) {
    Value value = arith::IndexCastOp::create(
        builder, loc, builder.getI64Type(),
        getValueOrCreateConstantIndexOp(builder, loc, number));
    Value at = LLVM::GEPOp::create(
        builder, loc, pointer, builder.getI64Type(), numbers,
        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(place)});
    LLVM::StoreOp::create(builder, loc, value, at);
  };
  for (auto [i, axis] : llvm::enumerate(axes)) {
    store(i, axis.size);
    store(MostAxes + i, axis.stride);
    store(2 * MostAxes + i, builder.getIndexAttr(axis.box));
  }
  Value address =
      memref::ExtractAlignedPointerAsIndexOp::create(builder, loc, buffer);
  address =
      arith::IndexCastOp::create(builder, loc, builder.getI64Type(), address);
  Value rank = LLVM::ConstantOp::create(
      builder, loc,
      builder.getI32IntegerAttr(static_cast<int32_t>(axes.size())));
  Value queue = function.getArguments().back();
  LLVM::CallOp::create(builder, loc, getEncodeFunction(launch),
                       ValueRange{queue, map, address, rank, numbers});
  return map;
}

Value weir::buildRowsMap(gpu::LaunchOp launch, Value buffer, int64_t rows) {
  OpBuilder builder(launch);
  Location loc = launch.getLoc();
  auto type = cast<MemRefType>(buffer.getType());
  int64_t last = type.getRank() - 1;
  Value count = arith::ConstantIndexOp::create(builder, loc, 1);
  for (int64_t axis = 0; axis < last; ++axis)
    count = builder.createOrFold<arith::MulIOp>(
        loc, count, builder.createOrFold<memref::DimOp>(loc, buffer, axis));
  OpFoldResult columns = builder.getIndexAttr(type.getDimSize(last));
  return buildMap(
      launch, buffer,
      {{columns, builder.getIndexAttr(2), BoxElements},
       {count, builder.getIndexAttr(type.getDimSize(last) * 2), rows}});
}

Value weir::buildPairsMap(gpu::LaunchOp launch, Value weight, int64_t rows) {
  OpBuilder builder(launch);
  auto type = cast<MemRefType>(weight.getType());
  ArrayRef<int64_t> shape = type.getShape();
  auto number = [&](int64_t value) { return builder.getIndexAttr(value); };
  int64_t rowBytes = ProductColumns * 2 * 2;
  SmallVector<MapAxis> axes = {
      {number(BoxElements), number(2), BoxElements},
      {number(2), number(rowBytes / 2), 2},
      {number(shape[shape.size() - 3]), number(rowBytes), rows}};
  int64_t stride = rowBytes * shape[shape.size() - 3];
  for (int64_t axis = static_cast<int64_t>(shape.size()) - 4; axis >= 0;
       --axis) {
    axes.push_back({number(shape[axis]), number(stride), 1});
    stride *= shape[axis];
  }
  return buildMap(launch, weight, axes);
}
