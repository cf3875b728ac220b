/* Two models in one program: each is opened by its own name. */

#include "libother.h"
#include "libtiny.h"

#include <stdio.h>
#include <string.h>

/* What `program` gives for one token; null becomes the error's text. */
static int answer(weir_program *program, float *logits, weir_error *error) {
  const int32_t token = 3;
  weir_session *session =
      program ? weir_session_open(program, NULL, &error) : NULL;
  if (!session || tiny_extend(session, &token, 1, logits, &error)) {
    fprintf(stderr, "error: %s\n", weir_error_message(error));
    return 1;
  }
  weir_session_close(session);
  weir_program_close(program);
  return 0;
}

int main(void) {
  float tiny[tiny_step_elements], other[other_step_elements];
  weir_error *error = NULL;
  weir_program *program = tiny_open(NULL, &error);
  if (answer(program, tiny, error))
    return 1;
  error = NULL;
  program = other_open(NULL, &error);
  if (answer(program, other, error))
    return 1;
  if (memcmp(tiny, other, sizeof(tiny)) == 0)
    return 1;
  printf("two models, two answers\n");
  return 0;
}
