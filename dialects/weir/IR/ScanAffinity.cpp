//===- ScanAffinity.cpp - Scans that are affine -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One walk through the region, in order, into the bodies of `linalg` ops:
//
// - A sum, a difference, a choice by what depends on no state, a product with
//   such a number or a quotient by one is affine where its operands are. All
//   else that is computed of a state is not, as far as is known here.
// - With each value goes where in the states it reads: an axis of the state
//   runs with an axis of the value, or with a loop where the value is an
//   element. Into and out of the body of a `linalg` op axes become loops and
//   loops axes. Where a loop along a state is no axis of what comes out,
//   elements are added up; where two paths lead to other places of one state,
//   they meet: both make the value coupled.
//
// In the end each state must run with its own axes to be element-wise.
//
//===----------------------------------------------------------------------===//

#include "weir/IR/ScanAffinity.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace weir;

//===----------------------------------------------------------------------===//
// Dependences
//===----------------------------------------------------------------------===//

const StateDependence &ScanAffinity::Values::lookup(Value value) const {
  auto it = entries.find(value);
  return it == entries.end() ? none : *it->second;
}

void ScanAffinity::Values::set(Value value, StateDependence dependence) {
  entries[value] = std::make_unique<StateDependence>(std::move(dependence));
}

/// Makes `into` at least `kind`, on account of `culprit`.
static void raise(StateDependence &into, StepKind kind, Operation *culprit,
                  StringRef reason) {
  if (into.kind >= kind)
    return;
  into.kind = kind;
  into.culprit = culprit;
  into.reason = reason;
}

/// Adds what `other` depends on to `into`, both at the same place in `op`.
static void join(StateDependence &into, const StateDependence &other,
                 Operation *op) {
  raise(into, other.kind, other.culprit, other.reason);
  for (const auto &[state, axes] : other.states) {
    auto [it, isNew] = into.states.insert({state, axes});
    if (!isNew && it->second != axes)
      raise(into, StepKind::Coupled, op, "joins elements of several places");
  }
}

/// What `dependence` is where its axes run with those that `getTarget` gives,
/// or with none.
static StateDependence
follow(const StateDependence &dependence, Operation *op, StringRef reason,
       function_ref<std::optional<unsigned>(unsigned)> getTarget) {
  StateDependence result(dependence);
  for (auto &[state, axes] : result.states) {
    for (unsigned &axis : axes) {
      std::optional<unsigned> target;
      if (dependence.kind == StepKind::Elementwise)
        target = getTarget(axis);
      if (!target) {
        raise(result, StepKind::Coupled, op, reason);
        axes.clear();
        break;
      }
      axis = *target;
    }
  }
  return result;
}

//===----------------------------------------------------------------------===//
// The walk
//===----------------------------------------------------------------------===//

void ScanAffinity::spread(Operation &inner, StepKind kind, StringRef reason) {
  StateDependence together;
  inner.walk([&](Operation *nested) {
    for (Value operand : nested->getOperands())
      join(together, values.lookup(operand), &inner);
  });
  if (!together)
    return;
  raise(together, kind, &inner, reason);
  for (Value result : inner.getResults())
    values.set(result, together);
}

void ScanAffinity::visitElementwise(Operation &inner) {
  auto depends = [&](unsigned operand) {
    return static_cast<bool>(values.lookup(inner.getOperand(operand)));
  };
  if (isa<arith::AddFOp, arith::SubFOp, arith::NegFOp, arith::ExtFOp,
          arith::TruncFOp>(inner))
    return spread(inner, StepKind::Elementwise, {});
  if (isa<arith::MulFOp>(inner) || isa<math::FmaOp>(inner)) {
    if (depends(0) && depends(1))
      return spread(inner, StepKind::Nonlinear,
                    "multiplies values that both depend on the states");
    return spread(inner, StepKind::Elementwise, {});
  }
  if (isa<arith::DivFOp>(inner)) {
    if (depends(1))
      return spread(inner, StepKind::Nonlinear,
                    "divides by a value that depends on the states");
    return spread(inner, StepKind::Elementwise, {});
  }
  if (isa<arith::SelectOp>(inner)) {
    if (depends(0))
      return spread(inner, StepKind::Nonlinear,
                    "chooses by a value that depends on the states");
    return spread(inner, StepKind::Elementwise, {});
  }
  spread(inner, StepKind::Nonlinear, "is no linear function of the states");
}

