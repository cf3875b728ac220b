//===- ModelBuilder.cpp - Weights, layers of a kind, the function -*- C++
//-*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Frontend/ModelBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/StringExtras.h"
#include <numeric>

using namespace mlir;
using namespace weir;

ArrayRef<int64_t> Param::getShape() const {
  ArrayRef<int64_t> shape = ParamOp(op).getTensorType().getShape();
  return stacked ? shape.drop_front() : shape;
}

ModelBuilder::ModelBuilder(MLIRContext &context, Checkpoint &checkpoint)
    : builder(&context), checkpoint(checkpoint),
      module(ModuleOp::create(UnknownLoc::get(&context))),
      loc(UnknownLoc::get(&context)) {
  context.loadDialect<WeirDialect, func::FuncDialect, arith::ArithDialect,
                      linalg::LinalgDialect, math::MathDialect,
                      tensor::TensorDialect>();
}

InFlightDiagnostic ModelBuilder::emitError(StringRef key) {
  failed = true;
  Location file = FileLineColLoc::get(&getContext(), checkpoint.path(), 0, 0);
  return mlir::emitError(
      NameLoc::get(StringAttr::get(&getContext(), key), file));
}

void ModelBuilder::setScope(StringRef name) {
  loc = NameLoc::get(builder.getStringAttr(name));
}

//===----------------------------------------------------------------------===//
// The function
//===----------------------------------------------------------------------===//

Value ModelBuilder::beginForward() {
  builder.setInsertionPointToEnd(module->getBody());
  Type i32 = builder.getI32Type();
  int64_t any = ShapedType::kDynamic;
  auto ids = RankedTensorType::get({any, any}, i32);
  auto lengths = RankedTensorType::get({any}, i32);
  function = func::FuncOp::create(
      builder, loc, "forward", builder.getFunctionType({ids, lengths}, {ids}));
  function->setAttr(WeirDialect::getMethodAttrName(),
                    builder.getStringAttr("forward"));
  StringRef name = WeirDialect::getNameAttrName();
  function.setArgAttr(0, name, builder.getStringAttr("input_ids"));
  function.setArgAttr(1, name, builder.getStringAttr("lengths"));
  function.setArgAttr(1, WeirDialect::getRoleAttrName(),
                      builder.getStringAttr("lengths"));
  builder.setInsertionPointToStart(function.addEntryBlock());
  sequences = 1;
  return function.getArgument(0);
}

Value ModelBuilder::addInput(Type type, StringRef name, StringRef role,
                             int64_t limit) {
  SmallVector<NamedAttribute> attributes;
  auto describe = [&](StringRef key, Attribute value) {
    attributes.push_back(builder.getNamedAttr(key, value));
  };
  describe(WeirDialect::getNameAttrName(), builder.getStringAttr(name));
  if (!role.empty())
    describe(WeirDialect::getRoleAttrName(), builder.getStringAttr(role));
  if (sequences > 1)
    describe(WeirDialect::getSequenceAttrName(),
             builder.getI64IntegerAttr(sequences - 1));
  if (limit != 0)
    describe(WeirDialect::getLimitAttrName(), builder.getI64IntegerAttr(limit));
  // The lengths stay where they are.
  unsigned number = function.getNumArguments();
  if (mlir::failed(function.insertArgument(
          number, type, builder.getDictionaryAttr(attributes), loc)))
    return {};
  return function.getArgument(number);
}

Value ModelBuilder::addOptionalInput(StringRef name, int64_t limit) {
  return addInput(function.getArgument(0).getType(), name, "optional", limit);
}

void ModelBuilder::limitLengths(int64_t limit) {
  function.setArgAttr(1, WeirDialect::getLimitAttrName(),
                      builder.getI64IntegerAttr(limit));
}

Value ModelBuilder::addSequence(StringRef prefix, int64_t limit) {
  ++sequences;
  Value ids = addInput(function.getArgument(0).getType(),
                       (prefix + "input_ids").str(), /*role=*/"", /*limit=*/0);
  addInput(function.getArgument(1).getType(), (prefix + "lengths").str(),
           "lengths", limit);
  return ids;
}

void ModelBuilder::endForward(StringRef name, Value result) {
  func::ReturnOp::create(builder, loc, result);
  function.setFunctionType(
      builder.getFunctionType(function.getArgumentTypes(), result.getType()));
  function.setResultAttr(0, WeirDialect::getNameAttrName(),
                         builder.getStringAttr(name));
  if (sequences > 1)
    function.setResultAttr(0, WeirDialect::getSequenceAttrName(),
                           builder.getI64IntegerAttr(sequences - 1));
}

