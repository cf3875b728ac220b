//===- SimtFiber.cpp - Threads of a kernel on one stack each --------------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A switch of `ucontext` asks the kernel for the signal mask each time, which
// takes longer than what a thread does between two barriers. On x86-64 a switch
// saves the registers that calls preserve and changes stacks.
//
//===----------------------------------------------------------------------===//

#include "SimtFiber.h"

#include <cstdint>
#include <sys/mman.h>

using namespace weir::rt;

/// Bytes of a stack; kernels have no recursion and few local arrays.
static constexpr size_t kStackBytes = 128 << 10;

Fiber::~Fiber() {
  if (stack)
    munmap(stack, kStackBytes);
}

static void *makeStack() {
  void *memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

#if defined(__x86_64__)

// weir_simt_switch(void **save, void *load): pushes what a call preserves, puts
// the stack pointer to *save and goes on with the stack `load`.
// weir_simt_begin: the first thing on a new stack, entry in r12, argument in
// r13.
asm(R"(
  .text
  .p2align 4
  .hidden weir_simt_switch
  .globl weir_simt_switch
  .type weir_simt_switch, @function
weir_simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size weir_simt_switch, .-weir_simt_switch
  .p2align 4
  .hidden weir_simt_begin
  .globl weir_simt_begin
  .type weir_simt_begin, @function
weir_simt_begin:
  movq %r13, %rdi
  call *%r12
  ud2
  .size weir_simt_begin, .-weir_simt_begin
)");
extern "C" void weir_simt_switch(void **save, void *load);
extern "C" void weir_simt_begin();

bool Fiber::start(void (*entry)(void *), void *argument) {
  if (!stack && !(stack = makeStack()))
    return false;
  auto *top =
      reinterpret_cast<uint64_t *>(static_cast<char *>(stack) + kStackBytes);
  // At weir_simt_begin the stack is aligned to 16 bytes.
  *--top = 0;
  *--top = 0;
  *--top = reinterpret_cast<uint64_t>(&weir_simt_begin);
  *--top = 0;                                    // rbp
  *--top = 0;                                    // rbx
  *--top = reinterpret_cast<uint64_t>(entry);    // r12
  *--top = reinterpret_cast<uint64_t>(argument); // r13
  *--top = 0;                                    // r14
  *--top = 0;                                    // r15
  inside = top;
  return true;
}

void Fiber::resume() { weir_simt_switch(&outside, inside); }
void Fiber::suspend() { weir_simt_switch(&inside, outside); }

#else

/// Two halves of a pointer, as makecontext passes integers alone.
static void begin(unsigned entryHigh, unsigned entryLow, unsigned high,
                  unsigned low) {
  auto join = [](unsigned upper, unsigned lower) {
    return static_cast<uintptr_t>((uint64_t(upper) << 32) | lower);
  };
  reinterpret_cast<void (*)(void *)>(join(entryHigh, entryLow))(
      reinterpret_cast<void *>(join(high, low)));
}

bool Fiber::start(void (*entry)(void *), void *argument) {
  if (!stack && !(stack = makeStack()))
    return false;
  getcontext(&inside);
  inside.uc_stack.ss_sp = stack;
  inside.uc_stack.ss_size = kStackBytes;
  inside.uc_link = nullptr;
  auto first = reinterpret_cast<uint64_t>(entry);
  auto second = reinterpret_cast<uint64_t>(argument);
  makecontext(&inside, reinterpret_cast<void (*)()>(&begin), 4,
              unsigned(first >> 32), unsigned(first), unsigned(second >> 32),
              unsigned(second));
  return true;
}

void Fiber::resume() { swapcontext(&outside, &inside); }
void Fiber::suspend() { swapcontext(&inside, &outside); }

#endif
