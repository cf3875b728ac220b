//===- weirc.cpp - The compiler driver --------------------------*- C++ -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A thin client of weir::Compilation. `weirc MODEL -o OUT` compiles, and
// `weirc run MODEL ARGS...` compiles into a cache and runs the result.
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "weir/Compiler/Compiler.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/WithColor.h"
#include "llvm/Support/xxhash.h"
#include <chrono>
#include <unistd.h>

namespace cl = llvm::cl;
using namespace weir;

namespace {
/// The command line. Made in main, behind the removal of the options that the
/// LLVM libraries register for their own developers.
struct Options {
  cl::list<std::string> positional{cl::Positional,
                                   cl::desc("[run] MODEL [-- RUN-ARGS]")};
  cl::opt<std::string> output{"o", cl::desc("Write the result to this file"),
                              cl::value_desc("file")};
  cl::opt<Emit> emitKind{
      "emit", cl::desc("What to write:"), cl::init(Emit::Executable),
      cl::values(clEnumValN(Emit::Executable, "exe", "an executable (default)"),
                 clEnumValN(Emit::Shared, "shared", "a shared library"),
                 clEnumValN(Emit::Object, "object", "an object file"),
                 clEnumValN(Emit::Assembly, "asm", "assembly text"),
                 clEnumValN(Emit::LLVM, "llvm", "LLVM IR"),
                 clEnumValN(Emit::MLIR, "mlir", "the module as MLIR"))};
  cl::opt<Lowering> lowering{
      "reference", cl::ValueOptional,
      cl::desc("Use the plain definition of every op, in:"),
      cl::init(Lowering::Optimized),
      cl::values(clEnumValN(Lowering::Reference, "f32", "32-bit floats"),
                 clEnumValN(Lowering::ReferenceF64, "f64", "64-bit floats"),
                 clEnumValN(Lowering::Reference, "", ""))};
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
      cl::desc("Multiply in: f32, bf16, int8 (default: int8 with quantised "
               "weights where the CPU can, else f32)")};
  cl::opt<int64_t> maxLength{
      "max-length", cl::desc("Longest sequence, in tokens"), cl::init(0)};
  cl::opt<std::string> entry{
      "entry", cl::desc("The function of a .mlir file to compile"),
      cl::value_desc("name")};
  cl::opt<std::string> stopAfter{
      "stop-after",
      cl::desc("Stop behind a stage and write MLIR: input, formed, "
               "scheduled, tiled, bufferized, lowered"),
      cl::value_desc("stage")};
  cl::opt<std::string> dumpStages{"dump-stages",
                                  cl::desc("Write the module after each stage"),
                                  cl::value_desc("folder")};
  cl::opt<bool> quiet{"quiet", cl::desc("Print no progress")};
};
} // namespace

static Options *commandLine;

static int fail(const llvm::Twine &message) {
  llvm::WithColor::error(llvm::errs(), "weirc") << message << '\n';
  return 1;
}

namespace {
/// Shows the stages as they pass, on one line of a terminal.
class Progress {
public:
  explicit Progress(bool enabled)
      : enabled(enabled && llvm::sys::Process::StandardErrIsDisplayed()),
        start(std::chrono::steady_clock::now()) {}
  ~Progress() { clear(); }

  void operator()(llvm::StringRef step) {
    static constexpr llvm::StringLiteral Steps[] = {
        "reading",    "formed",  "scheduled", "tiled",
        "bufferized", "lowered", "weights",   "translating",
        "optimizing", "object",  "linking"};
    if (!enabled)
      return;
    size_t done = llvm::find(Steps, step) - std::begin(Steps);
    llvm::errs() << "\r\033[K[" << std::string(done, '=')
                 << std::string(std::size(Steps) - done, ' ') << "] " << step;
  }

  void clear() {
    if (enabled)
      llvm::errs() << "\r\033[K";
  }

  double getSeconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                         start)
        .count();
  }

private:
  bool enabled;
  std::chrono::steady_clock::time_point start;
};
} // namespace

/// The folder of the runtime libraries, beside the compiler's own.
static std::string findRuntimeDir(const char *argv0) {
  std::string program = llvm::sys::fs::getMainExecutable(
      argv0, reinterpret_cast<void *>(&findRuntimeDir));
  llvm::SmallString<128> folder(
      llvm::sys::path::parent_path(llvm::sys::path::parent_path(program)));
  llvm::sys::path::append(folder, "lib");
  return std::string(folder);
}

/// Compiles `model` to `path`.
static llvm::LogicalResult compile(CompileOptions options,
                                   llvm::StringRef model, llvm::StringRef path,
                                   bool silent) {
  mlir::DialectRegistry registry;
  registerCompilerDialects(registry);
  mlir::MLIRContext context(registry);
  context.printOpOnDiagnostic(false);
  llvm::SourceMgr sources;
  mlir::SourceMgrDiagnosticHandler handler(sources, &context);
  Progress progress(!silent);
  options.progress = [&](llvm::StringRef step) { progress(step); };
  Compilation compilation(context, options);
  if (failed(compilation.load(model)) || failed(compilation.run()) ||
      failed(compilation.emit(path)))
    return llvm::failure();
  progress.clear();
  if (!silent && path != "-")
    llvm::errs() << "wrote " << path << " in "
                 << llvm::format("%.1f s", progress.getSeconds()) << '\n';
  return llvm::success();
}

