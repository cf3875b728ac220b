//===- Session.cpp - Opening a session and extending it -------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// extend cuts the input into blocks. For each it chooses the compiled function
// that suits the block's length, copies the rows' tokens into a padded
// [batch, block] tensor, calls the function, and hands out the results of the
// tokens that are not padding. Rows of different lengths end in different
// blocks; a row that has ended is given the length 0 from then on.
//
//===----------------------------------------------------------------------===//

#include "Session.h"
#include "DType.h"
#include "Threads.h"

#include <cstring>

using namespace weir::rt;

/// The length assumed where neither model nor caller sets one and the memory
/// grows with it.
static constexpr int64_t kDefaultMaxLength = 4096;
/// Positions are I32 in compiled code.
static constexpr int64_t kLongest = INT32_MAX;

std::unique_ptr<Session> Session::open(std::shared_ptr<const Program> program,
                                       const SessionOptions &options,
                                       std::string &error) {
  auto session = std::make_unique<Session>();
  session->owner = std::move(program);
  session->opts = options;
  if (!session->prepare(error))
    return nullptr;
  return session;
}

bool Session::prepare(std::string &error) {
  const weir_model_desc &model = owner->model();
  if (!owner->streams()) {
    error = std::string("model '") + model.name +
            "' does not stream: it has no function that extends a state";
    return false;
  }
  if (!chooseLimits(error) || !collectFunctions(error))
    return false;
  StateShape shape;
  shape.batch = opts.batch;
  shape.maxLength = opts.maxLength;
  shape.maxBlock = opts.maxBlock;
  shape.rollbackDepth = opts.rollbackDepth;
  if (!state.create(model, shape, owner->device(), error))
    return false;

  size_t rows = static_cast<size_t>(opts.batch);
  lengths.assign(rows, 0);
  taken.assign(rows, 0);
  inBlock.assign(rows, 0);
  pendingTokens.resize(rows);
  keepLog = owner->hasCarry();
  logs.resize(rows);
  for (RowLog &log : logs)
    log.inputs.resize(inputList.size());
  for (size_t i = 0; i < inputList.size(); ++i) {
    int64_t bytes;
    if (!byteSize({opts.batch, opts.maxBlock}, stepBytes[i], bytes) ||
        !staging.emplace_back().allocate(static_cast<size_t>(bytes))) {
      error = std::string("cannot allocate a block of input '") +
              inputList[i]->name + "'";
      return false;
    }
  }
  return sizeArena(error);
}

bool Session::chooseLimits(std::string &error) {
  const weir_model_desc &model = owner->model();
  auto refuse = [&](const char *what, int64_t value, const char *expected) {
    error = std::string(what) + " is " + std::to_string(value) + ", expected " +
            expected;
    return false;
  };
  if (opts.batch < 1 || opts.batch > kLongest)
    return refuse("batch", opts.batch, "at least 1");
  if (opts.rollbackDepth < 0)
    return refuse("rollback depth", opts.rollbackDepth, "0 or more");
  if (opts.snapshotEvery < 0)
    return refuse("snapshot interval", opts.snapshotEvery, "0 or more");
  if (opts.maxLength < 0)
    return refuse("maximum length", opts.maxLength, "0 or more");
  if (opts.maxBlock < 0)
    return refuse("largest block", opts.maxBlock, "0 or more");
  if (model.max_length != WEIR_DYNAMIC && opts.maxLength > model.max_length) {
    error = "maximum length is " + std::to_string(opts.maxLength) +
            ", and the model was compiled for at most " +
            std::to_string(model.max_length) + " positions";
    return false;
  }
  if (opts.maxLength == 0) {
    bool grows = false;
    int64_t fixed = kLongest;
    for (uint32_t i = 0; i < model.num_slots; ++i) {
      const weir_slot_desc &slot = model.slots[i];
      if (slot.kind != WEIR_SLOT_HISTORY || slot.lookback != WEIR_DYNAMIC)
        continue;
      for (int32_t d = 0; d < slot.rank; ++d) {
        if (slot.axes[d] != WEIR_AXIS_CAPACITY)
          continue;
        if (slot.shape[d] == WEIR_DYNAMIC)
          grows = true;
        else
          fixed = std::min(fixed, slot.shape[d]);
      }
    }
    opts.maxLength = model.max_length != WEIR_DYNAMIC ? model.max_length
                     : grows                          ? kDefaultMaxLength
                                                      : kLongest;
    opts.maxLength = std::min(opts.maxLength, fixed);
  }
  opts.maxLength = std::min(opts.maxLength, kLongest);
  if (opts.maxBlock == 0)
    opts.maxBlock = std::max<int64_t>(1, model.max_block);
  opts.maxBlock = std::min(opts.maxBlock, opts.maxLength);
  if (opts.threads <= 0)
    opts.threads = defaultThreads();
  return true;
}

