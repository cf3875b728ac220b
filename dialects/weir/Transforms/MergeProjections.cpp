//===- MergeProjections.cpp - One product for a shared input -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One wide product reads its input once, has fewer partial panels and, when it
// spreads over threads, one barrier instead of several. Linears are grouped by
// what they must share, in block order; each group is rebuilt where its first
// member stands, whose weight and layer dominate that place. Joined parameters
// are found again by their definition, so that all functions of a module share
// them.
//
//===----------------------------------------------------------------------===//

#include "weir/Transforms/Passes.h"
#include "llvm/ADT/MapVector.h"

namespace weir {
#define GEN_PASS_DEF_MERGEPROJECTIONSPASS
#include "weir/Transforms/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

namespace {
/// A linear whose parameters are known.
struct Projection {
  LinearOp linear;
  WeightOp weight;
  ParamOp param;
  WeightOp biasWeight;
  ParamOp bias;
};

/// Finds and makes parameters.
class Params {
public:
  explicit Params(ModuleOp module) : module(module), symbols(module) {
    for (auto param : module.getOps<ParamOp>())
      byInit.try_emplace({param.getInit(), param.getTensorType()}, param);
    // A parameter read in any other way would be stored twice.
    module.walk([&](WeightOp weight) {
      for (OpOperand &use : weight->getUses()) {
        auto linear = dyn_cast<LinearOp>(use.getOwner());
        if (!linear || use.get() == linear.getInput())
          readOtherwise.insert(weight.getParamAttr().getAttr());
      }
    });
  }

  ParamOp lookup(WeightOp weight) {
    return symbols.lookup<ParamOp>(weight.getParam());
  }
  bool isReadOtherwise(ParamOp param) const {
    return readOtherwise.contains(param.getSymNameAttr());
  }

