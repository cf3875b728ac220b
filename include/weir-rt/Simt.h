//===- weir-rt/Simt.h - What emulated kernels call --------------*- C -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The contract between kernels compiled for the SIMT emulator
// (lib/Codegen/GPU/EmulateKernels.cpp) and the emulator (lib/Runtime/Simt.cpp).
// `block` is what the kernel was called with. `where` is a text that says which
// line an operation is from. Functions that find a fault do not return.
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_RT_SIMT_H
#define WEIR_RT_SIMT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Bytes that shared buffers are aligned to.
#define WEIR_SIMT_ALIGNMENT 16

/// Numbers that a thread knows of itself, all along x.
enum weir_simt_number {
  WEIR_SIMT_TID = 0,    ///< of the thread in its block
  WEIR_SIMT_CTAID = 1,  ///< of the block
  WEIR_SIMT_NTID = 2,   ///< threads of a block
  WEIR_SIMT_NCTAID = 3, ///< blocks
  WEIR_SIMT_LANEID = 4  ///< of the thread in its warp
};

int32_t weir_simt_register(void *block, int32_t which);

/// The start of the shared buffer `index` of the kernel.
void *weir_simt_shared(void *block, int32_t index);

/// Checks an access of `bytes` of shared memory that follows.
void weir_simt_load(void *block, const void *address, int32_t bytes,
                    int32_t alignment, const char *where);
void weir_simt_store(void *block, const void *address, int32_t bytes,
                     int32_t alignment, const char *where);

/// Waits for all threads of the block at barrier number `site` of the kernel.
void weir_simt_barrier(void *block, int32_t site, const char *where);

/// Exchanges `value` with the lanes of `mask`, as `shfl.sync` does. `kind` is
/// 0 for bfly, 1 for up, 2 for down and 3 for idx.
int32_t weir_simt_shuffle(void *block, int32_t mask, int32_t value,
                          int32_t offset, int32_t clamp, int32_t kind,
                          int32_t site, const char *where);

#ifdef __cplusplus
}
#endif

#endif // WEIR_RT_SIMT_H
