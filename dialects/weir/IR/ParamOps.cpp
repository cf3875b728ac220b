//===- ParamOps.cpp - Weights and where they come from -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/IR/Weir.h"
#include "llvm/ADT/SetVector.h"
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
  if (auto concat = dyn_cast<ConcatAttr>(getInit()))
    if (concat.getParts().empty() ||
        !llvm::all_of(concat.getParts(), llvm::IsaPred<FlatSymbolRefAttr>))
      return emitOpError("joins ")
             << concat.getParts() << ", expected parameters";
  // param_c3
  if (auto checkpoint = dyn_cast<CheckpointAttr>(getInit())) {
    DenseI64ArrayAttr layers = checkpoint.getLayers();
    if (layers && (type.getRank() == 0 || type.getDimSize(0) != layers.size()))
      return emitOpError("stacks ")
             << layers.size() << " tensors when its type is " << type;
    if (layers && !checkpoint.getKey().getValue().contains('*'))
      return emitOpError("stacks layers of ")
             << checkpoint.getKey() << ", expected a '*' in the key";
    int64_t experts = checkpoint.getExperts();
    if (experts != 0 && (!layers || experts < 0 || type.getRank() < 2 ||
                         type.getDimSize(1) != experts ||
                         checkpoint.getKey().getValue().count('*') != 2))
      return emitOpError("stacks ")
             << experts << " experts of " << checkpoint.getKey()
             << " when its type is " << type
             << ", expected layers, a '*' for each of both in the key and the "
                "experts on axis 1";
  }
  return success();
}

SmallVector<FlatSymbolRefAttr> ParamOp::getSources() {
  return llvm::TypeSwitch<Attribute, SmallVector<FlatSymbolRefAttr>>(getInit())
      .Case<TransposeAttr, SliceAttr, ReshapeAttr, PackAttr>(
          [](auto attr) -> SmallVector<FlatSymbolRefAttr> {
            return {attr.getSource()};
          })
      .Case<ConcatAttr>([](ConcatAttr attr) {
        return llvm::to_vector(
            attr.getParts().template getAsRange<FlatSymbolRefAttr>());
      })
      .Default(SmallVector<FlatSymbolRefAttr>());
}

/// The parameter `name` that `user` is made of, or null.
static ParamOp lookupParam(ParamOp user, FlatSymbolRefAttr name,
                           SymbolTableCollection &tables) {
  return tables.lookupNearestSymbolFrom<ParamOp>(user, name);
}

/// Whether `param` is among the parameters it is made of.
static bool isMadeOfItself(ParamOp param, SymbolTableCollection &tables) {
  llvm::SetVector<Operation *> reached;
  reached.insert(param);
  for (size_t i = 0; i < reached.size(); ++i) {
    auto user = cast<ParamOp>(reached[i]);
    for (FlatSymbolRefAttr name : user.getSources()) {
      ParamOp source = lookupParam(user, name, tables);
      if (source == param)
        return true;
      if (source)
        reached.insert(source);
    }
  }
  return false;
}

/// The shape that `init` makes of sources of the shapes `sources`, or none
/// where these do not fit it.
static std::optional<SmallVector<int64_t>>
computeShape(ParamOp param, ArrayRef<ArrayRef<int64_t>> sources) {
  ArrayRef<int64_t> first = sources.front();
  int64_t rank = first.size();
  if (auto concat = dyn_cast<ConcatAttr>(param.getInit())) {
    int64_t axis = concat.getAxis();
    if (axis < 0 || axis >= rank)
      return std::nullopt;
    SmallVector<int64_t> shape(first);
    shape[axis] = 0;
    for (ArrayRef<int64_t> source : sources) {
      if (static_cast<int64_t>(source.size()) != rank)
        return std::nullopt;
      for (int64_t i = 0; i < rank; ++i)
        if (i != axis && source[i] != shape[i])
          return std::nullopt;
      shape[axis] += source[axis];
    }
    return shape;
  }
  if (auto transpose = dyn_cast<TransposeAttr>(param.getInit())) {
    ArrayRef<int64_t> permutation = transpose.getPermutation().asArrayRef();
    SmallVector<int64_t> sorted(permutation), shape;
    llvm::sort(sorted);
    if (!llvm::equal(sorted, llvm::seq<int64_t>(0, rank)))
      return std::nullopt;
    for (int64_t axis : permutation)
      shape.push_back(first[axis]);
    return shape;
  }
  if (auto slice = dyn_cast<SliceAttr>(param.getInit())) {
    int64_t axis = slice.getAxis();
    if (axis < 0 || axis >= rank || slice.getOffset() < 0 ||
        slice.getSize() < 0 || slice.getSize() > first[axis] ||
        slice.getOffset() > first[axis] - slice.getSize())
      return std::nullopt;
    SmallVector<int64_t> shape(first);
    shape[axis] = slice.getSize();
    return shape;
  }
  ArrayRef<int64_t> shape = param.getTensorType().getShape();
  if (isa<ReshapeAttr>(param.getInit()) &&
      ShapedType::getNumElements(shape) != ShapedType::getNumElements(first))
    return std::nullopt;
  // The shapes of packed parts are those of the kernel they are for.
  return SmallVector<int64_t>(shape);
}

LogicalResult ParamOp::verifySymbolUses(SymbolTableCollection &tables) {
  // param_c4
  SmallVector<ArrayRef<int64_t>> sources;
  SmallVector<ParamOp> params;
  for (FlatSymbolRefAttr name : getSources()) {
    ParamOp source = lookupParam(*this, name, tables);
    if (!source)
      return emitOpError("is made of ") << name << ", which is no weir.param";
    params.push_back(source);
    sources.push_back(source.getTensorType().getShape());
  }
  if (params.empty())
    return success();
  if (isMadeOfItself(*this, tables))
    return emitOpError("is made of itself");
  std::optional<SmallVector<int64_t>> shape = computeShape(*this, sources);
  if (shape && ArrayRef<int64_t>(*shape) == getTensorType().getShape())
    return success();
  InFlightDiagnostic diagnostic = emitOpError("has type ") << getTensorType();
  if (shape)
    diagnostic << " when " << getInit() << " makes ["
               << ArrayRef<int64_t>(*shape) << ']';
  else
    diagnostic << ", but " << getInit() << " does not fit its sources";
  for (ParamOp source : params)
    diagnostic.attachNote(source.getLoc())
        << "source of type " << source.getTensorType() << " declared here";
  return diagnostic;
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
