//===- weirc.cpp - The compiler driver --------------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A thin client of weir::CompilerSession. `weirc MODEL -o OUT` compiles, and
// `weirc run MODEL ARGS...` compiles into a cache and runs the result.
//
//===----------------------------------------------------------------------===//

#include "Diagnostics.h"
#include "Progress.h"
#include "weir/Compiler/Cache.h"
#include "weir/Compiler/Explain.h"
#include "weir/Compiler/Remarks.h"
#include "weir/Compiler/Session.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/WithColor.h"
#include <unistd.h>

namespace cl = llvm::cl;
using namespace weir;

namespace {
/// What --explain prints.
enum ExplainForm { NoExplain, ExplainText, ExplainHTML };
/// How --timing prints.
enum TimingForm { NoTiming, TimingTree, TimingList };

/// The command line. Made in main, behind the removal of the options that the
/// LLVM libraries register for their own developers.
struct Options {
  cl::opt<std::string> model{cl::Positional, cl::Required, cl::desc("MODEL")};
  cl::opt<std::string> output{"o", cl::desc("Write the result to this file"),
                              cl::value_desc("file")};
  cl::opt<Emit> emitKind{
      "emit", cl::desc("What to write:"), cl::init(Emit::Executable),
      cl::values(clEnumValN(Emit::Executable, "exe", "an executable (default)"),
                 clEnumValN(Emit::Shared, "shared", "a shared library"),
                 clEnumValN(Emit::Object, "object", "an object file"),
                 clEnumValN(Emit::Assembly, "asm", "assembly text"),
                 clEnumValN(Emit::LLVM, "llvm", "LLVM IR"),
                 clEnumValN(Emit::PTX, "ptx", "the kernels as PTX"),
                 clEnumValN(Emit::MLIR, "mlir", "the module as MLIR"))};
  cl::opt<Lowering> lowering{
      "reference", cl::ValueOptional,
      cl::desc("Use the plain definition of every op, in:"),
      cl::init(Lowering::Optimized),
      cl::values(clEnumValN(Lowering::Reference, "f32", "32-bit floats"),
                 clEnumValN(Lowering::ReferenceF64, "f64", "64-bit floats"),
                 clEnumValN(Lowering::Reference, "", ""))};
  cl::opt<std::string> target{
      "target",
      cl::desc("What to generate code for: cpu, cuda, or simt, which runs the "
               "kernels of cuda in an emulator"),
      cl::init("cpu")};
  cl::opt<std::string> gpuArch{
      "gpu-arch",
      cl::desc("GPUs to generate code for, with commas between: sm_80, sm_86, "
               "sm_89, sm_90a, ...; of sm_90a alone products of bf16 by wgmma"),
      cl::init("sm_80")};
  cl::opt<std::string> cpu{
      "target-cpu",
      cl::desc("CPU to generate code for: native, portable, or LLVM's name"),
      cl::init("native")};
  cl::opt<unsigned> threads{
      "threads", cl::desc("Threads to plan for (default: all cores)"),
      cl::init(0)};
  cl::opt<std::string> quantize{
      "quantize", cl::desc("Weights as: stored, none (f32), bf16, int8, int4"),
      cl::init("stored")};
  cl::opt<std::string> compute{
      "compute",
      cl::desc("Multiply in: f32, bf16, int8, tf32 on GPUs (default: int8 with "
               "quantised weights where the CPU can, else f32)")};
  cl::opt<int64_t> maxLength{
      "max-length", cl::desc("Longest sequence, in tokens"), cl::init(0)};
  cl::opt<std::string> entry{
      "entry", cl::desc("The function of a .mlir file to compile"),
      cl::value_desc("name")};
  cl::opt<std::string> weights{
      "weights",
      cl::desc("The checkpoint, or .safetensors file, to take a "
               ".mlir file's weights from"),
      cl::value_desc("model")};
  cl::opt<ExplainForm> explain{
      "explain", cl::ValueOptional,
      cl::desc("Print a table of layers, schedules, state and cost, or a page "
               "with drawings of masks; without -o, compile no further"),
      cl::values(clEnumValN(ExplainText, "text", "As text"),
                 clEnumValN(ExplainText, "", ""),
                 clEnumValN(ExplainHTML, "html", "As a page of HTML")),
      cl::init(NoExplain)};
  cl::opt<int64_t> context{
      "context", cl::desc("Tokens seen before the one that --explain looks at"),
      cl::init(512)};
  cl::opt<std::string> machine{
      "machine",
      cl::desc("The machine's limits for --explain (default: "
               "measured), e.g. 40,500"),
      cl::value_desc("GB/s,GFLOP/s")};
  cl::opt<std::string> remarks{
      "remarks", cl::ValueOptional,
      cl::desc("Print what passes did and did not do, and why; of passes whose "
               "name matches, or all"),
      cl::value_desc("regex")};
  cl::opt<std::string> stopAfter{
      "stop-after",
      cl::desc("Stop behind a stage and write MLIR: input, formed, "
               "scheduled, tiled, bufferized, lowered"),
      cl::value_desc("stage")};
  cl::opt<std::string> dumpStages{"dump-stages",
                                  cl::desc("Write the module after each stage"),
                                  cl::value_desc("folder")};
  cl::opt<TimingForm> timing{
      "timing", cl::ValueOptional,
      cl::desc("Print how long steps and passes took:"),
      cl::values(clEnumValN(TimingTree, "", ""),
                 clEnumValN(TimingTree, "tree", "Step by step (the default)"),
                 clEnumValN(TimingList, "list", "The longest first")),
      cl::init(NoTiming)};
  cl::opt<bool> quiet{"quiet", cl::desc("Print no progress")};
};
} // namespace

