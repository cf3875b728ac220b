//===- TextTable.h - Aligned columns of text -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_LIB_COMPILER_TEXTTABLE_H
#define WEIR_LIB_COMPILER_TEXTTABLE_H

#include "llvm/Support/raw_ostream.h"
#include <string>
#include <vector>

namespace weir {

/// Rows under a head, each column as wide as its widest cell.
class TextTable {
public:
  explicit TextTable(std::vector<std::string> head) : rows({std::move(head)}) {}

  void addColumn(std::string name) { rows.front().push_back(std::move(name)); }
  /// Cells behind the head's columns are dropped, missing ones are empty.
  void addRow(std::vector<std::string> cells) {
    rows.push_back(std::move(cells));
  }
  /// Numbers of one column end at its right side.
  void alignRight(size_t column) { rightAligned.push_back(column); }
  /// Prints nothing when there are no rows under the head.
  void print(llvm::raw_ostream &os, llvm::StringRef indent) const;

private:
  std::vector<std::vector<std::string>> rows;
  std::vector<size_t> rightAligned;
};

/// "576", "1.35 M": three digits and a decimal prefix.
std::string formatCount(double count);
/// "2.30 kB" for 2300 and the unit "B".
std::string formatQuantity(double value, llvm::StringRef unit);
/// A number of things per second, "unbounded" when it is infinite.
std::string formatRate(double rate);

} // namespace weir

#endif // WEIR_LIB_COMPILER_TEXTTABLE_H
