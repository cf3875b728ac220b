/* The compiler's C interface: compile-c MODEL OUT. */

#include "weir-c/Compiler.h"

#include <stdio.h>

static void receive(void *user, const weir_diagnostic *diagnostic) {
  fprintf((FILE *)user, "callback: %d %s\n", (int)diagnostic->severity,
          diagnostic->message);
}

int main(int argc, char **argv) {
  if (argc != 3)
    return 2;
  uint32_t version = weir_compiler_api_version();
  printf("version %u.%u\n", version >> 16, version & 0xffff);
  if (version >> 16 != WEIR_COMPILER_API_MAJOR)
    return 1;

  /* Options that are none. */
  weir_compile_options *options = weir_compile_options_create();
  const char *wrong[][2] = {{"emit", "paper"},      {"colour", "red"},
                            {"threads", "many"},    {"quantize", "int3"},
                            {"max-length", "0"},    {"max-length", "far"},
                            {"stop-after", "soon"}, {"reference", "f16"}};
  for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); ++i) {
    if (!weir_compile_options_set(options, wrong[i][0], wrong[i][1]))
      return 1;
    printf("%s\n", weir_compile_options_error(options));
  }
  if (weir_compile_options_set(options, "reference", "f32") ||
      weir_compile_options_set(options, "emit", "shared") ||
      weir_compile_options_set(options, "threads", "1") ||
      weir_compile_options_error(options)[0] != '\0')
    return 1;

  /* A model that is none: as text, and by the callback. */
  FILE *log = tmpfile();
  weir_compiler *compiler = weir_compiler_create(receive, log);
  if (!weir_compile(compiler, "nowhere", argv[2], options))
    return 1;
  printf("%s\n", weir_compiler_error(compiler));
  rewind(log);
  for (int c = fgetc(log); c != EOF; c = fgetc(log))
    putchar(c);

  /* Nothing to run before the module is lowered. */
  weir_compile_options *early = weir_compile_options_create();
  if (weir_compile_options_set(early, "stop-after", "formed") ||
      weir_compile_options_set(early, "reference", "f32") ||
      weir_jit_compile(compiler, argv[1], NULL, early))
    return 1;
  printf("%s\n", weir_compiler_error(compiler));
  weir_compile_options_free(early);

  if (weir_compile(compiler, argv[1], argv[2], options) ||
      weir_compiler_error(compiler)[0] != '\0') {
    printf("%s\n", weir_compiler_error(compiler));
    return 1;
  }
  printf("compiled\n");

  /* Into memory, and on with the runtime's interface. */
  weir_jit *jit = weir_jit_compile(compiler, argv[1], NULL, options);
  if (!jit)
    return 1;
  weir_compiler_free(compiler);
  weir_error *error = NULL;
  weir_session *session =
      weir_session_open(weir_jit_program(jit), NULL, &error);
  const int32_t tokens[] = {4, 0, 7};
  const int32_t *rows[] = {tokens};
  const int64_t counts[] = {3};
  if (!session || weir_extend(session, rows, counts, WEIR_OUTPUTS_NONE, NULL,
                              NULL, &error)) {
    printf("%s\n", weir_error_message(error));
    return 1;
  }
  printf("extended to %d of %d\n", (int)weir_position(session, 0),
         (int)weir_jit_model(jit)->max_length);
  weir_session_close(session);
  weir_jit_free(jit);
  weir_compile_options_free(options);
  fclose(log);
  return 0;
}
