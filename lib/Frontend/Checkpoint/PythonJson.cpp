//===- PythonJson.cpp - JSON as Python writes it --------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// LLVM's parser is strict and recursive. One scan before it measures the
// nesting and finds the words Python's `json` writes for the numbers JSON
// lacks.
//
//===----------------------------------------------------------------------===//

#include "Formats.h"

using namespace llvm;
using namespace weir;

/// Deeper nesting occurs in no configuration, tokenizer or header.
static constexpr unsigned maxNesting = 128;

/// The position after the string whose opening quote is at `begin`, or the end
/// of the text.
static size_t skipString(StringRef text, size_t begin) {
  size_t i = begin + 1;
  while (i < text.size() && text[i] != '"')
    i += text[i] == '\\' ? 2 : 1;
  return std::min(i + 1, text.size());
}

Expected<json::Value> weir::parsePythonJson(StringRef text,
                                            StringRef fileName) {
  struct Word {
    StringLiteral found;
    StringLiteral replacement;
  };
  // The minus comes with its word; what is left after a match is scanned on.
  static constexpr Word words[] = {{"NaN", "null"},
                                   {"Infinity", "\"Infinity\""},
                                   {"-Infinity", "\"-Infinity\""}};
  std::string rewritten;
  size_t copied = 0;
  unsigned nesting = 0;
  for (size_t i = 0; i < text.size();) {
    char c = text[i];
    if (c == '"') {
      i = skipString(text, i);
      continue;
    }
    if (c == '{' || c == '[') {
      if (++nesting > maxNesting)
        return fileError(fileName,
                         "JSON nested deeper than {0} levels at byte {1}",
                         maxNesting, i);
    } else if (c == '}' || c == ']') {
      nesting -= nesting != 0;
    } else if (c == 'N' || c == 'I' || c == '-') {
      StringRef rest = text.substr(i);
      bool matched = false;
      for (const Word &word : words) {
        if (!rest.starts_with(word.found))
          continue;
        rewritten += text.slice(copied, i);
        rewritten += word.replacement;
        i += word.found.size();
        copied = i;
        matched = true;
        break;
      }
      if (matched)
        continue;
    }
    ++i;
  }
  StringRef source = text;
  if (copied != 0) {
    rewritten += text.substr(copied);
    source = rewritten;
  }
  Expected<json::Value> value = json::parse(source);
  if (!value)
    return fileError(fileName, "invalid JSON: {0}",
                     toString(value.takeError()));
  return value;
}

std::vector<StringRef> weir::getOutermostKeys(StringRef json) {
  std::vector<StringRef> keys;
  unsigned nesting = 0;
  StringRef lastString;
  for (size_t i = 0; i < json.size();) {
    char c = json[i];
    if (c == '"') {
      size_t end = skipString(json, i);
      lastString = json.slice(i + 1, end - 1);
      i = end;
      continue;
    }
    if (c == '{' || c == '[')
      ++nesting;
    else if (c == '}' || c == ']')
      nesting -= nesting != 0;
    else if (c == ':' && nesting == 1)
      keys.push_back(lastString);
    ++i;
  }
  return keys;
}