/// The batch that `desc` is compiled for, or WEIR_DYNAMIC.
static int64_t fixedBatch(const weir_function_desc &desc) {
  for (int32_t i = 0; i < desc.num_args; ++i) {
    const weir_value_desc &arg = desc.args[i];
    int32_t axis = findAxis(arg, WEIR_AXIS_BATCH);
    if (arg.role != WEIR_ROLE_SLOT && axis >= 0 &&
        arg.shape[axis] != WEIR_DYNAMIC)
      return arg.shape[axis];
  }
  return WEIR_DYNAMIC;
}

bool Session::collectFunctions(std::string &error) {
  const weir_model_desc &model = owner->model();
  int64_t shortest = INT64_MAX;
  for (uint32_t i = 0; i < model.num_functions; ++i)
    if (isExtend(model.functions[i]) && model.functions[i].time != WEIR_DYNAMIC)
      shortest = std::min(shortest, model.functions[i].time);
  bool dynamic = false;
  for (uint32_t i = 0; i < model.num_functions; ++i)
    dynamic |=
        isExtend(model.functions[i]) && model.functions[i].time == WEIR_DYNAMIC;
  // A model of fixed blocks only decides how short a block can be.
  if (!dynamic && shortest > opts.maxBlock) {
    error = "largest block is " + std::to_string(opts.maxBlock) +
            ", and the shortest the model was compiled for is " +
            std::to_string(shortest);
    return false;
  }
  const weir_function_desc *misfit = nullptr;
  for (uint32_t i = 0; i < model.num_functions; ++i) {
    const weir_function_desc &desc = model.functions[i];
    if (!isExtend(desc) ||
        (desc.time != WEIR_DYNAMIC && desc.time > opts.maxBlock))
      continue;
    int64_t batch = fixedBatch(desc);
    if (batch != WEIR_DYNAMIC && batch != opts.batch) {
      misfit = &desc;
      continue;
    }
    if (!addFunction(desc, error))
      return false;
  }
  if (functions.empty() && misfit) {
    error = std::string("function '") + misfit->name +
            "' is compiled for a batch of " +
            std::to_string(fixedBatch(*misfit)) + ", not " +
            std::to_string(opts.batch);
    return false;
  }
  return true;
}