/// Adds what identifies the file or folder `path` to `key`: names, sizes and
/// times of change, so that no weights are read.
static void addIdentity(llvm::StringRef path, std::string &key) {
  auto addFile = [&](llvm::StringRef file) {
    llvm::sys::fs::file_status status;
    if (llvm::sys::fs::status(file, status))
      return;
    key += (file + ":" + llvm::Twine(status.getSize()) + ":" +
            llvm::Twine(
                status.getLastModificationTime().time_since_epoch().count()) +
            ";")
               .str();
  };
  addFile(path);
  std::error_code code;
  std::vector<std::string> files;
  for (llvm::sys::fs::directory_iterator it(path, code), end;
       !code && it != end; it.increment(code))
    files.push_back(it->path());
  llvm::sort(files);
  for (const std::string &file : files)
    addFile(file);
}

/// Compiles `model` into the cache unless it is there, and runs it.
static int runModel(const CompileOptions &options, llvm::StringRef model,
                    llvm::ArrayRef<std::string> arguments) {
  llvm::SmallString<128> cache;
  if (!llvm::sys::path::cache_directory(cache))
    return fail("no cache folder; set HOME or XDG_CACHE_HOME");
  std::string key = WEIR_VERSION ";" + commandLine->cpu + ";" +
                    commandLine->quantize + ";" + commandLine->entry + ";" +
                    std::to_string(commandLine->maxLength) + ";" +
                    std::to_string(static_cast<int>(options.lowering)) + ";";
  addIdentity(llvm::sys::fs::getMainExecutable(nullptr, (void *)&runModel),
              key);
  addIdentity(model, key);
  llvm::sys::path::append(cache, "weir",
                          llvm::utohexstr(llvm::xxh3_64bits(key)));
  if (std::error_code code = llvm::sys::fs::create_directories(cache))
    return fail("cannot create " + cache + ": " + code.message());
  llvm::sys::path::append(cache, "model");
  if (!llvm::sys::fs::exists(cache) &&
      failed(compile(options, model, cache, commandLine->quiet)))
    return 1;
  std::vector<char *> argv = {cache.data()};
  std::string path(cache);
  argv[0] = path.data();
  for (const std::string &argument : arguments)
    argv.push_back(const_cast<char *>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(path.c_str(), argv.data());
  return fail("cannot run " + path);
}

int main(int argc, char **argv) {
  // What follows `weirc run ... MODEL` belongs to the model's executable.
  std::vector<std::string> runArguments;
  int ownArguments = argc;
  if (argc > 1 && llvm::StringRef(argv[1]) == "run")
    for (int i = 2; i < argc; ++i)
      if (llvm::StringRef(argv[i]).take_front() != "-") {
        runArguments.assign(argv + i + 1, argv + argc);
        ownArguments = i + 1;
        break;
      }

  cl::ResetCommandLineParser();
  Options parsed;
  commandLine = &parsed;
  cl::SetVersionPrinter(
      [](llvm::raw_ostream &os) { os << "weirc " WEIR_VERSION "\n"; });
  if (!cl::ParseCommandLineOptions(
          ownArguments, argv,
          "Weir: compiles sequence models to CPU code\n\n"
          "  weirc MODEL -o OUT          compile a model\n"
          "  weirc run MODEL ARGS...     compile into a cache and run\n\n"
          "MODEL is a Hugging Face checkpoint folder, a GGUF file or a .mlir "
          "file.\n"))
    return 2;

  CompileOptions options;
  options.emit = parsed.emitKind;
  options.lowering = parsed.lowering;
  options.cpu = parsed.cpu;
  options.threads = parsed.threads;
  options.quantize = parsed.quantize;
  options.compute = parsed.compute;
  options.entry = parsed.entry;
  options.dumpStages = parsed.dumpStages;
  options.runtimeDir = findRuntimeDir(argv[0]);
  if (parsed.maxLength < 0)
    return fail("--max-length is " + llvm::Twine(parsed.maxLength) +
                ", expected a positive number");
  if (parsed.maxLength > 0)
    options.maxLength = parsed.maxLength;
  if (!llvm::is_contained({"stored", "none", "bf16", "int8", "int4"},
                          parsed.quantize.getValue()))
    return fail("unknown --quantize=" + parsed.quantize +
                ", expected stored, none, bf16, int8 or int4");
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

  bool run = !parsed.positional.empty() && parsed.positional.front() == "run";
  if (parsed.positional.size() != (run ? 2u : 1u))
    return fail("expected one model, found " +
                llvm::Twine(parsed.positional.size() - (run ? 1 : 0)) +
                "; see weirc --help");
  const std::string &model = parsed.positional[run ? 1 : 0];
  if (run)
    return runModel(options, model, runArguments);
  std::string path = parsed.output;
  if (path.empty()) {
    if (options.emit != Emit::MLIR)
      return fail("expected -o OUT");
    path = "-";
  }
  return failed(compile(options, model, path, parsed.quiet)) ? 1 : 0;
}
