//===- WidenToF64.cpp - Compute in f64 what is written in f32 -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The pass replaces f32 by f64 in every type and constant of every function,
// and then puts back what is the outside's: the types of weights as they are
// stored, and of public arguments and results that are no state. Values are
// extended right behind a weight or an argument and rounded right before the
// return. Conversions between f32 and f64 that were there have become
// conversions from f64 to f64 and go away.
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "weir/IR/ReferenceBuilders.h"
#include "weir/IR/Weir.h"
#include "weir/Transforms/Passes.h"
#include "weir/Transforms/Transforms.h"

namespace weir {
#define GEN_PASS_DEF_WIDENTOF64PASS
#include "weir/Transforms/Passes.h.inc"
} // namespace weir

using namespace mlir;
using namespace weir;

/// Replaces f32 by f64 in types and in numbers.
static AttrTypeReplacer makeReplacer() {
  AttrTypeReplacer replacer;
  replacer.addReplacement([](Float32Type type) -> Type {
    return Float64Type::get(type.getContext());
  });
  replacer.addReplacement([](FloatAttr number) -> std::optional<Attribute> {
    if (!number.getType().isF32())
      return std::nullopt;
    return FloatAttr::get(Float64Type::get(number.getContext()),
                          number.getValueAsDouble());
  });
  auto widenNumbers = [](ShapedType type, auto &&numbers) -> Attribute {
    SmallVector<double> wide(numbers.begin(), numbers.end());
    return DenseElementsAttr::get(
        type.clone(Float64Type::get(type.getContext())), ArrayRef(wide));
  };
  replacer.addReplacement(
      [=](DenseElementsAttr numbers) -> std::optional<Attribute> {
        if (!numbers.getElementType().isF32())
          return std::nullopt;
        if (!numbers.isSplat())
          return widenNumbers(numbers.getType(), numbers.getValues<float>());
        std::array<float, 1> splat{numbers.getSplatValue<float>()};
        return widenNumbers(numbers.getType(), splat);
      });
  replacer.addReplacement(
      [=](DenseF32ResourceElementsAttr numbers) -> std::optional<Attribute> {
        std::optional<ArrayRef<float>> values = numbers.tryGetAsArrayRef();
        if (!values)
          return std::nullopt;
        return widenNumbers(numbers.getType(), *values);
      });
  return replacer;
}

/// Whether `type` is f32 or a tensor or vector of it.
static bool isF32(Type type) { return getElementTypeOrSelf(type).isF32(); }

/// Converts `value` to `type`, which has the same shape.
static Value buildConversion(OpBuilder &builder, Value value, Type type) {
  Location loc = value.getLoc();
  Type element = getElementTypeOrSelf(type);
  if (!isa<RankedTensorType>(type))
    return convertFloat(builder, loc, value, type);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, value);
  return buildElementwise(builder, loc, sizes, element, value,
                          builder.getMultiDimIdentityMap(sizes.size()),
                          [&](OpBuilder &b, Location l, ValueRange arguments) {
                            return convertFloat(b, l, arguments[0], element);
                          });
}

/// Gives `value` its own type `narrow` back and hands a widened copy to its
/// readers, except to those for which `readsNarrow` holds.
static void restore(Value value, Type narrow,
                    function_ref<bool(OpOperand &)> readsNarrow) {
  Type wide = value.getType();
  value.setType(narrow);
  SmallVector<OpOperand *> readers;
  for (OpOperand &use : value.getUses())
    if (!readsNarrow(use))
      readers.push_back(&use);
  if (readers.empty())
    return;
  OpBuilder builder(value.getContext());
  builder.setInsertionPointAfterValue(value);
  Value copy = buildConversion(builder, value, wide);
  for (OpOperand *use : readers)
    use->set(copy);
}

/// Whether the matrix of an op is converted number by number as it is read,
/// so that no widened copy of a large table is needed.
static bool convertsItsMatrix(OpOperand &use) {
  return isa<LinearOp, EmbeddingOp, PackedLinearOp>(use.getOwner()) &&
         use.getOperandNumber() != 0;
}

/// The types of arguments or results that the outside sees, and null where a
/// value is widened.
static SmallVector<Type>
getKeptTypes(func::FuncOp function, TypeRange types,
             function_ref<Attribute(unsigned)> getSlot) {
  SmallVector<Type> kept;
  for (auto [i, type] : llvm::enumerate(types))
    kept.push_back(function.isPublic() && isF32(type) && !getSlot(i) ? type
                                                                     : Type());
  return kept;
}

