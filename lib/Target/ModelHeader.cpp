//===- ModelHeader.cpp - C header of a compiled model -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The header is, in this order: what the model is and takes, in a comment; the
// text of ModelDesc.h and Runtime.h, within their include guards, so that the
// headers of several models and the installed ones go together; declarations
// named after the model.
//
//===----------------------------------------------------------------------===//

#include "weir/Target/ModelHeader.h"
#include "weir-rt/ModelDesc.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace weir;

// ModelDescText and RuntimeText, the texts of the two headers.
#include "RuntimeHeaders.inc"

std::string weir::getModelIdentifier(StringRef path) {
  StringRef stem = sys::path::stem(path);
  stem.consume_front("lib");
  std::string name;
  for (char c : stem)
    name += isAlnum(c) ? c : '_';
  if (name.empty() || isDigit(name.front()))
    name.insert(0, "m");
  return name;
}

std::string weir::getModelHeaderPath(StringRef path) {
  SmallString<128> header(path);
  sys::path::replace_extension(header, "h");
  return std::string(header);
}

std::string weir::getModelSymbol(StringRef path) {
  return "weir_model_" + getModelIdentifier(path);
}

void weir::emitModelAccessor(Module &module, StringRef path) {
  auto *pointer = PointerType::get(module.getContext(), 0);
  Function *accessor = Function::Create(FunctionType::get(pointer, false),
                                        GlobalValue::ExternalLinkage,
                                        getModelSymbol(path), module);
  IRBuilder<> builder(BasicBlock::Create(module.getContext(), "", accessor));
  builder.CreateRet(module.getNamedGlobal("weir_model"));
}

/// How C spells an element type, and how people do.
static std::pair<StringRef, StringRef> getDTypeNames(int32_t dtype) {
  switch (dtype) {
  case WEIR_F32:
    return {"float", "f32"};
  case WEIR_F64:
    return {"double", "f64"};
  case WEIR_F16:
    return {"uint16_t", "f16"};
  case WEIR_BF16:
    return {"uint16_t", "bf16"};
  case WEIR_I64:
    return {"int64_t", "i64"};
  case WEIR_I32:
    return {"int32_t", "i32"};
  case WEIR_I16:
    return {"int16_t", "i16"};
  case WEIR_I8:
    return {"int8_t", "i8"};
  case WEIR_BOOL:
    return {"uint8_t", "bool"};
  default:
    return {"uint8_t", "u8"};
  }
}

/// `name: f32 [batch, time, 199]`
static std::string describe(const ValueInterface &value) {
  std::string text =
      value.name + ": " + getDTypeNames(value.dtype).second.str() + " [";
  ListSeparator comma;
  for (auto [extent, axis] : zip_equal(value.shape, value.axes)) {
    text += comma.operator StringRef();
    if (axis == WEIR_AXIS_BATCH)
      text += "batch";
    else if (axis == WEIR_AXIS_TIME && extent == WEIR_DYNAMIC)
      text += value.sequence == 0 ? "time"
                                  : "time" + std::to_string(value.sequence);
    else
      text += extent == WEIR_DYNAMIC ? "?" : std::to_string(extent);
  }
  return text + "]";
}

static bool isExtend(const FunctionInterface &function) {
  return function.method == WEIR_METHOD_EXTEND ||
         function.method == WEIR_METHOD_EXTEND_LAST;
}

/// The functions of `interface` that a caller can tell apart: of those for
/// different block lengths, the general one.
static SmallVector<const FunctionInterface *>
getDistinctFunctions(const ModelInterface &interface) {
  SmallVector<const FunctionInterface *> functions;
  for (const FunctionInterface &function : interface.functions)
    if (!isExtend(function) || function.time == WEIR_DYNAMIC)
      functions.push_back(&function);
  return functions;
}

static void printDescription(raw_ostream &os, const ModelInterface &interface) {
  os << "// Functions, by the names of their tensors (see weir_forward):\n";
  for (const FunctionInterface *function : getDistinctFunctions(interface)) {
    os << "//   " << function->name << '\n';
    for (const ValueInterface &value : function->args)
      if (value.role == WEIR_ROLE_DATA)
        os << "//     takes " << describe(value) << '\n';
      else if (value.role == WEIR_ROLE_OPTIONAL)
        os << "//     may take " << describe(value) << '\n';
    for (const ValueInterface &value : function->results)
      os << "//     gives " << describe(value) << '\n';
  }
}

