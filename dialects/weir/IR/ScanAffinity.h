//===- weir/IR/ScanAffinity.h - Scans that are affine -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whether the step of a scan is affine in its states: whether each state behind
// it is `a * state + b` for numbers a and b that no state is part of. Then what
// a run of steps does is known without the state in front of it.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_SCANAFFINITY_H
#define WEIR_IR_SCANAFFINITY_H

#include "weir/IR/Weir.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

namespace weir {

/// What a step makes of states, from the simplest on.
enum class StepKind {
  /// Each element is affine in the elements of states at the same place.
  Elementwise,
  /// Affine, but elements at other places are part of an element.
  Coupled,
  /// Not affine, as far as is known.
  Nonlinear
};

/// How a value depends on the states before a step.
struct StateDependence {
  StepKind kind = StepKind::Elementwise;
  /// For each state that is part of the value: the axes of the value, or loops
  /// around it, along which the axes of the state run. They mean something
  /// for an element-wise value only.
  llvm::MapVector<unsigned, llvm::SmallVector<unsigned>> states;
  /// The operation that made the value coupled or nonlinear, and what it does,
  /// worded to follow its name.
  mlir::Operation *culprit = nullptr;
  llvm::StringRef reason;

  explicit operator bool() const { return !states.empty(); }
};

/// The finding for each state of a scan, and for each value of its region.
class ScanAffinity {
public:
  explicit ScanAffinity(ScanOp op);

  /// What state `number` behind a step depends on. An element-wise one reads
  /// states of its own shape only.
  const StateDependence &getState(unsigned number) const {
    return states[number];
  }
  /// What `value`, a tensor of the region or a number in an operation of it,
  /// depends on.
  const StateDependence &getValue(mlir::Value value) const {
    return values.lookup(value);
  }
  /// Why what a run of steps does is not a product and a sum with a tensor of
  /// the type of each state, in a sentence; empty where it is.
  std::string explainObstacle() const;

  /// The values that state `number` behind a step is affine with: those that a
  /// state is multiplied with or divided by on its way, and those that are
  /// added. None of them depends on a state.
  struct Coefficients {
    llvm::SetVector<mlir::Value> factors, addends;
  };
  Coefficients getCoefficients(unsigned number) const;

  /// The finding for state `number` in a sentence.
  std::string describe(unsigned number) const;

private:
  void visit(mlir::Operation &inner);
  void visitStructured(mlir::Operation &inner);
  void visitElementwise(mlir::Operation &inner);
  /// Sets the results of `inner` to what its operands are together, of `kind`
  /// at least.
  void spread(mlir::Operation &inner, StepKind kind, llvm::StringRef reason);
  StateDependence getYielded(unsigned number) const;
  std::string name(mlir::Value value) const;

  ScanOp op;
  /// What does not depend on a state is not in here.
  class Values {
  public:
    const StateDependence &lookup(mlir::Value value) const;
    void set(mlir::Value value, StateDependence dependence);

  private:
    llvm::DenseMap<mlir::Value, std::unique_ptr<StateDependence>> entries;
    StateDependence none;
  };
  Values values;
  llvm::SmallVector<StateDependence> states;
};

} // namespace weir

#endif // WEIR_IR_SCANAFFINITY_H
