//===- LoadOpenMP.cpp - Finds the OpenMP library of an executable ---------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// An executable finds the libomp beside it by itself. The dynamic loader would
// do so by $ORIGIN, but it asks /proc where the executable is, and an empty
// root has no /proc. So the functions that compiled code calls are defined here
// as jumps through a table, which is filled from the library before main runs.
// Where the library is missing, the first jump says so.
//
// A function that is not in the list still links: the linker then takes it, and
// only then, from the shared library, with $ORIGIN.
//
//===----------------------------------------------------------------------===//

#include "Weights.h"

#include <cstdio>
#include <cstdlib>
#include <dlfcn.h>
#include <string>

#if defined(__x86_64__)

#define WEIR_OPENMP_FUNCTIONS(X)                                               \
  X(__kmpc_barrier)                                                            \
  X(__kmpc_cancel_barrier)                                                     \
  X(__kmpc_critical)                                                           \
  X(__kmpc_dispatch_fini_4)                                                    \
  X(__kmpc_dispatch_fini_4u)                                                   \
  X(__kmpc_dispatch_fini_8)                                                    \
  X(__kmpc_dispatch_fini_8u)                                                   \
  X(__kmpc_dispatch_init_4)                                                    \
  X(__kmpc_dispatch_init_4u)                                                   \
  X(__kmpc_dispatch_init_8)                                                    \
  X(__kmpc_dispatch_init_8u)                                                   \
  X(__kmpc_dispatch_next_4)                                                    \
  X(__kmpc_dispatch_next_4u)                                                   \
  X(__kmpc_dispatch_next_8)                                                    \
  X(__kmpc_dispatch_next_8u)                                                   \
  X(__kmpc_end_critical)                                                       \
  X(__kmpc_end_master)                                                         \
  X(__kmpc_end_reduce)                                                         \
  X(__kmpc_end_reduce_nowait)                                                  \
  X(__kmpc_end_single)                                                         \
  X(__kmpc_for_static_fini)                                                    \
  X(__kmpc_for_static_init_4)                                                  \
  X(__kmpc_for_static_init_4u)                                                 \
  X(__kmpc_for_static_init_8)                                                  \
  X(__kmpc_for_static_init_8u)                                                 \
  X(__kmpc_fork_call)                                                          \
  X(__kmpc_fork_call_if)                                                       \
  X(__kmpc_global_thread_num)                                                  \
  X(__kmpc_master)                                                             \
  X(__kmpc_push_num_threads)                                                   \
  X(__kmpc_reduce)                                                             \
  X(__kmpc_reduce_nowait)                                                      \
  X(__kmpc_serialized_parallel)                                                \
  X(__kmpc_end_serialized_parallel)                                            \
  X(__kmpc_single)                                                             \
  X(omp_get_max_threads)                                                       \
  X(omp_get_num_threads)                                                       \
  X(omp_get_thread_num)                                                        \
  X(omp_set_num_threads)

/// Why the library could not be loaded.
static const char *problem = "it was used before the program began";

/// Stands for every function of a library that is not there.
[[noreturn]] static void reportMissing() {
  std::fprintf(stderr,
               "error: the OpenMP library is missing: %s (keep libomp.so.5 "
               "beside the executable)\n",
               problem);
  std::exit(1);
}

// One entry of the table and one jump through it per function; the jump leaves
// the arguments, variable ones too, as they are.
#define WEIR_DEFINE(NAME)                                                      \
  extern "C" {                                                                 \
  __attribute__((visibility("hidden"))) void *weir_openmp_##NAME =             \
      reinterpret_cast<void *>(reportMissing);                                 \
  }                                                                            \
  asm(".pushsection .text." #NAME ",\"ax\",@progbits\n"                        \
      ".globl " #NAME "\n"                                                     \
      ".hidden " #NAME "\n"                                                    \
      ".type " #NAME ",@function\n" #NAME ":\n"                                \
      "  jmp *weir_openmp_" #NAME "(%rip)\n"                                   \
      ".size " #NAME ", .-" #NAME "\n"                                         \
      ".popsection\n");
WEIR_OPENMP_FUNCTIONS(WEIR_DEFINE)
#undef WEIR_DEFINE

namespace {
struct Entry {
  const char *name;
  void **address;
};
} // namespace

/// Fills the table.
__attribute__((constructor)) static void loadOpenMP() {
  static const Entry kEntries[] = {
#define WEIR_ENTRY(NAME) {#NAME, &weir_openmp_##NAME},
      WEIR_OPENMP_FUNCTIONS(WEIR_ENTRY)
#undef WEIR_ENTRY
  };
  std::string beside = weir::rt::executablePath();
  beside.resize(beside.rfind('/') + 1);
  void *library = nullptr;
  if (!beside.empty())
    library = dlopen((beside + "libomp.so.5").c_str(), RTLD_NOW | RTLD_GLOBAL);
  // One of the system serves as well.
  if (!library)
    library = dlopen("libomp.so.5", RTLD_NOW | RTLD_GLOBAL);
  if (!library) {
    problem = dlerror();
    return;
  }
  problem = "it lacks a function that the model needs";
  for (const Entry &entry : kEntries)
    if (void *function = dlsym(library, entry.name))
      *entry.address = function;
}

#endif // defined(__x86_64__)
