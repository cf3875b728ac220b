//===- Runtime.cpp - The C interface of the runtime -----------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "weir-rt/Runtime.h"
#include "CommandLine.h"
#include "DType.h"
#include "Forward.h"
#include "Generate.h"
#include "Session.h"

#include <algorithm>
#include <cstring>

using namespace weir::rt;

struct weir_error {
  std::string message;
};
struct weir_program {
  std::shared_ptr<const Program> program;
};
struct weir_session {
  std::unique_ptr<Session> session;
};
struct weir_runner {
  ForwardRunner runner;
};
struct weir_tensor_list {
  std::vector<OwnedTensor> tensors;
  std::vector<weir_tensor> views;
};

/// Hands `message` to the caller; 0 when there is nothing to report.
static int report(bool good, std::string message, weir_error **error) {
  if (good)
    return 0;
  if (error)
    *error = new weir_error{std::move(message)};
  return 1;
}

const char *weir_error_message(const weir_error *error) {
  return error->message.c_str();
}

void weir_error_free(weir_error *error) { delete error; }

weir_program *weir_program_open(const weir_model_desc *model,
                                const char *weights_path, weir_error **error) {
  std::string message;
  std::shared_ptr<const Program> program =
      Program::open(*model, weights_path ? weights_path : "", message);
  if (report(program != nullptr, message, error))
    return nullptr;
  return new weir_program{std::move(program)};
}

void weir_program_close(weir_program *program) { delete program; }

weir_session *weir_session_open(weir_program *program,
                                const weir_session_options *options,
                                weir_error **error) {
  SessionOptions opts;
  if (options) {
    opts.batch = options->batch == 0 ? 1 : options->batch;
    opts.maxLength = options->max_length;
    opts.maxBlock = options->max_block;
    opts.rollbackDepth = options->rollback_depth;
    opts.snapshotEvery = options->snapshot_every;
    opts.threads = options->threads;
  }
  std::string message;
  std::unique_ptr<Session> session =
      Session::open(program->program, opts, message);
  if (report(session != nullptr, message, error))
    return nullptr;
  return new weir_session{std::move(session)};
}

void weir_session_close(weir_session *session) { delete session; }

static Outputs toOutputs(weir_outputs wanted) {
  return wanted == WEIR_OUTPUTS_ALL    ? Outputs::All
         : wanted == WEIR_OUTPUTS_LAST ? Outputs::Last
                                       : Outputs::None;
}

int weir_extend(weir_session *session, const int32_t *const *tokens,
                const int64_t *counts, weir_outputs wanted,
                weir_output_fn output, void *user, weir_error **error) {
  OutputFn forward;
  if (output)
    forward = [&](const OutputBlock &block) {
      weir_output_block view = {
          block.result,    block.row,      block.first, block.count,
          block.stepShape, block.stepRank, 0,           block.stepBytes,
          block.data};
      output(user, &view);
    };
  std::string message;
  bool good = session->session->extend(tokens, counts, toOutputs(wanted),
                                       forward, message);
  return report(good, message, error);
}

int weir_extend_into(weir_session *session, const int32_t *const *tokens,
                     const int64_t *counts, weir_outputs wanted, void *out,
                     size_t out_bytes, weir_error **error) {
  Session &target = *session->session;
  int64_t longest = 1;
  if (wanted == WEIR_OUTPUTS_ALL)
    longest = std::max<int64_t>(
        1, *std::max_element(counts, counts + target.batch()));
  size_t needed = 0;
  const weir_value_desc *first = nullptr;
  // The name is compared, since different functions serve different blocks.
  OutputFn copy = [&](const OutputBlock &block) {
    if (!first)
      first = block.result;
    if (std::strcmp(first->name, block.result->name) != 0)
      return;
    needed = static_cast<size_t>(target.batch() * longest) * block.stepBytes;
    if (needed > out_bytes)
      return;
    int64_t at =
        block.row * longest + (wanted == WEIR_OUTPUTS_ALL ? block.first : 0);
    std::memcpy(static_cast<char *>(out) +
                    static_cast<size_t>(at) * block.stepBytes,
                block.data, static_cast<size_t>(block.count) * block.stepBytes);
  };
  std::string message;
  bool good = target.extend(tokens, counts, toOutputs(wanted), copy, message);
  if (good && needed > out_bytes) {
    good = false;
    message = "the outputs need " + std::to_string(needed) +
              " bytes, and the buffer has " + std::to_string(out_bytes);
  }
  return report(good, message, error);
}

int64_t weir_position(const weir_session *session, int64_t row) {
  const Session &target = *session->session;
  return row >= 0 && row < target.batch() ? target.position(row) : -1;
}

const int32_t *weir_pending(const weir_session *session, int64_t row,
                            int64_t *count) {
  const Session &target = *session->session;
  *count = 0;
  if (row < 0 || row >= target.batch())
    return nullptr;
  *count = static_cast<int64_t>(target.pending(row).size());
  return target.pending(row).data();
}

