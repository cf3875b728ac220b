//===- WeirDialect.cpp - The weir dialect -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Transforms/InliningUtils.h"
#include "weir/IR/Cost.h"
#include "weir/IR/Weir.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weir;

#include "weir/IR/WeirDialect.cpp.inc"
#include "weir/IR/WeirEnums.cpp.inc"

#define GET_OP_CLASSES
#include "weir/IR/WeirOps.cpp.inc"

namespace {
/// Functions of a module written by hand are taken apart wherever they are
/// called: no operation of the dialect asks where it stands.
struct WeirInliner : DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;

  bool isLegalToInline(Region *, Region *, bool, IRMapping &) const override {
    return true;
  }
  bool isLegalToInline(Operation *, Region *, bool,
                       IRMapping &) const override {
    return true;
  }
};
} // namespace

void WeirDialect::initialize() {
  registerAttributes();
  addOperations<
#define GET_OP_LIST
#include "weir/IR/WeirOps.cpp.inc"
      >();
  addInterfaces<WeirInliner>();
  attachCostModels(getContext());
}

/// Folds make numbers, which are constants of arith.
Operation *WeirDialect::materializeConstant(OpBuilder &builder, Attribute value,
                                            Type type, Location loc) {
  return arith::ConstantOp::materialize(builder, value, type, loc);
}
