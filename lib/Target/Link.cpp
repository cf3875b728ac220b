//===- Link.cpp - Link an object with the runtime -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Target/Link.h"
#include "weir/Target/LinkConfig.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"

using namespace llvm;

/// The first C++ compiler found; it knows the system's libraries.
static Expected<std::string> findLinker() {
  for (StringRef name : {"clang++-22", "clang++", "g++", "c++"})
    if (auto path = sys::findProgramByName(name))
      return *path;
  return createStringError("no C++ compiler to link with; expected clang++ or "
                           "g++ on PATH, or use --emit=object");
}

/// Runs `arguments`; its output becomes the error's text.
static Error runProgram(ArrayRef<StringRef> arguments) {
  SmallString<128> log;
  if (std::error_code code =
          sys::fs::createTemporaryFile("weir-link", "log", log))
    return errorCodeToError(code);
  std::optional<StringRef> redirects[] = {StringRef(""), StringRef(log),
                                          StringRef(log)};
  std::string message;
  int status = sys::ExecuteAndWait(arguments.front(), arguments, std::nullopt,
                                   redirects, 0, 0, &message);
  auto text = MemoryBuffer::getFile(log);
  sys::fs::remove(log);
  if (status == 0)
    return Error::success();
  return createStringError("linking failed (" + arguments.front() +
                           "): " + message +
                           (text ? (*text)->getBuffer() : StringRef()));
}

/// Copies the OpenMP library into the folder of `output`.
static Error bundleOpenMP(StringRef output) {
  SmallString<128> copy(sys::path::parent_path(output));
  sys::path::append(copy, "libomp.so.5");
  if (sys::fs::exists(copy))
    return Error::success();
  // Another compilation may do the same now, and a program start meanwhile.
  SmallString<128> temporary;
  sys::fs::createUniquePath(copy + ".tmp-%%%%%%", temporary,
                            /*MakeAbsolute=*/false);
  std::error_code code = sys::fs::copy_file(WEIR_LIBOMP, temporary);
  if (!code)
    code = sys::fs::rename(temporary, copy);
  if (code) {
    sys::fs::remove(temporary);
    return createStringError(code, "cannot copy " WEIR_LIBOMP " to " + copy);
  }
  return Error::success();
}

Error weir::linkWithRuntime(StringRef object, StringRef output,
                            StringRef runtimeDir, bool shared) {
  Expected<std::string> linker = findLinker();
  if (!linker)
    return linker.takeError();
  auto inRuntime = [&](StringRef name) {
    SmallString<128> path(runtimeDir);
    sys::path::append(path, name);
    return std::string(path);
  };
  std::string runtime = inRuntime("libweir_rt.a");
  std::string entry = inRuntime("libweir_rt_main.a");
  if (!sys::fs::exists(runtime))
    return createStringError("no runtime at " + Twine(runtime) +
                             "; expected Weir's libraries there");
  SmallVector<StringRef> arguments = {
      *linker, object, "-o", output, "-Wl,--gc-sections", "-Wl,-rpath,$ORIGIN"};
  if (shared)
    arguments.append(
        {"-shared", "-Wl,--whole-archive", runtime, "-Wl,--no-whole-archive"});
  else
    arguments.append({entry, runtime});
  SmallVector<StringRef> libraries;
  StringRef(WEIR_LINK_LIBRARIES).split(libraries, ';', -1, /*KeepEmpty=*/false);
  arguments.append(libraries);
  // Executables load it by themselves (lib/Runtime/LoadOpenMP.cpp): they name
  // it to the dynamic loader only for what that file does not define.
  if (!shared)
    arguments.push_back("-Wl,--as-needed");
  arguments.append({WEIR_LIBOMP, "-lpthread", "-ldl", "-lm"});
  if (Error error = runProgram(arguments))
    return error;
  return bundleOpenMP(output);
}