bool Session::addFunction(const weir_function_desc &desc, std::string &error) {
  bool first = functions.empty();
  Function function(desc, owner->device());
  std::string where = std::string("function '") + desc.name + "'";
  function.inputArgs.assign(inputList.size(), -1);
  for (int32_t i = 0; i < desc.num_args; ++i) {
    const weir_value_desc &arg = desc.args[i];
    if (arg.role == WEIR_ROLE_LENGTHS)
      function.lengthsArg = i;
    if (arg.role == WEIR_ROLE_ARENA)
      function.arenaArg = i;
    if (arg.role != WEIR_ROLE_DATA)
      continue;
    if (findAxis(arg, WEIR_AXIS_TIME) < 0) {
      bool known = false;
      for (const Constant &constant : constants)
        known |= std::strcmp(constant.desc->name, arg.name) == 0;
      if (!known)
        constants.push_back({&arg, {}, nullptr});
      continue;
    }
    size_t input = 0;
    while (input < inputList.size() &&
           std::strcmp(inputList[input]->name, arg.name) != 0)
      ++input;
    size_t bytes = dtypeSize(arg.dtype);
    for (int32_t d = 2; d < arg.rank; ++d)
      bytes *= static_cast<size_t>(arg.shape[d]);
    if (first) {
      inputList.push_back(&arg);
      stepBytes.push_back(bytes);
      function.inputArgs.push_back(i);
      continue;
    }
    if (input == inputList.size() || inputList[input]->dtype != arg.dtype ||
        stepBytes[input] != bytes) {
      error = where + ": argument '" + arg.name + "' differs from that of '" +
              functions.front().desc->name + "'";
      return false;
    }
    function.inputArgs[input] = i;
  }
  for (size_t i = 0; i < inputList.size(); ++i)
    if (function.inputArgs[i] < 0) {
      error = where + " has no argument '" + inputList[i]->name + "', which '" +
              functions.front().desc->name + "' has";
      return false;
    }
  functions.push_back(std::move(function));
  return true;
}

/// Resolves the dynamic extents of an argument that are known from its axes.
static void resolveShape(const weir_value_desc &arg, int64_t batch,
                         int64_t time, std::vector<int64_t> &shape) {
  shape.assign(arg.shape, arg.shape + arg.rank);
  for (int32_t d = 0; d < arg.rank; ++d) {
    if (shape[d] != WEIR_DYNAMIC)
      continue;
    shape[d] = arg.axes[d] == WEIR_AXIS_BATCH  ? batch
               : arg.axes[d] == WEIR_AXIS_TIME ? time
                                               : 0;
  }
}

void Session::describe(Function &function, int64_t time) {
  const weir_function_desc &desc = *function.desc;
  // Kept between calls: a step allocates nothing.
  std::vector<int64_t> &shape = shapeScratch;
  for (int32_t i = 0; i < desc.num_args; ++i) {
    const weir_value_desc &arg = desc.args[i];
    resolveShape(arg, opts.batch, time, shape);
    const void *data = nullptr;
    switch (arg.role) {
    case WEIR_ROLE_LENGTHS:
      data = lengths.data();
      shape[0] = opts.batch;
      break;
    case WEIR_ROLE_SLOT:
      data = state.slots()[arg.slot].memory.data();
      shape = state.slots()[arg.slot].shape;
      break;
    case WEIR_ROLE_WEIGHTS:
      data = owner->weightsForCode();
      shape[0] = owner->weights().size();
      break;
    case WEIR_ROLE_ARENA:
      data = arena.data();
      shape[0] = static_cast<int64_t>(arena.size());
      break;
    default:
      for (size_t input = 0; input < inputList.size(); ++input)
        if (function.inputArgs[input] == i)
          data = staging[input].data();
      for (const Constant &constant : constants)
        if (constant.data && std::strcmp(constant.desc->name, arg.name) == 0) {
          data = constant.data->data();
          shape = constant.shape;
        }
    }
    function.frame.setArg(i, data, shape.data());
  }
}

bool Session::sizeArena(std::string &error) {
  int64_t largest = 0;
  // Each thread has a part of the arena, so that steps must have no more of
  // them than it is measured for.
  if (opts.threads <= 0)
    opts.threads = countThreads();
  useThreads(opts.threads);
  for (Function &function : functions) {
    int64_t fixed = function.desc->time, bytes;
    describe(function, fixed == WEIR_DYNAMIC ? opts.maxBlock : fixed);
    if (!function.frame.arenaBytes(bytes, error))
      return false;
    if (function.arenaArg >= 0)
      largest = std::max(largest, bytes);
  }
  std::string reason;
  if (!arena.ensureOn(owner->device(), static_cast<size_t>(largest),
                      Reach::Kernels, reason)) {
    error = "cannot allocate " + std::to_string(largest) +
            " bytes of scratch memory: choose a smaller largest block or batch";
    if (owner->device())
      error += " (" + reason + ")";
    return false;
  }
  return true;
}

