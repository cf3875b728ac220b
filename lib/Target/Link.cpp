//===- Link.cpp - Link an object with the runtime -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Target/Link.h"
#include "weir/Target/LinkConfig.h"
#include "weir/Target/TemporaryFile.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include <dlfcn.h>

using namespace llvm;
using weir::TemporaryFile;

/// The first C++ compiler found; it knows the system's libraries.
static Expected<std::string> findLinker() {
  for (StringRef name : {"clang++-22", "clang++", "g++", "c++"})
    if (auto path = sys::findProgramByName(name))
      return *path;
  return createStringError("no C++ compiler to link with; expected clang++ or "
                           "g++ on PATH, or use --emit=object");
}

/// LLVM's linker where `compiler`, a clang, has it beside itself, else nothing.
/// The system's own takes half of the time that a small model is compiled in.
static std::string findFastLinker(StringRef compiler) {
  SmallString<128> path;
  if (!sys::path::filename(compiler).starts_with("clang") ||
      sys::fs::real_path(compiler, path))
    return "";
  sys::path::remove_filename(path);
  sys::path::append(path, "ld.lld");
  return sys::fs::can_execute(path) ? std::string(path) : "";
}

/// Runs `arguments`; its output becomes the error's text.
static Error runProgram(ArrayRef<StringRef> arguments) {
  TemporaryFile log;
  if (std::error_code code = log.create("weir-link", "log"))
    return errorCodeToError(code);
  std::optional<StringRef> redirects[] = {StringRef(""), log.getPath(),
                                          log.getPath()};
  std::string message;
  int status = sys::ExecuteAndWait(arguments.front(), arguments, std::nullopt,
                                   redirects, 0, 0, &message);
  if (status == 0)
    return Error::success();
  auto text = MemoryBuffer::getFile(log.getPath());
  return createStringError("linking failed (" + arguments.front() +
                           "): " + message +
                           (text ? (*text)->getBuffer() : StringRef()));
}

/// Names in a shared library that are for others; the rest of the runtime, ICU
/// included, would get in the way of other copies in the same program.
static constexpr StringLiteral ExportedNames =
    "{ global: weir_*; local: *; };\n";

/// Writes the program `from` to `to`, to be run by all who may read it.
static std::error_code copyProgram(StringRef from, StringRef to) {
  // At once: LLVM's copy of a file would take pages one by one, of which a
  // program has thousands.
  auto program = MemoryBuffer::getFile(from, /*IsText=*/false,
                                       /*RequiresNullTerminator=*/false);
  if (!program)
    return program.getError();
  std::error_code code;
  raw_fd_ostream os(to, code);
  if (code)
    return code;
  os << (*program)->getBuffer();
  os.close();
  if (os.has_error()) {
    code = os.error();
    os.clear_error();
    return code;
  }
  ErrorOr<sys::fs::perms> mode = sys::fs::getPermissions(to);
  if (!mode)
    return mode.getError();
  return sys::fs::setPermissions(
      to, *mode | sys::fs::perms((*mode & sys::fs::all_read) >> 2));
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

std::string weir::getCompilerFile() {
  Dl_info info;
  SmallString<128> file;
  if (!dladdr(reinterpret_cast<void *>(&getCompilerFile), &info) ||
      sys::fs::real_path(info.dli_fname, file))
    return "";
  return std::string(file);
}

std::string weir::findRuntimeDir() {
  std::string file = getCompilerFile();
  SmallString<128> folder(sys::path::parent_path(file)), archive(folder);
  sys::path::append(archive, "libweir_rt.a");
  if (!sys::fs::exists(archive))
    sys::path::append(folder, "..", "lib");
  return std::string(folder);
}

Error weir::linkWithRuntime(StringRef object, StringRef output,
                            StringRef runtimeDir, StringRef soname) {
  Expected<std::string> linker = findLinker();
  if (!linker)
    return linker.takeError();
  std::string folder = runtimeDir.empty() ? findRuntimeDir() : runtimeDir.str();
  auto inRuntime = [&](StringRef name) {
    SmallString<128> path(folder);
    sys::path::append(path, name);
    return std::string(path);
  };
  std::string runtime = inRuntime("libweir_rt.a");
  std::string entry = inRuntime("libweir_rt_main.a");
  if (!sys::fs::exists(runtime))
    return createStringError("no runtime at " + Twine(runtime) +
                             "; expected Weir's libraries there");
  // A linker outlives a compiler that is ended alone, and writes what it has
  // under way; it does so elsewhere than in the user's folder.
  TemporaryFile linked;
  if (std::error_code code = linked.create("weir-linked", ""))
    return errorCodeToError(code);
  SmallVector<StringRef> arguments = {*linker,
                                      object,
                                      "-o",
                                      linked.getPath(),
                                      "-Wl,--gc-sections",
                                      "-Wl,-rpath,$ORIGIN"};
  std::string fast = findFastLinker(*linker);
  if (!fast.empty()) {
    fast = "--ld-path=" + fast;
    arguments.push_back(fast);
  }
  TemporaryFile script;
  std::string name, versionScript;
  if (!soname.empty()) {
    if (std::error_code code = script.create("weir-exports", "map"))
      return errorCodeToError(code);
    if (Error error = writeToOutput(script.getPath(), [](raw_ostream &os) {
          os << ExportedNames;
          return Error(Error::success());
        }))
      return error;
    name = ("-Wl,-soname," + soname).str();
    versionScript = ("-Wl,--version-script=" + script.getPath()).str();
    // Each library runs on the runtime inside it, whatever else is loaded.
    // Static ICU is made for executables, which may reach into libc's data; its
    // time zones are the only part that does, and nobody here asks for them.
    arguments.append({"-shared", "-Wl,-Bsymbolic", name, versionScript,
                      "-Wl,--whole-archive", runtime, "-Wl,--no-whole-archive",
                      "-Wl,--defsym=__timezone=weir_rt_no_timezone",
                      "-Wl,--defsym=tzname=weir_rt_no_timezone"});
  } else
    arguments.append({entry, runtime});
  SmallVector<StringRef> libraries;
  StringRef(WEIR_LINK_LIBRARIES).split(libraries, ';', -1, /*KeepEmpty=*/false);
  arguments.append(libraries);
  // Executables load it by themselves (lib/Runtime/LoadOpenMP.cpp): they name
  // it to the dynamic loader only for what that file does not define.
  if (soname.empty())
    arguments.push_back("-Wl,--as-needed");
  arguments.append({WEIR_LIBOMP, "-lpthread", "-ldl", "-lm"});
  if (Error error = runProgram(arguments))
    return error;
  if (std::error_code code = copyProgram(linked.getPath(), output))
    return createStringError(code, "cannot write " + output);
  return bundleOpenMP(output);
}
