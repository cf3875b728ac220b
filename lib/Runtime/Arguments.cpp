//===- Arguments.cpp - Command line arguments of a compiled model ---------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Arguments.h"

#include <cctype>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <getopt.h>

using namespace weir::rt;

namespace {
/// Values of long options; those with a short form use its letter.
enum Option {
  kPromptFile = 256,
  kTokens,
  kDecoderTokens,
  kTemperature,
  kTopK,
  kTopP,
  kSeed,
  kPrintTokens,
  kStats,
  kThreads,
  kInputs,
  kOutputs,
  kFunction,
  kSaveState,
  kLoadState,
  kMaxLength,
  kIgnoreEos,
  kUnconstrained,
  kWeights,
  kRandomWeights,
  kSimt,
  kBench,
  kInfo,
  kVersion
};
} // namespace

static const option kOptions[] = {
    {"prompt", required_argument, nullptr, 'p'},
    {"prompt-file", required_argument, nullptr, kPromptFile},
    {"tokens", required_argument, nullptr, kTokens},
    {"decoder-tokens", required_argument, nullptr, kDecoderTokens},
    {"max-new-tokens", required_argument, nullptr, 'n'},
    {"temperature", required_argument, nullptr, kTemperature},
    {"top-k", required_argument, nullptr, kTopK},
    {"top-p", required_argument, nullptr, kTopP},
    {"seed", required_argument, nullptr, kSeed},
    {"print-tokens", no_argument, nullptr, kPrintTokens},
    {"stats", optional_argument, nullptr, kStats},
    {"threads", required_argument, nullptr, kThreads},
    {"inputs", required_argument, nullptr, kInputs},
    {"outputs", required_argument, nullptr, kOutputs},
    {"function", required_argument, nullptr, kFunction},
    {"save-state", required_argument, nullptr, kSaveState},
    {"load-state", required_argument, nullptr, kLoadState},
    {"max-length", required_argument, nullptr, kMaxLength},
    {"ignore-eos", no_argument, nullptr, kIgnoreEos},
    {"unconstrained", no_argument, nullptr, kUnconstrained},
    {"weights", required_argument, nullptr, kWeights},
    {"random-weights", required_argument, nullptr, kRandomWeights},
    {"simt", required_argument, nullptr, kSimt},
    {"bench", required_argument, nullptr, kBench},
    {"info", no_argument, nullptr, kInfo},
    {"version", no_argument, nullptr, kVersion},
    {"help", no_argument, nullptr, 'h'},
    {nullptr, 0, nullptr, 0}};

/// Reads a whole number in [low, high] that fills all of `text`.
static bool readInteger(const std::string &text, int64_t low, int64_t high,
                        int64_t &value) {
  errno = 0;
  char *end;
  value = std::strtoll(text.c_str(), &end, 10);
  bool startsWell = !text.empty() && (std::isdigit(text[0]) || text[0] == '-');
  return startsWell && *end == '\0' && errno == 0 && value >= low &&
         value <= high;
}

static bool readFloat(const std::string &text, double &value) {
  errno = 0;
  char *end;
  value = std::strtod(text.c_str(), &end);
  return !text.empty() && !std::isspace(text[0]) && *end == '\0' && errno == 0;
}

/// Splits "1,2,3" into numbers; false on anything else.
static bool readList(const std::string &text, int64_t low, int64_t high,
                     std::vector<int64_t> &values) {
  size_t begin = 0;
  while (true) {
    size_t comma = text.find(',', begin);
    int64_t value;
    if (!readInteger(text.substr(begin, comma - begin), low, high, value))
      return false;
    values.push_back(value);
    if (comma == std::string::npos)
      return true;
    begin = comma + 1;
  }
}

/// Reads words for the emulator, with commas between.
static bool readSimt(const std::string &text, SimtOptions &options) {
  size_t begin = 0;
  while (true) {
    size_t comma = text.find(',', begin);
    std::string word = text.substr(begin, comma - begin);
    if (word == "copy-at-issue")
      options.copyAtIssue = true;
    else if (word == "count-conflicts")
      options.countConflicts = true;
    else
      return false;
    if (comma == std::string::npos)
      return true;
    begin = comma + 1;
  }
}

