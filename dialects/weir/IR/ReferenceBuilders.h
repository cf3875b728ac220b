//===- weir/IR/ReferenceBuilders.h - Pieces of plain definitions -*- C++
//-*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the plain definitions (`*Reference.cpp`) are made of: elementwise and
// reducing `linalg.generic`s over tensors whose extents may be dynamic.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_REFERENCEBUILDERS_H
#define WEIR_IR_REFERENCEBUILDERS_H

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace weir {

/// Builds the body of a `linalg.generic` from its block arguments and returns
/// the element to yield.
using BuildBody = llvm::function_ref<mlir::Value(
    mlir::OpBuilder &, mlir::Location, mlir::ValueRange)>;

/// Whether `value` is a tensor of floats.
bool isFloatTensor(mlir::Value value);

/// The type sums of `element` are accumulated in: f32, or f64 for f64.
mlir::FloatType getAccumulatorType(mlir::Type element);

/// Converts the float `value` to the float type `type`.
mlir::Value convertFloat(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value value, mlir::Type type);

/// A float constant of type `type`.
mlir::Value buildFloat(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Type type, double number);

/// `1 / (1 + exp(-input))`.
mlir::Value buildSigmoid(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value input);

/// A tensor of extents `shape` whose elements of type `element` are `number`.
mlir::Value buildFilled(mlir::OpBuilder &builder, mlir::Location loc,
                        llvm::ArrayRef<int64_t> shape, mlir::Type element,
                        double number);

/// A constant of type `index`.
mlir::Value buildIndex(mlir::OpBuilder &builder, mlir::Location loc,
                       int64_t number);

/// Copies the one block of `region` to the insertion point, with `arguments`
/// for its own; gives what it yields.
llvm::SmallVector<mlir::Value> inlineRegion(mlir::OpBuilder &builder,
                                            mlir::Region &region,
                                            mlir::ValueRange arguments);

/// Entry `index` of the vector of integers `vector`, as an index.
mlir::Value buildReadIndex(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::Value vector, mlir::Value index);

/// The map `(d0, ..., d(loops-1)) -> (d(axes[0]), d(axes[1]), ...)`.
mlir::AffineMap getAxesMap(mlir::OpBuilder &builder, unsigned loops,
                           llvm::ArrayRef<unsigned> axes);

/// A tensor of extents `sizes` whose elements `body` computes one by one.
/// `maps` say where each of `inputs` is read; `body` gets those elements and
/// may use `linalg.index`.
mlir::Value buildElementwise(mlir::OpBuilder &builder, mlir::Location loc,
                             llvm::ArrayRef<mlir::OpFoldResult> sizes,
                             mlir::Type element, mlir::ValueRange inputs,
                             llvm::ArrayRef<mlir::AffineMap> maps,
                             BuildBody body);

/// `tensor` with its floats as `element`: axis i of the result is axis
/// `order[i]` of `tensor`.
mlir::Value buildTransposed(mlir::OpBuilder &builder, mlir::Location loc,
                            mlir::Value tensor, llvm::ArrayRef<unsigned> order,
                            mlir::Type element);

/// `tensor` with its floats as `element`.
mlir::Value buildConverted(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::Value tensor, mlir::Type element);

/// A tensor of extents `sizes`, indexed by the loops that are the results of
/// `resultMap`, that reduces over all other loops. `body` gets an element of
/// each of `inputs` and, last, the value so far, which begins as `init`.
mlir::Value buildReduction(mlir::OpBuilder &builder, mlir::Location loc,
                           llvm::ArrayRef<mlir::OpFoldResult> sizes,
                           mlir::Value init, mlir::AffineMap resultMap,
                           mlir::ValueRange inputs,
                           llvm::ArrayRef<mlir::AffineMap> maps,
                           BuildBody body);

} // namespace weir

#endif // WEIR_IR_REFERENCEBUILDERS_H
