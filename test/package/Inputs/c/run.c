/* Runs the model of libtiny.so: sequences in two threads, saved, loaded, forked
 * and rolled back. Prints a line for each thing that holds. */

#include "libtiny.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kTokens = 12 };

typedef struct {
  weir_program *program;
  int32_t tokens[kTokens];
  float logits[kTokens][tiny_step_elements];
} Job;

/* Ends the program with the runtime's words. */
static void fail(weir_error *error) {
  fprintf(stderr, "error: %s\n", weir_error_message(error));
  weir_error_free(error);
  exit(1);
}

/* Prints the error that a call had to give. */
static void expectError(int failed, weir_error *error) {
  if (!failed) {
    fprintf(stderr, "no error where one was expected\n");
    exit(1);
  }
  printf("error: %s\n", weir_error_message(error));
  weir_error_free(error);
}

static void check(int holds, const char *what) {
  if (!holds) {
    fprintf(stderr, "does not hold: %s\n", what);
    exit(1);
  }
  printf("%s\n", what);
}

static weir_session *openSession(weir_program *program) {
  weir_error *error = NULL;
  weir_session *session = weir_session_open(program, NULL, &error);
  if (!session)
    fail(error);
  return session;
}

static void extend(weir_session *session, const int32_t *tokens, int64_t count,
                   float *logits) {
  weir_error *error = NULL;
  if (tiny_extend(session, tokens, count, logits, &error))
    fail(error);
}

/* Feeds all tokens of a job, one by one. */
static void *runJob(void *data) {
  Job *job = data;
  weir_session *session = openSession(job->program);
  for (int i = 0; i < kTokens; ++i)
    extend(session, &job->tokens[i], 1, job->logits[i]);
  weir_session_close(session);
  return NULL;
}

static int same(const float *a, const float *b, size_t count) {
  return memcmp(a, b, count * sizeof(float)) == 0;
}

/* Whether the whole-sequence function gives what the job got step by step. */
static int agreesWithForward(const Job *job) {
  weir_error *error = NULL;
  weir_runner *runner = weir_runner_open(job->program, 0, &error);
  if (!runner)
    fail(error);
  int64_t shape[] = {1, kTokens};
  weir_tensor ids = {"input_ids",         shape,    job->tokens,
                     sizeof(job->tokens), WEIR_I32, 2};
  weir_tensor_list *list = weir_forward(runner, "forward", &ids, 1, &error);
  if (!list)
    fail(error);
  const weir_tensor *logits = weir_tensor_list_get(list, 0);
  int agrees = logits->bytes == sizeof(job->logits);
  const float *expected = logits->data;
  const float *found = &job->logits[0][0];
  for (int i = 0; agrees && i < kTokens * tiny_step_elements; ++i)
    agrees = fabsf(expected[i] - found[i]) <= 1e-5f;
  weir_tensor_list_free(list);
  weir_runner_close(runner);
  return agrees;
}

int main(int argc, char **argv) {
  const char *state = argc > 1 ? argv[1] : "state";
  weir_error *error = NULL;
  weir_program *program = tiny_open(NULL, &error);
  if (!program)
    fail(error);

  Job alone[2], together[2];
  for (int j = 0; j < 2; ++j) {
    alone[j].program = program;
    for (int i = 0; i < kTokens; ++i)
      alone[j].tokens[i] = (i * (j + 3) + j) % 8;
    together[j] = alone[j];
    runJob(&alone[j]);
  }
  check(agreesWithForward(&alone[0]) && agreesWithForward(&alone[1]),
        "extend agrees with forward");

  pthread_t threads[2];
  for (int j = 0; j < 2; ++j)
    if (pthread_create(&threads[j], NULL, runJob, &together[j]))
      return 1;
  for (int j = 0; j < 2; ++j)
    pthread_join(threads[j], NULL);
  check(same(&alone[0].logits[0][0], &together[0].logits[0][0],
             kTokens * tiny_step_elements) &&
            same(&alone[1].logits[0][0], &together[1].logits[0][0],
                 kTokens * tiny_step_elements) &&
            !same(&alone[0].logits[0][0], &alone[1].logits[0][0],
                  kTokens * tiny_step_elements),
        "two threads agree with one");

  /* Half of the tokens, and then the rest in several ways. */
  const Job *job = &alone[0];
  const int32_t *rest = job->tokens + 6;
  const float *end = job->logits[kTokens - 1];
  float logits[tiny_step_elements];
  weir_session *session = openSession(program);
  extend(session, job->tokens, 6, logits);
  if (weir_save(session, state, &error))
    fail(error);
  weir_session *loaded = openSession(program);
  if (weir_load(loaded, state, &error))
    fail(error);
  extend(loaded, rest, kTokens - 6, logits);
  check(weir_position(loaded, 0) == kTokens &&
            same(logits, end, tiny_step_elements),
        "loaded state goes on");

  weir_session *fork = weir_fork(session, &error);
  if (!fork)
    fail(error);
  extend(session, alone[1].tokens, 3, logits);
  extend(fork, rest, kTokens - 6, logits);
  check(weir_position(session, 0) == 9 && weir_position(fork, 0) == kTokens &&
            same(logits, end, tiny_step_elements),
        "fork goes on by itself");

  if (weir_rollback(session, 0, 6, &error))
    fail(error);
  extend(session, rest, kTokens - 6, logits);
  check(same(logits, end, tiny_step_elements), "rollback forgets");

  int failed = weir_rollback(session, 0, 50, &error);
  expectError(failed, error);
  error = NULL;
  failed = tiny_open("/nonexistent", &error) == NULL;
  expectError(failed, error);

  weir_session_close(fork);
  weir_session_close(loaded);
  weir_session_close(session);
  weir_program_close(program);
  return 0;
}