bool weir::rt::parseArguments(int argc, char **argv, bool hasEncoder,
                              Arguments &arguments, std::string &error) {
  // Restarts the parser completely, and keeps it from printing messages.
  optind = 0;
  opterr = 0;
  int64_t number;
  int choice, index = -1;
  bool hasSeed = false;
  auto bad = [&](const char *name, const char *expected) {
    error =
        std::string("--") + name + " is '" + optarg + "', expected " + expected;
    return false;
  };
  // ':' tells missing arguments from unknown options.
  while ((choice = getopt_long(argc, argv, ":p:n:h", kOptions, &index)) != -1) {
    switch (choice) {
    case 'p':
      arguments.hasPrompt = true;
      arguments.prompt = optarg;
      break;
    case kPromptFile:
      arguments.promptFile = optarg;
      break;
    case kTokens: {
      std::vector<int64_t> list;
      if (!readList(optarg, 0, INT32_MAX, list))
        return bad("tokens", "token ids like 1,2,3");
      arguments.hasTokens = true;
      arguments.tokens.assign(list.begin(), list.end());
      break;
    }
    case kDecoderTokens: {
      std::vector<int64_t> list;
      if (!readList(optarg, 0, INT32_MAX, list))
        return bad("decoder-tokens", "token ids like 1,2,3");
      arguments.hasDecoderTokens = true;
      arguments.decoderTokens.assign(list.begin(), list.end());
      arguments.generationOption = "decoder-tokens";
      break;
    }
    case 'n':
      if (!readInteger(optarg, 0, INT64_MAX, number))
        return bad("max-new-tokens", "a number of tokens");
      arguments.generate.maxNewTokens = number;
      arguments.generationOption = "max-new-tokens";
      break;
    case kTemperature:
      if (!readFloat(optarg, arguments.generate.sampling.temperature))
        return bad("temperature", "a number");
      arguments.generationOption = "temperature";
      break;
    case kTopK:
      if (!readInteger(optarg, 0, INT32_MAX, number))
        return bad("top-k", "a number of tokens, or 0");
      arguments.generate.sampling.topK = number;
      arguments.generationOption = "top-k";
      break;
    case kTopP:
      if (!readFloat(optarg, arguments.generate.sampling.topP))
        return bad("top-p", "a number");
      arguments.generationOption = "top-p";
      break;
    case kSeed:
      if (!readInteger(optarg, 0, INT64_MAX, number))
        return bad("seed", "a number, 0 or more");
      arguments.generate.sampling.seed = static_cast<uint64_t>(number);
      hasSeed = true;
      break;
    case kPrintTokens:
      arguments.printTokens = true;
      arguments.generationOption = "print-tokens";
      break;
    case kStats:
      if (!optarg)
        arguments.stats = Arguments::StatsFormat::Text;
      else if (std::string(optarg) == "json")
        arguments.stats = Arguments::StatsFormat::Json;
      else
        return bad("stats", "nothing or 'json'");
      break;
    case kThreads:
      if (!readInteger(optarg, 1, 65536, number))
        return bad("threads", "a number of threads, at least 1");
      arguments.threads = static_cast<int>(number);
      break;
    case kInputs:
      arguments.inputs = optarg;
      break;
    case kOutputs:
      arguments.outputs = optarg;
      break;
    case kFunction:
      arguments.function = optarg;
      break;
    case kSaveState:
      arguments.saveState = optarg;
      arguments.generationOption = "save-state";
      break;
    case kLoadState:
      arguments.loadState = optarg;
      break;
    case kMaxLength:
      if (!readInteger(optarg, 1, INT32_MAX, number))
        return bad("max-length", "a number of positions, at least 1");
      arguments.maxLength = number;
      break;
    case kIgnoreEos:
      arguments.generate.ignoreEos = true;
      arguments.generationOption = "ignore-eos";
      break;
    case kUnconstrained:
      arguments.generate.unconstrained = true;
      arguments.generationOption = "unconstrained";
      break;
    case kWeights:
      arguments.weights = optarg;
      break;
    case kRandomWeights:
      if (!readInteger(optarg, 0, INT64_MAX, number))
        return bad("random-weights", "a seed, a number from 0 on");
      arguments.randomWeights = static_cast<uint64_t>(number);
      break;
    case kSimt:
      if (!readSimt(optarg, arguments.simt))
        return bad("simt", "copy-at-issue, count-conflicts or both");
      break;
    case kBench: {
      std::vector<int64_t> list;
      if (!readList(optarg, 0, INT32_MAX, list) || list.size() > 3 ||
          list[0] < 1 || (list.size() == 3 && list[2] < 1))
        return bad("bench", "PROMPT_TOKENS,DECODE_TOKENS[,REPEATS], or CALLS "
                            "of a function of tensors");
      arguments.bench = list.size() > 1;
      arguments.benchCalls = arguments.bench ? 0 : list[0];
      if (!arguments.bench)
        break;
      arguments.benchPrompt = list[0];
      arguments.benchDecode = list[1];
      if (list.size() == 3)
        arguments.benchRepeats = list[2];
      break;
    }
    case kInfo:
      arguments.info = true;
      break;
    case kVersion:
      arguments.version = true;
      break;
    case 'h':
      arguments.help = true;
      break;
    case ':':
      error = std::string("option '") + argv[optind - 1] + "' needs a value";
      return false;
    default:
      // A bad short option is in optopt; a long one is what was read last.
      error = optopt > 0 && optopt < 256
                  ? std::string("unknown option '-") +
                        static_cast<char>(optopt) + "'"
                  : std::string("unknown option '") + argv[optind - 1] + "'";
      return false;
    }
  }
  if (optind < argc) {
    error = std::string("unexpected argument '") + argv[optind] +
            "' (give text with --prompt)";
    return false;
  }
  int sources =
      arguments.hasPrompt + !arguments.promptFile.empty() + arguments.hasTokens;
  if (sources > 1) {
    error = "only one of --prompt, --prompt-file and --tokens can be given";
    return false;
  }
  if (arguments.hasDecoderTokens && !hasEncoder) {
    error =
        "--decoder-tokens is for models with an encoder: give the prompt as "
        "--tokens";
    return false;
  }
  // An encoder reads what is named there in place of a prompt.
  bool encodes = hasEncoder && !arguments.inputs.empty() &&
                 arguments.outputs.empty() && !arguments.benchCalls;
  if (!encodes && !arguments.benchCalls &&
      arguments.inputs.empty() != arguments.outputs.empty()) {
    error = "--inputs and --outputs go together";
    return false;
  }
  if (encodes && sources) {
    error = "only one of a prompt and --inputs can be given";
    return false;
  }
  bool loads = !arguments.loadState.empty();
  if (hasEncoder && loads && (encodes || sources)) {
    error = "a saved state has what was encoded: go on with --decoder-tokens";
    return false;
  }
  bool generates = sources || loads || encodes;
  bool runs = !arguments.outputs.empty() || arguments.benchCalls;
  // The seed of inputs that are drawn.
  if (hasSeed && !arguments.benchCalls)
    arguments.generationOption = "seed";
  if (runs + generates + arguments.bench > 1) {
    error = "generation, --inputs and --bench are different things to do: "
            "choose one";
    return false;
  }
  if (arguments.randomWeights && !arguments.weights.empty()) {
    error = "--weights and --random-weights are different weights: choose one";
    return false;
  }
  if (!arguments.function.empty() && !runs) {
    error = "--function goes with --inputs or --bench CALLS";
    return false;
  }
  bool reports = arguments.help || arguments.version || arguments.info;
  if (!generates && !arguments.generationOption.empty() && !reports) {
    error = "--" + arguments.generationOption +
            " needs --prompt, --prompt-file, --tokens or --load-state";
    return false;
  }
  if (!reports && !generates && !runs && !arguments.bench) {
    error = "nothing to do: give --prompt, --tokens, --inputs or --bench";
    return false;
  }
  return Sampler::check(arguments.generate.sampling, error);
}

