//===- RelativeBias.h - Biases of distances ---------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What T5 (arXiv:1910.10683) and others add to scores: a number per head of how
// far a key is from its query, where distances share numbers the more, the
// larger they are.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_FRONTEND_FAMILIES_RELATIVEBIAS_H
#define WEIR_LIB_FRONTEND_FAMILIES_RELATIVEBIAS_H

#include "Decoder.h"

namespace weir {

/// A table of such biases.
struct RelativeBias {
  /// The table's key, `[rows, heads]`, and how many rows are in use.
  std::string key;
  int64_t heads = 0, rows = 32, buckets = 32;
  /// Distances from here on share the last row.
  int64_t maxDistance = 128;
  /// Whether half of the rows are for keys ahead, or keys ahead are not seen.
  bool bothSides = true;

  /// Rows for one side; of these half are for one distance each.
  int64_t getSide() const { return bothSides ? buckets / 2 : buckets; }
  int64_t getExact() const { return getSide() / 2; }
};

/// Reads `relative_attention_num_buckets` and `relative_attention_max_distance`
/// and complains of those that no distances can be shared by.
void readRelativeBias(ConfigReader &reader, RelativeBias &bias);

/// Reads the table here, and adds its biases to scores.
AttentionChange buildRelativeBias(ModelBuilder &builder,
                                  const RelativeBias &bias);

} // namespace weir

#endif // WEIR_LIB_FRONTEND_FAMILIES_RELATIVEBIAS_H
