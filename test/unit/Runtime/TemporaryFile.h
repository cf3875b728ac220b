//===- TemporaryFile.h - Files that tests write -----------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TEST_UNIT_RUNTIME_TEMPORARYFILE_H
#define TEST_UNIT_RUNTIME_TEMPORARYFILE_H

#include "gtest/gtest.h"
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>

/// A path of its own for one test, removed at the end.
class TemporaryFile {
public:
  explicit TemporaryFile(const std::string &contents = "") {
    static int count = 0;
    path = testing::TempDir() + "weir-rt-" + std::to_string(getpid()) + "-" +
           std::to_string(count++);
    if (!contents.empty())
      write(contents);
  }
  ~TemporaryFile() { std::remove(path.c_str()); }
  TemporaryFile(const TemporaryFile &) = delete;

  void write(const std::string &contents) const {
    std::ofstream(path, std::ios::binary) << contents;
  }
  std::string read() const {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  bool exists() const { return access(path.c_str(), F_OK) == 0; }

  std::string path;
};

#endif // TEST_UNIT_RUNTIME_TEMPORARYFILE_H
