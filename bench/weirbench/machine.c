//===- machine.c - What this machine can do at most -----------------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The denominators of "share of peak": rates of multiply-accumulate in the
// widest vectors of the target, held in registers, and of reading memory. All
// threads start together, each repeats its work for a fixed time, and the best
// of several rounds counts, since other load only ever lowers a rate.
//
// Built with -march=native: what the target lacks is left out of the output,
// one JSON object.
//
//   machine THREADS SECONDS
//
//===----------------------------------------------------------------------===//

#include <immintrin.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/// More independent sums than latency times units of any known core, and fewer
/// than there are vector registers.
#ifdef __AVX512F__
enum { kSums = 24 };
#else
enum { kSums = 12 };
#endif
enum { kRounds = 8, kMaxThreads = 256, kBatch = 4096 };

/// One batch of work on `size` bytes at `data`; returns operations or bytes.
typedef double (*Work)(const void *data, size_t size);

typedef struct {
  Work work;
  const void *data;
  size_t size;
  double seconds; ///< how long to repeat
  double done;    ///< sum of what `work` returned
  double taken;   ///< seconds it took
  pthread_barrier_t *start;
} Job;

/// Keeps results alive, so that no loop is optimised away.
static volatile float floatSink;
static volatile int intSink;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *repeat(void *argument) {
  Job *job = argument;
  pthread_barrier_wait(job->start);
  double begin = now(), end = begin;
  job->done = 0;
  while (end - begin < job->seconds) {
    job->done += job->work(job->data, job->size);
    end = now();
  }
  job->taken = end - begin;
  return NULL;
}

/// The best rate of `threads` threads together, in 1e9 per second. Each thread
/// has `size` bytes of its own.
static double measure(Work work, int threads, double seconds, size_t size) {
  Job jobs[kMaxThreads];
  pthread_t ids[kMaxThreads];
  pthread_barrier_t start;
  pthread_barrier_init(&start, NULL, (unsigned)threads);
  void *memory[kMaxThreads];
  for (int t = 0; t < threads; ++t) {
    memory[t] = size ? aligned_alloc(4096, size) : NULL;
    if (size && !memory[t])
      exit(1);
    if (size)
      memset(memory[t], 1, size);
  }
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    for (int t = 0; t < threads; ++t) {
      jobs[t] = (Job){work, memory[t], size, seconds, 0, 0, &start};
      pthread_create(&ids[t], NULL, repeat, &jobs[t]);
    }
    double rate = 0;
    for (int t = 0; t < threads; ++t) {
      pthread_join(ids[t], NULL);
      rate += jobs[t].done / jobs[t].taken;
    }
    if (rate > best)
      best = rate;
  }
  for (int t = 0; t < threads; ++t)
    free(memory[t]);
  pthread_barrier_destroy(&start);
  return best * 1e-9;
}

#if defined(__AVX512F__)
typedef __m512 Floats;
#define WIDTH 16
#define SET1 _mm512_set1_ps
#define FMA _mm512_fmadd_ps
#elif defined(__FMA__)
typedef __m256 Floats;
#define WIDTH 8
#define SET1 _mm256_set1_ps
#define FMA _mm256_fmadd_ps
#endif

#ifdef WIDTH
static double multiplyAddF32(const void *data, size_t size) {
  Floats sums[kSums], a = SET1(0.999f), b = SET1(0.001f);
  for (int i = 0; i < kSums; ++i)
    sums[i] = SET1((float)i);
  for (int n = 0; n < kBatch; ++n)
#pragma clang loop unroll(full)
    for (int i = 0; i < kSums; ++i)
      sums[i] = FMA(sums[i], a, b);
  for (int i = 1; i < kSums; ++i)
    sums[0] += sums[i];
  floatSink = sums[0][0];
  return 2.0 * WIDTH * kSums * kBatch;
}
#endif

#ifdef __AVX512BF16__
static double multiplyAddBF16(const void *data, size_t size) {
  Floats sums[kSums];
  __m512bh a = _mm512_cvtne2ps_pbh(SET1(0.5f), SET1(-0.5f));
  __m512bh b = _mm512_cvtne2ps_pbh(SET1(1.5f), SET1(1.25f));
  for (int i = 0; i < kSums; ++i)
    sums[i] = SET1((float)i);
  for (int n = 0; n < kBatch; ++n)
#pragma clang loop unroll(full)
    for (int i = 0; i < kSums; ++i)
      sums[i] = _mm512_dpbf16_ps(sums[i], a, b);
  for (int i = 1; i < kSums; ++i)
    sums[0] += sums[i];
  floatSink = sums[0][0];
  return 2.0 * 32 * kSums * kBatch;
}
#endif

#ifdef __AVX512VNNI__
static double multiplyAddI8(const void *data, size_t size) {
  __m512i sums[kSums], a = _mm512_set1_epi8(3), b = _mm512_set1_epi8(-2);
  for (int i = 0; i < kSums; ++i)
    sums[i] = _mm512_set1_epi32(i);
  for (int n = 0; n < kBatch; ++n)
#pragma clang loop unroll(full)
    for (int i = 0; i < kSums; ++i)
      sums[i] = _mm512_dpbusd_epi32(sums[i], a, b);
  for (int i = 1; i < kSums; ++i)
    sums[0] = _mm512_add_epi32(sums[0], sums[i]);
  intSink = _mm512_reduce_add_epi32(sums[0]);
  return 2.0 * 64 * kSums * kBatch;
}
#endif

/// Vectors of 64 bytes, whatever the target makes of them.
typedef int64_t Words __attribute__((vector_size(64)));

static double readMemory(const void *data, size_t size) {
  const Words *from = data;
  Words sums[8] = {0};
  size_t count = size / sizeof(Words);
  for (size_t i = 0; i + 8 <= count; i += 8)
#pragma clang loop unroll(full)
    for (int j = 0; j < 8; ++j)
      sums[j] ^= from[i + j];
  for (int j = 1; j < 8; ++j)
    sums[0] ^= sums[j];
  intSink = (int)sums[0][0];
  return (double)size;
}

int main(int argc, char **argv) {
  int threads = argc > 1 ? atoi(argv[1]) : 1;
  double seconds = argc > 2 ? atof(argv[2]) : 0.1;
  if (threads < 1 || threads > kMaxThreads || seconds <= 0) {
    fprintf(stderr, "expected THREADS in 1..%d and SECONDS above 0\n",
            kMaxThreads);
    return 2;
  }
  printf("{\"threads\": %d", threads);
#ifdef WIDTH
  printf(", \"f32_gflops\": %.1f",
         measure(multiplyAddF32, threads, seconds, 0));
#endif
#ifdef __AVX512BF16__
  printf(", \"bf16_gflops\": %.1f",
         measure(multiplyAddBF16, threads, seconds, 0));
#endif
#ifdef __AVX512VNNI__
  printf(", \"int8_gops\": %.1f", measure(multiplyAddI8, threads, seconds, 0));
#endif
  // Working sets of all threads together, in MiB.
  static const size_t kMegabytes[] = {1, 4, 16, 64, 128, 256, 512, 1024};
  printf(", \"read_gbs\": {");
  for (size_t i = 0; i < sizeof(kMegabytes) / sizeof(*kMegabytes); ++i)
    printf("%s\"%zu\": %.1f", i ? ", " : "", kMegabytes[i],
           measure(readMemory, threads, seconds,
                   ((kMegabytes[i] << 20) / (size_t)threads) & ~4095ul));
  printf("}}\n");
  return 0;
}