static Options *commandLine;

static int fail(const llvm::Twine &message) {
  llvm::WithColor::error(llvm::errs(), "weirc") << message << '\n';
  return 1;
}

/// Prints the table of `--explain`.
static llvm::Error explain(Compilation &compilation, unsigned threads) {
  ExplainOptions options;
  options.description = compilation.describeOptions();
  options.context = commandLine->context;
  options.computes = compilation.getComputes().str();
  options.threads = threads;
  if (commandLine->machine.empty()) {
    options.machine = measureMachine(compilation.getTarget(), threads);
  } else {
    llvm::Expected<MachineLimits> limits =
        parseMachineLimits(commandLine->machine);
    if (!limits)
      return limits.takeError();
    options.machine = *limits;
  }
  auto print =
      commandLine->explain == ExplainHTML ? explainModuleAsPage : explainModule;
  print(llvm::outs(), compilation.getModule(), options);
  llvm::outs().flush();
  return llvm::Error::success();
}

/// Compiles `model` to `path`, or only explains it when that is empty, and says
/// `done` in the end. What went wrong is on the standard error then.
static bool compile(CompileOptions options, llvm::StringRef model,
                    llvm::StringRef path, const llvm::Twine &done) {
  auto report = [](llvm::Error error) {
    fail(llvm::toString(std::move(error)));
    return false;
  };
  CompilerSession session;
  mlir::MLIRContext &context = session.getContext();
  Progress progress(!commandLine->quiet);
  mlir::ScopedDiagnosticHandler clearer(&context, [&](mlir::Diagnostic &what) {
    progress.clear();
    return printUnplaced(what);
  });
  if (commandLine->remarks.getNumOccurrences())
    if (llvm::Error error =
            enableRemarks(context, commandLine->remarks, llvm::errs()))
      return report(std::move(error));
  options.progress = [&](llvm::StringRef step) { progress.start(step); };
  // Prints what was timed as it is destroyed, behind the compilation.
  mlir::DefaultTimingManager timer;
  timer.setEnabled(commandLine->timing != NoTiming);
  timer.setDisplayMode(commandLine->timing == TimingList
                           ? mlir::DefaultTimingManager::DisplayMode::List
                           : mlir::DefaultTimingManager::DisplayMode::Tree);
  mlir::TimingScope timing = timer.getRootScope();
  options.timing = &timing;

  Compilation compilation(context, options);
  if (failed(compilation.load(model)))
    return false;
  if (commandLine->explain != NoExplain) {
    if (failed(compilation.runTo(Stage::Scheduled)))
      return false;
    if (compilation.getStage() != Stage::Scheduled)
      return report(
          llvm::createStringError("--explain looks at the stage scheduled, and "
                                  "this dump is behind it"));
    progress.clear();
    if (llvm::Error error =
            explain(compilation, compilation.getOptions().threads))
      return report(std::move(error));
    if (path.empty())
      return true;
  }
  if (failed(compilation.run()) || failed(compilation.emit(path)))
    return false;
  if (!commandLine->quiet && path != "-")
    progress.finish(done);
  return true;
}

