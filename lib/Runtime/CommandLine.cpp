//===- CommandLine.cpp - The command line of a compiled model -------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CommandLine.h"
#include "Arguments.h"
#include "DType.h"
#include "Forward.h"
#include "Session.h"
#include "TimeFunction.h"
#include "weir-rt/Tokenizer.h"

#include <algorithm>
#include <chrono>
#include <cstdarg>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

using namespace weir::rt;

using Json = nlohmann::ordered_json;

static double now() {
  using namespace std::chrono;
  return duration<double>(steady_clock::now().time_since_epoch()).count();
}

/// The most memory the process has held, in bytes.
static int64_t peakMemory() {
  rusage usage;
  return getrusage(RUSAGE_SELF, &usage) == 0
             ? static_cast<int64_t>(usage.ru_maxrss) * 1024
             : 0;
}

static double rate(double count, double seconds) {
  return seconds > 0 ? count / seconds : 0;
}

namespace {
/// One run of the program: everything its parts share.
class CommandLine {
public:
  CommandLine(const weir_model_desc &model, std::FILE *out, std::FILE *err)
      : model(model), out(out), err(err) {}
  int run(int argc, char **argv);

private:
  int fail(const std::string &message) {
    std::fprintf(err, "%s: error: %s\n", name.c_str(), message.c_str());
    return 1;
  }
  int info();
  int forward();
  int timeFunction();
  int generateText();
  int bench();
  bool loadTokenizer();
  bool readPrompt(bool atStart, std::vector<int32_t> &tokens);
  bool checkTokens(const std::vector<int32_t> &tokens);
  bool encodeTokens(Session &session, const std::vector<int32_t> &tokens);
  bool encodeFile(Session &session);
  /// A session with room for `needed` positions, or for as many as there may
  /// be where that is 0.
  std::unique_ptr<Session> openSession(int64_t needed = 0);
  bool prefill(Session &session, const std::vector<int32_t> &tokens,
               double &seconds);
  void printStats(const GenerateResult &result, int threads);
  /// Writes to `out`; a broken pipe or full disk shows in ferror.
  void print(const std::string &text) {
    std::fwrite(text.data(), 1, text.size(), out);
  }
  bool flush() {
    bool good = std::fflush(out) == 0 && !std::ferror(out);
    if (!good)
      error = "cannot write to standard output";
    return good;
  }

  const weir_model_desc &model;
  std::FILE *out, *err;
  std::string name, error;
  Arguments arguments;
  std::shared_ptr<const Program> program;
  std::unique_ptr<Tokenizer> tokenizer;
  double loadSeconds = 0, start = 0;
};
} // namespace

static std::string formatted(const char *format, ...) {
  va_list list;
  va_start(list, format);
  char text[512];
  std::vsnprintf(text, sizeof(text), format, list);
  va_end(list);
  return text;
}

static const char *methodName(int32_t method) {
  static const char *const kNames[] = {"forward", "extend", "extend-last",
                                       "plain", "encode"};
  return kNames[method];
}

static void appendValue(std::string &text, const char *what,
                        const weir_value_desc &value) {
  text += std::string("    ") + what + " " + value.name + ": " +
          dtypeName(value.dtype) + " " +
          shapeToString(value.shape, value.rank) + "\n";
}