void ScanAffinity::visitStructured(Operation &inner) {
  auto structured = cast<linalg::LinalgOp>(inner);
  for (OpOperand &operand : inner.getOpOperands()) {
    const StateDependence &read = values.lookup(operand.get());
    if (!read)
      continue;
    AffineMap map = structured.getMatchingIndexingMap(&operand);
    StateDependence element =
        follow(read, &inner, "reads elements of other places",
               [&](unsigned axis) -> std::optional<unsigned> {
                 auto loop = dyn_cast<AffineDimExpr>(map.getResult(axis));
                 return loop ? std::optional(loop.getPosition()) : std::nullopt;
               });
    values.set(structured.getMatchingBlockArgument(&operand), element);
  }
  for (Operation &nested : structured.getBlock()->without_terminator())
    visit(nested);
  Operation *yield = structured.getBlock()->getTerminator();
  for (auto [number, value] : llvm::enumerate(yield->getOperands())) {
    const StateDependence &element = values.lookup(value);
    if (!element || !inner.getNumResults())
      continue;
    AffineMap map =
        structured.getMatchingIndexingMap(structured.getDpsInitOperand(number));
    StateDependence result =
        follow(element, &inner, "adds up elements of the states",
               [&](unsigned loop) -> std::optional<unsigned> {
                 return map.getResultPosition(
                     getAffineDimExpr(loop, map.getContext()));
               });
    // A loop that is no axis of the result adds up what it goes through.
    if (map.getNumResults() != structured.getNumLoops())
      raise(result, StepKind::Coupled, &inner,
            "adds up elements of the states");
    values.set(inner.getResult(number), std::move(result));
  }
}

void ScanAffinity::visit(Operation &inner) {
  if (isa<linalg::LinalgOp>(inner))
    return visitStructured(inner);
  if (OpTrait::hasElementwiseMappableTraits(&inner))
    return visitElementwise(inner);
  if (isa<tensor::CastOp, tensor::ExtractOp, tensor::ExtractSliceOp,
          tensor::InsertOp, tensor::InsertSliceOp, tensor::ExpandShapeOp,
          tensor::CollapseShapeOp, tensor::ConcatOp, tensor::FromElementsOp,
          tensor::SplatOp>(inner))
    return spread(inner, StepKind::Coupled, "moves elements of the states");
  spread(inner, StepKind::Nonlinear, "is not known to be linear");
}

StateDependence ScanAffinity::getYielded(unsigned number) const {
  ScanOp scan = op;
  Operation *yield = scan.getBody().front().getTerminator();
  StateDependence result =
      values.lookup(yield->getOperand(scan.getOutputs().size() + number));
  auto arguments = scan.getStateArguments();
  Type type = arguments[number].getType();
  for (const auto &[state, axes] : result.states) {
    if (arguments[state].getType() != type)
      raise(result, StepKind::Coupled, yield,
            "hands on what reads a state of another type");
    for (auto [at, axis] : llvm::enumerate(axes))
      if (axis != at)
        raise(result, StepKind::Coupled, yield,
              "hands on what reads elements of other places");
  }
  return result;
}

ScanAffinity::ScanAffinity(ScanOp op) : op(op) {
  for (auto [number, argument] : llvm::enumerate(op.getStateArguments())) {
    StateDependence own;
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    own.states.insert({unsigned(number), llvm::to_vector(llvm::seq<unsigned>(
                                             0, type ? type.getRank() : 0))});
    values.set(argument, std::move(own));
  }
  for (Operation &inner : op.getBody().front().without_terminator())
    visit(inner);
  for (unsigned number = 0; number < op.getStates().size(); ++number)
    states.push_back(getYielded(number));
}

std::string ScanAffinity::explainObstacle() const {
  ScanOp scan = op;
  for (auto [number, argument] : llvm::enumerate(scan.getStateArguments())) {
    if (states[number].kind != StepKind::Elementwise)
      return describe(number);
    // Products of many factors need all digits.
    Type type = getElementTypeOrSelf(argument.getType());
    if (!type.isF32() && !type.isF64())
      return llvm::formatv("state {0} is of {1}, expected f32 or f64", number,
                           type);
  }
  return {};
}

//===----------------------------------------------------------------------===//
// Coefficients
//===----------------------------------------------------------------------===//

