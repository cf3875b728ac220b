//===- WeirSelectOps.td - Choosing keys by content -*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIRSELECTOPS_TD
#define WEIR_IR_WEIRSELECTOPS_TD

include "weir/IR/WeirProjectionOps.td"

def Weir_SelectScore : I32EnumAttr<"SelectScore",
    "what a head's product of query and key counts for", [
    I32EnumAttrCase<"Raw", 0, "raw">,
    I32EnumAttrCase<"Relu", 1, "relu">,
    I32EnumAttrCase<"Softmax", 2, "softmax">
  ]> {
  let cppNamespace = "::weir";
}

def Weir_SelectPool : I32EnumAttr<"SelectPool",
    "which keys stand for a block", [
    I32EnumAttrCase<"Last", 0, "last">,
    I32EnumAttrCase<"Max", 1, "max">
  ]> {
  let cppNamespace = "::weir";
}

def Weir_SelectBlocksOp : Weir_Op<"select_blocks", [Pure,
    AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface>,
    DeclareOpInterfaceMethods<Weir_StreamingInterface>,
    DeclareOpInterfaceMethods<Weir_BlockMapInterface>]> {
  let summary = "the blocks of keys that score best for each query";
  let description = [{
    Makes block lists for `weir.attention`. Block c is the keys at positions
    `c * block_size` up to the next block; what stands for it is the row of
    `key` at its last position, so that a running mean over blocks gives their
    means, and blocks of one key are keys. For each list l of L, made by the J =
    H / L query heads from `l * J` on, at query position p:

    ```
    part[h, c] = f(scale * sum_d query[b, p, h, d] * key[b, last of c, hkv, d])
    s[c]       = sum_h weights[b, p, h] * part[h, c]
    result     = the blocks with the largest adjust(s[c]), in ascending order
    ```

    where f is the identity, the rectifier, or the softmax over the blocks
    (`raw`, `relu`, `softmax`) and weights are 1 unless given. Only blocks that
    are complete at p have a score; that of the one p stands in, when it is not,
    is minus infinity. With `pool(max)` every key of a block that p has reached
    stands for it, and the largest product of them counts; then each block that
    p has reached has a score. The region `adjust`, where given, maps the score, and may
    force a block that p has reached by infinity, or leave it out by minus
    infinity: it sees the score, and batch row, list, query position and block
    as index values.

    With blocks of one key, relu and weights this is the lightning indexer of
    DeepSeek-V3.2; with means of keys MoBA's gate (arXiv:2502.13189), and with
    the softmax NSA's (arXiv:2502.11089).

    Query i of row b stands at position `offset[b] + i`, offset 0 unless given;
    key j stands at position j.

    - (C1) `query` is `[B, T, H, D]`, `key` `[B, Tk, Hkv, D]`, both of one float
      type with static heads and features; `result` is `[B, T, L, n]` of i32
      with static L and n.
    - (C2) L divides H, and Hkv divides L.
    - (C3) `weights`, where given, is `[B, T, H]` of the type of `query`.
    - (C4) `offset`, where given, is `[B]` of i32.
    - (C5) `block_size` and n are positive.
    - (C6) Scores and their sums are f32, or f64 for f64. The region has
      arguments (that type, index x 4) and yields that type.
    - (C7) Blocks that begin behind p are never chosen, nor are those whose
      score is minus infinity or no number. Of equal scores that of the earlier
      block counts as larger. What is left of the n entries is -1.
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$key,
    Optional<AnyRankedTensor>:$weights, Optional<AnyRankedTensor>:$offset,
    I64Attr:$block_size, F64Attr:$scale,
    DefaultValuedAttr<Weir_SelectScore, "::weir::SelectScore::Raw">:$score,
    DefaultValuedAttr<Weir_SelectPool, "::weir::SelectPool::Last">:$pool,
    OptionalAttr<Weir_ScheduleAttr>:$schedule);
  let results = (outs AnyRankedTensor:$result);
  let regions = (region MaxSizedRegion<1>:$adjust);
  let assemblyFormat = [{
    $query `,` $key `block_size` `(` $block_size `)` `scale` `(` $scale `)`
    `score` `(` $score `)`
    oilist(`weights` `(` $weights `:` type($weights) `)`
           | `offset` `(` $offset `:` type($offset) `)`
           | `pool` `(` $pool `)`)
    (`schedule` `(` $schedule^ `)`)? (`adjust` $adjust^)? attr-dict
    `:` type($query) `,` type($key) `->` type($result)
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// Lists of a query, and query heads that make one.
    int64_t getListCount();
    int64_t getHeadsPerList();
    /// Entries of a list.
    int64_t getCount();
  }];
}

#endif // WEIR_IR_WEIRSELECTOPS_TD
