//===- TextTable.cpp - Aligned columns of text ------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TextTable.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include <cmath>

using namespace weir;

void TextTable::print(llvm::raw_ostream &os, llvm::StringRef indent) const {
  if (rows.size() == 1)
    return;
  size_t columns = rows.front().size();
  std::vector<size_t> widths(columns);
  for (const std::vector<std::string> &row : rows)
    for (size_t i = 0; i < std::min(columns, row.size()); ++i)
      widths[i] = std::max(widths[i], row[i].size());
  for (const std::vector<std::string> &row : rows) {
    std::string line = indent.str();
    for (size_t i = 0; i < std::min(columns, row.size()); ++i) {
      std::string padding(widths[i] - row[i].size(), ' ');
      line += llvm::is_contained(rightAligned, i) ? padding + row[i]
                                                  : row[i] + padding;
      line += "  ";
    }
    os << llvm::StringRef(line).rtrim() << '\n';
  }
}

std::string weir::formatQuantity(double value, llvm::StringRef unit) {
  static constexpr llvm::StringLiteral Prefixes[] = {"",  "k", "M",
                                                     "G", "T", "P"};
  size_t prefix = 0;
  while (value >= 999.5 && prefix + 1 < std::size(Prefixes)) {
    value /= 1000;
    ++prefix;
  }
  int decimals = prefix == 0 && value == std::floor(value) ? 0
                 : value < 9.995                           ? 2
                 : value < 99.95                           ? 1
                                                           : 0;
  std::string text;
  llvm::raw_string_ostream(text)
      << llvm::format("%.*f ", decimals, value) << Prefixes[prefix] << unit;
  return llvm::StringRef(text).rtrim().str();
}

std::string weir::formatCount(double count) {
  return formatQuantity(count, "");
}

std::string weir::formatRate(double rate) {
  return std::isfinite(rate) ? formatCount(rate) : "unbounded";
}
