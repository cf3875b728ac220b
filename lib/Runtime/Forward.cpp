//===- Forward.cpp - Whole-sequence runs on named tensors -----------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Forward.h"
#include "CallFrame.h"
#include "DType.h"
#include "Session.h"
#include "Threads.h"

#include <cstring>

using namespace weir::rt;

static constexpr char kMaskName[] = "attention_mask";

ForwardRunner::ForwardRunner(std::shared_ptr<const Program> program,
                             int threads)
    : program(std::move(program)),
      threads(threads > 0 ? threads : defaultThreads()) {}

/// Moves `from` along the time axis as `map` says. Both tensors are dense and
/// have the shape `shape`.
void ForwardRunner::moveTime(const uint8_t *from, uint8_t *to,
                             const std::vector<int64_t> &shape,
                             int32_t batchAxis, int32_t timeAxis,
                             size_t elementBytes, const TimeMap &map) {
  int32_t last = std::max(batchAxis, timeAxis);
  std::vector<int64_t> strides(shape.size());
  int64_t stride = static_cast<int64_t>(elementBytes);
  for (size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 0)
      return;
    strides[i] = stride;
    stride *= shape[i];
  }
  size_t run = static_cast<size_t>(strides[last]);
  std::vector<int64_t> index(static_cast<size_t>(last) + 1, 0);
  uint8_t *out = to;
  while (true) {
    int64_t source = map[index[batchAxis]][index[timeAxis]];
    if (source < 0) {
      std::memset(out, 0, run);
    } else {
      int64_t offset = 0;
      for (int32_t i = 0; i <= last; ++i)
        offset += (i == timeAxis ? source : index[i]) * strides[i];
      std::memcpy(out, from + offset, run);
    }
    out += run;
    int32_t axis = last;
    while (axis >= 0 && ++index[axis] == shape[axis])
      index[axis--] = 0;
    if (axis < 0)
      return;
  }
}

/// The inputs of a function, for messages.
static std::string listArguments(const weir_function_desc &function) {
  std::string text;
  for (int32_t i = 0; i < function.num_args; ++i) {
    if (!isInput(function.args[i]))
      continue;
    text += text.empty() ? "'" : ", '";
    text += function.args[i].name;
    text += "'";
  }
  return text.empty() ? "none" : text;
}

static const TensorView *findInput(const std::vector<TensorView> &inputs,
                                   const char *name) {
  for (const TensorView &input : inputs)
    if (input.name == name)
      return &input;
  return nullptr;
}

/// Checks one input against its argument and notes the extents it fixes.
static bool checkShape(const weir_value_desc &arg, const TensorView &input,
                       int64_t &batch, int64_t &time, std::string &error) {
  std::string where = "input '" + input.name + "'";
  bool fits = static_cast<int32_t>(input.shape.size()) == arg.rank;
  for (int32_t d = 0; fits && d < arg.rank; ++d)
    fits = arg.shape[d] == WEIR_DYNAMIC || arg.shape[d] == input.shape[d];
  if (!fits) {
    error = where + " has shape " + shapeToString(input.shape) + ", expected " +
            shapeToString(arg.shape, arg.rank);
    return false;
  }
  for (int32_t d = 0; d < arg.rank; ++d) {
    int64_t *known = arg.axes[d] == WEIR_AXIS_BATCH  ? &batch
                     : arg.axes[d] == WEIR_AXIS_TIME ? &time
                                                     : nullptr;
    if (!known)
      continue;
    if (*known == WEIR_DYNAMIC)
      *known = input.shape[d];
    if (*known != input.shape[d]) {
      error = where + " has " + std::to_string(input.shape[d]) +
              (known == &batch ? " rows" : " time steps") +
              ", and other inputs have " + std::to_string(*known);
      return false;
    }
  }
  return true;
}

