//===- WeirAttentionOps.td - Softmax attention -*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIRATTENTIONOPS_TD
#define WEIR_IR_WEIRATTENTIONOPS_TD

include "weir/IR/WeirProjectionOps.td"

def Weir_AttentionOp : Weir_Op<"attention", [Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface>,
    DeclareOpInterfaceMethods<Weir_StreamingInterface>,
    DeclareOpInterfaceMethods<Weir_BlockMapInterface, ["getTransferTypes",
      "getCarriedParts", "buildTransferInit", "buildSummary",
      "buildComposition", "buildApplication"]>]> {
  let summary = "softmax attention with grouped heads and a mask";
  let description = [{
    For query head h, which reads key/value head `h / (H / Hkv)`:

    ```
    s[q, k]   = score(scale * sum_d query[b, q, h, d] * key[b, k, hkv, d]
                      + key_bias[b, k, h])
    result[q] = sum_k softmax_k(s[q, k] where mask(q, k)) * value[b, k, hkv]
    ```

    The head counts alone say multi-head, grouped-query or multi-query
    attention. The region `score`, where given, maps a score to a score; it sees
    the score and the batch row, query head, and absolute positions of query and
    key, as index values, and may use values from above.

    Masks. The pairs that `mask` shows are those of the result; the region
    `where`, where given, is one more condition on them, a predicate over the
    batch row, query head, and positions of query and key. Of its operations on
    numbers, and of tensors read by query or by key, the code proves which tiles
    of pairs are empty, and leaves them, and which are full; what reads tensors
    by both is evaluated for every pair.

    `key_bias` is added to the scores of a key, whatever the query: the slopes
    of ALiBi (arXiv:2108.12409), or the log of what a forgetting gate keeps
    (arXiv:2503.02130), for terms of the query alone drop out of the softmax.

    Positions. Query i of row b stands at position `offset[b] + i`, offset 0
    unless given. Key j stands at position j. With `offset`, the key axis is a
    buffer of capacity C whose newest entry belongs to the last query: entry j
    holds the greatest position p with `p mod C = j` and
    `p < offset[b] + Tq`; entries whose p is negative are empty and hidden.
    That is a plain array as long as the sequence fits, and a ring beyond.

    Sinks. With `sinks`, each head has a logit more, which no key stands for and
    the region does not see: `exp(sinks[h])` joins the sum that weights are
    divided by. It takes weight from the keys and gives no value (gpt-oss,
    arXiv:2508.10925).

    - (C1) `query` is `[B, Tq, H, D]`, `key` `[B, Tk, Hkv, D]`, `value`
      `[B, Tk, Hkv, Dv]`, `result` `[B, Tq, H, Dv]`, of one element type.
    - (C2) H is a multiple of Hkv.
    - (C3) `offset` and `key_lengths`, where given, are `[B]` of i32.
    - (C4) Keys at or behind `key_lengths[b]` are hidden.
    - (C5) A query that sees no key gives zeros.
    - (C6) Scores, maxima and sums are f32 or wider whatever the element type.
    - (C7) The region has arguments (element type, index x 4) and yields the
      element type.
    - (C8) `sinks`, where given, is `[H]` of the element type.
    - (C9) `key_bias`, where given, is `[B, Tk, H]` of the element type or f32.
    - (C10) The region `where` has arguments (index x 4) and yields an i1.
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$key,
    AnyRankedTensor:$value, Optional<AnyRankedTensor>:$offset,
    Optional<AnyRankedTensor>:$key_lengths,
    Optional<AnyRankedTensor>:$sinks, Optional<AnyRankedTensor>:$key_bias,
    Weir_MaskAttr:$mask, F64Attr:$scale,
    OptionalAttr<Weir_ScheduleAttr>:$schedule);
  let results = (outs AnyRankedTensor:$result);
  let regions = (region MaxSizedRegion<1>:$where, MaxSizedRegion<1>:$score);
  let assemblyFormat = [{
    $query `,` $key `,` $value `mask` `(` $mask `)` `scale` `(` $scale `)`
    oilist(`offset` `(` $offset `:` type($offset) `)`
           | `key_lengths` `(` $key_lengths `:` type($key_lengths) `)`
           | `sinks` `(` $sinks `:` type($sinks) `)`
           | `key_bias` `(` $key_bias `:` type($key_bias) `)`)
    (`schedule` `(` $schedule^ `)`)? (`where` $where^)? (`score` $score^)?
    attr-dict
    `:` type($query) `,` type($key) `,` type($value) `->` type($result)
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let hasCanonicalizeMethod = 1;
  let extraClassDeclaration = [{
    /// Query heads that share one key/value head.
    int64_t getGroupSize();

    /// How far keys lie that the mask and the region `where` show.
    ::weir::MaskReach getReach();

    /// Whether every key within the reach is shown, so that no block of keys
    /// within it is empty.
    bool isReachExact();
  }];
}

#endif // WEIR_IR_WEIRATTENTIONOPS_TD
