//===- Safetensors.cpp - Named tensors in files ---------------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Layout of a file: u64 length N (little endian), N bytes of JSON, the data.
// The JSON is an object of name -> {"dtype", "shape", "data_offsets": [b, e)},
// offsets counted from the end of the header, and an optional "__metadata__" of
// strings. The header is read by events, not into a tree, because a tree
// silently drops duplicate names.
//
//===----------------------------------------------------------------------===//

#include "Safetensors.h"
#include "DType.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

using namespace weir::rt;

using Json = nlohmann::json;

/// The largest header the format allows.
static constexpr uint64_t kMaxHeader = 100'000'000;

namespace {
/// Collects the header. Every handler returns false to stop at the first fault.
class HeaderHandler {
public:
  struct Entry {
    TensorView view;
    int64_t begin = -1, end = -1;
    bool hasType = false, hasShape = false, hasOffsets = false;
  };

  std::vector<Entry> entries;
  std::string error;

  bool null() { return unexpected("null"); }
  bool boolean(bool) { return unexpected("a boolean"); }
  bool number_float(double, const std::string &text) {
    return unexpected("number " + text);
  }
  bool binary(Json::binary_t &) { return unexpected("binary data"); }

  bool number_integer(int64_t value) {
    return unexpected("number " + std::to_string(value));
  }

  bool number_unsigned(uint64_t value) {
    if (where != Where::Array)
      return unexpected("number " + std::to_string(value));
    if (value > static_cast<uint64_t>(INT64_MAX))
      return fail("number " + std::to_string(value) + " is too large");
    numbers.push_back(static_cast<int64_t>(value));
    return true;
  }

  bool string(std::string &text) {
    if (where == Where::Metadata)
      return true;
    if (where != Where::Tensor || field != "dtype")
      return unexpected("string '" + text + "'");
    Entry &entry = entries.back();
    if (!dtypeFromName(text, entry.view.dtype))
      return fail("element type '" + text +
                  "' is not one of F64, F32, F16, BF16, I64, I32, I16, I8, "
                  "U8, BOOL");
    entry.hasType = true;
    return true;
  }

  bool start_object(size_t) {
    if (where == Where::Start) {
      where = Where::Top;
      return true;
    }
    if (where == Where::Top) {
      if (name == "__metadata__") {
        where = Where::Metadata;
        return true;
      }
      where = Where::Tensor;
      seenFields.clear();
      entries.emplace_back();
      entries.back().view.name = name;
      return true;
    }
    return unexpected("an object");
  }

  bool key(std::string &text) {
    if (where == Where::Top) {
      name = text;
      if (!names.insert(text).second)
        return fail("the name appears twice");
    } else if (where == Where::Tensor) {
      field = text;
      if (text != "dtype" && text != "shape" && text != "data_offsets")
        return fail("field '" + text + "' is not known");
      if (!seenFields.insert(text).second)
        return fail("field '" + text + "' appears twice");
    }
    return true;
  }

  bool end_object() {
    if (where == Where::Metadata) {
      where = Where::Top;
    } else if (where == Where::Tensor) {
      where = Where::Top;
      const Entry &entry = entries.back();
      const char *missing = !entry.hasType      ? "dtype"
                            : !entry.hasShape   ? "shape"
                            : !entry.hasOffsets ? "data_offsets"
                                                : nullptr;
      if (missing)
        return fail(std::string("field '") + missing + "' is missing");
    } else {
      where = Where::End;
    }
    return true;
  }

  bool start_array(size_t) {
    if (where != Where::Tensor || field == "dtype")
      return unexpected("an array");
    where = Where::Array;
    numbers.clear();
    return true;
  }

  bool end_array() {
    where = Where::Tensor;
    Entry &entry = entries.back();
    if (field == "shape") {
      entry.view.shape = numbers;
      entry.hasShape = true;
      return true;
    }
    if (numbers.size() != 2)
      return fail("data_offsets has " + std::to_string(numbers.size()) +
                  " numbers, expected 2");
    entry.begin = numbers[0];
    entry.end = numbers[1];
    entry.hasOffsets = true;
    return true;
  }

  bool parse_error(size_t position, const std::string &,
                   const nlohmann::detail::exception &) {
    error = "header is not valid JSON at byte " + std::to_string(position);
    return false;
  }

private:
  enum class Where { Start, Top, Metadata, Tensor, Array, End };

  bool fail(const std::string &message) {
    error = name.empty() ? message : "tensor '" + name + "': " + message;
    return false;
  }
  bool unexpected(const std::string &what) {
    return fail("header holds " + what + " where none may be");
  }

  Where where = Where::Start;
  std::string name, field;
  std::set<std::string> names, seenFields;
  std::vector<int64_t> numbers;
};
} // namespace

