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

/// Checks an access of `bytes` of shared memory that follows, by operation
/// number `site` of the kernel.
void weir_simt_load(void *block, const void *address, int32_t bytes,
                    int32_t alignment, int32_t site, const char *where);
void weir_simt_store(void *block, const void *address, int32_t bytes,
                     int32_t alignment, int32_t site, const char *where);

/// Checks the alignment of an access of other memory that follows.
void weir_simt_global(void *block, const void *address, int32_t bytes,
                      int32_t alignment, const char *where);

/// Waits for all threads of the block at barrier number `site` of the kernel.
void weir_simt_barrier(void *block, int32_t site, const char *where);

/// Exchanges `value` with the lanes of `mask`, as `shfl.sync` does. `kind` is
/// 0 for bfly, 1 for up, 2 for down and 3 for idx.
int32_t weir_simt_shuffle(void *block, int32_t mask, int32_t value,
                          int32_t offset, int32_t clamp, int32_t kind,
                          int32_t site, const char *where);

/// Begins to copy `taken` bytes of other memory to shared memory and to write
/// zeros behind them, `bytes` in all (4, 8 or 16), as `cp.async` does.
void weir_simt_copy(void *block, void *to, const void *from, int32_t bytes,
                    int32_t taken, int32_t site, const char *where);
/// Makes a group of the thread's copies so far: `cp.async.commit_group`.
void weir_simt_commit(void *block);
/// Waits until at most `groups` of the thread's groups are under way:
/// `cp.async.wait_group`.
void weir_simt_wait(void *block, int32_t groups);

/// Loads `count` matrices of 8x8 elements of 16 bits, as `ldmatrix` does, into
/// `registers`.
void weir_simt_ldmatrix(void *block, const void *address, int32_t count,
                        int32_t transposed, int32_t *registers, int32_t site,
                        const char *where);

/// What `mma.sync` multiplies; sums are of f32.
enum weir_simt_mma_kind {
  WEIR_SIMT_MMA_BF16 = 0, ///< m16n8k16
  WEIR_SIMT_MMA_F16 = 1,  ///< m16n8k16
  WEIR_SIMT_MMA_TF32 = 2  ///< m16n8k8
};

/// Multiplies fragments as `mma.sync` does. `registers` are four of A, two of
/// B and four of C, in whose place the results are left.
void weir_simt_mma(void *block, int32_t kind, int32_t *registers, int32_t site,
                   const char *where);

/// `value` rounded as `cvt.rna.tf32.f32` does.
int32_t weir_simt_tf32(int32_t value);

#ifdef __cplusplus
}
#endif

#endif // WEIR_RT_SIMT_H
