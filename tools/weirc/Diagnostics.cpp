//===- Diagnostics.cpp - Diagnostics without a place ------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Diagnostics.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"
#include "llvm/Support/WithColor.h"

using namespace weir;

llvm::LogicalResult weir::printUnplaced(mlir::Diagnostic &diagnostic) {
  mlir::Location place = diagnostic.getLocation();
  if (place->findInstanceOf<mlir::FileLineColLoc>())
    return llvm::failure();
  auto print = [](mlir::Diagnostic &what) {
    llvm::raw_ostream &os = llvm::errs();
    switch (what.getSeverity()) {
    case mlir::DiagnosticSeverity::Error:
      llvm::WithColor::error(os, "weirc");
      break;
    case mlir::DiagnosticSeverity::Warning:
      llvm::WithColor::warning(os, "weirc");
      break;
    case mlir::DiagnosticSeverity::Note:
    case mlir::DiagnosticSeverity::Remark:
      llvm::WithColor::note(os, "weirc");
      break;
    }
    if (auto name = what.getLocation()->findInstanceOf<mlir::NameLoc>())
      os << name.getName().getValue() << ": ";
    os << what.str() << '\n';
  };
  print(diagnostic);
  for (mlir::Diagnostic &note : diagnostic.getNotes())
    print(note);
  return llvm::success();
}
