//===- StackReference.cpp - Plain definitions -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/Weir.h"

using namespace mlir;
using namespace weir;

/// Copies a layer's region to the insertion point and returns what it yields.
static SmallVector<Value> inlineLayer(OpBuilder &builder, Region &region,
                                      Value layer, ValueRange carried) {
  SmallVector<Value> arguments{layer};
  llvm::append_range(arguments, carried);
  return inlineRegion(builder, region, arguments);
}

/// A constant vector of i32.
static Value buildTable(OpBuilder &builder, Location loc,
                        ArrayRef<int32_t> numbers) {
  auto type = RankedTensorType::get(static_cast<int64_t>(numbers.size()),
                                    builder.getI32Type());
  return arith::ConstantOp::create(builder, loc,
                                   DenseElementsAttr::get(type, numbers));
}

/// Fills `block`, the body of an alternative, with a copy of `kind`.
static void buildAlternative(OpBuilder &builder, Location loc, Region &target,
                             Region &kind, Value layer, ValueRange carried) {
  OpBuilder::InsertionGuard guard(builder);
  builder.createBlock(&target);
  scf::YieldOp::create(builder, loc,
                       inlineLayer(builder, kind, layer, carried));
}

FailureOr<SmallVector<Value>> StackOp::buildReference(OpBuilder &builder) {
  Location loc = getLoc();
  int64_t layers = getOrder().size();
  unsigned kinds = getKinds().size();
  if (layers == 0)
    return SmallVector<Value>(getInits());

  // The number of each layer within its kind.
  SmallVector<int32_t> numbers, counts(kinds, 0);
  for (int32_t kind : getOrder())
    numbers.push_back(counts[kind]++);
  Value kindTable, numberTable;
  if (kinds > 1) {
    kindTable = buildTable(builder, loc, getOrder());
    numberTable = buildTable(builder, loc, numbers);
  }

  auto loop = scf::ForOp::create(
      builder, loc, buildIndex(builder, loc, 0),
      buildIndex(builder, loc, layers), buildIndex(builder, loc, 1), getInits(),
      [&](OpBuilder &b, Location l, Value i, ValueRange carried) {
        if (kinds == 1) {
          scf::YieldOp::create(b, l, inlineLayer(b, getKinds()[0], i, carried));
          return;
        }
        Value kind = buildReadIndex(b, l, kindTable, i);
        Value layer = buildReadIndex(b, l, numberTable, i);
        // The last kind is the default, which a switch must have.
        SmallVector<int64_t> cases;
        for (unsigned k = 0; k + 1 < kinds; ++k)
          cases.push_back(k);
        auto choice = scf::IndexSwitchOp::create(b, l, getResultTypes(), kind,
                                                 cases, cases.size());
        for (auto [k, region] : llvm::enumerate(choice.getCaseRegions()))
          buildAlternative(b, l, region, getKinds()[k], layer, carried);
        buildAlternative(b, l, choice.getDefaultRegion(), getKinds().back(),
                         layer, carried);
        scf::YieldOp::create(b, l, choice.getResults());
      });
  return SmallVector<Value>(loop.getResults());
}