OwningOpRef<ModuleOp> ModelBuilder::takeModule() {
  if (failed)
    return nullptr;
  return std::move(module);
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// `key` with `*` replaced by the number of a layer.
static std::string nameLayer(StringRef key, int64_t number) {
  auto [before, after] = key.split('*');
  return (before + Twine(number) + after).str();
}

/// "[2, 3]".
static std::string formatExtents(ArrayRef<int64_t> shape) {
  std::string text = "[";
  llvm::raw_string_ostream os(text);
  llvm::interleaveComma(shape, os);
  os << ']';
  return text;
}

std::optional<ArrayRef<int64_t>> ModelBuilder::getExtents(StringRef key) {
  const TensorInfo *tensor = checkpoint.lookup(
      layer && key.contains('*') ? nameLayer(key, layer->layers.front())
                                 : key.str());
  if (!tensor)
    return std::nullopt;
  return ArrayRef<int64_t>(tensor->shape);
}

bool ModelBuilder::hasTensor(StringRef key) {
  return getExtents(key).has_value();
}

bool ModelBuilder::checkTensor(StringRef key, ArrayRef<int64_t> shape) {
  auto tensor = checkpoint.use(key);
  if (!tensor) {
    emitError(key) << llvm::toString(tensor.takeError());
    return false;
  }
  if (ArrayRef<int64_t>((*tensor)->shape) == shape)
    return true;
  emitError(key) << "tensor '" << key << "' has extents "
                 << formatExtents((*tensor)->shape) << ", expected "
                 << formatExtents(shape) << " by the configuration";
  return false;
}

RankedTensorType ModelBuilder::getType(ArrayRef<int64_t> shape) {
  return RankedTensorType::get(shape, builder.getF32Type());
}

Param ModelBuilder::declare(const Twine &name, ArrayRef<int64_t> shape,
                            Attribute init, bool stacked) {
  std::string symbol = name.str();
  // Each kind of layer has its own stack of the weight.
  if (stacked && layer->several)
    symbol += "_" + std::to_string(layer->kind);
  SmallVector<int64_t> extents(shape);
  if (stacked)
    extents.insert(extents.begin(), layer->layers.size());
  RankedTensorType type = getType(extents);
  auto [it, inserted] = params.try_emplace(symbol);
  if (!inserted) {
    Param known = it->second;
    if (known.op.getTensorType() != type || known.op.getInit() != init)
      emitError(symbol) << "the family declares weight '" << symbol
                        << "' twice, with different sources";
    return known;
  }
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(function);
  Location place = NameLoc::get(builder.getStringAttr(symbol));
  it->second = {ParamOp::create(builder, place, symbol, type, init,
                                /*sym_visibility=*/nullptr),
                stacked};
  return it->second;
}

Param ModelBuilder::param(StringRef key, ArrayRef<int64_t> shape) {
  if (layer && key.contains('*'))
    return layerParam(key, shape, [](int64_t number) { return number; });
  if (!params.contains(key))
    checkTensor(key, shape);
  auto name = builder.getStringAttr(key);
  return declare(key, shape, CheckpointAttr::get(&getContext(), name, nullptr),
                 false);
}

Param ModelBuilder::layerParam(StringRef key, ArrayRef<int64_t> shape,
                               function_ref<int64_t(int64_t)> number) {
  SmallVector<int64_t> numbers = llvm::map_to_vector(layer->layers, number);
  for (int64_t each : numbers)
    // One of the layers says what is wrong with the others too.
    if (!checkTensor(nameLayer(key, each), shape))
      break;
  // "model.layers.*.mlp.weight" is the symbol "model.layers.mlp.weight".
  auto [before, after] = key.split('*');
  after.consume_front(".");
  return declare(before + after, shape,
                 CheckpointAttr::get(&getContext(), builder.getStringAttr(key),
                                     builder.getDenseI64ArrayAttr(numbers)),
                 true);
}

Param ModelBuilder::expertParam(StringRef key, int64_t experts,
                                ArrayRef<int64_t> shape) {
  auto checkAll = [&] {
    for (int64_t number : layer->layers) {
      std::string ofLayer = nameLayer(key, number);
      for (int64_t expert = 0; expert < experts; ++expert)
        if (!checkTensor(nameLayer(ofLayer, expert), shape))
          return;
    }
  };
  checkAll();
  auto layers = builder.getDenseI64ArrayAttr(layer->layers);
  SmallVector<int64_t> extents(shape);
  extents.insert(extents.begin(), experts);
  std::string symbol;
  for (StringRef part : llvm::split(key, ".*"))
    symbol += part;
  return declare(symbol, extents,
                 CheckpointAttr::get(&getContext(), builder.getStringAttr(key),
                                     layers, experts),
                 true);
}

/// The symbol of a parameter without the number of its kind.
static StringRef getStem(Param param, bool several) {
  StringRef name = param.op.getSymName();
  return param.stacked && several ? name.rsplit('_').first : name;
}

/// A reference to a parameter's symbol.
static FlatSymbolRefAttr getReference(Param param) {
  return FlatSymbolRefAttr::get(param.op.getSymNameAttr());
}

Param ModelBuilder::transpose(Param source, ArrayRef<int64_t> permutation) {
  SmallVector<int64_t> shape, axes;
  if (source.stacked)
    axes.push_back(0);
  for (int64_t axis : permutation) {
    shape.push_back(source.getShape()[axis]);
    axes.push_back(axis + source.stacked);
  }
  auto init = TransposeAttr::get(&getContext(), getReference(source),
                                 builder.getDenseI64ArrayAttr(axes));
  return declare(getStem(source, layer && layer->several) + ".transposed",
                 shape, init, source.stacked);
}

Param ModelBuilder::slice(Param source, int64_t axis, int64_t offset,
                          int64_t size, StringRef name) {
  SmallVector<int64_t> shape(source.getShape());
  shape[axis] = size;
  auto init = SliceAttr::get(&getContext(), getReference(source),
                             axis + source.stacked, offset, size);
  return declare(getStem(source, layer && layer->several) + "." + name, shape,
                 init, source.stacked);
}

Param ModelBuilder::concat(StringRef name, int64_t axis,
                           ArrayRef<Param> parts) {
  SmallVector<int64_t> shape(parts.front().getShape());
  shape[axis] = 0;
  SmallVector<Attribute> references;
  for (Param part : parts) {
    shape[axis] += part.getShape()[axis];
    references.push_back(getReference(part));
  }
  bool stacked = parts.front().stacked;
  auto init = ConcatAttr::get(&getContext(), axis + stacked,
                              builder.getArrayAttr(references));
  return declare(name, shape, init, stacked);
}

Param ModelBuilder::reshape(Param source, ArrayRef<int64_t> shape) {
  auto init = ReshapeAttr::get(&getContext(), getReference(source));
  return declare(getStem(source, layer && layer->several) + ".reshaped", shape,
                 init, source.stacked);
}

Param ModelBuilder::constant(StringRef name, ArrayRef<float> values,
                             ArrayRef<int64_t> shape) {
  auto init = DenseElementsAttr::get(getType(shape), values);
  return declare(name, shape, init, false);
}

Param ModelBuilder::layerScalars(StringRef name,
                                 function_ref<float(int64_t)> value) {
  return layerConstants(name, {}, [&](int64_t number) {
    return SmallVector<float>{value(number)};
  });
}

Param ModelBuilder::layerConstants(
    StringRef name, ArrayRef<int64_t> shape,
    function_ref<SmallVector<float>(int64_t)> values) {
  SmallVector<float> all;
  for (int64_t number : layer->layers)
    llvm::append_range(all, values(number));
  SmallVector<int64_t> extents(shape);
  extents.insert(extents.begin(), layer->layers.size());
  auto [before, after] = name.split('*');
  after.consume_front(".");
  return declare(before + after, shape,
                 DenseElementsAttr::get(getType(extents), ArrayRef<float>(all)),
                 true);
}

Value ModelBuilder::read(Param param) {
  return WeightOp::create(builder, loc, getType(param.getShape()),
                          getReference(param),
                          param.stacked ? layer->index : Value());
}

Value ModelBuilder::weight(StringRef key, ArrayRef<int64_t> shape) {
  return read(param(key, shape));
}

//===----------------------------------------------------------------------===//
// Layers of a kind
//===----------------------------------------------------------------------===//

Value ModelBuilder::stack(Value input, ArrayRef<int32_t> order,
                          function_ref<Value(int32_t, Value)> body) {
  return stack(ValueRange(input), order,
               [&](int32_t kind, ValueRange inputs) -> SmallVector<Value> {
                 return {body(kind, inputs.front())};
               })
      .front();
}

SmallVector<Value> ModelBuilder::stack(ValueRange inputs,
                                       ArrayRef<int32_t> order, LayersFn body,
                                       std::optional<int64_t> own) {
  int32_t kinds = *llvm::max_element(order) + 1;
  Location outer = loc;
  auto stackOp = StackOp::create(builder, loc, inputs.getTypes(), inputs, order,
                                 static_cast<unsigned>(kinds));
  SmallVector<Type> types = {builder.getIndexType()};
  llvm::append_range(types, inputs.getTypes());
  for (int32_t kind = 0; kind < kinds; ++kind) {
    OpBuilder::InsertionGuard guard(builder);
    Block *block =
        builder.createBlock(&stackOp.getKinds()[kind], {}, types,
                            SmallVector<Location>(types.size(), outer));
    layer.emplace();
    layer->index = block->getArgument(0);
    layer->kind = kind;
    layer->several = kinds > 1;
    for (auto [number, numberKind] : llvm::enumerate(order))
      if (numberKind == kind)
        layer->layers.push_back(number);
    if (own) {
      layer->layers.resize(*own);
      std::iota(layer->layers.begin(), layer->layers.end(), 0);
      Value count = arith::ConstantIndexOp::create(builder, loc, *own);
      layer->index = arith::RemUIOp::create(builder, loc, layer->index, count);
    }
    SmallVector<Value> results = body(kind, block->getArguments().drop_front());
    YieldOp::create(builder, loc, results);
  }
  layer.reset();
  loc = outer;
  return SmallVector<Value>(stackOp.getResults());
}
