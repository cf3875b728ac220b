//===- WeirOps.td - All operations of the weir dialect -*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIROPS_TD
#define WEIR_IR_WEIROPS_TD

include "weir/IR/WeirParamOps.td"
include "weir/IR/WeirProjectionOps.td"
include "weir/IR/WeirNormOps.td"
include "weir/IR/WeirPositionOps.td"
include "weir/IR/WeirAttentionOps.td"
include "weir/IR/WeirDeltaOps.td"
include "weir/IR/WeirSelectOps.td"
include "weir/IR/WeirRecurrenceOps.td"
include "weir/IR/WeirScanOps.td"
include "weir/IR/WeirConvOps.td"
include "weir/IR/WeirStackOps.td"
include "weir/IR/WeirExpertOps.td"
include "weir/IR/WeirStateOps.td"
include "weir/IR/WeirGenerateOps.td"

#endif // WEIR_IR_WEIROPS_TD