int CommandLine::info() {
  if (!checkModel(model, error))
    return fail(error);
  std::string text = std::string("model: ") + model.name + "\n";
  auto line = [&](const char *what, const char *value) {
    if (value && *value)
      text += std::string(what) + ": " + value + "\n";
  };
  line("compiler", model.compiler);
  line("target", model.target);
  line("options", model.options);
  text +=
      "weights: " + std::to_string(model.weights_bytes) + " bytes, id " +
      formatted("%016llx", static_cast<unsigned long long>(model.weights_id)) +
      "\n";
  text +=
      "maximum length: " +
      (model.max_length == WEIR_DYNAMIC ? std::string("none")
                                        : std::to_string(model.max_length)) +
      "\n";
  text += "vocabulary: " + std::to_string(model.vocab_size) + "\n";
  text +=
      std::string("tokenizer: ") + (model.tokenizer ? "yes" : "none") + "\n";
  text += "functions:\n";
  for (uint32_t i = 0; i < model.num_functions; ++i) {
    const weir_function_desc &function = model.functions[i];
    text +=
        std::string("  ") + function.name + " (" + methodName(function.method);
    if (isExtend(function) && function.time != WEIR_DYNAMIC)
      text += ", blocks of " + std::to_string(function.time);
    text += ")\n";
    for (int32_t a = 0; a < function.num_args; ++a)
      if (isInput(function.args[a]))
        appendValue(text,
                    function.args[a].role == WEIR_ROLE_OPTIONAL ? "may take"
                                                                : "takes",
                    function.args[a]);
    for (int32_t r = 0; r < function.num_results; ++r)
      appendValue(text, "gives", function.results[r]);
  }
  if (model.num_slots == 0) {
    print(text);
    return flush() ? 0 : fail(error);
  }
  // Sizes depend on the maximum length; no weights are needed to tell them.
  State state;
  StateShape shape;
  shape.maxBlock = std::max<int64_t>(1, model.max_block);
  shape.maxLength = arguments.maxLength    ? arguments.maxLength
                    : model.max_length > 0 ? model.max_length
                                           : 4096;
  shape.maxBlock = std::min(shape.maxBlock, shape.maxLength);
  if (!state.create(model, shape, /*device=*/nullptr, error))
    return fail(error);
  text += "state of one sequence of up to " + std::to_string(shape.maxLength) +
          " positions: " + std::to_string(state.bytes()) + " bytes\n";
  static const char *const kKinds[] = {"position", "history", "carry",
                                       "memory"};
  for (const SlotMemory &slot : state.slots())
    text += std::string("  ") + slot.desc->name + " (" +
            kKinds[slot.desc->kind] + "): " + dtypeName(slot.desc->dtype) +
            " " + shapeToString(slot.shape) + ", " +
            std::to_string(slot.memory.size()) + " bytes\n";
  print(text);
  return flush() ? 0 : fail(error);
}

int CommandLine::forward() {
  std::unique_ptr<SafetensorsFile> inputs =
      SafetensorsFile::open(arguments.inputs, error);
  if (!inputs)
    return fail(error);
  ForwardRunner runner(program, arguments.threads);
  std::vector<OwnedTensor> outputs;
  double begin = now();
  if (!runner.run(inputs->tensors(), arguments.function, outputs, error))
    return fail(error);
  double seconds = now() - begin;
  if (program->device())
    std::fputs(program->device()->report().c_str(), err);
  std::vector<TensorView> views;
  for (const OwnedTensor &output : outputs)
    views.push_back(output.view);
  if (!writeSafetensors(arguments.outputs, views, error))
    return fail(error);
  if (arguments.stats == Arguments::StatsFormat::Json) {
    Json json = {{"load_seconds", loadSeconds},
                 {"run_seconds", seconds},
                 {"peak_memory_bytes", peakMemory()}};
    std::fprintf(err, "%s\n", json.dump().c_str());
  } else if (arguments.stats == Arguments::StatsFormat::Text) {
    std::fprintf(err, "load: %.3f s\nrun: %.3f s\npeak memory: %.1f MiB\n",
                 loadSeconds, seconds,
                 static_cast<double>(peakMemory()) / (1 << 20));
  }
  return 0;
}

int CommandLine::timeFunction() {
  ForwardRunner runner(program, arguments.threads);
  std::unique_ptr<SafetensorsFile> file;
  std::vector<OwnedTensor> drawn, outputs;
  std::vector<TensorView> inputs;
  if (!arguments.inputs.empty()) {
    file = SafetensorsFile::open(arguments.inputs, error);
    if (!file)
      return fail(error);
    inputs = file->tensors();
  } else {
    std::vector<const weir_function_desc *> candidates =
        runner.findCandidates(arguments.function, error);
    if (candidates.empty() ||
        !drawInputs(*candidates.front(), arguments.generate.sampling.seed,
                    drawn, error))
      return fail(error);
    for (const OwnedTensor &input : drawn)
      inputs.push_back(input.view);
  }
  FunctionTimes times;
  if (!runner.time(inputs, arguments.function, arguments.benchCalls, times,
                   outputs, error))
    return fail(error);
  std::vector<TensorView> views;
  for (const OwnedTensor &output : outputs)
    views.push_back(output.view);
  if (!arguments.outputs.empty() &&
      !writeSafetensors(arguments.outputs, views, error))
    return fail(error);
  if (arguments.stats == Arguments::StatsFormat::Text)
    std::fputs(describeTimes(times, *program, runner.threadCount()).c_str(),
               err);
  print(printTimes(times, *program, runner.threadCount()));
  return flush() ? 0 : fail(error);
}

