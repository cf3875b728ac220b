//===- WeirDialect.td - The weir dialect -------------------*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIRDIALECT_TD
#define WEIR_IR_WEIRDIALECT_TD

include "mlir/IR/OpBase.td"

def Weir_Dialect : Dialect {
  let name = "weir";
  let cppNamespace = "::weir";
  let summary = "Efficient sequence-model graphs on tensors";
  let description = [{
    The dialect says what upstream dialects cannot say about sequence models:
    mixers along time (attention and its masks), weights bound to a checkpoint,
    stacks of repeated layers, and the state of a model that streams. Plain
    arithmetic stays in `linalg`, `tensor`, `arith` and `math`.

    Sequence tensors are laid out `[batch, time, heads, dim]` or
    `[batch, time, features]`: axis 0 is the batch and axis 1 is time, both may
    be dynamic, and everything behind them is static.

    Attributes on functions and modules:

    - `weir.name` on an argument or result: its public name, as Hugging Face
      calls it (`input_ids`, `logits`).
    - `weir.role` on an argument: `lengths`, `optional`, `weights` or `arena`.
    - `weir.sequence` on an argument or result: which of several sequences it
      belongs to, each with lengths of its own; 0 unless given.
    - `weir.limit` on an argument: what its numbers are below, or row lengths at
      most.
    - `weir.slot` on an argument or result: the `weir.slot` it carries.
    - `weir.method` on a function: `forward`, `encode`, `extend` or
      `extend_last`.
    - `weir.reason` on an op: why its schedule is what it is.
    - `weir.model` on a module: name, vocabulary, special tokens.
    - `weir.stage`, `weir.options`, `weir.checkpoint` and `weir.interface` on a
      module: what the compiler has to know to go on from its dump.
  }];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::math::MathDialect", "::mlir::tensor::TensorDialect"
  ];
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let extraClassDeclaration = [{
    void registerAttributes();
    static ::llvm::StringRef getNameAttrName() { return "weir.name"; }
    static ::llvm::StringRef getRoleAttrName() { return "weir.role"; }
    static ::llvm::StringRef getSlotAttrName() { return "weir.slot"; }
    static ::llvm::StringRef getSequenceAttrName() { return "weir.sequence"; }
    static ::llvm::StringRef getLimitAttrName() { return "weir.limit"; }
    static ::llvm::StringRef getMethodAttrName() { return "weir.method"; }
    static ::llvm::StringRef getReasonAttrName() { return "weir.reason"; }
  }];
}

class Weir_Op<string mnemonic, list<Trait> traits = []>
    : Op<Weir_Dialect, mnemonic, traits>;

#endif // WEIR_IR_WEIRDIALECT_TD
