//===- ParamOps.cpp - Weights and where they come from -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/IR/Weir.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weir;

LogicalResult ParamOp::verify() {
  RankedTensorType type = getTensorType();
  // param_c1
  if (!type.hasStaticShape())
    return emitOpError("has type ") << type << ", expected a static shape";
  // param_c2
  if (auto elements = dyn_cast<ElementsAttr>(getInit())) {
    if (elements.getShapedType() != type)
      return emitOpError("has constants of type ")
             << elements.getShapedType() << " when its type is " << type;
    return success();
  }
  if (!isa<CheckpointAttr, ConcatAttr, TransposeAttr, SliceAttr, ReshapeAttr,
           PackAttr>(getInit()))
    return emitOpError("has no source of numbers: found ")
           << getInit()
           << ", expected #weir.checkpoint, another parameter or constants";
  // param_c3
  if (auto checkpoint = dyn_cast<CheckpointAttr>(getInit())) {
    DenseI64ArrayAttr layers = checkpoint.getLayers();
    if (layers && (type.getRank() == 0 || type.getDimSize(0) != layers.size()))
      return emitOpError("stacks ")
             << layers.size() << " tensors when its type is " << type;
    if (layers && !checkpoint.getKey().getValue().contains('*'))
      return emitOpError("stacks layers of ")
             << checkpoint.getKey() << ", expected a '*' in the key";
  }
  return success();
}

LogicalResult WeightOp::verifySymbolUses(SymbolTableCollection &tables) {
  // weight_c1
  auto param = tables.lookupNearestSymbolFrom<ParamOp>(*this, getParamAttr());
  if (!param)
    return emitOpError("reads ")
           << getParamAttr() << ", which is no weir.param";
  // weight_c2
  RankedTensorType expected = param.getTensorType();
  if (getLayer()) {
    if (expected.getRank() == 0)
      return emitOpError("takes a layer of ")
             << getParamAttr() << ", which has no axis";
    expected = RankedTensorType::get(expected.getShape().drop_front(),
                                     expected.getElementType());
  }
  if (getType() == expected)
    return success();
  InFlightDiagnostic diagnostic = emitOpError("has type ")
                                  << getType() << ", expected " << expected;
  diagnostic.attachNote(param.getLoc()) << "parameter declared here";
  return diagnostic;
}