bool ForwardRunner::bindMask(const TensorView &mask, int64_t batch,
                             Sequence &sequence, std::string &error) const {
  std::string where = "input '" + mask.name + "'";
  if (mask.shape != std::vector<int64_t>{batch, sequence.time}) {
    error = where + " has shape " + shapeToString(mask.shape) + ", expected " +
            shapeToString({batch, sequence.time});
    return false;
  }
  size_t count = static_cast<size_t>(batch * sequence.time);
  std::vector<double> values(count);
  if (!convertElements(mask.data, mask.dtype, values.data(), WEIR_F64, count,
                       error))
    return false;
  sequence.gather.resize(static_cast<size_t>(batch));
  sequence.scatter.resize(static_cast<size_t>(batch));
  for (int64_t row = 0; row < batch; ++row) {
    std::vector<int64_t> &gather = sequence.gather[row];
    std::vector<int64_t> &scatter = sequence.scatter[row];
    for (int64_t t = 0; t < sequence.time; ++t) {
      double value = values[row * sequence.time + t];
      if (value != 0 && value != 1) {
        error = where + " holds " + std::to_string(value) +
                ", expected only zeros and ones";
        return false;
      }
      scatter.push_back(value == 1 ? static_cast<int64_t>(gather.size())
                                   : int64_t(-1));
      if (value == 1)
        gather.push_back(t);
    }
    sequence.lengths[row] = static_cast<int32_t>(gather.size());
    sequence.compacted |= static_cast<int64_t>(gather.size()) < sequence.time;
    gather.resize(static_cast<size_t>(sequence.time), -1);
  }
  return true;
}

/// Whether `arg` holds indices into the vocabulary, which compiled code takes
/// without a check.
static bool takesTokens(const weir_function_desc &function,
                        const weir_value_desc &arg) {
  static const char kEnding[] = "input_ids";
  size_t size = std::strlen(arg.name), ending = sizeof(kEnding) - 1;
  return function.method != WEIR_METHOD_PLAIN && arg.rank == 2 &&
         (arg.dtype == WEIR_I32 || arg.dtype == WEIR_I64) && size >= ending &&
         std::strcmp(arg.name + size - ending, kEnding) == 0;
}

/// Checks that the integers `data` of shape [rows, time] are at least 0 and
/// below `limit`, which `what` speaks of.
static bool checkTokens(const weir_value_desc &arg, const uint8_t *data,
                        const std::vector<int64_t> &shape, int64_t limit,
                        const char *what, std::string &error) {
  for (int64_t row = 0, i = 0; row < shape[0]; ++row)
    for (int64_t t = 0; t < shape[1]; ++t, ++i) {
      int64_t token;
      if (arg.dtype == WEIR_I64) {
        std::memcpy(&token, data + i * 8, 8);
      } else {
        int32_t narrow;
        std::memcpy(&narrow, data + i * 4, 4);
        token = narrow;
      }
      if (token >= 0 && token < limit)
        continue;
      error = std::string("input '") + arg.name + "': token " +
              std::to_string(t) + " of row " + std::to_string(row) + " is " +
              std::to_string(token) + ", " + what + std::to_string(limit);
      return false;
    }
  return true;
}

/// The extents of an optional input that was not given.
static bool deduceShape(const weir_value_desc &arg, int64_t batch, int64_t time,
                        std::vector<int64_t> &shape, std::string &error) {
  shape.assign(arg.shape, arg.shape + arg.rank);
  for (int32_t d = 0; d < arg.rank; ++d) {
    if (shape[d] == WEIR_DYNAMIC && arg.axes[d] == WEIR_AXIS_BATCH)
      shape[d] = batch;
    if (shape[d] == WEIR_DYNAMIC && arg.axes[d] == WEIR_AXIS_TIME)
      shape[d] = time;
    if (shape[d] == WEIR_DYNAMIC) {
      error = std::string("input '") + arg.name +
              "' is missing, and other inputs do not tell its extents";
      return false;
    }
  }
  return true;
}

/// What the mask is called that stands for the row lengths `arg`.
static std::string getMaskName(const weir_value_desc &arg) {
  std::string name = arg.name, ending = "lengths";
  bool fits =
      name.size() >= ending.size() &&
      name.compare(name.size() - ending.size(), ending.size(), ending) == 0;
  // The first sequence's may be called anything.
  if (arg.sequence == 0 || !fits)
    return kMaskName;
  return name.substr(0, name.size() - ending.size()) + kMaskName;
}