bool CommandLine::loadTokenizer() {
  if (!model.tokenizer || tokenizer)
    return true;
  tokenizer = Tokenizer::create(
      model.tokenizer, static_cast<size_t>(model.tokenizer_bytes), error);
  if (!tokenizer)
    error = "the model's tokenizer is damaged: " + error;
  return tokenizer != nullptr;
}

bool CommandLine::checkTokens(const std::vector<int32_t> &tokens) {
  for (int32_t token : tokens)
    if (model.vocab_size > 0 && token >= model.vocab_size) {
      error = "token id " + std::to_string(token) +
              " is outside the vocabulary of " +
              std::to_string(model.vocab_size);
      return false;
    }
  return true;
}

bool CommandLine::readPrompt(bool atStart, std::vector<int32_t> &tokens) {
  if (arguments.hasTokens) {
    tokens = arguments.tokens;
    return checkTokens(tokens);
  }
  std::string text = arguments.prompt;
  if (!arguments.promptFile.empty()) {
    MappedFile file;
    if (!file.open(arguments.promptFile, error))
      return false;
    if (file.size())
      text.assign(reinterpret_cast<const char *>(file.data()), file.size());
  } else if (!arguments.hasPrompt) {
    return true;
  }
  if (!tokenizer) {
    error = "the model has no tokenizer: give the prompt as --tokens";
    return false;
  }
  // Special tokens surround a sequence: text that goes on gets none.
  tokens = tokenizer->encode(text, /*addSpecial=*/atStart);
  if (atStart && model.tokens.add_bos && model.tokens.bos >= 0 &&
      (tokens.empty() || tokens[0] != model.tokens.bos))
    tokens.insert(tokens.begin(), model.tokens.bos);
  return true;
}

std::unique_ptr<Session> CommandLine::openSession(int64_t needed) {
  const weir_model_desc &model = program->model();
  SessionOptions options;
  options.maxLength = arguments.maxLength;
  if (options.maxLength == 0 && needed > 0 && needed < model.max_length)
    options.maxLength = needed;
  options.threads = arguments.threads;
  return Session::open(program, options, error);
}

/// Has the encoder read `tokens`.
bool CommandLine::encodeTokens(Session &session,
                               const std::vector<int32_t> &tokens) {
  const weir_function_desc &encoder = *program->encoder();
  const weir_value_desc *ids = nullptr;
  for (int32_t i = 0; i < encoder.num_args && !ids; ++i)
    if (encoder.args[i].role == WEIR_ROLE_DATA)
      ids = &encoder.args[i];
  if (!ids || ids->rank != 2 ||
      (ids->dtype != WEIR_I32 && ids->dtype != WEIR_I64)) {
    error =
        std::string("the encoder of model '") + model.name +
        "' does not read tokens: give " +
        (ids ? std::string("'") + ids->name + "', " + dtypeName(ids->dtype) +
                   " " + shapeToString(ids->shape, ids->rank) + ","
             : std::string("its inputs")) +
        " as --inputs";
    return false;
  }
  TensorView view;
  view.name = ids->name;
  view.dtype = WEIR_I32;
  view.shape = {1, static_cast<int64_t>(tokens.size())};
  view.data = tokens.data();
  view.bytes = tokens.size() * 4;
  return session.encode({view}, error);
}

/// Has the encoder read the file of inputs.
bool CommandLine::encodeFile(Session &session) {
  std::unique_ptr<SafetensorsFile> inputs =
      SafetensorsFile::open(arguments.inputs, error);
  return inputs && session.encode(inputs->tensors(), error);
}

