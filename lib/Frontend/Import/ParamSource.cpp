//===- ParamSource.cpp - The numbers of parameters -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Frontend/Import.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace weir;

namespace {

/// Follows parameters to the checkpoint.
class ParamSourceBuilder {
public:
  ParamSourceBuilder(const SymbolTable &symbols, Checkpoint *checkpoint)
      : symbols(symbols), checkpoint(checkpoint) {}

  llvm::Expected<WeightRef> build(ParamOp param);

private:
  llvm::Expected<WeightRef> buildInit(ParamOp param);
  llvm::Expected<WeightRef> buildReference(ParamOp user,
                                           FlatSymbolRefAttr reference);
  llvm::Expected<WeightRef> buildCheckpoint(ParamOp param, CheckpointAttr attr);
  llvm::Expected<WeightRef> buildConstant(ParamOp param, ElementsAttr values);

  const SymbolTable &symbols;
  Checkpoint *checkpoint;
  /// The parameters being followed, which none may name again.
  SmallVector<ParamOp> active;
};

} // namespace

/// An error about a parameter.
static llvm::Error paramError(ParamOp param, const Twine &message) {
  return llvm::createStringError("parameter @" + param.getSymName() + " " +
                                 message);
}

/// "[2, 3]".
static std::string formatExtents(ArrayRef<int64_t> shape) {
  std::string text = "[";
  llvm::raw_string_ostream os(text);
  llvm::interleaveComma(shape, os);
  os << ']';
  return text;
}

llvm::Expected<WeightRef>
ParamSourceBuilder::buildReference(ParamOp user, FlatSymbolRefAttr reference) {
  auto param = symbols.lookup<ParamOp>(reference.getAttr());
  if (!param)
    return paramError(user, "names @" + reference.getValue() +
                                ", which is no weir.param");
  return build(param);
}

llvm::Expected<WeightRef>
ParamSourceBuilder::buildCheckpoint(ParamOp param, CheckpointAttr attr) {
  if (!checkpoint)
    return paramError(param, "names the tensor '" + attr.getKey().getValue() +
                                 "' when there is no checkpoint; give one "
                                 "beside the module");
  if (!attr.getLayers())
    return WeightSource::leaf(*checkpoint, attr.getKey().getValue());
  SmallVector<WeightRef> layers;
  for (const std::string &key : attr.getKeys()) {
    auto layer = WeightSource::leaf(*checkpoint, key);
    if (!layer)
      return layer.takeError();
    layers.push_back(std::move(*layer));
  }
  llvm::Expected<WeightRef> stack = WeightSource::stack(layers);
  if (!stack || attr.getExperts() == 0)
    return stack;
  // Experts of one layer lie side by side.
  SmallVector<int64_t> shape(layers.front()->shape());
  shape.insert(shape.begin(), {attr.getLayers().size(), attr.getExperts()});
  return WeightSource::reshape(shape, std::move(*stack));
}

llvm::Expected<WeightRef>
ParamSourceBuilder::buildConstant(ParamOp param, ElementsAttr values) {
  std::vector<float> numbers;
  numbers.reserve(values.getNumElements());
  if (auto floats = values.tryGetValues<APFloat>()) {
    for (APFloat number : *floats) {
      bool loses = false;
      number.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven,
                     &loses);
      numbers.push_back(number.convertToFloat());
    }
  } else if (auto integers = values.tryGetValues<APInt>()) {
    for (const APInt &number : *integers)
      numbers.push_back(static_cast<float>(number.getSExtValue()));
  } else {
    return paramError(param, "has constants that are no numbers at hand; "
                             "expected dense<...>");
  }
  return WeightSource::constant(std::move(numbers),
                                values.getShapedType().getShape());
}

llvm::Expected<WeightRef> ParamSourceBuilder::buildInit(ParamOp param) {
  Attribute init = param.getInit();
  if (auto attr = dyn_cast<CheckpointAttr>(init))
    return buildCheckpoint(param, attr);
  if (auto values = dyn_cast<ElementsAttr>(init))
    return buildConstant(param, values);
  if (auto attr = dyn_cast<ConcatAttr>(init)) {
    SmallVector<WeightRef> parts;
    for (Attribute entry : attr.getParts()) {
      auto reference = dyn_cast<FlatSymbolRefAttr>(entry);
      if (!reference)
        return paramError(param, "joins something that is no symbol");
      auto part = buildReference(param, reference);
      if (!part)
        return part.takeError();
      parts.push_back(std::move(*part));
    }
    return WeightSource::concat(attr.getAxis(), parts);
  }
  if (isa<PackAttr>(init))
    return paramError(param, "is packed; ask for the source of the parameter "
                             "that it packs");
  auto reference = llvm::TypeSwitch<Attribute, FlatSymbolRefAttr>(init)
                       .Case<TransposeAttr, SliceAttr, ReshapeAttr>(
                           [](auto attr) { return attr.getSource(); })
                       .Default(FlatSymbolRefAttr());
  if (!reference)
    return paramError(param, "has no source of numbers");
  auto source = buildReference(param, reference);
  if (!source)
    return source.takeError();
  if (auto attr = dyn_cast<TransposeAttr>(init))
    return WeightSource::permute(attr.getPermutation().asArrayRef(), *source);
  if (isa<ReshapeAttr>(init))
    return WeightSource::reshape(param.getTensorType().getShape(), *source);
  auto attr = cast<SliceAttr>(init);
  SmallVector<int64_t> sizes((*source)->shape());
  SmallVector<int64_t> offsets(sizes.size(), 0);
  if (attr.getAxis() < 0 || attr.getAxis() >= int64_t(sizes.size()))
    return paramError(param, "is a part along axis " + Twine(attr.getAxis()) +
                                 " of a weight with extents " +
                                 formatExtents(sizes));
  offsets[attr.getAxis()] = attr.getOffset();
  sizes[attr.getAxis()] = attr.getSize();
  return WeightSource::slice(offsets, sizes, *source);
}

llvm::Expected<WeightRef> ParamSourceBuilder::build(ParamOp param) {
  if (llvm::is_contained(active, param))
    return paramError(param, "is made of itself");
  // Frontends nest a few deep; a module from elsewhere must not exhaust the
  // stack.
  constexpr size_t limit = 256;
  if (active.size() == limit)
    return paramError(param, "is at the end of a chain of more than " +
                                 Twine(limit) + " parameters");
  active.push_back(param);
  auto source = buildInit(param);
  active.pop_back();
  if (!source)
    return source.takeError();
  ArrayRef<int64_t> expected = param.getTensorType().getShape();
  if ((*source)->shape() != expected)
    return paramError(param, "has extents " + formatExtents(expected) +
                                 " and its source " +
                                 formatExtents((*source)->shape()));
  return source;
}

llvm::Expected<WeightRef> weir::buildParamSource(ParamOp param,
                                                 const SymbolTable &symbols,
                                                 Checkpoint *checkpoint) {
  return ParamSourceBuilder(symbols, checkpoint).build(param);
}