/// The row lengths that an input called `name` is the mask of, or null.
static const weir_value_desc *findMasked(const weir_function_desc &function,
                                         const std::string &name) {
  for (int32_t i = 0; i < function.num_args; ++i)
    if (function.args[i].role == WEIR_ROLE_LENGTHS &&
        getMaskName(function.args[i]) == name)
      return &function.args[i];
  return nullptr;
}

/// Checks that rows have no more tokens than `limit`. Positions beyond it may
/// have no weights.
static bool checkLengths(const std::vector<int32_t> &lengths, int64_t limit,
                         std::string &error) {
  for (size_t row = 0; row < lengths.size(); ++row)
    if (lengths[row] > limit) {
      error = "row " + std::to_string(row) + " has " +
              std::to_string(lengths[row]) +
              " tokens, which exceed the maximum length of " +
              std::to_string(limit);
      return false;
    }
  return true;
}

bool ForwardRunner::bind(const weir_function_desc &function,
                         const std::vector<TensorView> &inputs,
                         Binding &binding, std::string &error) const {
  std::string where = std::string("function '") + function.name + "'";
  std::vector<std::pair<const weir_value_desc *, const TensorView *>> masks;
  for (const TensorView &input : inputs) {
    bool known = false;
    for (int32_t i = 0; i < function.num_args; ++i)
      known |= isInput(function.args[i]) && input.name == function.args[i].name;
    if (known)
      continue;
    if (const weir_value_desc *masked = findMasked(function, input.name)) {
      masks.emplace_back(masked, &input);
      continue;
    }
    if (input.name != kMaskName) {
      error = "input '" + input.name + "' is not an argument of " + where +
              ", which takes " + listArguments(function);
      return false;
    }
    error = "input '" + input.name + "' was given, and " + where +
            " has neither an argument of that name nor row lengths";
    return false;
  }
  binding = Binding();
  binding.function = &function;
  binding.shapes.resize(static_cast<size_t>(function.num_args));
  binding.data.resize(static_cast<size_t>(function.num_args));
  binding.sequences.resize(countSequences(function));
  for (int32_t i = 0; i < function.num_args; ++i) {
    const weir_value_desc &arg = function.args[i];
    if (!isInput(arg))
      continue;
    const TensorView *input = findInput(inputs, arg.name);
    if (!input && arg.role == WEIR_ROLE_OPTIONAL)
      continue;
    if (!input) {
      error = std::string("input '") + arg.name + "' is missing: " + where +
              " takes " + listArguments(function);
      return false;
    }
    // The block length of an extending function is no limit here.
    weir_value_desc open = arg;
    std::vector<int64_t> shape(arg.shape, arg.shape + arg.rank);
    if (int32_t time = findAxis(arg, WEIR_AXIS_TIME);
        isExtend(function) && time >= 0)
      shape[time] = WEIR_DYNAMIC;
    open.shape = shape.data();
    if (!checkShape(open, *input, binding.batch,
                    binding.sequences[arg.sequence].time, error))
      return false;
    binding.shapes[i] = input->shape;
  }
  for (Sequence &sequence : binding.sequences)
    if (binding.batch != WEIR_DYNAMIC)
      sequence.lengths.assign(static_cast<size_t>(binding.batch),
                              sequence.time == WEIR_DYNAMIC
                                  ? 0
                                  : static_cast<int32_t>(sequence.time));
  for (int32_t i = 0; i < function.num_args; ++i)
    if (const weir_value_desc &arg = function.args[i];
        arg.role == WEIR_ROLE_LENGTHS &&
        (binding.batch == WEIR_DYNAMIC ||
         binding.sequences[arg.sequence].time == WEIR_DYNAMIC)) {
      error = where + " takes row lengths, and no argument of it has rows and "
                      "time steps";
      return false;
    }
  for (auto [lengths, mask] : masks)
    if (!bindMask(*mask, binding.batch, binding.sequences[lengths->sequence],
                  error))
      return false;
  // Sessions check their own. What an encoder reads has limits of its own.
  const weir_model_desc &model = program->model();
  const Sequence &last = binding.sequences.back();
  if (function.method == WEIR_METHOD_FORWARD &&
      model.max_length != WEIR_DYNAMIC && last.time != WEIR_DYNAMIC &&
      !checkLengths(last.lengths, model.max_length, error))
    return false;
  for (int32_t i = 0; i < function.num_args; ++i)
    if (const weir_value_desc &arg = function.args[i];
        arg.role == WEIR_ROLE_LENGTHS && arg.limit > 0 &&
        !checkLengths(binding.sequences[arg.sequence].lengths, arg.limit,
                      error)) {
      error = std::string("'") + arg.name + "': " + error;
      return false;
    }

  for (int32_t i = 0; i < function.num_args; ++i) {
    const weir_value_desc &arg = function.args[i];
    if (!isInput(arg))
      continue;
    const TensorView *given = findInput(inputs, arg.name);
    std::vector<int64_t> &shape = binding.shapes[i];
    const Sequence &sequence = binding.sequences[arg.sequence];
    if (!given && !deduceShape(arg, binding.batch, sequence.time, shape, error))
      return false;
    size_t elementBytes = dtypeSize(arg.dtype);
    int64_t bytes, count;
    if (!byteSize(shape, elementBytes, bytes) || !byteSize(shape, 1, count) ||
        !binding.data[i].allocate(static_cast<size_t>(bytes))) {
      error = std::string("cannot allocate input '") + arg.name + "'";
      return false;
    }
    if (!given) {
      std::memset(binding.data[i].data(), 0, static_cast<size_t>(bytes));
      continue;
    }
    const TensorView &input = *given;
    if (!convertElements(input.data, input.dtype, binding.data[i].data(),
                         arg.dtype, static_cast<size_t>(count), error)) {
      error = "input '" + input.name + "': " + error;
      return false;
    }
    int32_t timeAxis = findAxis(arg, WEIR_AXIS_TIME);
    if (sequence.compacted && timeAxis >= 0) {
      int32_t batchAxis = findAxis(arg, WEIR_AXIS_BATCH);
      Buffer moved;
      if (batchAxis < 0 || !moved.allocate(static_cast<size_t>(bytes))) {
        error = "input '" + input.name +
                "' has time steps that all rows share, "
                "which a mask cannot move";
        return false;
      }
      moveTime(binding.data[i].data(), moved.data(), input.shape, batchAxis,
               timeAxis, elementBytes, sequence.gather);
      binding.data[i] = std::move(moved);
    }
    // What a mask hides is gone by now: it may be any number.
    if (takesTokens(function, arg) && model.vocab_size > 0 &&
        !checkTokens(arg, binding.data[i].data(), input.shape, model.vocab_size,
                     "outside the vocabulary of ", error))
      return false;
    if (arg.limit > 0 &&
        !checkTokens(arg, binding.data[i].data(), input.shape, arg.limit,
                     "expected a number from 0 to below ", error))
      return false;
  }
  return true;
}

