//===- Remarks.cpp - Show what was optimised --------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Compiler/Remarks.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace weir;

/// `FILE:LINE:COLUMN: `, or what else says where `loc` is, or nothing.
static std::string describePlace(Location loc) {
  std::string text;
  llvm::raw_string_ostream os(text);
  if (auto file = loc->findInstanceOf<FileLineColLoc>())
    os << file.getFilename().getValue() << ':' << file.getLine() << ':'
       << file.getColumn() << ": ";
  else if (auto name = loc->findInstanceOf<NameLoc>())
    os << name.getName().getValue() << ": ";
  return text;
}

namespace {
/// Prints remarks as they come.
class RemarkPrinter : public remark::detail::MLIRRemarkStreamerBase {
public:
  explicit RemarkPrinter(llvm::raw_ostream &os) : os(os) {}

  void streamOptimizationRemark(const remark::detail::Remark &remark) override {
    std::string line = describePlace(remark.getLocation()) +
                       "remark: " + remark.getRemarkTypeString().lower() +
                       " [" + remark.getCombinedCategoryName().str() + ":" +
                       remark.getRemarkName().str() + "]";
    bool isFirst = true;
    for (const remark::detail::Remark::Arg &arg : remark.getArgs()) {
      // Text comes in pieces; reasons and metrics are pairs.
      bool isText = arg.key == "Remark";
      if (isFirst || !isText)
        line += ' ';
      isFirst = false;
      line += isText || arg.key == "Reason" ? arg.val : arg.key + "=" + arg.val;
    }
    if (printed.insert(line).second)
      os << line << '\n';
  }

private:
  llvm::raw_ostream &os;
  llvm::StringSet<> printed;
};
} // namespace

llvm::Error weir::enableRemarks(MLIRContext &context, llvm::StringRef filter,
                                llvm::raw_ostream &os) {
  if (filter.empty())
    filter = ".*";
  std::string message;
  if (!llvm::Regex(filter).isValid(message))
    return llvm::createStringError("remarks '" + filter +
                                   "' is no regular expression: " + message);
  remark::RemarkCategories categories;
  categories.passed = categories.missed = categories.failed =
      categories.analysis = filter.str();
  context.disableMultithreading();
  if (failed(remark::enableOptimizationRemarks(
          context, std::make_unique<RemarkPrinter>(os),
          std::make_unique<remark::RemarkEmittingPolicyAll>(), categories)))
    return llvm::createStringError("cannot enable remarks");
  return llvm::Error::success();
}
