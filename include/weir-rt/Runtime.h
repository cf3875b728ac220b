//===- weir-rt/Runtime.h - The C interface of the runtime ---------*- C -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs compiled models (ModelDesc.h) from C: sequences that are extended step
// by step, and whole-sequence runs on named tensors.
//
// Errors. Functions that can fail return 0 on success, and otherwise 1 after
// setting `*error` (when `error` is not null) to an object that the caller
// frees with weir_error_free. Functions that make an object return null on
// failure. Nothing is thrown and nothing is kept in global variables.
//
// Lifetimes. A program refers to its model table; sessions keep their program
// alive, so handles may be closed in any order. Null handles may be closed.
//
// Threads. Programs may be shared by threads. A session or runner serves one
// thread at a time; two of them in two threads are independent.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_RT_RUNTIME_H
#define WEIR_RT_RUNTIME_H

#include "weir-rt/ModelDesc.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Why a call failed.
typedef struct weir_error weir_error;
/// A checked model table with its weights mapped.
typedef struct weir_program weir_program;
/// A batch of sequences and what the model remembers of them.
typedef struct weir_session weir_session;
/// Runs whole sequences; keeps its scratch memory between runs.
typedef struct weir_runner weir_runner;
/// Tensors returned by a runner.
typedef struct weir_tensor_list weir_tensor_list;

/// One line, lower case, without a full stop; valid as long as `error`.
const char *weir_error_message(const weir_error *error);
void weir_error_free(weir_error *error);

/// Checks `model`, which must outlive the program, and maps its weights from
/// `weights_path`, or when that is null from `<file>.weights`, where `file` is
/// the executable or shared library that holds the model.
weir_program *weir_program_open(const weir_model_desc *model,
                                const char *weights_path, weir_error **error);
void weir_program_close(weir_program *program);

/// How a session is opened. Zero in a field means "choose".
typedef struct weir_session_options {
  int64_t batch;          ///< rows; 0: 1
  int64_t max_length;     ///< positions a row may reach; 0: the model's limit,
                          ///< or 4096 where it has none and memory grows
  int64_t max_block;      ///< tokens taken in at once; 0: the model's choice
  int64_t rollback_depth; ///< positions that rings and snapshots reach back
  int64_t snapshot_every; ///< tokens between snapshots of carries; 0: none, and
                          ///< going back feeds a row again from its start
  int32_t threads;        ///< 0: one per physical core
  int32_t reserved;       ///< 0
} weir_session_options;

/// Opens a session with an empty state. `options` may be null.
weir_session *weir_session_open(weir_program *program,
                                const weir_session_options *options,
                                weir_error **error);
void weir_session_close(weir_session *session);

/// Which outputs of an extend are wanted.
enum weir_outputs {
  WEIR_OUTPUTS_NONE = 0,
  WEIR_OUTPUTS_LAST = 1, ///< of the last token of each row that got tokens
  WEIR_OUTPUTS_ALL = 2
};

/// Outputs of consecutive tokens of one row: `count` steps of `step_bytes`,
/// dense. The pointers are valid during the callback only.
typedef struct weir_output_block {
  const weir_value_desc *result;
  int64_t row;
  int64_t first; ///< index of the first token within this extend
  int64_t count;
  const int64_t *step_shape; ///< extents of one step
  int32_t step_rank;
  int32_t reserved;
  size_t step_bytes;
  const void *data;
} weir_output_block;

/// Receives outputs as they are computed. It must not use the session.
typedef void (*weir_output_fn)(void *user, const weir_output_block *block);

/// Appends `counts[row]` tokens, `tokens[row]`, to each row; a row with none
/// stays as it is. Prompts of any length are cut into blocks. `output` may be
/// null. After an error found in the arguments the state is unchanged.
int weir_extend(weir_session *session, const int32_t *const *tokens,
                const int64_t *counts, enum weir_outputs wanted,
                weir_output_fn output, void *user, weir_error **error);

/// Like weir_extend, writing the first result to `out`: for LAST
/// [batch, step], for ALL [batch, largest count, step], dense. What belongs to
/// no token is left as it was. Fails, the tokens appended, when `out_bytes` is
/// too small.
int weir_extend_into(weir_session *session, const int32_t *const *tokens,
                     const int64_t *counts, enum weir_outputs wanted, void *out,
                     size_t out_bytes, weir_error **error);