/// Makes a zeroed output tensor.
static bool makeOutput(const weir_value_desc &desc,
                       const std::vector<int64_t> &shape, OwnedTensor &tensor,
                       std::string &error) {
  int64_t bytes;
  if (!byteSize(shape, dtypeSize(desc.dtype), bytes) ||
      !tensor.memory.allocate(static_cast<size_t>(bytes))) {
    error = std::string("cannot allocate result '") + desc.name +
            "' of shape " + shapeToString(shape);
    return false;
  }
  tensor.view.name = desc.name;
  tensor.view.dtype = desc.dtype;
  tensor.view.shape = shape;
  tensor.view.data = tensor.memory.data();
  tensor.view.bytes = static_cast<size_t>(bytes);
  return true;
}

bool ForwardRunner::prepare(Binding &binding, CallFrame &frame,
                            std::string &error) {
  const weir_function_desc &function = *binding.function;
  int32_t arenaArg = -1;
  for (int32_t i = 0; i < function.num_args; ++i) {
    const void *data = binding.data[i].data();
    std::vector<int64_t> &shape = binding.shapes[i];
    switch (function.args[i].role) {
    case WEIR_ROLE_LENGTHS:
      shape = {binding.batch};
      data = binding.sequences[function.args[i].sequence].lengths.data();
      break;
    case WEIR_ROLE_WEIGHTS:
      shape = {program->weights().size()};
      data = program->weightsForCode();
      break;
    case WEIR_ROLE_ARENA:
      shape = {0};
      arenaArg = i;
      break;
    default:
      break;
    }
    frame.setArg(i, data, shape.data());
  }
  // Before the arena is measured: each thread has a part of it.
  useThreads(threads);
  int64_t bytes;
  if (!frame.arenaBytes(bytes, error))
    return false;
  if (arenaArg >= 0) {
    std::string reason;
    if (!arena.ensureOn(program->device(), static_cast<size_t>(bytes),
                        Reach::Kernels, reason)) {
      error = "cannot allocate " + std::to_string(bytes) +
              " bytes of scratch memory: run a smaller batch or length";
      if (program->device())
        error += " (" + reason + ")";
      return false;
    }
    int64_t size = static_cast<int64_t>(arena.size());
    frame.setArg(arenaArg, arena.data(), &size);
  }
  return true;
}