bool Session::setConstant(const std::string &name, const void *data,
                          const std::vector<int64_t> &shape,
                          std::string &error) {
  for (Constant &constant : constants) {
    const weir_value_desc &desc = *constant.desc;
    if (name != desc.name)
      continue;
    bool fits = static_cast<int32_t>(shape.size()) == desc.rank;
    for (int32_t d = 0; fits && d < desc.rank; ++d)
      fits = desc.shape[d] == WEIR_DYNAMIC ? shape[d] >= 0
                                           : desc.shape[d] == shape[d];
    int64_t bytes;
    if (!fits || !byteSize(shape, dtypeSize(desc.dtype), bytes)) {
      error = "'" + name + "' has shape " + shapeToString(shape) +
              ", expected " + shapeToString(desc.shape, desc.rank);
      return false;
    }
    auto copy = std::make_shared<Buffer>();
    if (!copy->allocate(static_cast<size_t>(bytes))) {
      error = "cannot allocate '" + name + "'";
      return false;
    }
    if (bytes > 0)
      std::memcpy(copy->data(), data, static_cast<size_t>(bytes));
    constant.shape = shape;
    constant.data = std::move(copy);
    // Its extents may change how much scratch memory is needed.
    return sizeArena(error);
  }
  error = std::string("model '") + owner->model().name + "' has no argument '" +
          name + "' without a time axis";
  return false;
}

bool Session::hasAllOutputs() const {
  for (const Function &function : functions)
    if (function.desc->method == WEIR_METHOD_EXTEND)
      return true;
  return false;
}

/// Ranks the ways to feed a block; lower is better. Exact lengths come before
/// dynamic ones, these before padding up, and that before cutting the block.
/// The method that computes more than is wanted costs more than any of these,
/// except on one token, where the two compute the same.
bool Session::choose(const int64_t *remaining, Outputs wanted,
                     Choice &choice) const {
  int64_t longest = 0;
  for (int64_t row = 0; row < opts.batch; ++row)
    longest = std::max(longest, remaining[row]);
  int64_t block = std::min(longest, opts.maxBlock);
  int64_t bestRank = INT64_MAX, bestTie = 0;
  for (const Function &function : functions) {
    int64_t fixed = function.desc->time;
    bool hasLengths = function.lengthsArg >= 0;
    Choice here;
    here.function = const_cast<Function *>(&function);
    here.steps = block;
    here.time = fixed == WEIR_DYNAMIC ? block : fixed;
    int64_t rank, tie = 0;
    if (fixed == block) {
      rank = 0;
    } else if (fixed == WEIR_DYNAMIC) {
      rank = 2;
    } else if (fixed > block) {
      if (!hasLengths)
        continue;
      rank = 4;
      tie = fixed;
    } else {
      here.steps = fixed;
      rank = 6;
      tie = -fixed;
    }
    if (!hasLengths) {
      bool even = true;
      for (int64_t row = 0; row < opts.batch; ++row)
        even &= remaining[row] >= here.steps;
      if (!even)
        continue;
    }
    bool last = function.desc->method == WEIR_METHOD_EXTEND_LAST;
    if (wanted == Outputs::All && last && here.time > 1)
      continue;
    if (last != (wanted != Outputs::All))
      rank += here.time == 1 ? 1 : 10;
    if (rank < bestRank || (rank == bestRank && tie < bestTie)) {
      bestRank = rank;
      bestTie = tie;
      choice = here;
    }
  }
  return bestRank != INT64_MAX;
}