/// The number of tokens row `row` has seen; -1 outside the batch.
int64_t weir_position(const weir_session *session, int64_t row);

/// Tokens saved with a state that belong to the row but were not fed (the last
/// one of a generation): feed them before others. Valid until the next change
/// of the session; `*count` is 0 where there are none.
const int32_t *weir_pending(const weir_session *session, int64_t row,
                            int64_t *count);

/// A named tensor: dense, row major.
typedef struct weir_tensor {
  const char *name;
  const int64_t *shape;
  const void *data;
  size_t bytes;
  int32_t dtype; ///< weir_dtype
  int32_t rank;
} weir_tensor;

/// Has the encoder of a model that has one read `inputs`, which are named and
/// checked as by weir_forward and have a row for each of the session's. All
/// rows begin anew at position 0. Such a model appends nothing before. What was
/// encoded is kept by weir_reset, and saved, loaded, forked and reordered with
/// the rest. On an error the session is as it was, or, where there is too
/// little memory for steps, has nothing encoded.
int weir_encode(weir_session *session, const weir_tensor *inputs,
                size_t num_inputs, weir_error **error);

/// Writes the state to `path`, in one step; only what is in use is written.
int weir_save(const weir_session *session, const char *path,
              weir_error **error);

/// Replaces the state by one saved by the same model with the same batch. The
/// maximum lengths may differ. On an error the session is unchanged.
int weir_load(weir_session *session, const char *path, weir_error **error);

/// A session that continues independently from the same state.
weir_session *weir_fork(const weir_session *session, weir_error **error);

/// Row `b` continues what row `from[b]` was; `from` has one entry per row.
int weir_reorder(weir_session *session, const int64_t *from,
                 weir_error **error);

/// Puts one row back to an earlier position.
int weir_rollback(weir_session *session, int64_t row, int64_t position,
                  weir_error **error);

/// Puts all rows back to position 0.
void weir_reset(weir_session *session);

/// A runner with its own scratch memory; `threads` is 0 for one per core.
weir_runner *weir_runner_open(weir_program *program, int32_t threads,
                              weir_error **error);
void weir_runner_close(weir_runner *runner);

/// Runs one function on named tensors; integer and floating point types are
/// converted to those of its arguments where that loses nothing but floating
/// point precision. `function` may be null: the model's forward function, a
/// plain one that takes such inputs, or the extending one on an empty state. A
/// tensor `attention_mask` [batch, time] of zeros and ones hides tokens, at any
/// place; `decoder_attention_mask` those of a decoder that has its own. The
/// result is freed with weir_tensor_list_free.
weir_tensor_list *weir_forward(weir_runner *runner, const char *function,
                               const weir_tensor *inputs, size_t num_inputs,
                               weir_error **error);
size_t weir_tensor_list_size(const weir_tensor_list *list);
/// Tensor `index`, valid as long as the list; null outside it.
const weir_tensor *weir_tensor_list_get(const weir_tensor_list *list,
                                        size_t index);
void weir_tensor_list_free(weir_tensor_list *list);

/// How tokens are chosen; see weir_generate.
typedef struct weir_generate_options {
  int64_t max_new_tokens;
  double temperature; ///< 0: the most likely token, ties to the lowest id
  double top_p;       ///< in (0, 1]; 1: off
  int64_t top_k;      ///< 0: off
  uint64_t seed;      ///< of std::mt19937_64
  int32_t ignore_eos;
  int32_t unconstrained; ///< 1: of a model with an encoder, force and suppress
                         ///< no tokens
} weir_generate_options;

/// Receives each token; a return value of 0 ends generation.
typedef int (*weir_token_fn)(void *user, int32_t token);

/// Continues the one row of `session` after its pending tokens and `prompt`;
/// where there are none, a model with an encoder begins with its own token.
/// Ends after a token that ends sequences, unless told otherwise. The last
/// token is left pending.
int weir_generate(weir_session *session, const int32_t *prompt,
                  size_t prompt_tokens, const weir_generate_options *options,
                  weir_token_fn on_token, void *user, weir_error **error);

/// The command line face of an executable with `model` inside; returns its exit
/// status.
int weir_main(const weir_model_desc *model, int argc, char **argv);

#ifdef __cplusplus
}
#endif

#endif // WEIR_RT_RUNTIME_H
