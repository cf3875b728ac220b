//===- weir-tokenize.cpp - Tokenize lines, for tests ----------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Takes a tokenizer.json (and perhaps a tokenizer_config.json), or a GGUF file,
// through import, blob and runtime, then answers requests from standard input,
// one a line, each with one line:
//   e HEX     token ids of the bytes HEX
//   s HEX     the same with the special tokens around
//   d ID...   hex bytes of these tokens, decoded as a stream
//   D ID...   the same, special tokens shown
//
//===----------------------------------------------------------------------===//

#include "weir-rt/Tokenizer.h"
#include "weir/Frontend/Checkpoint.h"
#include "weir/Frontend/TokenizerSpec.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include <iostream>

using namespace weir;

static int fail(const llvm::Twine &message) {
  llvm::errs() << "weir-tokenize: " << message << "\n";
  return 1;
}

static llvm::Expected<std::string> readFile(llvm::StringRef path) {
  auto buffer = llvm::MemoryBuffer::getFile(path);
  if (!buffer)
    return llvm::createFileError(path, buffer.getError());
  return (*buffer)->getBuffer().str();
}

/// The tokenizer of a GGUF file, or of a tokenizer.json and its configuration.
static llvm::Expected<TokenizerSpec> importFile(llvm::StringRef path,
                                                llvm::StringRef configPath) {
  if (path.ends_with(".gguf")) {
    auto checkpoint = openCheckpoint(path);
    if (!checkpoint)
      return checkpoint.takeError();
    return importGGUFTokenizer(readGGUFTokenizerMetadata(**checkpoint));
  }
  auto text = readFile(path);
  if (!text)
    return text.takeError();
  std::string config;
  if (!configPath.empty()) {
    auto configText = readFile(configPath);
    if (!configText)
      return configText.takeError();
    config = std::move(*configText);
  }
  return importTokenizerJson(*text, config);
}

static void encode(const rt::Tokenizer &tokenizer, llvm::StringRef hex,
                   bool addSpecial) {
  std::string text;
  if (!llvm::tryGetFromHex(hex, text)) {
    llvm::outs() << "not hex\n";
    return;
  }
  llvm::ListSeparator space(" ");
  for (int32_t id : tokenizer.encode(text, addSpecial))
    llvm::outs() << space << id;
  llvm::outs() << "\n";
}

static void decode(const rt::Tokenizer &tokenizer, llvm::StringRef list,
                   bool showSpecial) {
  llvm::SmallVector<llvm::StringRef> parts;
  list.split(parts, ' ', -1, /*KeepEmpty=*/false);
  std::vector<int32_t> ids;
  for (llvm::StringRef part : parts) {
    int32_t id = -1;
    part.getAsInteger(10, id);
    ids.push_back(id);
  }
  llvm::outs() << llvm::toHex(tokenizer.decode(ids, showSpecial)) << "\n";
}

int main(int argc, char **argv) {
  if (argc != 2 && argc != 3)
    return fail("expected a tokenizer.json or .gguf file, and perhaps a "
                "tokenizer_config.json");
  auto spec = importFile(argv[1], argc == 3 ? argv[2] : "");
  if (!spec)
    return fail(llvm::toString(spec.takeError()));
  std::vector<uint8_t> blob = serializeTokenizer(*spec);
  std::string error;
  auto tokenizer = rt::Tokenizer::create(blob.data(), blob.size(), error);
  if (!tokenizer)
    return fail(error);
  std::string line;
  while (std::getline(std::cin, line)) {
    llvm::StringRef request = line;
    if (request.consume_front("e "))
      encode(*tokenizer, request, false);
    else if (request.consume_front("s "))
      encode(*tokenizer, request, true);
    else if (request.consume_front("d "))
      decode(*tokenizer, request, false);
    else if (request.consume_front("D "))
      decode(*tokenizer, request, true);
    else
      llvm::outs() << "unknown request\n";
  }
  return 0;
}
