//===- OutputFiles.cpp - Files that appear whole or not at all --*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OutputFiles.h"
#include "weir/Compiler/Compiler.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

using namespace weir;
namespace fs = llvm::sys::fs;

static llvm::Error cannotWrite(const llvm::Twine &path,
                               const llvm::Twine &reason) {
  return llvm::createStringError("cannot write " + path + ": " + reason);
}

bool weir::isStreamPath(llvm::StringRef path) {
  fs::file_status status;
  return path == "-" ||
         (!fs::status(path, status) && !fs::is_regular_file(status) &&
          !fs::is_directory(status));
}

llvm::Error weir::checkOutputPath(llvm::StringRef path) {
  if (isStreamPath(path))
    return llvm::Error::success();
  if (fs::is_directory(path))
    return cannotWrite(path, "it is a folder, expected the name of a file");
  llvm::StringRef folder = llvm::sys::path::parent_path(path);
  if (folder.empty())
    folder = ".";
  if (!fs::is_directory(folder))
    return cannotWrite(path, "there is no folder " + folder);
  if (std::error_code code = fs::access(folder, fs::AccessMode::Write))
    return cannotWrite(path, code.message());
  return llvm::Error::success();
}

llvm::Expected<std::string> OutputFiles::create(llvm::StringRef path) {
  if (llvm::Error error = checkOutputPath(path))
    return std::move(error);
  if (isStreamPath(path))
    return cannotWrite(path, "expected the name of a regular file");
  // An interrupt may come as soon as the file is there, so what removes it then
  // is told its name before.
  llvm::SmallString<128> temporary;
  while (true) {
    fs::createUniquePath(path + ".tmp-%%%%%%", temporary,
                         /*MakeAbsolute=*/false);
    llvm::sys::RemoveFileOnSignal(temporary);
    int descriptor;
    std::error_code code = fs::openFileForWrite(temporary, descriptor,
                                                fs::CD_CreateNew, fs::OF_None);
    if (!code) {
      llvm::sys::Process::SafelyCloseFileDescriptor(descriptor);
      break;
    }
    llvm::sys::DontRemoveFileOnSignal(temporary);
    if (code != std::errc::file_exists)
      return cannotWrite(path, code.message());
  }
  entries.push_back({std::string(temporary), path.str()});
  return entries.back().temporary;
}

llvm::Error OutputFiles::commit() {
  while (!entries.empty()) {
    const Entry &entry = entries.back();
    if (std::error_code code = fs::rename(entry.temporary, entry.path))
      return cannotWrite(entry.path, code.message());
    llvm::sys::DontRemoveFileOnSignal(entry.temporary);
    entries.pop_back();
  }
  return llvm::Error::success();
}

OutputFiles::~OutputFiles() {
  for (const Entry &entry : entries) {
    fs::remove(entry.temporary);
    llvm::sys::DontRemoveFileOnSignal(entry.temporary);
  }
}

llvm::Error weir::writeTextFile(llvm::StringRef path, llvm::StringRef text) {
  auto writeTo = [&](llvm::StringRef name) -> llvm::Error {
    std::error_code code;
    llvm::raw_fd_ostream os(name, code);
    if (!code) {
      os << text;
      os.close();
      code = os.error();
      os.clear_error();
    }
    return code ? cannotWrite(path, code.message()) : llvm::Error::success();
  };
  if (isStreamPath(path))
    return writeTo(path);
  OutputFiles files;
  llvm::Expected<std::string> temporary = files.create(path);
  if (!temporary)
    return temporary.takeError();
  if (llvm::Error error = writeTo(*temporary))
    return error;
  return files.commit();
}
