//===- PackWeights.cpp - Weights in the micro-kernels' layout -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each linear is looked at by itself; packed parameters are kept by what they
// are made of, so that all functions of a module share them. What nobody reads
// any more gets no place in the weights file. In the body of experts, a
// linear's weight is a slice of a param that stacks those of all experts; the
// packed parts are stacked alike, and become params in its place.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"
#include "weir/Codegen/Passes.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/Weir.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MathExtras.h"

namespace weir {
#define GEN_PASS_DEF_PACKWEIGHTS
#include "weir/Codegen/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

namespace {
/// How a matrix is stored.
struct Storage {
  int64_t bits;
  /// Of floats.
  Type element;
  /// Whether quants have a min beside their scale.
  bool hasMins = false;
  PackCode code = PackCode::Affine;
  /// Elements that share a scale; 0 for as many as the pass is told.
  int64_t group = 0;
};

/// The packed parameters of one matrix.
struct PackedParams {
  Storage storage;
  ParamOp values, scales, mins;
};

struct PackWeightsPass : weir::impl::PackWeightsBase<PackWeightsPass> {
  using PackWeightsBase::PackWeightsBase;

  Storage chooseStorage(ParamOp param);
  PackedParams pack(ParamOp param, SymbolTable &symbols);
  void packLinear(LinearOp linear, SymbolTable &symbols);
  void runOnOperation() override;

private:
  llvm::DenseMap<Operation *, PackedParams> packed;
};
} // namespace

Storage PackWeightsPass::chooseStorage(ParamOp param) {
  Builder builder(param.getContext());
  RankedTensorType type = param.getTensorType();
  Type declared = type.getElementType();
  if (!declared.isBF16() && !declared.isF16())
    declared = builder.getF32Type();
  auto asFloat = [](Type element) {
    return Storage{element.getIntOrFloatBitWidth(), element};
  };
  StringRef stored;
  if (auto attr = param->getAttrOfType<StringAttr>("stored"))
    stored = attr.getValue();

  // Blocks of 32 and no others are kept as they are.
  bool isE2M1 = stored == "mxfp4" && group == 32;
  Storage e2m1 = {4, {}, /*hasMins=*/false, PackCode::E2M1};
  // Scales of e4m3 are for 128 or more: as many as divide the rows.
  int64_t columns = type.getShape().back();
  int64_t block = columns % 128 == 0 ? 128 : columns % 64 == 0 ? 64 : 32;
  Storage e4m3 = {8, {}, /*hasMins=*/false, PackCode::E4M3, block};
  Storage storage = asFloat(declared);
  if (quantize == "bf16") {
    storage = asFloat(builder.getBF16Type());
  } else if (quantize == "int8") {
    storage = {8, {}};
  } else if (quantize == "int4") {
    storage = isE2M1 ? e2m1 : Storage{4, {}, /*hasMins=*/stored != "q4_0"};
  } else if (quantize == "stored" && !stored.empty()) {
    bool plain = llvm::StringSwitch<bool>(stored)
                     .Cases({"f64", "f32", "f16", "bf16"}, true)
                     .Cases({"i64", "i32", "i16", "i8"}, true)
                     .Cases({"u64", "u32", "u16", "u8", "bool"}, true)
                     .Cases({"f8_e5m2", "f8_e8m0"}, true)
                     .Default(false);
    if (stored == "bf16")
      storage = asFloat(builder.getBF16Type());
    else if (stored == "f16")
      storage = asFloat(builder.getF16Type());
    else if (stored == "q4_0" || stored == "q4_1")
      storage = {4, {}, /*hasMins=*/stored == "q4_1"};
    else if (isE2M1)
      storage = e2m1;
    else if (stored == "f8_e4m3")
      storage = e4m3;
    else if (!plain)
      storage = {8, {}};
  }
  if (!storage.group)
    storage.group = group;
  if (storage.bits < 16 && columns % storage.group != 0) {
    remark::missed(param.getLoc(), remark::RemarkOpts::name("QuantizeWeight")
                                       .category("weir-pack-weights"))
        << "@" << param.getSymName() << " keeps floats: rows of "
        << std::to_string(columns) << " are no multiple of the group";
    storage = asFloat(declared);
    storage.group = group;
  }
  return storage;
}

PackedParams PackWeightsPass::pack(ParamOp param, SymbolTable &symbols) {
  auto [entry, isNew] = packed.try_emplace(param);
  PackedParams &result = entry->second;
  if (!isNew)
    return result;
  result.storage = chooseStorage(param);
  int64_t bits = result.storage.bits, group = result.storage.group;

  ArrayRef<int64_t> shape = param.getTensorType().getShape();
  SmallVector<int64_t> leading(shape.drop_back(2));
  leading.push_back(llvm::divideCeil(shape[shape.size() - 2], panel));
  int64_t reduction = shape.back();
  OpBuilder builder(param);
  builder.setInsertionPointAfter(param);
  auto create = [&](PackPart part, StringRef suffix, ArrayRef<int64_t> trailing,
                    Type element) {
    SmallVector<int64_t> extents(leading);
    extents.append(trailing.begin(), trailing.end());
    auto init = PackAttr::get(builder.getContext(),
                              FlatSymbolRefAttr::get(param.getSymNameAttr()),
                              part, panel, bits, group, result.storage.code);
    auto part_ = ParamOp::create(builder, param.getLoc(),
                                 (param.getSymName() + "_" + suffix).str(),
                                 RankedTensorType::get(extents, element), init,
                                 param.getSymVisibilityAttr());
    symbols.insert(part_);
    return part_;
  };
  // A product of bf16 needs both: what is multiplied is the same as stored.
  bool isBF16 = bits >= 16 && result.storage.element.isBF16();
  if (compute == "bf16" && isBF16 && reduction % 2 == 0) {
    result.values = create(PackPart::Pairs, "pairs", {reduction / 2, panel, 2},
                           result.storage.element);
    return result;
  }
  if (compute == "bf16")
    remark::missed(
        param.getLoc(),
        remark::RemarkOpts::name("ComputeBF16").category("weir-pack-weights"))
        << "@" << param.getSymName() << " is multiplied in f32: "
        << (isBF16 ? "an odd number of input features"
                   : "weights that are not stored as bf16");
  if (bits >= 16) {
    result.values = create(PackPart::Values, "values", {reduction, panel},
                           result.storage.element);
    return result;
  }
  int64_t perLane = 32 / bits;
  result.values = create(PackPart::Quants, "quants",
                         {reduction / perLane, panel, 4}, builder.getI8Type());
  Type scale = result.storage.code == PackCode::E2M1 ? builder.getI8Type()
               : halfScales && result.storage.code != PackCode::E4M3
                   ? Type(builder.getF16Type())
                   : builder.getF32Type();
  result.scales =
      create(PackPart::Scales, "scales", {reduction / group, panel}, scale);
  if (result.storage.hasMins)
    result.mins =
        create(PackPart::Mins, "mins", {reduction / group, panel}, scale);
  return result;
}

/// The experts whose param `value` is a slice of, or null.
static ExpertsOp getExperts(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument || argument.getArgNumber() == 0)
    return {};
  return dyn_cast<ExpertsOp>(argument.getOwner()->getParentOp());
}