/// Compiles `model` into the cache unless it is there, and runs it.
static int runModel(const CompileOptions &options, llvm::StringRef model,
                    llvm::ArrayRef<std::string> arguments) {
  llvm::Expected<std::string> folder = getCacheFolder();
  if (!folder)
    return fail(llvm::toString(folder.takeError()));
  llvm::Expected<std::string> key = computeCacheKey(options, model);
  if (!key)
    return fail(llvm::toString(key.takeError()));
  auto found = getCachedModel(*folder, *key, [&](llvm::StringRef path) {
    return compile(options, model, path, "compiled " + model);
  });
  if (!found)
    return fail(llvm::toString(found.takeError()));
  if (!*found)
    return 1;
  std::string path = **found;
  std::vector<char *> argv = {path.data()};
  for (const std::string &argument : arguments)
    argv.push_back(const_cast<char *>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(path.c_str(), argv.data());
  return fail("cannot run " + path);
}

int main(int argc, char **argv) {
  cl::ResetCommandLineParser();
  Options parsed;
  // The removal took the general category too, and help lists no options of a
  // category it does not know.
  cl::OptionCategory category("Options");
  for (auto &entry : cl::getRegisteredOptions())
    if (entry.second->Categories.front() == &cl::getGeneralCategory())
      entry.second->addCategory(category);
  commandLine = &parsed;
  // What follows `weirc run ... MODEL` belongs to the model's executable.
  bool run = argc > 1 && llvm::StringRef(argv[1]) == "run";
  std::unique_ptr<cl::list<std::string>> runArguments;
  if (run) {
    runArguments = std::make_unique<cl::list<std::string>>(cl::ConsumeAfter);
    argv[1] = argv[0];
    ++argv;
    --argc;
  }
  cl::SetVersionPrinter(
      [](llvm::raw_ostream &os) { os << "weirc " WEIR_VERSION "\n"; });
  cl::ParseCommandLineOptions(
      argc, argv,
      "Weir: compiles sequence models to CPU and GPU code\n\n"
      "  weirc MODEL -o OUT          compile a model\n"
      "  weirc run MODEL ARGS...     compile into a cache and run\n\n"
      "MODEL is a Hugging Face checkpoint folder, a GGUF file or a .mlir "
      "file;\na dump of --dump-stages is compiled on from its stage.\n");

  CompileOptions options;
  options.emit = parsed.emitKind;
  options.lowering = parsed.lowering;
  options.target = parsed.target;
  options.cpu = parsed.cpu;
  options.gpuArch = parsed.gpuArch;
  options.threads = parsed.threads;
  options.quantize = parsed.quantize;
  options.compute = parsed.compute;
  options.entry = parsed.entry;
  options.weights = parsed.weights;
  options.dumpStages = parsed.dumpStages;
  if (parsed.maxLength.getNumOccurrences())
    options.maxLength = parsed.maxLength;
  if (llvm::Error error = checkOptions(options))
    return fail(llvm::toString(std::move(error)));
  if (parsed.context < 1)
    return fail("context is " + llvm::Twine(parsed.context) +
                ", expected a positive number");
  if (!parsed.stopAfter.empty()) {
    std::optional<Stage> stage = parseStageName(parsed.stopAfter);
    if (!stage || *stage == Stage::Object)
      return fail("unknown --stop-after=" + parsed.stopAfter +
                  ", expected input, formed, scheduled, tiled, bufferized or "
                  "lowered");
    options.stopAfter = *stage;
    options.emit = Emit::MLIR;
  } else if (options.emit == Emit::MLIR) {
    options.stopAfter = Stage::Input;
  }

  if (run) {
    if (options.emit != Emit::Executable || !parsed.output.empty() ||
        parsed.explain != NoExplain)
      return fail("run makes an executable of its own; leave -o, --emit, "
                  "--stop-after and --explain out");
    return runModel(options, parsed.model, *runArguments);
  }
  std::string path = parsed.output;
  if (path.empty() && parsed.explain == NoExplain) {
    if (options.emit != Emit::MLIR)
      return fail("expected -o OUT");
    path = "-";
  }
  if (llvm::Error error = checkOutputPath(path))
    return fail(llvm::toString(std::move(error)));
  return compile(options, parsed.model, path, "wrote " + path) ? 0 : 1;
}