bool weir::rt::parseSafetensors(const uint8_t *data, size_t size,
                                std::vector<TensorView> &tensors,
                                std::string &error) {
  tensors.clear();
  if (size < 8) {
    error = "file has " + std::to_string(size) +
            " bytes, too few for a safetensors header";
    return false;
  }
  uint64_t headerBytes = 0;
  for (int i = 7; i >= 0; --i)
    headerBytes = headerBytes << 8 | data[i];
  if (headerBytes > size - 8 || headerBytes > kMaxHeader) {
    error = "header claims " + std::to_string(headerBytes) +
            " bytes and the file has " + std::to_string(size - 8) +
            " after its length: not a safetensors file, or a truncated one";
    return false;
  }
  const uint8_t *header = data + 8;
  const uint8_t *payload = header + headerBytes;
  int64_t payloadBytes = static_cast<int64_t>(size - 8 - headerBytes);

  HeaderHandler handler;
  if (!Json::sax_parse(header, payload, &handler, Json::input_format_t::json,
                       /*strict=*/true)) {
    error = handler.error.empty() ? "header is not valid JSON" : handler.error;
    return false;
  }
  for (HeaderHandler::Entry &entry : handler.entries) {
    TensorView &view = entry.view;
    int64_t expected;
    if (!byteSize(view.shape, dtypeSize(view.dtype), expected)) {
      error = "tensor '" + view.name + "': shape " + shapeToString(view.shape) +
              " is too large";
      return false;
    }
    if (entry.begin > entry.end || entry.end > payloadBytes) {
      error = "tensor '" + view.name + "': data_offsets [" +
              std::to_string(entry.begin) + ", " + std::to_string(entry.end) +
              "] lie outside the " + std::to_string(payloadBytes) +
              " bytes of data: truncated file";
      return false;
    }
    if (entry.end - entry.begin != expected) {
      error = "tensor '" + view.name + "': data_offsets span " +
              std::to_string(entry.end - entry.begin) + " bytes, but " +
              dtypeName(view.dtype) + " " + shapeToString(view.shape) +
              " needs " + std::to_string(expected);
      return false;
    }
    view.data = payload + entry.begin;
    view.bytes = static_cast<size_t>(expected);
  }
  std::sort(handler.entries.begin(), handler.entries.end(),
            [](const auto &a, const auto &b) {
              return std::tie(a.begin, a.end, a.view.name) <
                     std::tie(b.begin, b.end, b.view.name);
            });
  int64_t next = 0;
  for (HeaderHandler::Entry &entry : handler.entries) {
    if (entry.begin != next) {
      error = "tensor '" + entry.view.name + "': data starts at " +
              std::to_string(entry.begin) + ", expected " +
              std::to_string(next) +
              (entry.begin < next ? " (it overlaps another tensor)"
                                  : " (bytes before it belong to no tensor)");
      return false;
    }
    next = entry.end;
  }
  if (next != payloadBytes) {
    error = "file has " + std::to_string(payloadBytes - next) +
            " bytes after its last tensor";
    return false;
  }
  for (HeaderHandler::Entry &entry : handler.entries)
    tensors.push_back(std::move(entry.view));
  return true;
}

std::unique_ptr<SafetensorsFile> SafetensorsFile::open(const std::string &path,
                                                       std::string &error) {
  auto result = std::make_unique<SafetensorsFile>();
  if (!result->file.open(path, error))
    return nullptr;
  if (!parseSafetensors(result->file.data(), result->file.size(), result->views,
                        error)) {
    error = "cannot read '" + path + "': " + error;
    return nullptr;
  }
  return result;
}

const TensorView *SafetensorsFile::find(const std::string &name) const {
  for (const TensorView &view : views)
    if (view.name == name)
      return &view;
  return nullptr;
}

bool weir::rt::writeSafetensors(const std::string &path,
                                const std::vector<TensorView> &tensors,
                                std::string &error) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  int64_t offset = 0;
  for (const TensorView &view : tensors) {
    int64_t expected;
    if (!byteSize(view.shape, dtypeSize(view.dtype), expected) ||
        static_cast<size_t>(expected) != view.bytes) {
      error = "tensor '" + view.name + "' has " + std::to_string(view.bytes) +
              " bytes, which its shape " + shapeToString(view.shape) +
              " does not account for";
      return false;
    }
    if (view.name == "__metadata__" || header.contains(view.name)) {
      error = "tensor name '" + view.name + "' is taken";
      return false;
    }
    header[view.name] = {{"dtype", dtypeName(view.dtype)},
                         {"shape", view.shape},
                         {"data_offsets", {offset, offset + expected}}};
    offset += expected;
  }
  std::string text = header.dump(
      -1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  // Readers may map the data: keep it 8-byte aligned, as the format asks.
  while (text.size() % 8 != 0)
    text += ' ';
  uint8_t length[8];
  for (int i = 0; i < 8; ++i)
    length[i] = static_cast<uint8_t>(text.size() >> (8 * i));

  AtomicFile file;
  if (!file.open(path, error) || !file.write(length, 8, error) ||
      !file.write(text.data(), text.size(), error))
    return false;
  for (const TensorView &view : tensors)
    if (!file.write(view.data, view.bytes, error))
      return false;
  return file.commit(error);
}