bool ForwardRunner::collect(const Binding &binding, const CallFrame &frame,
                            std::vector<OwnedTensor> &outputs,
                            std::string &error) const {
  const weir_function_desc &function = *binding.function;
  for (int32_t r = 0; r < function.num_results; ++r) {
    const weir_value_desc &desc = function.results[r];
    ResultView view = frame.result(r);
    std::vector<int64_t> shape(view.sizes, view.sizes + view.rank);
    OwnedTensor &output = outputs.emplace_back();
    if (!makeOutput(desc, shape, output, error))
      return false;
    copyDense(view, output.memory.data());
    int32_t timeAxis = findAxis(desc, WEIR_AXIS_TIME);
    const Sequence &sequence = binding.sequences[desc.sequence];
    if (!sequence.compacted || timeAxis < 0)
      continue;
    int32_t batchAxis = findAxis(desc, WEIR_AXIS_BATCH);
    OwnedTensor moved;
    if (batchAxis < 0 || shape[timeAxis] != sequence.time) {
      error = std::string("result '") + desc.name + "' of shape " +
              shapeToString(shape) + " cannot be moved back to the " +
              std::to_string(sequence.time) + " masked positions";
      return false;
    }
    if (!makeOutput(desc, shape, moved, error))
      return false;
    moveTime(output.memory.data(), moved.memory.data(), shape, batchAxis,
             timeAxis, view.elementBytes, sequence.scatter);
    output = std::move(moved);
  }
  return true;
}

bool ForwardRunner::call(Binding &binding, std::vector<OwnedTensor> &outputs,
                         std::string &error) {
  CallFrame frame(*binding.function, program->device());
  return prepare(binding, frame, error) &&
         frame.invoke(binding.batch, WEIR_DYNAMIC, error) &&
         collect(binding, frame, outputs, error);
}