  /// The parameter of type `type` defined by `init`, made behind `after` under
  /// a name like `name` unless there is one.
  ParamOp get(Attribute init, RankedTensorType type, const Twine &name,
              ParamOp after, StringAttr stored) {
    ParamOp &param = byInit[{init, type}];
    if (param)
      return param;
    OpBuilder builder(after);
    builder.setInsertionPointAfter(after);
    param = ParamOp::create(builder, after.getLoc(), name.str(), type, init,
                            after.getSymVisibilityAttr());
    if (stored)
      param->setAttr("stored", stored);
    symbols.insert(param);
    return param;
  }

private:
  ModuleOp module;
  SymbolTable symbols;
  DenseMap<std::pair<Attribute, Type>, ParamOp> byInit;
  DenseSet<StringAttr> readOtherwise;
};
} // namespace

/// A name for what joins `params`.
static std::string joinNames(ArrayRef<ParamOp> params) {
  std::string joined = ParamOp(params.front()).getSymName().str();
  for (ParamOp param : params.drop_front())
    joined += ("_" + param.getSymName()).str();
  return joined;
}

/// The projection `linear` is, if its parameters allow merging.
static std::optional<Projection> analyze(LinearOp linear, Params &params) {
  Projection result;
  result.linear = linear;
  result.weight = linear.getWeight().getDefiningOp<WeightOp>();
  if (!result.weight || linear.getSchedule())
    return std::nullopt;
  result.param = params.lookup(result.weight);
  if (!result.param || params.isReadOtherwise(result.param))
    return std::nullopt;
  if (Value bias = linear.getBias()) {
    result.biasWeight = bias.getDefiningOp<WeightOp>();
    if (!result.biasWeight ||
        result.biasWeight.getLayer() != result.weight.getLayer())
      return std::nullopt;
    result.bias = params.lookup(result.biasWeight);
    if (!result.bias || params.isReadOtherwise(result.bias))
      return std::nullopt;
  }
  return result;
}

/// The parameter that joins `parts` on `axis`.
static ParamOp joinParams(ArrayRef<ParamOp> parts, int64_t axis,
                          Params &params) {
  Builder builder(parts.front()->getContext());
  SmallVector<Attribute> names;
  RankedTensorType first = ParamOp(parts.front()).getTensorType();
  SmallVector<int64_t> shape(first.getShape());
  shape[axis] = 0;
  ParamOp last = parts.front();
  for (ParamOp part : parts) {
    names.push_back(FlatSymbolRefAttr::get(part.getSymNameAttr()));
    shape[axis] += part.getTensorType().getDimSize(axis);
    if (last->isBeforeInBlock(part))
      last = part;
  }
  auto init =
      ConcatAttr::get(builder.getContext(), axis, builder.getArrayAttr(names));
  return params.get(init, first.clone(shape), joinNames(parts), last,
                    last->getAttrOfType<StringAttr>("stored"));
}

/// The joined bias of `group`, or none when no member has one.
static ParamOp joinBiases(ArrayRef<Projection> group, Params &params) {
  const Projection *biased = llvm::find_if(
      group, [](const Projection &p) { return ParamOp(p.bias) != nullptr; });
  if (biased == group.end())
    return nullptr;
  RankedTensorType like = ParamOp(biased->bias).getTensorType();
  SmallVector<ParamOp> parts;
  for (const Projection &projection : group) {
    if (projection.bias) {
      parts.push_back(projection.bias);
      continue;
    }
    SmallVector<int64_t> shape(like.getShape());
    Value weight = LinearOp(projection.linear).getWeight();
    shape.back() = cast<RankedTensorType>(weight.getType()).getDimSize(0);
    RankedTensorType type = like.clone(shape);
    auto zeros = DenseElementsAttr::get(
        type, Builder(like.getContext()).getZeroAttr(like.getElementType()));
    parts.push_back(params.get(
        zeros, type, ParamOp(projection.param).getSymName() + "_no_bias",
        projection.param, nullptr));
  }
  return joinParams(parts, like.getRank() - 1, params);
}

/// Reads `param`, of `layer` if there is one.
static Value readParam(OpBuilder &builder, Location loc, ParamOp param,
                       Value layer) {
  RankedTensorType type = param.getTensorType();
  if (layer)
    type = RankedTensorType::get(type.getShape().drop_front(),
                                 type.getElementType());
  return WeightOp::create(builder, loc, type,
                          FlatSymbolRefAttr::get(param.getSymNameAttr()),
                          layer);
}

/// Replaces the linears of `group` by slices of one.
static void mergeGroup(ArrayRef<Projection> group, Params &params) {
  LinearOp first = group.front().linear;
  Location loc = first.getLoc();
  Value layer = WeightOp(group.front().weight).getLayer();
  SmallVector<ParamOp> matrices;
  for (const Projection &projection : group)
    matrices.push_back(projection.param);
  int64_t rank = matrices.front().getTensorType().getRank();
  ParamOp matrix = joinParams(matrices, rank - 2, params);
  ParamOp bias = joinBiases(group, params);

  OpBuilder builder(first);
  Value weight = readParam(builder, loc, matrix, layer);
  Value biasValue = bias ? readParam(builder, loc, bias, layer) : Value();
  auto inputType = cast<RankedTensorType>(first.getInput().getType());
  SmallVector<int64_t> shape(inputType.getShape());
  shape.back() = cast<RankedTensorType>(weight.getType()).getDimSize(0);
  auto merged =
      LinearOp::create(builder, loc, inputType.clone(shape), first.getInput(),
                       weight, biasValue, ScheduleAttr());

  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, loc, first.getInput());
  SmallVector<OpFoldResult> offsets(sizes.size(), builder.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(sizes.size(), builder.getIndexAttr(1));
  int64_t column = 0;
  for (const Projection &projection : group) {
    LinearOp linear = projection.linear;
    auto type = cast<RankedTensorType>(linear.getResult().getType());
    int64_t features = type.getShape().back();
    offsets.back() = builder.getIndexAttr(column);
    sizes.back() = builder.getIndexAttr(features);
    column += features;
    Value slice = tensor::ExtractSliceOp::create(
        builder, linear.getLoc(), type, merged, offsets, sizes, strides);
    linear.replaceAllUsesWith(slice);
  }
  for (const Projection &projection : group) {
    LinearOp(projection.linear).erase();
    for (WeightOp read : {projection.weight, projection.biasWeight})
      if (read && read->use_empty())
        read->erase();
  }
}

/// Merges what can be merged in `block`.
static void mergeInBlock(Block &block, Params &params) {
  // Input, layer, type of weights less their rows, and stored type.
  using Key = std::pair<std::pair<Value, Value>,
                        std::pair<Type, std::pair<Type, Attribute>>>;
  llvm::MapVector<Key, SmallVector<Projection>> groups;
  for (auto linear : block.getOps<LinearOp>()) {
    std::optional<Projection> projection = analyze(linear, params);
    if (!projection)
      continue;
    RankedTensorType type = projection->param.getTensorType();
    SmallVector<int64_t> shape(type.getShape());
    shape[shape.size() - 2] = 0;
    Type bias = projection->bias
                    ? projection->bias.getTensorType().getElementType()
                    : type.getElementType();
    groups[{{linear.getInput(), projection->weight.getLayer()},
            {type.clone(shape), {bias, projection->param->getAttr("stored")}}}]
        .push_back(*projection);
  }
  for (auto &[key, group] : groups) {
    // The same parameter twice means the same product twice: left to CSE.
    DenseSet<Operation *> seen;
    llvm::erase_if(group, [&](Projection &projection) {
      return !seen.insert(projection.param).second;
    });
    if (group.size() > 1)
      mergeGroup(group, params);
  }
}

namespace {
struct MergeProjections
    : weir::impl::MergeProjectionsPassBase<MergeProjections> {
  void runOnOperation() override {
    Params params(getOperation());
    SmallVector<Block *> blocks;
    getOperation()->walk([&](LinearOp linear) {
      if (!llvm::is_contained(blocks, linear->getBlock()))
        blocks.push_back(linear->getBlock());
    });
    for (Block *block : blocks)
      mergeInBlock(*block, params);
  }
};
} // namespace