void PackWeightsPass::packLinear(LinearOp linear, SymbolTable &symbols) {
  Value matrix = linear.getWeight();
  ExpertsOp experts = getExperts(matrix);
  if (experts)
    matrix =
        experts.getParams()[cast<BlockArgument>(matrix).getArgNumber() - 1];
  auto weight = matrix.getDefiningOp<WeightOp>();
  if (!weight)
    return;
  auto param = symbols.lookup<ParamOp>(weight.getParam());
  Type inputType =
      cast<RankedTensorType>(linear.getInput().getType()).getElementType();
  if (!param || !inputType.isF32())
    return;
  PackedParams parts = pack(param, symbols);
  OpBuilder builder(linear);
  if (experts)
    for (ParamOp part : {parts.values, parts.scales, parts.mins})
      if (part)
        part->setAttr("weir.partial", builder.getUnitAttr());
  Location loc = linear.getLoc();
  auto read = [&](ParamOp part) -> Value {
    if (!part)
      return {};
    RankedTensorType type = part.getTensorType();
    if (weight.getLayer())
      type = RankedTensorType::get(type.getShape().drop_front(),
                                   type.getElementType());
    OpBuilder::InsertionGuard guard(builder);
    if (experts)
      builder.setInsertionPoint(experts);
    Value read = WeightOp::create(builder, loc, type,
                                  FlatSymbolRefAttr::get(part.getSymNameAttr()),
                                  weight.getLayer());
    return experts ? experts.addParam(read) : read;
  };
  Value values = read(parts.values), scales = read(parts.scales),
        mins = read(parts.mins);
  Value input = linear.getInput();
  if (cast<RankedTensorType>(values.getType()).getRank() == 4 &&
      parts.storage.bits == 16)
    input = buildConverted(builder, loc, input, builder.getBF16Type());
  auto result = PackedLinearOp::create(
      builder, loc, linear.getResult().getType(), input, values, scales, mins,
      linear.getBias(), /*input_scales=*/Value(),
      /*input_sums=*/Value(), /*init=*/Value(), parts.storage.bits,
      parts.storage.group, parts.storage.code, linear.getScheduleAttr());
  linear.replaceAllUsesWith(result.getResult());
  linear.erase();
  if (experts)
    experts.dropUnusedParams();
  if (weight->use_empty())
    weight.erase();
}

void PackWeightsPass::runOnOperation() {
  if (!llvm::is_contained({"none", "stored", "bf16", "int8", "int4"},
                          StringRef(quantize)) ||
      panel < 1 || group < 8 || group % 8 != 0 ||
      (compute != "f32" && compute != "bf16")) {
    getOperation()->emitError()
        << "weir-pack-weights has quantize=" << quantize
        << " panel=" << panel.getValue() << " group=" << group.getValue()
        << " compute=" << compute
        << ", expected none, stored, bf16, int8 or int4, a positive panel, "
           "groups of a multiple of 8, and f32 or bf16";
    return signalPassFailure();
  }
  packed.clear();
  SymbolTable symbols(getOperation());
  SmallVector<LinearOp> linears;
  getOperation()->walk([&](LinearOp linear) { linears.push_back(linear); });
  for (LinearOp linear : linears)
    packLinear(linear, symbols);
}
