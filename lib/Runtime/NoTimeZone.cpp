//===- NoTimeZone.cpp - Stands for libc's time zone in libraries ----------===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Static ICU is compiled for executables: its time zones read `timezone` and
// `tzname` of libc in a way that a shared library cannot. The runtime asks ICU
// for no time zone, so in shared libraries both names stand for this (see
// lib/Target/Link.cpp).
//
//===----------------------------------------------------------------------===//

/// Large enough for either: a number, or two strings that are not there.
extern "C" __attribute__((visibility("hidden")))
const char *weir_rt_no_timezone[2] = {nullptr, nullptr};
