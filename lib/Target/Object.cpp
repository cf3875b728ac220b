//===- Object.cpp - Machine code from LLVM IR -*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir/Target/Object.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/SubtargetFeature.h"
#include "llvm/Transforms/IPO/MergeFunctions.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"
#include "llvm/Transforms/Scalar/LoopUnrollPass.h"

using namespace weir;

static llvm::Error makeError(const llvm::Twine &message) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), message);
}

bool CPUTarget::has(llvm::StringRef feature) const {
  // The list names what differs from the CPU's own features, and for `native`
  // all of them; the last mention counts.
  bool found = false;
  llvm::SmallVector<llvm::StringRef> parts;
  llvm::StringRef(features).split(parts, ',');
  for (llvm::StringRef part : parts)
    if (part.drop_front(part.empty() ? 0 : 1) == feature)
      found = part.front() == '+';
  return found;
}

llvm::Expected<CPUTarget> weir::resolveCPUTarget(llvm::StringRef name) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  CPUTarget target;
  target.triple = llvm::sys::getDefaultTargetTriple();
  std::string error;
  llvm::Triple triple(target.triple);
  const llvm::Target *backend =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!backend)
    return makeError(error);

  if (name == "native") {
    target.cpu = llvm::sys::getHostCPUName().str();
    llvm::SubtargetFeatures features;
    for (const auto &feature : llvm::sys::getHostCPUFeatures())
      features.AddFeature(feature.first(), feature.second);
    target.features = features.getString();
    return target;
  }

  target.cpu = name == "portable" ? (triple.isX86() ? "x86-64-v3" : "generic")
                                  : name.str();
  std::unique_ptr<llvm::MCSubtargetInfo> info(
      backend->createMCSubtargetInfo(triple, "", ""));
  if (!info->isCPUStringValid(target.cpu))
    return makeError("unknown CPU '" + name +
                     "', expected native, portable or a name LLVM knows for " +
                     triple.getArchName());
  // Spell the CPU's features out, so that `has` can answer.
  info.reset(backend->createMCSubtargetInfo(triple, target.cpu, ""));
  llvm::SubtargetFeatures features;
  for (const llvm::SubtargetFeatureKV &feature :
       info->getAllProcessorFeatures())
    if (info->getFeatureBits().test(feature.Value))
      features.AddFeature(feature.Key, true);
  target.features = features.getString();
  return target;
}

llvm::Error weir::checkHostRuns(const CPUTarget &target) {
  // Names the host's list lacks are matters of tuning.
  for (const auto &feature : llvm::sys::getHostCPUFeatures())
    if (!feature.second && target.has(feature.first()))
      return makeError("code for " + target.cpu + " does not run here: this " +
                       "CPU, " + llvm::sys::getHostCPUName() + ", lacks " +
                       feature.first() + "; expected native or portable");
  return llvm::Error::success();
}

llvm::Expected<std::unique_ptr<llvm::TargetMachine>>
weir::createTargetMachine(const CPUTarget &target, bool isPlain) {
  std::string error;
  llvm::Triple triple(target.triple);
  const llvm::Target *backend =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!backend)
    return makeError(error);
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Fast;
  std::unique_ptr<llvm::TargetMachine> machine(backend->createTargetMachine(
      triple, target.cpu, target.features, options, llvm::Reloc::PIC_,
      std::nullopt,
      isPlain ? llvm::CodeGenOptLevel::None
              : llvm::CodeGenOptLevel::Aggressive));
  if (!machine)
    return makeError("cannot generate code for " + target.triple);
  return machine;
}

/// Methods of a model have most of their kernels in common, word for word. Says
/// of functions that are only known here that their addresses are not compared,
/// so that equal ones become one.
static void shareAddresses(llvm::Module &module) {
  for (llvm::Function &function : module)
    if (function.hasLocalLinkage())
      function.setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
}

void weir::optimizeModule(llvm::Module &module, llvm::TargetMachine &machine) {
  module.setTargetTriple(machine.getTargetTriple());
  module.setDataLayout(machine.createDataLayout());
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr("target-cpu", machine.getTargetCPU());
    function.addFnAttr("target-features", machine.getTargetFeatureString());
    // LLVM holds 512-bit vectors back on some CPUs; the kernels want them.
    function.addFnAttr("prefer-vector-width", "512");
  }
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager callGraph;
  llvm::ModuleAnalysisManager modules;
  llvm::PipelineTuningOptions tuning;
  bool isPlain = machine.getOptLevel() == llvm::CodeGenOptLevel::None;
  // Loops of a few passes are unrolled whole, and kernels as they ask, both
  // further down. LLVM would unroll every other loop until it fills the
  // buffer of micro-operations, thousands on Zen: twice the code and half as
  // long again to compile, for no speed.
  tuning.LoopUnrolling = false;
  // What a loop stores and loads again in its next pass is carried in registers
  // here already; looking for more takes a sixth of all time.
  llvm::PassInstrumentationCallbacks callbacks;
  callbacks.registerShouldRunOptionalPassCallback(
      [](llvm::StringRef pass, llvm::Any) {
        return pass != "LoopLoadEliminationPass";
      });
  llvm::PassBuilder builder(&machine, tuning, std::nullopt, &callbacks);
  // LLVM asks for additions to its pipeline whatever the level.
  if (!isPlain) {
    builder.registerLateLoopOptimizationsEPCallback(
        [](llvm::LoopPassManager &passes, llvm::OptimizationLevel level) {
          passes.addPass(llvm::LoopFullUnrollPass(level.getSpeedupLevel()));
        });
    // Micro-kernels say how far to unroll them, which LLVM would only do behind
    // all that tells addresses of different passes apart.
    builder.registerScalarOptimizerLateEPCallback(
        [](llvm::FunctionPassManager &passes, llvm::OptimizationLevel level) {
          passes.addPass(llvm::LoopUnrollPass(llvm::LoopUnrollOptions(
              level.getSpeedupLevel(), /*OnlyWhenForced=*/true)));
          passes.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
        });
  }
  builder.registerPipelineStartEPCallback(
      [&](llvm::ModulePassManager &passes, llvm::OptimizationLevel) {
        shareAddresses(module);
        passes.addPass(llvm::MergeFunctionsPass());
      });
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(callGraph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, callGraph, modules);
  builder
      .buildPerModuleDefaultPipeline(isPlain ? llvm::OptimizationLevel::O0
                                             : llvm::OptimizationLevel::O3)
      .run(module, modules);
}

llvm::Expected<llvm::SmallVector<char, 0>>
weir::emitCode(llvm::Module &module, llvm::TargetMachine &machine,
               bool assembly) {
  llvm::SmallVector<char, 0> code;
  llvm::raw_svector_ostream os(code);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, os, nullptr,
                                  assembly ? llvm::CodeGenFileType::AssemblyFile
                                           : llvm::CodeGenFileType::ObjectFile))
    return makeError("cannot emit code for " + machine.getTargetTriple().str());
  passes.run(module);
  return code;
}
