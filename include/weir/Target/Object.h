//===- weir/Target/Object.h - Machine code from LLVM IR -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_TARGET_OBJECT_H
#define WEIR_TARGET_OBJECT_H

#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include "llvm/Target/TargetMachine.h"
#include <memory>
#include <string>

namespace llvm {
class Module;
} // namespace llvm

namespace weir {

/// The CPU that code is generated for.
struct CPUTarget {
  std::string triple;
  /// A name LLVM knows, e.g. `sapphirerapids`.
  std::string cpu;
  /// `+feature,-feature,...`
  std::string features;

  /// Whether `feature`, e.g. `avx512f`, is there.
  bool has(llvm::StringRef feature) const;
};

/// The target called `name`: `native` is the CPU at hand, `portable` runs on
/// any CPU of the architecture made since about 2015 (x86-64-v3), and any
/// other name is LLVM's own. Unknown names are an error that says so.
llvm::Expected<CPUTarget> resolveCPUTarget(llvm::StringRef name);

/// Whether code for `target` runs on the CPU at hand; the error names what that
/// lacks.
llvm::Error checkHostRuns(const CPUTarget &target);

/// A code generator for `target`; `isPlain` is for code whose speed matters
/// less than the time to compile it.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
createTargetMachine(const CPUTarget &target, bool isPlain);

/// Optimises `module`, in place, as much as `machine` optimises the code.
void optimizeModule(llvm::Module &module, llvm::TargetMachine &machine);

/// Machine code or assembly text of `module`.
llvm::Expected<llvm::SmallVector<char, 0>>
emitCode(llvm::Module &module, llvm::TargetMachine &machine, bool assembly);

} // namespace weir

#endif // WEIR_TARGET_OBJECT_H