bool Session::extend(const int32_t *const *tokens, const int64_t *counts,
                     Outputs wanted, const OutputFn &output,
                     std::string &error) {
  const weir_model_desc &model = owner->model();
  bool takesTokens =
      inputList.size() == 1 && inputList[0]->rank == 2 &&
      (inputList[0]->dtype == WEIR_I32 || inputList[0]->dtype == WEIR_I64);
  if (!takesTokens) {
    const weir_value_desc &input = *inputList.back();
    error = std::string("model '") + model.name +
            "' does not take tokens: its input '" + input.name + "' is " +
            dtypeName(input.dtype) + " " +
            shapeToString(input.shape, input.rank);
    return false;
  }
  for (int64_t row = 0; row < opts.batch; ++row)
    for (int64_t i = 0; i < counts[row]; ++i)
      if (int32_t token = tokens[row][i];
          model.vocab_size > 0 && (token < 0 || token >= model.vocab_size)) {
        error = "token " + std::to_string(i) + " of row " +
                std::to_string(row) + " is " + std::to_string(token) +
                ", outside the vocabulary of " +
                std::to_string(model.vocab_size);
        return false;
      }
  std::vector<const void *> rows(static_cast<size_t>(opts.batch));
  std::vector<std::vector<int64_t>> wide;
  for (int64_t row = 0; row < opts.batch; ++row) {
    rows[row] = tokens[row];
    if (inputList[0]->dtype == WEIR_I64 && counts[row] > 0) {
      wide.emplace_back(tokens[row], tokens[row] + counts[row]);
      rows[row] = wide.back().data();
    }
  }
  return extendInputs({rows.data()}, counts, wanted, output, error);
}

bool Session::extendInputs(const std::vector<const void *const *> &inputs,
                           const int64_t *counts, Outputs wanted,
                           const OutputFn &output, std::string &error) {
  if (inputs.size() != inputList.size()) {
    error = "extend got " + std::to_string(inputs.size()) +
            " inputs, expected " + std::to_string(inputList.size());
    return false;
  }
  for (const Constant &constant : constants)
    if (!constant.data) {
      error = std::string("argument '") + constant.desc->name +
              "' has no time axis and must be given before extending";
      return false;
    }
  if (!isEncoded()) {
    error = std::string("model '") + owner->model().name +
            "' reads what its encoder gives: encode its input before extending";
    return false;
  }
  if (wanted == Outputs::All && !hasAllOutputs()) {
    error = std::string("model '") + owner->model().name +
            "' was compiled for the outputs of last tokens only";
    return false;
  }
  for (int64_t row = 0; row < opts.batch; ++row) {
    if (counts[row] < 0) {
      error = "row " + std::to_string(row) + " has " +
              std::to_string(counts[row]) + " tokens to append";
      return false;
    }
    if (counts[row] > opts.maxLength - position(row)) {
      error = "row " + std::to_string(row) + " stands at position " +
              std::to_string(position(row)) + ", and " +
              std::to_string(counts[row]) +
              " more tokens exceed the maximum length of " +
              std::to_string(opts.maxLength);
      return false;
    }
  }
  // Raggedness that no function can take shows before anything runs.
  std::vector<int64_t> remaining(counts, counts + opts.batch);
  Choice choice;
  while (*std::max_element(remaining.begin(), remaining.end()) > 0) {
    if (!choose(remaining.data(), wanted, choice)) {
      error = std::string("rows of different lengths, or of lengths other than "
                          "the compiled blocks, need a function with a "
                          "lengths argument, and '") +
              functions.front().desc->name + "' has none";
      return false;
    }
    for (int64_t &count : remaining)
      count -= std::min(count, choice.steps);
  }
  for (std::vector<int32_t> &tokens : pendingTokens)
    tokens.clear();
  return feed(inputs, counts, wanted, output, /*replay=*/false, error);
}

void Session::stage(const Choice &choice,
                    const std::vector<const void *const *> &rows) {
  for (size_t i = 0; i < inputList.size(); ++i) {
    size_t step = stepBytes[i];
    size_t rowBytes = static_cast<size_t>(choice.time) * step;
    for (int64_t row = 0; row < opts.batch; ++row) {
      uint8_t *to = staging[i].data() + static_cast<size_t>(row) * rowBytes;
      size_t bytes = static_cast<size_t>(inBlock[row]) * step;
      if (bytes > 0)
        std::memcpy(to,
                    static_cast<const uint8_t *>(rows[i][row]) +
                        static_cast<size_t>(taken[row]) * step,
                    bytes);
      // Padding is read as tokens: it must be valid ones.
      std::memset(to + bytes, 0, rowBytes - bytes);
    }
  }
}

