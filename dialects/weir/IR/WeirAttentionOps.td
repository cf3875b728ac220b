//===- WeirAttentionOps.td - Softmax attention -*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIRATTENTIONOPS_TD
#define WEIR_IR_WEIRATTENTIONOPS_TD

include "weir/IR/WeirProjectionOps.td"

def Weir_AttentionNormalize : I32EnumAttr<"AttentionNormalize",
    "what scores weigh", [
    I32EnumAttrCase<"Softmax", 0, "softmax">,
    I32EnumAttrCase<"Sigmoid", 1, "sigmoid">,
    I32EnumAttrCase<"None", 2, "none">,
    I32EnumAttrCase<"StickBreaking", 3, "stick_breaking">
  ]> {
  let cppNamespace = "::weir";
}

def Weir_AttentionOp : Weir_Op<"attention", [Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface>,
    DeclareOpInterfaceMethods<Weir_StreamingInterface, ["isPointwiseInTimeOf"]>,
    DeclareOpInterfaceMethods<Weir_BlockMapInterface, ["getTransferTypes",
      "getCarriedParts", "buildTransferInit", "buildSummary",
      "buildComposition", "buildApplication"]>]> {
  let summary = "attention with grouped heads and a mask";
  let description = [{
    For query head h, which reads key/value head `h / (H / Hkv)`:

    ```
    s[q, k]   = score(scale * sum_d query[b, q, h, d] * key[b, k, hkv, d]
                      + key_bias[b, k, h])
    result[q] = sum_k weight_k(s[q, k] where mask(q, k)) * value[b, k, hkv]
    ```

    Weights are the softmax of the scores, unless `normalize` says otherwise:
    the sigmoid of each (arXiv:2409.04431), the score itself with `none`, or,
    with `stick_breaking` (arXiv:2410.17980), what a key takes of the part that
    later keys leave:

    ```
    weight_k  = sigmoid(s[q, k]) * prod_{l > k} (1 - sigmoid(s[q, l]))
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

    Lists. With `block_list`, a query sees the keys of the blocks that its list
    names, as far as the mask shows them: block j is the keys at positions
    `j * block_size` up to the next block, and query i of the tensor reads row
    `i / query_block` of the list. What is not named is not visited
    (NSA, arXiv:2502.11089; MoBA, arXiv:2502.13189; DeepSeek-V3.2 with blocks of
    one key). `weir.select_blocks` makes such lists.

    Positions. Query i of row b stands at position `offset[b] + i`, offset 0
    unless given. Key j stands at position j. With `offset`, the key axis is a
    buffer of capacity C whose newest entry belongs to the last query: entry j
    holds the greatest position p with `p mod C = j` and
    `p < offset[b] + Tq`; entries whose p is negative are empty and hidden.
    That is a plain array as long as the sequence fits, and a ring beyond.

    Sums. `log_sums`, where asked for, is the logarithm of what weights are
    divided by, so that attention over keys of two tensors is made of attention
    over each: with results a and b and logarithms l and m, a weighs
    `sigmoid(l - m)` and b the rest.

    Sinks. With `sinks`, each head has a logit more, which no key stands for and
    the region does not see: `exp(sinks[h])` joins the sum that weights are
    divided by. It takes weight from the keys and gives no value (gpt-oss,
    arXiv:2508.10925).

    Paths. With `path(w, beta)`, each position l has a map of features, `A_l =
    I - beta[b, l, hkv] * w[b, l, hkv] w[b, l, hkv]^T`, and those behind a key
    up to the query's position p lie between the two (PaTH, arXiv:2505.16381).
    In place of the plain product stands

    ```
    query^T A_p A_(p-1) ... A_(k+1) key_k
    ```

    which has no factors where the key is at or behind the query's position.

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
    - (C11) `sinks` go with the softmax alone. `stick_breaking` goes without a
      block list and needs keys in the order of their positions, so that with
      `offset` the buffer must not have wrapped.
    - (C12) `block_list`, where given, is `[B, Tq / query_block, L, n]` of i32,
      rounded up, with static L and n; L divides H, and of L and Hkv one divides
      the other. Head h reads list `h / (H / L)`.
    - (C13) Entries of a list are different blocks, or -1 for none. Keys behind
      the last one are not seen.
    - (C14) `block_size` and `query_block` are positive, and 1 without a list.
    - (C15) `log_sums`, where given, is `[B, Tq, H]` of f32, or f64 for f64, and
      goes with the softmax alone. The sum is that of the scores' exponentials,
      sinks included; minus infinity where there are none.
    - (C16) Of `path`, where given, the first operand is of the type of `key`,
      the second `[B, Tk, Hkv]` of the element type or f32.
    - (C17) `path` goes without a block list, key lengths and `stick_breaking`.
      It needs keys in the order of their positions, as the latter does.
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$key,
    AnyRankedTensor:$value, Optional<AnyRankedTensor>:$offset,
    Optional<AnyRankedTensor>:$key_lengths,
    Optional<AnyRankedTensor>:$sinks, Optional<AnyRankedTensor>:$key_bias,
    Optional<AnyRankedTensor>:$block_list,
    Optional<AnyRankedTensor>:$path_key, Optional<AnyRankedTensor>:$path_beta,
    DefaultValuedAttr<I64Attr, "1">:$block_size,
    DefaultValuedAttr<I64Attr, "1">:$query_block,
    DefaultValuedAttr<Weir_AttentionNormalize,
      "::weir::AttentionNormalize::Softmax">:$normalize,
    Weir_MaskAttr:$mask, F64Attr:$scale,
    OptionalAttr<Weir_ScheduleAttr>:$schedule);
  let results = (outs AnyRankedTensor:$result,
    Optional<AnyRankedTensor>:$log_sums);
  let regions = (region MaxSizedRegion<1>:$where, MaxSizedRegion<1>:$score);
  let assemblyFormat = [{
    $query `,` $key `,` $value `mask` `(` $mask `)` `scale` `(` $scale `)`
    oilist(`offset` `(` $offset `:` type($offset) `)`
           | `key_lengths` `(` $key_lengths `:` type($key_lengths) `)`
           | `sinks` `(` $sinks `:` type($sinks) `)`
           | `key_bias` `(` $key_bias `:` type($key_bias) `)`
           | `block_list` `(` $block_list `:` type($block_list) `)`
           | `path` `(` $path_key `,` $path_beta `:` type($path_key) `,`
                 type($path_beta) `)`
           | `block_size` `(` $block_size `)`
           | `query_block` `(` $query_block `)`
           | `normalize` `(` $normalize `)`)
    (`schedule` `(` $schedule^ `)`)? (`where` $where^)? (`score` $score^)?
    attr-dict
    `:` type($query) `,` type($key) `,` type($value) `->` type($result)
    (`,` type($log_sums)^)?
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let hasCanonicalizeMethod = 1;
  let builders = [
    OpBuilder<(ins "::mlir::Value":$query, "::mlir::Value":$key,
      "::mlir::Value":$value, "::weir::MaskAttr":$mask, "double":$scale,
      CArg<"bool", "false">:$withLogSums)>
  ];
  let extraClassDeclaration = [{
    /// Query heads that share one key/value head.
    int64_t getGroupSize();

    /// Groups of query heads that share key/value head and list.
    int64_t getListedHeads();

    /// How far keys lie that the mask and the region `where` show.
    ::weir::MaskReach getReach();

    /// Whether every key within the reach is shown, so that no block of keys
    /// within it is empty.
    bool isReachExact();
  }];
}

#endif // WEIR_IR_WEIRATTENTIONOPS_TD