int weir_save(const weir_session *session, const char *path,
              weir_error **error) {
  std::string message;
  return report(session->session->save(path, message), message, error);
}

int weir_load(weir_session *session, const char *path, weir_error **error) {
  std::string message;
  return report(session->session->load(path, message), message, error);
}

weir_session *weir_fork(const weir_session *session, weir_error **error) {
  std::string message;
  std::unique_ptr<Session> copy = session->session->fork(message);
  if (report(copy != nullptr, message, error))
    return nullptr;
  return new weir_session{std::move(copy)};
}

int weir_reorder(weir_session *session, const int64_t *from,
                 weir_error **error) {
  std::string message;
  std::vector<int64_t> rows(from, from + session->session->batch());
  return report(session->session->reorder(rows, message), message, error);
}

int weir_rollback(weir_session *session, int64_t row, int64_t position,
                  weir_error **error) {
  std::string message;
  return report(session->session->rollback(row, position, message), message,
                error);
}

void weir_reset(weir_session *session) { session->session->reset(); }

weir_runner *weir_runner_open(weir_program *program, int32_t threads,
                              weir_error **error) {
  if (report(threads >= 0,
             "the number of threads is " + std::to_string(threads) +
                 ", expected 0 or more",
             error))
    return nullptr;
  return new weir_runner{ForwardRunner(program->program, threads)};
}

void weir_runner_close(weir_runner *runner) { delete runner; }

/// Checks that the tensors' sizes are those of their shapes.
static bool viewTensors(const weir_tensor *inputs, size_t count,
                        std::vector<TensorView> &views, std::string &error) {
  for (size_t i = 0; i < count; ++i) {
    const weir_tensor &input = inputs[i];
    TensorView &view = views.emplace_back();
    view.name = input.name;
    view.dtype = input.dtype;
    view.shape.assign(input.shape, input.shape + input.rank);
    view.data = input.data;
    view.bytes = input.bytes;
    int64_t bytes;
    if (dtypeSize(input.dtype) != 0 &&
        byteSize(view.shape, dtypeSize(input.dtype), bytes) &&
        static_cast<size_t>(bytes) == input.bytes)
      continue;
    error = "input '" + view.name + "' has " + std::to_string(input.bytes) +
            " bytes, which " + dtypeName(input.dtype) + " " +
            shapeToString(view.shape) + " does not account for";
    return false;
  }
  return true;
}

int weir_encode(weir_session *session, const weir_tensor *inputs,
                size_t num_inputs, weir_error **error) {
  std::vector<TensorView> views;
  std::string message;
  bool good = viewTensors(inputs, num_inputs, views, message) &&
              session->session->encode(views, message);
  return report(good, message, error);
}

weir_tensor_list *weir_forward(weir_runner *runner, const char *function,
                               const weir_tensor *inputs, size_t num_inputs,
                               weir_error **error) {
  std::vector<TensorView> views;
  std::string message;
  if (report(viewTensors(inputs, num_inputs, views, message), message, error))
    return nullptr;
  auto list = std::make_unique<weir_tensor_list>();
  bool good = runner->runner.run(views, function ? function : "", list->tensors,
                                 message);
  if (report(good, message, error))
    return nullptr;
  for (const OwnedTensor &tensor : list->tensors)
    list->views.push_back({tensor.view.name.c_str(), tensor.view.shape.data(),
                           tensor.view.data, tensor.view.bytes,
                           tensor.view.dtype,
                           static_cast<int32_t>(tensor.view.shape.size())});
  return list.release();
}

size_t weir_tensor_list_size(const weir_tensor_list *list) {
  return list->views.size();
}

const weir_tensor *weir_tensor_list_get(const weir_tensor_list *list,
                                        size_t index) {
  return index < list->views.size() ? &list->views[index] : nullptr;
}

void weir_tensor_list_free(weir_tensor_list *list) { delete list; }

int weir_generate(weir_session *session, const int32_t *prompt,
                  size_t prompt_tokens, const weir_generate_options *options,
                  weir_token_fn on_token, void *user, weir_error **error) {
  GenerateOptions opts;
  opts.maxNewTokens = options->max_new_tokens;
  opts.ignoreEos = options->ignore_eos != 0;
  opts.unconstrained = options->unconstrained != 0;
  opts.sampling.temperature = options->temperature;
  opts.sampling.topK = options->top_k;
  opts.sampling.topP = options->top_p;
  opts.sampling.seed = options->seed;
  GenerateResult result;
  std::string message;
  std::vector<int32_t> tokens(prompt, prompt + prompt_tokens);
  auto forward = [&](int32_t token) {
    return !on_token || on_token(user, token) != 0;
  };
  bool good = generate(*session->session, std::move(tokens), opts, forward,
                       result, message);
  return report(good, message, error);
}

int weir_main(const weir_model_desc *model, int argc, char **argv) {
  return runCommandLine(*model, argc, argv, stdout, stderr);
}