std::string weir::rt::helpText(const std::string &name,
                               const std::string &model) {
  return "usage: " + name +
         " [options]\n\n"
         "Runs the compiled model '" +
         model +
         "'.\n"
         "\n"
         "Generate text:\n"
         "  -p, --prompt TEXT         continue TEXT\n"
         "      --prompt-file FILE    continue the contents of FILE\n"
         "      --tokens ID,ID,...    continue a prompt given as token ids\n"
         "  -n, --max-new-tokens N    generate at most N tokens (default 128)\n"
         "      --decoder-tokens IDS  what a model with an encoder begins to "
         "write with;\n"
         "                            the prompt is what it reads, or named "
         "tensors are,\n"
         "                            given as --inputs\n"
         "      --ignore-eos          do not stop at an end-of-sequence token\n"
         "      --unconstrained       of such a model, force and suppress no "
         "tokens\n"
         "      --print-tokens        print the generated ids, not their text\n"
         "\n"
         "Choose tokens:\n"
         "      --temperature T       0 takes the most likely token (default); "
         "larger\n"
         "                            values choose more freely\n"
         "      --top-k K             choose among the K most likely only\n"
         "      --top-p P             choose among the likeliest that sum to "
         "P only\n"
         "      --seed N              start of the random numbers (default 0)\n"
         "\n"
         "Run on tensors:\n"
         "      --inputs FILE         named inputs, in safetensors format\n"
         "      --outputs FILE        where the results go, in the same "
         "format\n"
         "      --function NAME       the function to run, if not the main "
         "one\n"
         "\n"
         "Keep a conversation:\n"
         "      --save-state FILE     write the state at the end\n"
         "      --load-state FILE     go on from a saved state\n"
         "      --max-length N        positions to make room for\n"
         "\n"
         "Run time:\n"
         "      --threads N           default: one per physical core\n"
         "      --weights FILE        default: " +
         name +
         ".weights, beside it\n"
         "      --random-weights SEED draw them, for timings, instead of "
         "reading a file\n"
         "      --simt WORD,...       of emulated kernels: copy-at-issue "
         "completes\n"
         "                            asynchronous copies when they begin, "
         "not as late\n"
         "                            as may be; count-conflicts reports "
         "those of the\n"
         "                            banks of shared memory\n"
         "      --stats[=json]        report speed and memory on standard "
         "error\n"
         "      --bench P,D[,R]       time P prompt tokens and D decoded ones, "
         "R times\n"
         "                            (default 3), and print medians as JSON\n"
         "      --bench N             time N calls of a function of tensors on "
         "--inputs, or\n"
         "                            on drawn ones (--seed), all of them "
         "where "
         "they are\n"
         "                            read, by a GPU's events where there is "
         "one; print\n"
         "                            median and least as JSON, with --stats "
         "in "
         "words too;\n"
         "                            --outputs keeps the last call's results\n"
         "\n"
         "About:\n"
         "      --info                show functions, state and target\n"
         "      --version             show versions\n"
         "  -h, --help                show this text\n";
}
