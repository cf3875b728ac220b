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

/// Bytes that shared buffers are aligned to, at least and at most: the latter
/// where the pieces of tiles are permuted.
#define WEIR_SIMT_ALIGNMENT 16
#define WEIR_SIMT_MOST_ALIGNMENT 1024

/// Numbers that a thread knows of itself, all along x.
enum weir_simt_number {
  WEIR_SIMT_TID = 0,    ///< of the thread in its block
  WEIR_SIMT_CTAID = 1,  ///< of the block
  WEIR_SIMT_NTID = 2,   ///< threads of a block
  WEIR_SIMT_NCTAID = 3, ///< blocks
  WEIR_SIMT_LANEID = 4  ///< of the thread in its warp
};

int32_t weir_simt_register(void *block, int32_t which);

/// The start of the shared buffer `index` of the kernel, which is aligned to
/// `alignment` bytes, one of the above, and no more.
void *weir_simt_shared(void *block, int32_t index, int32_t alignment);

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

/// Waits for the lanes of `mask`: `bar.warp.sync`.
void weir_simt_sync_warp(void *block, int32_t mask, int32_t site,
                         const char *where);

/// Barriers in memory (`mbarrier`): begins one of `count` arrivals a phase at
/// `barrier`, and ends it.
void weir_simt_mbarrier_init(void *block, void *barrier, int32_t count,
                             const char *where);
void weir_simt_mbarrier_inval(void *block, void *barrier, const char *where);
/// Expects `bytes` more of the phase at hand, and arrives `count` times.
void weir_simt_mbarrier_arrive(void *block, void *barrier, int32_t count,
                               int32_t bytes, const char *where);
/// Whether the phase of this parity is complete; waits a while for it.
int32_t weir_simt_mbarrier_try_wait(void *block, void *barrier, int32_t parity,
                                    const char *where);

enum weir_simt_fence_kind {
  WEIR_SIMT_FENCE_INIT = 0, ///< fence.mbarrier_init
  WEIR_SIMT_FENCE_ASYNC = 1 ///< fence.proxy.async
};
void weir_simt_fence(void *block, int32_t kind);

/// Begins to copy the box at `coordinates` of the tensor that `map` tells of to
/// shared memory, as `cp.async.bulk.tensor` does: its bytes count for
/// `barrier`.
void weir_simt_copy_box(void *block, void *to, const void *map,
                        const int32_t *coordinates, int32_t rank, void *barrier,
                        const char *where);

/// Multiplies m64nNk16 of bf16 by a warpgroup, as `wgmma.mma_async` does with A
/// in registers: `registers` are `columns / 2` sums, in whose place the results
/// are left, and four of A. `descriptor` tells of B.
void weir_simt_wgmma(void *block, int32_t columns, int32_t *registers,
                     int64_t descriptor, int32_t site, const char *where);
/// `wgmma.fence` and `wgmma.commit_group`.
void weir_simt_wgmma_fence(void *block, int32_t site, const char *where);
void weir_simt_wgmma_commit(void *block, int32_t site, const char *where);
/// Waits until at most `groups` of the warp's groups are under way:
/// `wgmma.wait_group`. Of `registers`, `count` sums, those become results that
/// are there now.
void weir_simt_wgmma_wait(void *block, int32_t groups, int32_t *registers,
                          int32_t count, int32_t site, const char *where);

/// `value` rounded as `cvt.rna.tf32.f32` does.
int32_t weir_simt_tf32(int32_t value);

#ifdef __cplusplus
}
#endif

#endif // WEIR_RT_SIMT_H