void Session::emit(const Choice &choice, const int64_t *counts, Outputs wanted,
                   const OutputFn &output) {
  const weir_function_desc &desc = *choice.function->desc;
  for (int32_t r = 0; r < desc.num_results; ++r) {
    ResultView view = choice.function->frame.result(r);
    bool hasTime = findAxis(desc.results[r], WEIR_AXIS_TIME) >= 0;
    int32_t outer = hasTime ? 2 : 1;
    size_t step = view.elementBytes;
    for (int32_t d = outer; d < view.rank; ++d)
      step *= static_cast<size_t>(view.sizes[d]);
    for (int64_t row = 0; row < opts.batch; ++row) {
      if (inBlock[row] == 0)
        continue;
      int64_t at = 0, count = inBlock[row];
      if (wanted == Outputs::Last) {
        if (taken[row] + inBlock[row] < counts[row])
          continue;
        at = hasTime ? view.sizes[1] == 1 ? 0 : inBlock[row] - 1 : 0;
        count = 1;
      }
      ResultView part = view;
      int64_t offset = row * view.strides[0];
      if (hasTime)
        offset += at * view.strides[1];
      part.data += offset * static_cast<int64_t>(view.elementBytes);
      part.sizes += 1;
      part.strides += 1;
      part.rank -= 1;
      std::vector<int64_t> &sizes = shapeScratch;
      sizes.assign(part.sizes, part.sizes + part.rank);
      if (hasTime)
        sizes[0] = count;
      part.sizes = sizes.data();
      const void *data = part.data;
      if (!isDenseFrom(part, 0)) {
        scratch.resize(static_cast<size_t>(count) * step);
        copyDense(part, scratch.data());
        data = scratch.data();
      }
      OutputBlock block;
      block.result = &desc.results[r];
      block.row = row;
      block.first = wanted == Outputs::Last ? counts[row] - 1 : taken[row];
      block.count = count;
      block.stepShape = view.sizes + outer;
      block.stepRank = view.rank - outer;
      block.stepBytes = step;
      block.data = data;
      output(block);
    }
  }
}

bool Session::feed(const std::vector<const void *const *> &rows,
                   const int64_t *counts, Outputs wanted,
                   const OutputFn &output, bool replay, std::string &error) {
  useThreads(opts.threads);
  std::vector<int64_t> remaining(counts, counts + opts.batch);
  std::fill(taken.begin(), taken.end(), 0);
  while (*std::max_element(remaining.begin(), remaining.end()) > 0) {
    Choice choice;
    if (!choose(remaining.data(), wanted, choice)) {
      error = std::string("no function of model '") + owner->model().name +
              "' can take the next block";
      return false;
    }
    for (int64_t row = 0; row < opts.batch; ++row) {
      inBlock[row] = std::min(remaining[row], choice.steps);
      lengths[row] = static_cast<int32_t>(inBlock[row]);
    }
    stage(choice, rows);
    describe(*choice.function, choice.time);
    if (!choice.function->frame.invoke(opts.batch, choice.time, error) ||
        !state.advance(inBlock.data(), choice.function->desc->name, error))
      return false;
    if (keepLog && !replay)
      remember(rows);
    if (wanted != Outputs::None && output)
      emit(choice, counts, wanted, output);
    for (int64_t row = 0; row < opts.batch; ++row) {
      if (inBlock[row] > 0 && keepLog && opts.snapshotEvery > 0) {
        const std::vector<Snapshot> &list = logs[row].snapshots;
        int64_t last = list.empty() ? 0 : list.back().position;
        if (position(row) - last >= opts.snapshotEvery)
          snapshot(row);
      }
      remaining[row] -= inBlock[row];
      taken[row] += inBlock[row];
    }
  }
  return true;
}