/// The type and the number of elements of what one token gives, when a model
/// takes token ids alone and that is of fixed size.
static std::optional<std::pair<const ValueInterface *, int64_t>>
getStepOutput(const ModelInterface &interface) {
  for (const FunctionInterface *function : getDistinctFunctions(interface)) {
    if (!isExtend(*function) || function->results.empty())
      continue;
    int64_t inputs = 0;
    for (const ValueInterface &value : function->args)
      if (value.role == WEIR_ROLE_DATA)
        inputs += value.dtype == WEIR_I32 && value.shape.size() == 2 ? 1 : 2;
    const ValueInterface &output = function->results.front();
    int64_t elements = 1;
    for (auto [extent, axis] : zip_equal(output.shape, output.axes)) {
      if (axis == WEIR_AXIS_BATCH || axis == WEIR_AXIS_TIME)
        continue;
      if (extent == WEIR_DYNAMIC)
        return std::nullopt;
      elements *= extent;
    }
    if (inputs == 1)
      return std::make_pair(&output, elements);
  }
  return std::nullopt;
}

static constexpr char OpenText[] = R"(
/// The table of the model in this library.
const weir_model_desc *{1}(void);

/// Opens the model. Its weights are mapped from `weights_path`, or from
/// `{2}.weights` in the library's folder when that is null. Close it with
/// weir_program_close.
static inline weir_program *{0}_open(const char *weights_path,
                                     weir_error **error) {{
  return weir_program_open({1}(), weights_path, error);
}
)";

static constexpr char ExtendText[] = R"(
/// Elements of what one token gives: `{3}`.
enum {{ {0}_step_elements = {1} };

/// Appends `count` tokens to the one row of `session` (weir_session_open) and
/// writes what the last of them gives to `out`, which has room for
/// {0}_step_elements. For batches and for the outputs of all tokens see
/// weir_extend. Save, load, fork and rollback are weir_save, weir_load,
/// weir_fork and weir_rollback, for all models alike.
static inline int {0}_extend(weir_session *session, const int32_t *tokens,
                             int64_t count, {2} *out, weir_error **error) {{
  return weir_extend_into(session, &tokens, &count, WEIR_OUTPUTS_LAST, out,
                          {0}_step_elements * sizeof({2}), error);
}
)";

std::string weir::buildModelHeader(const ModelInterface &interface,
                                   StringRef path) {
  StringRef file = sys::path::filename(path);
  std::string name = getModelIdentifier(path);
  std::string guard = "WEIR_MODEL_" + StringRef(name).upper() + "_H";
  std::string text;
  raw_string_ostream os(text);
  os << "// The C interface of " << file
     << ", made by weir " WEIR_VERSION " for "
     << (interface.target.empty() ? "any CPU" : interface.target)
     << ". It needs no other header.\n//\n";
  if (!interface.name.empty())
    os << "// Model: " << interface.name << '\n';
  if (interface.vocabSize)
    os << "// Vocabulary: " << interface.vocabSize << " tokens\n";
  if (interface.maxLength != WEIR_DYNAMIC)
    os << "// Longest sequence: " << interface.maxLength << " tokens\n";
  printDescription(os, interface);
  os << "\n#ifndef " << guard << "\n#define " << guard << "\n\n";

  auto [before, after] =
      RuntimeText.split("#include \"weir-rt/ModelDesc.h\"\n");
  os << before << '\n' << ModelDescText << after;

  os << "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n";
  os << formatv(OpenText, name, getModelSymbol(path), file);
  if (auto output = getStepOutput(interface))
    os << formatv(ExtendText, name, output->second,
                  getDTypeNames(output->first->dtype).first,
                  describe(*output->first));
  os << "\n#ifdef __cplusplus\n}\n#endif\n\n#endif // " << guard << '\n';
  return text;
}