/// What a number in the body of a `linalg` op is read from, or `value` itself.
static Value getSource(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument)
    return value;
  Operation *parent = argument.getOwner()->getParentOp();
  if (!isa<linalg::LinalgOp>(parent))
    return value;
  return getSource(parent->getOperand(argument.getArgNumber()));
}

ScanAffinity::Coefficients
ScanAffinity::getCoefficients(unsigned number) const {
  Coefficients result;
  ScanOp scan = op;
  llvm::SetVector<Value> pending;
  // What does not depend on a state is added.
  auto addTerm = [&](Value value) {
    if (values.lookup(value))
      pending.insert(value);
    else
      result.addends.insert(value);
  };
  auto addFactor = [&](Value value) {
    if (!values.lookup(value))
      result.factors.insert(value);
  };
  addTerm(scan.getBody().front().getTerminator()->getOperand(
      scan.getOutputs().size() + number));
  for (size_t next = 0; next < pending.size(); ++next) {
    Value value = getSource(pending[next]);
    Operation *maker = value.getDefiningOp();
    if (!maker)
      continue;
    if (auto structured = dyn_cast<linalg::LinalgOp>(maker)) {
      unsigned which = cast<OpResult>(value).getResultNumber();
      addTerm(structured.getBlock()->getTerminator()->getOperand(which));
      continue;
    }
    bool isFma = isa<math::FmaOp>(maker);
    if (isFma || isa<arith::MulFOp, arith::DivFOp>(maker)) {
      for (Value operand : maker->getOperands().take_front(2)) {
        addFactor(operand);
        if (values.lookup(operand))
          addTerm(operand);
      }
      if (isFma)
        addTerm(maker->getOperand(2));
      continue;
    }
    if (isa<arith::SelectOp>(maker))
      addFactor(maker->getOperand(0));
    for (Value operand :
         maker->getOperands().drop_front(isa<arith::SelectOp>(maker) ? 1 : 0))
      addTerm(operand);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

std::string ScanAffinity::name(Value value) const {
  value = getSource(value);
  ScanOp scan = op;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    unsigned number = argument.getArgNumber();
    unsigned inputs = scan.getInputs().size();
    if (argument.getOwner() != &scan.getBody().front())
      return "a value from above";
    if (number < inputs)
      return "input " + std::to_string(number);
    return "param " + std::to_string(number - inputs - scan.getStates().size());
  }
  Operation *maker = value.getDefiningOp();
  if (!scan->isProperAncestor(maker))
    return "a value from above";
  // An element-wise operation is what its body does last.
  if (auto structured = dyn_cast<linalg::LinalgOp>(maker)) {
    Operation *last = structured.getBlock()
                          ->getTerminator()
                          ->getOperand(cast<OpResult>(value).getResultNumber())
                          .getDefiningOp();
    if (last && structured.getNumLoops() == structured.getNumParallelLoops())
      maker = last;
  }
  return maker->getName().getStringRef().str();
}

std::string ScanAffinity::describe(unsigned number) const {
  const StateDependence &state = states[number];
  std::string text = llvm::formatv("state {0} is ", number);
  if (state.kind == StepKind::Nonlinear)
    return text +
           "not affine: " + state.culprit->getName().getStringRef().str() +
           " " + state.reason.str();
  text += "affine";
  Coefficients coefficients = getCoefficients(number);
  auto list = [&](StringRef what, const llvm::SetVector<Value> &from) {
    SmallVector<std::string> names;
    for (Value value : from)
      names.push_back(name(value));
    text += "; " + what.str() + ": " +
            (names.empty() ? "none" : llvm::join(names, ", "));
  };
  if (state.states.empty()) {
    text += ", whatever the states were before";
    list("addends", coefficients.addends);
    return text;
  }
  SmallVector<unsigned> others;
  for (const auto &[other, axes] : state.states)
    others.push_back(other);
  llvm::sort(others);
  if (others != ArrayRef(number))
    text +=
        llvm::formatv(" in states {0:$[ and ]}", llvm::iterator_range(others));
  if (state.kind == StepKind::Coupled)
    text +=
        ", elements coupled: " + state.culprit->getName().getStringRef().str() +
        " " + state.reason.str();
  else
    text += ", element by element";
  list("factors", coefficients.factors);
  list("addends", coefficients.addends);
  return text;
}
