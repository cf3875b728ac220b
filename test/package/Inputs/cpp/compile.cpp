// Compiles models to an executable and into memory:
// compile MODEL PARALLEL BAD OUT.

#include "weir/Compiler/Session.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <cstring>

using namespace weir;

/// Prints the error; the exit status.
static int fail(llvm::Error error) {
  llvm::errs() << llvm::toString(std::move(error)) << '\n';
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 5)
    return 2;
  std::vector<CompilerDiagnostic> diagnostics;
  CompilerSession session([&](const CompilerDiagnostic &diagnostic) {
    diagnostics.push_back(diagnostic);
  });
  CompileOptions options;
  options.lowering = Lowering::Reference;
  if (failed(session.compile(argv[1], argv[4], options)))
    return 1;
  llvm::outs() << "compiled\n";

  auto program = session.jit(argv[1], options);
  if (failed(program))
    return 1;
  const int32_t tokens[] = {1, 5, 2};
  const int64_t shape[] = {1, 3};
  weir_tensor ids = {"input_ids", shape, tokens, sizeof(tokens), WEIR_I32, 2};
  auto results = (*program)->run("forward", ids);
  if (!results)
    return fail(results.takeError());
  const weir_tensor *logits = weir_tensor_list_get(results->get(), 0);
  if (std::strcmp(logits->name, "logits") != 0 || logits->rank != 3 ||
      logits->shape[2] != 8)
    return 1;
  llvm::outs() << "runs in memory\n";

  // Step by step the last token gives what the whole sequence gives.
  auto stream = (*program)->openSession();
  if (!stream)
    return fail(stream.takeError());
  weir_error *error = nullptr;
  float last[8];
  for (const int32_t &token : tokens) {
    const int32_t *row = &token;
    const int64_t count = 1;
    if (weir_extend_into(stream->get(), &row, &count, WEIR_OUTPUTS_LAST, last,
                         sizeof(last), &error)) {
      llvm::errs() << weir_error_message(error) << '\n';
      return 1;
    }
  }
  const float *whole = static_cast<const float *>(logits->data) + 2 * 8;
  for (int i = 0; i < 8; ++i)
    if (std::abs(last[i] - whole[i]) > 1e-5f)
      return 1;
  llvm::outs() << "streams in memory\n";

  // Parallel loops find OpenMP.
  auto parallel = session.jit(argv[2], options);
  if (failed(parallel))
    return 1;
  float numbers[64];
  for (int i = 0; i < 64; ++i)
    numbers[i] = float(i);
  const int64_t extent = 64;
  weir_tensor x = {"x", &extent, numbers, sizeof(numbers), WEIR_F32, 1};
  auto doubled = (*parallel)->run("double", x);
  if (!doubled)
    return fail(doubled.takeError());
  const weir_tensor *y = weir_tensor_list_get(doubled->get(), 0);
  for (int i = 0; i < 64; ++i)
    if (static_cast<const float *>(y->data)[i] != 2 * numbers[i])
      return 1;
  llvm::outs() << "parallel in memory\n";

  // Wrong calls are errors with text, wrong models diagnostics with places.
  auto wrong = (*program)->run("backward", ids);
  if (wrong || !diagnostics.empty())
    return 1;
  llvm::outs() << llvm::toString(wrong.takeError()) << '\n';
  if (succeeded(session.compile(argv[3], argv[4], options)) ||
      diagnostics.empty())
    return 1;
  const CompilerDiagnostic &first = diagnostics.front();
  llvm::outs() << llvm::StringRef(first.file).rsplit('/').second << ':'
               << first.line << ':' << first.column << ": " << first.message
               << '\n';

  // Code that this CPU cannot run is refused; Bulldozer's successors lack XOP.
  diagnostics.clear();
  options.cpu = "bdver4";
  if (succeeded(session.jit(argv[1], options)))
    return 1;
  llvm::outs() << diagnostics.front().message << '\n';
  return 0;
}
