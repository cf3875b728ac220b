//===- CompileOptions.cpp - Options by name -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Compiler/Compiler.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace weir;
using llvm::StringRef;

namespace {
/// A word that stands for a value of an enumeration.
template <typename T>
struct Word {
  llvm::StringLiteral text;
  T value;
};
} // namespace

static constexpr Word<Emit> EmitWords[] = {
    {"exe", Emit::Executable}, {"shared", Emit::Shared},
    {"object", Emit::Object},  {"asm", Emit::Assembly},
    {"llvm", Emit::LLVM},      {"ptx", Emit::PTX},
    {"mlir", Emit::MLIR}};

static constexpr Word<Lowering> LoweringWords[] = {
    {"none", Lowering::Optimized},
    {"f32", Lowering::Reference},
    {"f64", Lowering::ReferenceF64}};

/// The error for a value that is none of `expected`.
static llvm::Error refuse(StringRef name, StringRef value,
                          const llvm::Twine &expected) {
  return llvm::createStringError("unknown " + name + " '" + value +
                                 "', expected " + expected);
}

template <typename T>
static llvm::Error setWord(T &into, llvm::ArrayRef<Word<T>> words,
                           StringRef name, StringRef value) {
  llvm::SmallVector<StringRef> texts;
  for (const Word<T> &word : words) {
    texts.push_back(word.text);
    if (word.text == value) {
      into = word.value;
      return llvm::Error::success();
    }
  }
  return refuse(name, value, "one of " + llvm::join(texts, ", "));
}

/// The option `name` when its value is any text, or null.
static std::string *findText(CompileOptions &options, StringRef name) {
  return llvm::StringSwitch<std::string *>(name)
      .Case("target", &options.target)
      .Case("target-cpu", &options.cpu)
      .Case("gpu-arch", &options.gpuArch)
      .Case("quantize", &options.quantize)
      .Case("compute", &options.compute)
      .Case("entry", &options.entry)
      .Case("weights", &options.weights)
      .Case("dump-stages", &options.dumpStages)
      .Case("runtime-dir", &options.runtimeDir)
      .Default(nullptr);
}

/// Sets an option that is no text.
static llvm::Error setOther(CompileOptions &options, StringRef name,
                            StringRef value) {
  if (name == "emit")
    return setWord<Emit>(options.emit, EmitWords, name, value);
  if (name == "reference")
    return setWord<Lowering>(options.lowering, LoweringWords, name, value);
  if (name == "threads") {
    if (value.getAsInteger(10, options.threads))
      return refuse(name, value, "a number, 0 for all cores");
  } else if (name == "max-length") {
    int64_t length;
    if (value.getAsInteger(10, length))
      return refuse(name, value, "a number");
    options.maxLength = length;
  } else if (name == "stop-after") {
    std::optional<Stage> stage = parseStageName(value);
    if (!stage)
      return refuse(name, value,
                    "input, formed, scheduled, tiled, bufferized, lowered or "
                    "object");
    options.stopAfter = *stage;
  } else {
    return llvm::createStringError(
        "unknown option '" + name +
        "', expected emit, reference, target, target-cpu, gpu-arch, threads, "
        "quantize, compute, max-length, entry, weights, stop-after, "
        "dump-stages or runtime-dir");
  }
  return llvm::Error::success();
}

llvm::Error weir::setCompileOption(CompileOptions &options, StringRef name,
                                   StringRef value) {
  CompileOptions changed = options;
  if (std::string *text = findText(changed, name)) {
    *text = value.str();
  } else if (llvm::Error error = setOther(changed, name, value)) {
    return error;
  }
  if (llvm::Error error = checkOptions(changed))
    return error;
  options = std::move(changed);
  return llvm::Error::success();
}
