//===- CompilerStages.cpp - The stages of a compilation -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CompilerParts.h"
#include "DeviceCode.h"
#include "OutputFiles.h"
#include "StageRecord.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Pass/PassManager.h"
#include "weir/Codegen/VerifyStages.h"
#include "llvm/Support/FileSystem.h"

using namespace mlir;
using namespace weir;

std::string weir::printModule(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream os(text);
  module->print(os);
  return text;
}

LogicalResult Compilation::dump(Stage stage) {
  if (options.dumpStages.empty())
    return success();
  if (std::error_code code =
          llvm::sys::fs::create_directories(options.dumpStages))
    return fail(llvm::createStringError(
        code, "cannot create " + options.dumpStages + ": " + code.message()));
  std::string name = (llvm::Twine(options.dumpStages) + "/" +
                      llvm::Twine(static_cast<int>(stage)) + "-" +
                      getStageName(stage) + ".mlir")
                         .str();
  if (llvm::Error error = writeTextFile(name, printModule(*module)))
    return fail(std::move(error));
  return success();
}

/// Whether `attribute` belongs to the dialect, which LLVM IR does not know.
static bool isWeirAttribute(NamedAttribute attribute) {
  return attribute.getName().strref().starts_with("weir.");
}

void weir::removeWeirAttributes(Operation *op) {
  for (NamedAttribute attribute : llvm::to_vector(op->getDiscardableAttrs()))
    if (isWeirAttribute(attribute))
      op->removeDiscardableAttr(attribute.getName());
}

/// Takes the attributes that LLVM IR does not know off functions, and what is
/// declared for the runtime alone.
static void stripInterface(ModuleOp module) {
  auto keepForeign = [](DictionaryAttr attributes) {
    SmallVector<NamedAttribute> kept;
    if (attributes)
      llvm::copy_if(
          attributes, std::back_inserter(kept),
          [](NamedAttribute attribute) { return !isWeirAttribute(attribute); });
    return kept;
  };
  for (auto slot : llvm::make_early_inc_range(module.getOps<SlotOp>()))
    slot.erase();
  module->walk([&](func::FuncOp function) {
    removeWeirAttributes(function);
    // The model table calls C wrappers; runtime functions have none.
    if (function.isPublic() && !function.isExternal())
      function->setAttr(LLVM::LLVMDialect::getEmitCWrapperAttrName(),
                        UnitAttr::get(function.getContext()));
    for (unsigned i = 0; i < function.getNumArguments(); ++i)
      function.setArgAttrs(i, keepForeign(function.getArgAttrDict(i)));
    for (unsigned i = 0; i < function.getNumResults(); ++i)
      function.setResultAttrs(i, keepForeign(function.getResultAttrDict(i)));
  });
}

/// The passes of `stage`, and the check of what they leave.
void Compilation::addPasses(Stage stage, OpPassManager &pm) {
  switch (stage) {
  case Stage::Input:
  case Stage::Object:
    break;
  case Stage::Formed: {
    FormOptions form;
    form.lowering = options.lowering;
    buildFormPipeline(pm, form);
    pm.addPass(createVerifyFormed());
    break;
  }
  case Stage::Scheduled: {
    ScheduleOptions schedule;
    schedule.lowering = options.lowering;
    schedule.target = target;
    schedule.threads = options.threads;
    schedule.quantize = options.quantize;
    schedule.compute = options.compute;
    schedule.gpu = hasKernels(options);
    schedule.warpgroups = usesWarpgroups(options);
    buildSchedulePipeline(pm, schedule);
    VerifyScheduledOptions verify;
    verify.require = options.lowering == Lowering::Optimized;
    pm.addPass(createVerifyScheduled(verify));
    break;
  }
  case Stage::Tiled: {
    TileOptions tile;
    tile.lowering = options.lowering;
    tile.target = target;
    tile.threads = options.threads;
    tile.gpu = hasKernels(options);
    buildTilePipeline(pm, tile);
    pm.addPass(createVerifyTiled());
    break;
  }
  case Stage::Bufferized:
    buildBufferizePipeline(
        pm, {hasKernels(options), target, getSharedBytes(options), {}, false});
    pm.addPass(createVerifyBufferized());
    break;
  case Stage::Lowered:
    buildLowerPipeline(pm,
                       {hasKernels(options), target, getSharedBytes(options),
                        options.compute, usesWarpgroups(options)});
    pm.addPass(createVerifyLowered());
    break;
  }
}

/// What the products of `module` are computed in: the narrowest of the inputs
/// that packed weights are multiplied by. Where there are none, kernels round
/// the factors of all their contractions to what was asked for.
static StringRef findComputes(ModuleOp module, const CompileOptions &options) {
  StringRef computes = "f32";
  bool tf32 = options.compute == "tf32", any = false;
  module->walk([&](PackedLinearOp linear) {
    any = true;
    Type input = getElementTypeOrSelf(linear.getInput().getType());
    if (tf32 && getElementTypeOrSelf(linear.getValues().getType()).isF32())
      computes = "tf32";
    if (input.isInteger(8))
      computes = "int8";
    else if (input.isBF16() && computes == "f32")
      computes = "bf16";
  });
  if (!any && hasKernels(options) && (tf32 || options.compute == "bf16"))
    return options.compute;
  return computes;
}

/// Sees what products are computed in, and that it is what was asked for.
LogicalResult Compilation::checkCompute() {
  computes = options.lowering == Lowering::ReferenceF64
                 ? "f64"
                 : findComputes(*module, options);
  if (options.compute.empty() || options.compute == computes ||
      options.lowering != Lowering::Optimized)
    return success();
  return emitError(UnknownLoc::get(&context))
         << "compute=" << options.compute
         << " was asked for, and products of these weights are computed in "
         << computes
         << "; int8 needs weights of int8 or int4, bf16 those of bf16, tf32 "
            "those of f32 (see "
            "--quantize and --remarks)";
}

LogicalResult Compilation::runStage(Stage stage) {
  report(getStageName(stage));
  if (stage == Stage::Tiled) {
    // The last form in which signatures are as the model's author wrote them.
    if (failed(readModelInterface(*module, interface)))
      return failure();
    (*module)->setAttr(InterfaceAttrName,
                       getInterfaceAttr(&context, interface));
  }
  if (stage == Stage::Lowered)
    stripInterface(*module);
  PassManager pm(&context);
  if (options.timing)
    pm.enableTiming(step);
  addPasses(stage, pm);
  if (failed(pm.run(*module)))
    return failure();
  if (stage == Stage::Scheduled && failed(checkCompute()))
    return failure();
  recordStage(*module, stage);
  recordOptions(*module, options, target, computes);
  return success();
}

LogicalResult Compilation::runTo(Stage last) {
  if (loadedOnly && failed(dump(reached)))
    return failure();
  loadedOnly = false;
  for (Stage stage : {Stage::Formed, Stage::Scheduled, Stage::Tiled,
                      Stage::Bufferized, Stage::Lowered}) {
    if (stage <= reached || stage > last)
      continue;
    if (failed(runStage(stage)) || failed(dump(stage)))
      return failure();
    reached = stage;
  }
  return success();
}