bool ForwardRunner::stream(Binding &binding, std::vector<OwnedTensor> &outputs,
                           std::string &error) {
  const weir_function_desc &function = *binding.function;
  const weir_model_desc &model = program->model();
  const Sequence &sequence = binding.sequences.front();
  SessionOptions options;
  options.batch = binding.batch;
  options.threads = threads;
  // No longer than needed; what exceeds the model's limit is refused below.
  options.maxLength = std::max<int64_t>(1, sequence.time);
  if (model.max_length != WEIR_DYNAMIC)
    options.maxLength = std::min(options.maxLength, model.max_length);
  std::unique_ptr<Session> session = Session::open(program, options, error);
  if (!session)
    return false;
  std::vector<std::vector<const void *>> rows;
  for (const weir_value_desc *input : session->inputs())
    for (int32_t i = 0; i < function.num_args; ++i) {
      if (std::strcmp(function.args[i].name, input->name) != 0)
        continue;
      std::vector<const void *> &pointers = rows.emplace_back();
      size_t rowBytes =
          binding.data[i].size() / static_cast<size_t>(binding.batch);
      for (int64_t row = 0; row < binding.batch; ++row)
        pointers.push_back(binding.data[i].data() +
                           static_cast<size_t>(row) * rowBytes);
    }
  for (int32_t i = 0; i < function.num_args; ++i) {
    const weir_value_desc &arg = function.args[i];
    if (arg.role == WEIR_ROLE_DATA && findAxis(arg, WEIR_AXIS_TIME) < 0 &&
        !session->setConstant(arg.name, binding.data[i].data(),
                              binding.shapes[i], error))
      return false;
  }
  std::vector<const void *const *> inputs;
  for (const std::vector<const void *> &pointers : rows)
    inputs.push_back(pointers.data());
  std::vector<int64_t> counts(sequence.lengths.begin(), sequence.lengths.end());
  bool all = session->hasAllOutputs();
  bool good = true;
  auto collect = [&](const OutputBlock &block) {
    OwnedTensor *output = nullptr;
    for (OwnedTensor &tensor : outputs)
      if (tensor.view.name == block.result->name)
        output = &tensor;
    if (!output) {
      std::vector<int64_t> shape = {binding.batch};
      if (all)
        shape.push_back(sequence.time);
      shape.insert(shape.end(), block.stepShape,
                   block.stepShape + block.stepRank);
      output = &outputs.emplace_back();
      good &= makeOutput(*block.result, shape, *output, error);
    }
    if (!good)
      return;
    const uint8_t *from = static_cast<const uint8_t *>(block.data);
    for (int64_t i = 0; i < block.count; ++i) {
      int64_t at = block.row;
      if (all) {
        int64_t t = block.first + i;
        at = at * sequence.time +
             (sequence.compacted ? sequence.gather[block.row][t] : t);
      }
      std::memcpy(
          output->memory.data() + static_cast<size_t>(at) * block.stepBytes,
          from + static_cast<size_t>(i) * block.stepBytes, block.stepBytes);
    }
  };
  if (!session->extendInputs(inputs, counts.data(),
                             all ? Outputs::All : Outputs::Last, collect,
                             error) ||
      !good)
    return false;
  if (outputs.empty() && function.num_results > 0) {
    error = "the inputs hold no tokens";
    return false;
  }
  return true;
}

std::vector<const weir_function_desc *>
ForwardRunner::findCandidates(const std::string &name,
                              std::string &error) const {
  const weir_model_desc &model = program->model();
  std::vector<const weir_function_desc *> candidates;
  auto take = [&](int32_t method) {
    for (uint32_t i = 0; i < model.num_functions; ++i)
      if (model.functions[i].method == method)
        candidates.push_back(&model.functions[i]);
  };
  if (!name.empty()) {
    for (uint32_t i = 0; i < model.num_functions; ++i)
      if (name == model.functions[i].name)
        candidates.push_back(&model.functions[i]);
    if (candidates.empty())
      error = std::string("model '") + model.name + "' has no function '" +
              name + "'";
    return candidates;
  }
  for (int32_t method : {WEIR_METHOD_FORWARD, WEIR_METHOD_PLAIN,
                         WEIR_METHOD_EXTEND, WEIR_METHOD_EXTEND_LAST})
    if (candidates.empty())
      take(method);
  if (candidates.empty())
    error = std::string("model '") + model.name + "' has no functions";
  return candidates;
}

bool ForwardRunner::bindFirst(const std::vector<TensorView> &inputs,
                              const std::string &name, Binding &binding,
                              std::string &error) const {
  for (size_t i = 0; i < inputs.size(); ++i)
    if (findInput(inputs, inputs[i].name.c_str()) != &inputs[i]) {
      error = "input '" + inputs[i].name + "' is given twice";
      return false;
    }
  std::vector<const weir_function_desc *> candidates =
      findCandidates(name, error);
  std::string first;
  for (const weir_function_desc *function : candidates) {
    std::string reason;
    if (bind(*function, inputs, binding, reason))
      return true;
    if (first.empty())
      first = reason;
  }
  if (candidates.empty())
    return false;
  error = first;
  if (candidates.size() > 1)
    error += " (nor do the " + std::to_string(candidates.size() - 1) +
             " other functions take such inputs)";
  return false;
}

bool ForwardRunner::run(const std::vector<TensorView> &inputs,
                        const std::string &name,
                        std::vector<OwnedTensor> &outputs, std::string &error) {
  outputs.clear();
  Binding binding;
  if (!bindFirst(inputs, name, binding, error))
    return false;
  return isExtend(*binding.function) ? stream(binding, outputs, error)
                                     : call(binding, outputs, error);
}
