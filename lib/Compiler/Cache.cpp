//===- Cache.cpp - Compiled models kept for later ---------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Compiler/Cache.h"
#include "StageRecord.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"
#include "weir/Target/Link.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Threading.h"
#include "llvm/Support/xxhash.h"
#include <chrono>

using namespace weir;
namespace fs = llvm::sys::fs;
namespace path = llvm::sys::path;

/// Temporary folders of compilations that did not end; see `getCachedModel`.
static constexpr llvm::StringLiteral TemporaryMark = ".tmp-";

llvm::Expected<std::string> weir::getCacheFolder() {
  llvm::SmallString<128> folder;
  if (!path::cache_directory(folder))
    return llvm::createStringError(
        "no cache folder; set HOME or XDG_CACHE_HOME");
  path::append(folder, "weir");
  return std::string(folder);
}

static std::string hashBytes(llvm::StringRef bytes) {
  llvm::XXH128_hash_t hash =
      llvm::xxh3_128bits(llvm::arrayRefFromStringRef(bytes));
  return llvm::utohexstr(hash.high64, /*LowerCase=*/true, 16) +
         llvm::utohexstr(hash.low64, /*LowerCase=*/true, 16);
}

/// Adds a hash of the contents of `file` to `key`.
static llvm::Error addFile(llvm::StringRef file, std::string &key) {
  auto buffer = llvm::MemoryBuffer::getFile(file, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer)
    return llvm::createStringError(buffer.getError(),
                                   "cannot read " + file + ": " +
                                       buffer.getError().message());
  key += hashBytes((*buffer)->getBuffer()) + ";";
  return llvm::Error::success();
}

/// Adds the file `model`, or the files of the folder `model` that a checkpoint
/// consists of, with their names in it.
static llvm::Error addModel(llvm::StringRef model, std::string &key) {
  if (!fs::is_directory(model))
    return addFile(model, key);
  std::error_code code;
  std::vector<std::string> files;
  for (fs::directory_iterator it(model, code), end; !code && it != end;
       it.increment(code))
    if (llvm::StringRef(it->path()).ends_with(".json") ||
        llvm::StringRef(it->path()).ends_with(".safetensors"))
      files.push_back(it->path());
  if (code)
    return llvm::createStringError(code, "cannot read " + model + ": " +
                                             code.message());
  llvm::sort(files);
  for (const std::string &file : files) {
    key += (path::filename(file) + ":").str();
    if (llvm::Error error = addFile(file, key))
      return error;
  }
  return llvm::Error::success();
}

/// The checkpoint that the module in `file` takes weights from by itself, or an
/// empty string.
static std::string findCheckpoint(llvm::StringRef file) {
  mlir::DialectRegistry registry;
  registerCompilerDialects(registry);
  mlir::MLIRContext context(registry);
  // The compilation tells what is wrong with the file.
  mlir::ScopedDiagnosticHandler silent(
      &context, [](mlir::Diagnostic &) { return llvm::success(); });
  auto module = mlir::parseSourceFile<mlir::ModuleOp>(file, &context);
  return module ? getRecordedCheckpoint(*module).str() : std::string();
}

/// Adds what makes the compiler the one it is.
static llvm::Error addCompiler(std::string runtimeDir, std::string &key) {
  if (runtimeDir.empty())
    runtimeDir = findRuntimeDir();
  key += WEIR_VERSION ";" LLVM_VERSION_STRING ";";
  std::string self = getCompilerFile();
  if (llvm::Error error = addFile(self, key))
    return error;
  for (llvm::StringRef library : {"libweir_rt.a", "libweir_rt_main.a"}) {
    llvm::SmallString<128> file(runtimeDir);
    path::append(file, library);
    if (llvm::Error error = addFile(file, key))
      return error;
  }
  return llvm::Error::success();
}

llvm::Expected<std::string> weir::computeCacheKey(const CompileOptions &options,
                                                  llvm::StringRef model) {
  llvm::Expected<CPUTarget> target = resolveCPUTarget(options.cpu);
  if (!target)
    return target.takeError();
  unsigned threads = options.threads;
  if (threads == 0)
    threads = llvm::hardware_concurrency().compute_thread_count();
  std::string key = describeOptions(options, *target, options.compute) + ";" +
                    target->features + ";" + options.entry + ";" +
                    std::to_string(threads) + ";" +
                    std::to_string(options.maxLength.value_or(0)) + ";";
  if (llvm::Error error = addCompiler(options.runtimeDir, key))
    return std::move(error);
  if (llvm::Error error = addModel(model, key))
    return std::move(error);
  std::string weights = options.weights;
  if (weights.empty() && model.ends_with(".mlir"))
    weights = findCheckpoint(model);
  if (!weights.empty())
    if (llvm::Error error = addModel(weights, key))
      return std::move(error);
  return hashBytes(key);
}

/// Removes what compilations that were killed left in `folder` a day ago or
/// earlier; no compilation takes so long.
static void removeLeftovers(llvm::StringRef folder) {
  std::error_code code;
  auto now = std::chrono::system_clock::now();
  for (fs::directory_iterator it(folder, code), end; !code && it != end;
       it.increment(code)) {
    fs::file_status status;
    if (llvm::StringRef(it->path()).contains(TemporaryMark) &&
        !fs::status(it->path(), status) &&
        now - status.getLastModificationTime() > std::chrono::hours(24))
      fs::remove_directories(it->path());
  }
}

llvm::Expected<std::optional<std::string>>
weir::getCachedModel(llvm::StringRef folder, llvm::StringRef key,
                     llvm::function_ref<bool(llvm::StringRef path)> compile) {
  llvm::SmallString<128> entry(folder), model;
  path::append(entry, key);
  path::append(model, entry, "model");
  if (fs::exists(model))
    return std::string(model);

  auto fail = [](llvm::StringRef what, std::error_code code) {
    return llvm::createStringError(code, "cannot create " + what + ": " +
                                             code.message());
  };
  if (std::error_code code = fs::create_directories(folder))
    return fail(folder, code);
  removeLeftovers(folder);
  llvm::SmallString<128> temporary, made;
  fs::createUniquePath(entry + TemporaryMark + "%%%%%%", temporary,
                       /*MakeAbsolute=*/false);
  if (std::error_code code =
          fs::create_directory(temporary, /*IgnoreExisting=*/false))
    return fail(temporary, code);
  path::append(made, temporary, "model");
  bool compiled = compile(made);
  std::error_code code;
  if (compiled)
    code = fs::rename(temporary, entry);
  if (!compiled || code)
    fs::remove_directories(temporary);
  if (!compiled)
    return std::nullopt;
  // Where another compilation came first, its entry is as good.
  if (code && !fs::exists(model))
    return fail(entry, code);
  return std::string(model);
}
