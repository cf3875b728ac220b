//===- StageRecord.cpp - What a dump says of its compilation ----*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StageRecord.h"
#include "DeviceCode.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace weir;

static constexpr StringLiteral StageAttrName = "weir.stage";
static constexpr StringLiteral OptionsAttrName = "weir.options";
static constexpr StringLiteral CheckpointAttrName = "weir.checkpoint";

static constexpr StringLiteral LoweringNames[] = {"optimized", "reference",
                                                  "reference-f64"};

StringRef weir::getLoweringName(Lowering lowering) {
  return LoweringNames[static_cast<int>(lowering)];
}

llvm::Expected<Stage> weir::getRecordedStage(ModuleOp module) {
  Attribute attribute = module->getAttr(StageAttrName);
  if (!attribute)
    return Stage::Input;
  auto name = dyn_cast<StringAttr>(attribute);
  std::optional<Stage> stage =
      name ? parseStageName(name.getValue()) : std::nullopt;
  if (stage && *stage != Stage::Object)
    return *stage;
  std::string text;
  llvm::raw_string_ostream(text) << attribute;
  return llvm::createStringError(
      "weir.stage is " + text +
      ", expected \"input\", \"formed\", \"scheduled\", \"tiled\", "
      "\"bufferized\" or \"lowered\"");
}

void weir::recordStage(ModuleOp module, Stage stage) {
  module->setAttr(StageAttrName,
                  StringAttr::get(module.getContext(), getStageName(stage)));
}

StringRef weir::getRecordedCheckpoint(ModuleOp module) {
  auto path = module->getAttrOfType<StringAttr>(CheckpointAttrName);
  return path ? path.getValue() : StringRef();
}

void weir::recordCheckpoint(ModuleOp module, StringRef path) {
  module->setAttr(CheckpointAttrName,
                  StringAttr::get(module.getContext(), path));
}

void weir::recordOptions(ModuleOp module, const CompileOptions &options,
                         const CPUTarget &target, StringRef computes) {
  Builder builder(module.getContext());
  auto text = [&](StringRef key, StringRef value) {
    return builder.getNamedAttr(key, builder.getStringAttr(value));
  };
  module->setAttr(
      OptionsAttrName,
      builder.getDictionaryAttr(
          {text("lowering", getLoweringName(options.lowering)),
           text("quantize", options.quantize), text("compute", options.compute),
           text("computes", computes), text("target", options.target),
           text("gpu-arch", options.gpuArch), text("cpu", target.cpu),
           text("features", target.features)}));
}

llvm::Error weir::adoptRecordedOptions(ModuleOp module, CompileOptions &options,
                                       CPUTarget &target,
                                       std::string &computes) {
  auto record = module->getAttrOfType<DictionaryAttr>(OptionsAttrName);
  auto get = [&](StringRef key) {
    auto text = record ? record.getAs<StringAttr>(key) : StringAttr();
    return text ? text.getValue() : StringRef();
  };
  const auto *lowering = llvm::find(LoweringNames, get("lowering"));
  if (lowering == std::end(LoweringNames) || get("cpu").empty() ||
      get("quantize").empty())
    return llvm::createStringError(
        "the module is behind the stage input and has no proper weir.options, "
        "expected the ones its dump has");
  auto conflict = [](StringRef name, StringRef recorded, StringRef given) {
    return llvm::createStringError(
        "the dump was made with " + name + " " + recorded + ", found " + given +
        "; leave the option out, or compile from the model or an earlier dump");
  };

  auto made = static_cast<Lowering>(lowering - std::begin(LoweringNames));
  CompileOptions defaults;
  if (options.lowering != defaults.lowering && options.lowering != made)
    return conflict("lowering", *lowering, getLoweringName(options.lowering));
  if (options.quantize != defaults.quantize &&
      options.quantize != get("quantize"))
    return conflict("quantize", get("quantize"), options.quantize);
  if (!options.compute.empty() && options.compute != get("compute"))
    return conflict("compute",
                    get("compute").empty() ? "unsaid" : get("compute"),
                    options.compute);
  if (options.cpu != defaults.cpu && target.cpu != get("cpu"))
    return conflict("target-cpu", get("cpu"), target.cpu);
  if (options.target != defaults.target && options.target != get("target"))
    return conflict("target", get("target"), options.target);
  if (!get("target").empty())
    options.target = get("target").str();
  // What is generated last depends on it, and whether warpgroups multiply.
  if (options.gpuArch == defaults.gpuArch && !get("gpu-arch").empty())
    options.gpuArch = get("gpu-arch").str();
  CompileOptions recorded = options;
  recorded.gpuArch = get("gpu-arch").str();
  if (!recorded.gpuArch.empty() &&
      usesWarpgroups(recorded) != usesWarpgroups(options))
    return conflict("gpu-arch", recorded.gpuArch, options.gpuArch);
  options.lowering = made;
  options.quantize = get("quantize").str();
  options.compute = get("compute").str();
  computes = get("computes").str();
  target.cpu = get("cpu").str();
  target.features = get("features").str();
  return llvm::Error::success();
}

std::string weir::describeOptions(const CompileOptions &options,
                                  const CPUTarget &target, StringRef computes) {
  std::string text = "quantize=" + options.quantize +
                     " compute=" + computes.str() + " cpu=" + target.cpu;
  if (options.target == "cuda")
    text += " target=cuda gpu-arch=" + options.gpuArch;
  else if (options.target != "cpu")
    text += " target=" + options.target;
  if (options.lowering != Lowering::Optimized)
    text += (" lowering=" + getLoweringName(options.lowering)).str();
  return text;
}
