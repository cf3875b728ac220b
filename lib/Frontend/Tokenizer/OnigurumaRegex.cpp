//===- OnigurumaRegex.cpp - Regular expressions of tokenizers -------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Hugging Face matches with Oniguruma, the runtime with ICU. The two agree on
// what tokenizers use but for a few escapes, which are translated or refused
// here.
//
//===----------------------------------------------------------------------===//

#include "TokenizerImport.h"
#include "llvm/ADT/StringExtras.h"
#include <unicode/regex.h>

using namespace weir;

/// Whether ICU takes the pattern, else why not.
static llvm::Error checkPattern(llvm::StringRef original,
                                const std::string &pattern) {
  UErrorCode status = U_ZERO_ERROR;
  UParseError where;
  std::unique_ptr<icu::RegexPattern> compiled(icu::RegexPattern::compile(
      icu::UnicodeString::fromUTF8(pattern),
      UREGEX_MULTILINE | UREGEX_UNIX_LINES, where, status));
  if (U_SUCCESS(status))
    return llvm::Error::success();
  return tokenizerError("the regular expression '{0}' is not supported: ICU "
                        "says {1} at offset {2}",
                        original, u_errorName(status), where.offset);
}

llvm::Expected<std::string> weir::translateRegex(llvm::StringRef pattern) {
  std::string out;
  // Where the last atom began in `out`, and where the open groups did.
  size_t atom = 0;
  llvm::SmallVector<size_t> groups;
  unsigned setDepth = 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    // Bytes inside a UTF-8 character belong to the atom that began it.
    bool continuation = (uint8_t(c) & 0xc0) == 0x80;
    if (c == '\\' && i + 1 < pattern.size()) {
      char escape = pattern[++i];
      if (!setDepth)
        atom = out.size();
      if (llvm::StringRef("RXKkgyYONCcM").contains(escape))
        return tokenizerError("the regular expression '{0}' uses '\\{1}', "
                              "which is not supported",
                              pattern, llvm::StringRef(&escape, 1));
      if (escape == 'h' || escape == 'H') {
        if (setDepth && escape == 'H')
          out += "[^0-9a-fA-F]";
        else
          out += setDepth ? "0-9a-fA-F"
                          : (escape == 'h' ? "[0-9a-fA-F]" : "[^0-9a-fA-F]");
        continue;
      }
      out += c;
      out += escape;
      // The braces of \p{..} and \x{..} quantify nothing.
      if (i + 1 < pattern.size() && pattern[i + 1] == '{' &&
          llvm::StringRef("pPx").contains(escape)) {
        size_t close = pattern.find('}', i);
        if (close == llvm::StringRef::npos)
          close = pattern.size() - 1;
        out += pattern.slice(i + 1, close + 1);
        i = close;
      }
      continue;
    }
    if (setDepth) {
      setDepth += c == '[';
      setDepth -= c == ']';
      out += c;
      continue;
    }
    switch (c) {
    case '[':
      atom = out.size();
      ++setDepth;
      out += c;
      // A bracket here is a member of the set, not its end.
      if (i + 1 < pattern.size() && pattern[i + 1] == '^')
        out += pattern[++i];
      if (i + 1 < pattern.size() && pattern[i + 1] == ']') {
        out += "\\]";
        ++i;
      }
      continue;
    case '(': {
      groups.push_back(out.size());
      llvm::StringRef rest = pattern.substr(i + 1);
      if (rest.consume_front("?")) {
        llvm::StringRef flags = rest.take_until(
            [](char f) { return !llvm::isAlpha(f) && f != '-'; });
        // 'm' is "dot matches newline" there and "anchors at lines" here.
        if (!flags.empty() && flags != "i" && flags != "-i")
          return tokenizerError("the regular expression '{0}' uses the option "
                                "group '(?{1}', which is not supported",
                                pattern, flags);
      }
      out += c;
      continue;
    }
    case ')':
      atom = groups.empty() ? 0 : groups.pop_back_val();
      out += c;
      continue;
    case '{': {
      size_t close = pattern.find('}', i);
      llvm::StringRef body = pattern.slice(i + 1, close);
      bool quantifier =
          close != llvm::StringRef::npos && !body.empty() &&
          body.find_first_not_of("0123456789,") == llvm::StringRef::npos &&
          body != ",";
      if (!quantifier) {
        atom = out.size();
        out += "\\{";
        continue;
      }
      if (body.starts_with(","))
        out += ("{0" + body + "}").str();
      else
        out += ("{" + body + "}").str();
      i = close;
      // "a{2}+" repeats "a{2}" there; here it would be possessive.
      if (i + 1 < pattern.size() && pattern[i + 1] == '+') {
        out.insert(atom, "(?:");
        out += ")";
      }
      continue;
    }
    case '}':
      atom = out.size();
      out += "\\}";
      continue;
    case '*':
    case '+':
    case '?':
    case '|':
      out += c;
      continue;
    default:
      if (!continuation)
        atom = out.size();
      out += c;
    }
  }
  if (llvm::Error error = checkPattern(pattern, out))
    return std::move(error);
  return out;
}
