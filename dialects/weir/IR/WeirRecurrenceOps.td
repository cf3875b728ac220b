//===- WeirRecurrenceOps.td - Recurrences over time -*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIRRECURRENCEOPS_TD
#define WEIR_IR_WEIRRECURRENCEOPS_TD

include "weir/IR/WeirProjectionOps.td"

def Weir_RecurrenceRead : I32EnumAttr<"RecurrenceRead",
    "which state a correction reads", [
    I32EnumAttrCase<"Decayed", 0, "decayed">,
    I32EnumAttrCase<"Previous", 1, "previous">
  ]> {
  let cppNamespace = "::weir";
}

def Weir_RecurrenceOp : Weir_Op<"recurrence", [Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface>,
    DeclareOpInterfaceMethods<Weir_StreamingInterface>,
    DeclareOpInterfaceMethods<Weir_BlockMapInterface, ["getTransferTypes",
      "getCarriedParts", "buildTransferInit", "buildSummary",
      "buildApplication", "isWrittenByBlocks", "getRangeCost",
      "buildBlockCount", "buildResume"]>]> {
  let summary = "linear recurrence of a matrix state per head";
  let description = [{
    Each row of the batch and each head h of H has a state S, a matrix of K key
    by V value features. Head h reads query and key head `h / (H / G)`. With
    S the state before token t and exp(decay) acting on rows of S:

    ```
    D     = exp(decay[t]) * S
    S[0]  = D
    for r in 0 .. R:
      X      = S[r], or S where the correction reads `previous`
      S[r+1] = S[r] + k[r] (x) v[r]                                   plain
             = S[r] + k[r] (x) (beta[r] * (v[r] - a[r] . X))          delta
             = S[r] + k[r] (x) v[r] + b[r] (x) (a[r] . X)             rank one
    S'    = S[R]
    result[t] = scale * q[t] . S'
    result[t] = scale * (q[t] . S + (q[t] . (bonus * k[t])) v[t])     with a bonus
    ```

    where `a . X` contracts the key features and `(x)` is the outer product. The
    rule of the correction follows from the operands: `delta(beta)` reads the
    state at the key itself or at `read_key`; `read_key` and `write_key` without
    beta make rank one.

    It covers linear attention (arXiv:2006.16236), RetNet (arXiv:2307.08621),
    Mamba-2 (arXiv:2405.21060: q = C, k = B, v = dt x, decay = dt A), GLA
    (arXiv:2312.06635), RWKV-6 (arXiv:2404.05892), HGRN2 (arXiv:2404.07904),
    DeltaNet (arXiv:2406.06484), gated DeltaNet (arXiv:2412.06464),
    DeltaProduct (arXiv:2502.10297), RWKV-7 (arXiv:2503.14456), Kimi delta
    attention (arXiv:2510.26692) and Comba (arXiv:2506.02475). A denominator
    (normalised linear attention, mLSTM) is one more value feature that is 1.

    - (C1) `query` is `[B, T, G, K]`, `key` too or `[B, T, R, G, K]` with R
      updates a token, `value` `[B, T, H, V]` or `[B, T, R, H, V]`, `result`
      `[B, T, H, V]`, of one element type of floats; heads, features and R are
      static.
    - (C2) H is a multiple of G.
    - (C3) `decay`, the logarithm of a factor, is `[B, T, H]` or `[B, T, H, K]`,
      or the same for all tokens: `[H]` or `[H, K]`.
    - (C4) `beta` is `value` without its last axis; `read_key` and `write_key`
      have the type of `key`. `write_key` stands without beta and with
      `read_key`; `read_key` stands with one of the two.
    - (C5) `bonus` is `[H, K]` and excludes a correction and R above 1.
    - (C6) `init`, where given (else zero), and `final_state` are `[B, H, K, V]`
      of the accumulator's type: f32, or f64 for f64. All sums are of that type.
    - (C7) Reading `previous` needs a correction and R = 1.
    - (C8) Tokens at or behind `lengths[b]` leave the state as it is and give
      zeros; `lengths` is `[B]` of i32.
    - (C9) Without tokens, `final_state` is `init`.
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$key,
    AnyRankedTensor:$value, Optional<AnyRankedTensor>:$decay,
    Optional<AnyRankedTensor>:$beta, Optional<AnyRankedTensor>:$read_key,
    Optional<AnyRankedTensor>:$write_key, Optional<AnyRankedTensor>:$bonus,
    Optional<AnyRankedTensor>:$init, Optional<AnyRankedTensor>:$lengths,
    DefaultValuedAttr<F64Attr, "1.0">:$scale,
    DefaultValuedAttr<Weir_RecurrenceRead,
      "::weir::RecurrenceRead::Decayed">:$reads,
    OptionalAttr<Weir_ScheduleAttr>:$schedule);
  let results = (outs AnyRankedTensor:$result, AnyRankedTensor:$final_state);
  let assemblyFormat = [{
    $query `,` $key `,` $value
    oilist(`decay` `(` $decay `:` type($decay) `)`
           | `delta` `(` $beta `:` type($beta) `)`
           | `read_key` `(` $read_key `:` type($read_key) `)`
           | `write_key` `(` $write_key `:` type($write_key) `)`
           | `bonus` `(` $bonus `:` type($bonus) `)`
           | `init` `(` $init `:` type($init) `)`
           | `lengths` `(` $lengths `:` type($lengths) `)`)
    (`scale` `(` $scale^ `)`)? (`reads` `(` $reads^ `)`)?
    (`schedule` `(` $schedule^ `)`)? attr-dict
    `:` type($query) `,` type($key) `,` type($value)
    `->` type($result) `,` type($final_state)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Updates of the state per token.
    int64_t getUpdates();
    /// H, G, K and V of the description.
    int64_t getHeads();
    int64_t getKeyHeads();
    int64_t getKeyDim();
    int64_t getValueDim();
    /// Whether there is a correction.
    bool hasCorrection() { return getReadKey() || getBeta(); }
    /// Whether the decay differs between key features.
    bool hasChannelDecay();
    /// Whether the decay is the same for all tokens.
    bool hasFixedDecay();
    /// Multiply-adds, or what takes as long, of a token of one head in chunks
    /// of `tokens` with `columns` value features: of all it makes, or of what
    /// it does to the state, as a transfer.
    int64_t estimateStep(int64_t tokens, int64_t columns);
    int64_t estimateSummary(int64_t tokens, int64_t columns);
    /// The type of `final_state` for operands of these types.
    static ::mlir::RankedTensorType
    inferStateType(::mlir::Value query, ::mlir::Value value);
  }];
}

#endif // WEIR_IR_WEIRRECURRENCEOPS_TD