int CommandLine::generateText() {
  bool loads = !arguments.loadState.empty();
  std::vector<int32_t> prompt, source;
  if (!loadTokenizer() || !readPrompt(/*atStart=*/!loads, prompt))
    return fail(error);
  bool reads = program->encoder() != nullptr;
  if (reads) {
    source = std::move(prompt);
    prompt = arguments.decoderTokens;
    if (!checkTokens(prompt))
      return fail(error);
  }
  // A conversation that goes on needs as much room as there may be.
  bool isWhole = !loads && arguments.saveState.empty();
  // What is written begins with a token in any case.
  auto length = std::max<int64_t>(static_cast<int64_t>(prompt.size()), reads);
  std::unique_ptr<Session> session = openSession(
      isWhole ? length + std::min<int64_t>(arguments.generate.maxNewTokens,
                                           INT32_MAX)
              : 0);
  if (!session)
    return fail(error);
  loadSeconds = now() - start;
  if (loads && !session->load(arguments.loadState, error))
    return fail(error);
  if (reads && !loads &&
      !(arguments.inputs.empty() ? encodeTokens(*session, source)
                                 : encodeFile(*session)))
    return fail(error);
  if (!tokenizer && !arguments.printTokens &&
      arguments.generate.maxNewTokens > 0)
    return fail("the model has no tokenizer: use --print-tokens");

  bool writes = true, firstToken = true;
  Utf8Stream text([&](const std::string &piece) {
    print(piece);
    writes = flush();
  });
  std::unique_ptr<Decoder> decoder;
  if (tokenizer) {
    decoder = std::make_unique<Decoder>(*tokenizer);
    // What follows a prompt does not read like the start of a sequence.
    std::string before;
    for (int32_t token : session->pending(0))
      decoder->append(token, before);
    for (int32_t token : prompt)
      decoder->append(token, before);
  }
  auto onToken = [&](int32_t token) {
    std::string piece;
    if (arguments.printTokens) {
      print((firstToken ? "" : ",") + std::to_string(token));
      writes = flush();
    } else {
      decoder->append(token, piece);
      text.append(piece);
    }
    firstToken = false;
    return writes;
  };
  GenerateResult result;
  bool good = generate(*session, std::move(prompt), arguments.generate, onToken,
                       result, error);
  text.finish();
  if (!firstToken) {
    print("\n");
    writes = flush() && writes;
  }
  if (!good)
    return fail(error);
  if (!writes)
    return fail("cannot write to standard output");
  if (result.stop == StopReason::MaxLength)
    std::fprintf(err,
                 "%s: warning: stopped at the maximum length of %lld "
                 "positions\n",
                 name.c_str(), static_cast<long long>(session->maxLength()));
  if (!arguments.saveState.empty() &&
      !session->save(arguments.saveState, error))
    return fail(error);
  printStats(result, session->options().threads);
  return 0;
}

void CommandLine::printStats(const GenerateResult &result, int threads) {
  double prefillRate =
      rate(static_cast<double>(result.promptTokens), result.firstTokenSeconds);
  // The first token comes from the prompt; the others were decoded.
  double decodeRate = rate(
      static_cast<double>(std::max<int64_t>(0, result.generatedTokens - 1)),
      result.decodeSeconds);
  if (arguments.stats == Arguments::StatsFormat::Json) {
    Json json = {{"load_seconds", loadSeconds},
                 {"prompt_tokens", result.promptTokens},
                 {"prefill_tokens_per_second", prefillRate},
                 {"generated_tokens", result.generatedTokens},
                 {"decode_tokens_per_second", decodeRate},
                 {"time_to_first_token_seconds", result.firstTokenSeconds},
                 {"peak_memory_bytes", peakMemory()},
                 {"threads", threads}};
    std::fprintf(err, "%s\n", json.dump().c_str());
  } else if (arguments.stats == Arguments::StatsFormat::Text) {
    std::fprintf(err,
                 "load: %.3f s\n"
                 "prompt: %lld tokens, %.1f tokens/s\n"
                 "generated: %lld tokens, %.1f tokens/s\n"
                 "time to first token: %.3f s\n"
                 "peak memory: %.1f MiB\n"
                 "threads: %d\n",
                 loadSeconds, static_cast<long long>(result.promptTokens),
                 prefillRate, static_cast<long long>(result.generatedTokens),
                 decodeRate, result.firstTokenSeconds,
                 static_cast<double>(peakMemory()) / (1 << 20), threads);
  }
}

bool CommandLine::prefill(Session &session, const std::vector<int32_t> &tokens,
                          double &seconds) {
  const int32_t *data = tokens.data();
  int64_t count = static_cast<int64_t>(tokens.size());
  double begin = now();
  // Outputs are computed whether or not they are looked at.
  bool good = session.extend(&data, &count, Outputs::Last, nullptr, error);
  seconds = now() - begin;
  return good;
}