/// Refuses what cannot be widened by a change of types.
static LogicalResult checkCanWiden(ModuleOp module) {
  WalkResult result = module.walk([&](Operation *op) {
    if (auto bitcast = dyn_cast<arith::BitcastOp>(op);
        bitcast &&
        (isF32(bitcast.getIn().getType()) || isF32(bitcast.getType()))) {
      bitcast.emitError("cannot widen a bitcast of f32 to f64");
      return WalkResult::interrupt();
    }
    auto call = dyn_cast<func::CallOp>(op);
    if (!call)
      return WalkResult::advance();
    auto callee = module.lookupSymbol<func::FuncOp>(call.getCallee());
    if (callee && (callee.isPublic() || callee.isExternal()) &&
        (llvm::any_of(call.getOperandTypes(), isF32) ||
         llvm::any_of(call.getResultTypes(), isF32))) {
      InFlightDiagnostic diagnostic =
          call.emitError("cannot widen a call of @")
          << callee.getName()
          << ", whose f32 arguments and results stay; expected a private "
             "function with a body";
      diagnostic.attachNote(callee.getLoc()) << "function declared here";
      return WalkResult::interrupt();
    }
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

/// Removes conversions that widening left without effect.
static void eraseIdleConversions(func::FuncOp function) {
  function.walk([](Operation *op) {
    if (!isa<arith::ExtFOp, arith::TruncFOp>(op) ||
        op->getOperand(0).getType() != op->getResult(0).getType())
      return;
    op->getResult(0).replaceAllUsesWith(op->getOperand(0));
    op->erase();
  });
}

static void widenFunction(func::FuncOp function, AttrTypeReplacer &replacer) {
  if (function.isExternal())
    return;
  StringRef slot = WeirDialect::getSlotAttrName();
  SmallVector<Type> keptArguments =
      getKeptTypes(function, function.getArgumentTypes(),
                   [&](unsigned i) { return function.getArgAttr(i, slot); });
  SmallVector<Type> keptResults =
      getKeptTypes(function, function.getResultTypes(),
                   [&](unsigned i) { return function.getResultAttr(i, slot); });
  // A decode loop over a public function gets logits as that returns them.
  auto module = function->getParentOfType<ModuleOp>();
  SmallVector<std::pair<Value, Type>> logits;
  function.walk([&](GenerateOp loop) {
    auto callee = module.lookupSymbol<func::FuncOp>(loop.getCallee());
    if ((!callee || callee.isPublic()) && !loop.getChoose().empty())
      logits.emplace_back(loop.getChoose().getArgument(0),
                          loop.getChoose().getArgument(0).getType());
  });
  SmallVector<std::pair<WeightOp, Type>> weights;
  function.walk([&](WeightOp weight) {
    if (isF32(weight.getType()))
      weights.emplace_back(weight, weight.getType());
  });

  replacer.recursivelyReplaceElementsIn(function, /*replaceAttrs=*/true,
                                        /*replaceLocs=*/false,
                                        /*replaceTypes=*/true);
  eraseIdleConversions(function);

  for (auto [weight, type] : weights)
    restore(weight.getResult(), type, convertsItsMatrix);
  for (auto [value, type] : logits)
    restore(value, type, [](OpOperand &) { return false; });
  SmallVector<Type> arguments(function.getArgumentTypes());
  SmallVector<Type> results(function.getResultTypes());
  for (auto [i, type] : llvm::enumerate(keptArguments)) {
    if (!type)
      continue;
    arguments[i] = type;
    restore(function.getArgument(i), type, [](OpOperand &) { return false; });
  }
  for (auto [i, type] : llvm::enumerate(keptResults))
    if (type)
      results[i] = type;
  function.walk([&](func::ReturnOp ret) {
    OpBuilder builder(ret);
    for (auto [i, type] : llvm::enumerate(keptResults))
      if (type)
        ret.setOperand(i, buildConversion(builder, ret.getOperand(i), type));
  });
  function.setFunctionType(
      FunctionType::get(function.getContext(), arguments, results));
}

LogicalResult weir::widenToF64(ModuleOp module) {
  if (failed(checkCanWiden(module)))
    return failure();
  AttrTypeReplacer replacer = makeReplacer();
  for (func::FuncOp function : module.getOps<func::FuncOp>())
    widenFunction(function, replacer);
  for (SlotOp slot : module.getOps<SlotOp>())
    replacer.replaceElementsIn(slot, /*replaceAttrs=*/true);
  return success();
}

namespace {

struct WidenToF64Pass : weir::impl::WidenToF64PassBase<WidenToF64Pass> {
  void runOnOperation() override {
    if (failed(widenToF64(getOperation())))
      signalPassFailure();
  }
};

} // namespace
