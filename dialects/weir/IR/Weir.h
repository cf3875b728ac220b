//===- weir/IR/Weir.h - The weir dialect -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIR_H
#define WEIR_IR_WEIR_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/TilingInterface.h"
#include "weir/IR/WeirInterfaces.h"

#include "weir/IR/WeirDialect.h.inc"
#include "weir/IR/WeirEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "weir/IR/WeirAttrs.h.inc"

// The op interfaces name attributes, which name the attribute interfaces.
#include "weir/IR/WeirOpInterfaces.h.inc"

namespace weir {

/// What a step of a scan yields: one time position of each output, and the
/// states behind it.
struct ScanStep {
  llvm::SmallVector<mlir::Value> outputs;
  llvm::SmallVector<mlir::Value> states;
};

/// Builds the step of a scan from one time position of each input and the
/// states before it.
using ScanStepBuilder = llvm::function_ref<ScanStep(
    mlir::OpBuilder &, mlir::Location, mlir::ValueRange inputs,
    mlir::ValueRange states)>;

/// Builds an expert's body from a block of rows and its slices of the params,
/// and gives the rows that it yields.
using ExpertBodyBuilder =
    llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::Location,
                                   mlir::Value rows, mlir::ValueRange params)>;

} // namespace weir

#define GET_OP_CLASSES
#include "weir/IR/WeirOps.h.inc"

namespace weir {

/// The axes of sequence tensors.
enum SequenceAxis : unsigned { BatchAxis = 0, TimeAxis = 1 };

/// The shortest mask known that shows the same pairs as `mask`, of those no
/// farther apart than `extent`: no key lies farther behind its query than
/// `extent.behind` or farther ahead than `extent.ahead`, where these are known.
MaskAttrInterface simplifyMask(MaskAttrInterface mask,
                               const MaskReach &extent = {});

/// The bounds of `mask` if it shows all keys within them and no other.
std::optional<MaskReach> getBand(MaskAttrInterface mask);

/// Angular frequencies of `weir.rope_frequencies`, in radians per position, or
/// none with `error` set when `scaling` lacks a parameter its kind needs.
std::optional<llvm::SmallVector<double>>
computeRopeFrequencies(double base, int64_t dims, RopeScalingAttr scaling,
                       std::string &error);

/// The factor models multiply cosine and sine with under `scaling`, unless
/// their configuration names one: 1 but for yarn and longrope.
double computeRopeAttentionFactor(RopeScalingAttr scaling);

} // namespace weir

#endif // WEIR_IR_WEIR_H
