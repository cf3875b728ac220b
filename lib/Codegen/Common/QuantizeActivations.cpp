//===- QuantizeActivations.cpp - Multiply bytes by bytes --------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/Dominance.h"
#include "mlir/IR/Remarks.h"
#include "weir/Codegen/Passes.h"
#include "weir/IR/Weir.h"

namespace weir {
#define GEN_PASS_DEF_QUANTIZEACTIVATIONS
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

namespace {
struct QuantizeActivationsPass
    : weir::impl::QuantizeActivationsBase<QuantizeActivationsPass> {
  void runOnOperation() override {
    SmallVector<PackedLinearOp> products;
    getOperation()->walk([&](PackedLinearOp product) {
      auto type = cast<RankedTensorType>(product.getInput().getType());
      if (!product.getScales() || !type.getElementType().isF32())
        return;
      if (product.getCode() == PackCode::E4M3) {
        remark::missed(product.getLoc(),
                       remark::RemarkOpts::name("QuantizeInput")
                           .category("weir-quantize-activations"))
            << "weights of e4m3 are multiplied in f32: they are no integers; "
               "--quantize=int8 makes them so";
        return;
      }
      products.push_back(product);
    });
    // One quantisation serves all products of a block that read the same.
    DenseMap<std::tuple<Value, int64_t, Block *>, QuantizeOp> quantized;
    for (PackedLinearOp product : products) {
      OpBuilder builder(product);
      Value input = product.getInput();
      int64_t group = product.getGroup();
      QuantizeOp &quants = quantized[{input, group, product->getBlock()}];
      if (!quants)
        quants = QuantizeOp::create(builder, product.getLoc(), input, group);
      product.getInputMutable().assign(quants.getQuants());
      product.getInputScalesMutable().assign(quants.getScales());
      product.getInputSumsMutable().assign(quants.getSums());
    }
  }
};
} // namespace
