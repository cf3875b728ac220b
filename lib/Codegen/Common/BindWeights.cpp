//===- BindWeights.cpp - Place weights in one file -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Offsets are handed out in module order, which is the order frontends declare
// weights in and so roughly the order a model reads them. A view of layer i of
// a stacked parameter starts at `offset + i * bytes of one layer`.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "weir/Codegen/Passes.h"
#include "weir/IR/Weir.h"
#include "llvm/Support/MathExtras.h"

namespace weir {
#define GEN_PASS_DEF_BINDWEIGHTS
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

/// Alignment of weights: a cache line, and what wide vector loads like best.
static constexpr int64_t WeightAlignment = 64;

/// Bytes that `type` takes in the weights file.
static int64_t getByteSize(RankedTensorType type) {
  return type.getNumElements() *
         llvm::divideCeil(type.getElementTypeBitWidth(), 8);
}

/// Replaces `weight` by a view of the mapped file `file`.
static void bindWeight(WeightOp weight, ParamOp param, Value file) {
  OpBuilder builder(weight);
  Location loc = weight.getLoc();
  auto type = cast<RankedTensorType>(weight.getType());
  Value shift = arith::ConstantIndexOp::create(
      builder, loc, param->getAttrOfType<IntegerAttr>("offset").getInt());
  if (Value layer = weight.getLayer()) {
    Value bytes =
        arith::ConstantIndexOp::create(builder, loc, getByteSize(type));
    Value start = arith::MulIOp::create(builder, loc, layer, bytes);
    shift = arith::AddIOp::create(builder, loc, shift, start);
  }
  auto viewType = MemRefType::get(type.getShape(), type.getElementType());
  Value view =
      memref::ViewOp::create(builder, loc, viewType, file, shift, ValueRange());
  Value tensor = bufferization::ToTensorOp::create(builder, loc, type, view,
                                                   /*restrict=*/true);
  weight.replaceAllUsesWith(tensor);
  weight.erase();
}

namespace {
struct BindWeightsPass : weir::impl::BindWeightsBase<BindWeightsPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    OpBuilder builder(&getContext());

    llvm::SmallPtrSet<Operation *, 32> read;
    module.walk([&](WeightOp weight) {
      read.insert(symbols.lookup(weight.getParam()));
    });
    int64_t end = 0;
    for (auto param : module.getOps<ParamOp>()) {
      if (!read.contains(param))
        continue;
      param->setAttr("offset", builder.getI64IntegerAttr(end));
      end = llvm::alignTo(end + getByteSize(param.getTensorType()),
                          WeightAlignment);
    }
    module->setAttr("weir.weights_bytes", builder.getI64IntegerAttr(end));

    auto fileType =
        MemRefType::get({ShapedType::kDynamic}, builder.getI8Type());
    NamedAttribute role(builder.getStringAttr(WeirDialect::getRoleAttrName()),
                        builder.getStringAttr("weights"));
    for (auto function : module.getOps<func::FuncOp>()) {
      if (function.isExternal())
        continue;
      if (!function.isPublic()) {
        WalkResult reads = function.walk([&](WeightOp weight) {
          weight.emitOpError("reads a weight in a private function; inline "
                             "calls before weights are bound");
          return WalkResult::interrupt();
        });
        if (reads.wasInterrupted())
          return signalPassFailure();
        continue;
      }
      unsigned position = function.getNumArguments();
      if (failed(function.insertArgument(position, fileType,
                                         builder.getDictionaryAttr(role),
                                         function.getLoc())))
        return signalPassFailure();
      Value file = function.getArgument(position);
      function.walk([&](WeightOp weight) {
        bindWeight(weight, symbols.lookup<ParamOp>(weight.getParam()), file);
      });
    }
  }
};
} // namespace
