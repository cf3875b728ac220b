//===- HyperConnection.h - Several streams of hidden states ----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Residual connections of several streams (arXiv:2409.19606), `[batch, time,
// streams, features]`. A part of a layer reads a weighted sum of them; what it
// gives is added to each with a weight of its own, and the streams are mixed by
// a matrix whose rows and columns sum to one (arXiv:2512.24880). All weights
// are made of the streams themselves, for each token.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_HYPERCONNECTION_H
#define WEIR_LIB_FRONTEND_FAMILIES_HYPERCONNECTION_H

#include "weir/Frontend/ModelBuilder.h"

namespace weir {

/// What such connections of a model have in common.
struct HyperSpec {
  int64_t streams = 4, hidden = 1;
  /// How often rows and columns are normalised, and what is added to sums and
  /// to some weights.
  int64_t iterations = 20;
  double eps = 1e-6;
  /// The epsilon of the norm of all streams together.
  double normEps = 1e-6;
};

/// Whole keys of the tensors of a connection: a matrix, a bias and a factor for
/// each kind of weights.
struct HyperKeys {
  std::string matrix, base, scale;
};

/// What connects a part of a layer to the streams.
struct HyperWeights {
  /// What the part reads, `[batch, time, features]`.
  mlir::Value input;
  /// The weights of what it gives, `[batch, time, streams]`.
  mlir::Value post;
  /// The weights that the new streams have for each of the old ones, `[batch,
  /// time, streams]`.
  llvm::SmallVector<mlir::Value> rows;
};

/// Streams that are all `input`, `[batch, time, features]`.
mlir::Value expandStreams(ModelBuilder &builder, mlir::Value input,
                          const HyperSpec &spec);

/// Connects a part of a layer to `streams`.
HyperWeights connectStreams(ModelBuilder &builder, mlir::Value streams,
                            const HyperKeys &keys, const HyperSpec &spec);

/// The streams behind a part that gave `output`.
mlir::Value updateStreams(ModelBuilder &builder, mlir::Value streams,
                          mlir::Value output, const HyperWeights &weights);

/// The weighted sum of the streams behind the last layer.
mlir::Value collapseStreams(ModelBuilder &builder, mlir::Value streams,
                            const HyperKeys &keys, const HyperSpec &spec);

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_HYPERCONNECTION_H