int CommandLine::bench() {
  std::unique_ptr<Session> session = openSession();
  if (!session)
    return fail(error);
  loadSeconds = now() - start;
  if (model.vocab_size < 1)
    return fail(std::string("model '") + model.name +
                "' has no vocabulary to draw tokens from");
  std::mt19937_64 generator(0);
  auto draw = [&] {
    return static_cast<int32_t>(generator() %
                                static_cast<uint64_t>(model.vocab_size));
  };
  std::vector<int32_t> prompt(static_cast<size_t>(arguments.benchPrompt));
  std::generate(prompt.begin(), prompt.end(), draw);
  std::vector<double> prefills, decodes;
  // One run before, not counted, touches weights and memory.
  for (int64_t repeat = -1; repeat < arguments.benchRepeats; ++repeat) {
    session->reset();
    double seconds, encoding = now();
    bool reads = program->encoder() != nullptr;
    if (reads && !encodeTokens(*session, prompt))
      return fail(error);
    encoding = now() - encoding;
    if (!prefill(*session, reads ? std::vector<int32_t>{draw()} : prompt,
                 seconds))
      return fail(error);
    if (reads)
      seconds += encoding;
    double decode = 0;
    for (int64_t i = 0; i < arguments.benchDecode; ++i) {
      double step;
      if (!prefill(*session, {draw()}, step))
        return fail(error);
      decode += step;
    }
    if (repeat < 0)
      continue;
    prefills.push_back(seconds * 1e3);
    if (arguments.benchDecode > 0)
      decodes.push_back(decode * 1e3 /
                        static_cast<double>(arguments.benchDecode));
  }
  double prefillMs = findMedian(prefills);
  Json json = {
      {"model", model.name},
      {"threads", session->options().threads},
      {"repeats", arguments.benchRepeats},
      {"load_ms", loadSeconds * 1e3},
      {"prompt_tokens", arguments.benchPrompt},
      {"prefill_ms", prefillMs},
      {"prefill_tokens_per_second",
       rate(static_cast<double>(arguments.benchPrompt), prefillMs / 1e3)},
      {"decode_tokens", arguments.benchDecode}};
  if (!decodes.empty()) {
    double decodeMs = findMedian(decodes);
    json["decode_ms_per_token"] = decodeMs;
    json["decode_tokens_per_second"] = rate(1e3, decodeMs);
  }
  json["peak_memory_bytes"] = peakMemory();
  print(json.dump(2) + "\n");
  return flush() ? 0 : fail(error);
}

/// What `--version` prints.
static std::string versionText(const weir_model_desc &model) {
  std::string text = std::string(model.name) + ", compiled by " +
                     (model.compiler ? model.compiler : "an unknown compiler") +
                     ", runtime version " + std::to_string(WEIR_ABI_VERSION) +
                     "\n";
  if (model.options && *model.options)
    text += std::string("options: ") + model.options + "\n";
  return text;
}

int CommandLine::run(int argc, char **argv) {
  start = now();
  name = argc > 0 ? argv[0] : "weir";
  name = name.substr(name.rfind('/') + 1);
  if (!parseArguments(argc, argv, findEncoder(model) != nullptr, arguments,
                      error)) {
    std::fprintf(err, "%s: error: %s\n", name.c_str(), error.c_str());
    std::fprintf(err, "try '%s --help'\n", name.c_str());
    return 2;
  }
  if (arguments.help || arguments.version) {
    print(arguments.help ? helpText(name, model.name) : versionText(model));
    return flush() ? 0 : fail(error);
  }
  if (arguments.info)
    return info();
  program = Program::open(model, arguments.weights, error, arguments.simt,
                          arguments.randomWeights);
  if (!program)
    return fail(error);
  loadSeconds = now() - start;
  if (arguments.benchCalls)
    return timeFunction();
  if (!arguments.outputs.empty())
    return forward();
  if (!program->streams())
    return fail(std::string("model '") + model.name +
                "' does not stream, so it cannot generate: run it on tensors "
                "with --inputs and --outputs");
  return arguments.bench ? bench() : generateText();
}

int weir::rt::runCommandLine(const weir_model_desc &model, int argc,
                             char **argv, std::FILE *out, std::FILE *err) {
  return CommandLine(model, out, err).run(argc, argv);
}
