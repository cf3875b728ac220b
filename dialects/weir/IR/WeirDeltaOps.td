//===- WeirDeltaOps.td - Values corrected by attention -*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIRDELTAOPS_TD
#define WEIR_IR_WEIRDELTAOPS_TD

include "weir/IR/WeirProjectionOps.td"

def Weir_DeltaValuesOp : Weir_Op<"delta_values", [Pure,
    AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface>,
    DeclareOpInterfaceMethods<Weir_StreamingInterface>,
    DeclareOpInterfaceMethods<Weir_BlockMapInterface>]> {
  let summary = "values less what attention reads of the earlier ones";
  let description = [{
    The delta rule with a softmax for its reading (DeltaFormer,
    arXiv:2505.19488). For head h, which reads key head `h / (H / Hkv)`:

    ```
    s[t, j]   = scale * sum_d query[b, t, h, d] * key[b, j, hkv, d]
    result[t] = value[t] - beta[b, t, h]
                * sum_(j < t) softmax_j(s[t, j]) result[j]
    ```

    so that what a token writes is what its key does not give already. With the
    results for its values, `weir.attention` is DeltaFormer's.

    The results are the solution of a triangular system whose matrix is never
    whole: a block of tokens reads the results of earlier blocks as attention
    reads values, and what is left is a system within the block.

    Positions. Token i of row b stands at position `offset[b] + i`, and key j at
    position j. With `offset`, the key axis is a buffer that has not wrapped,
    and `past` has the results of the positions in front of `offset[b]`; its
    other entries are not read. Both are there or neither.

    - (C1) `query` is `[B, T, H, D]`, `key` `[B, Tk, Hkv, D]`, `value` and
      `result` are `[B, T, H, Dv]`, of one float type, with static heads and
      features.
    - (C2) H is a multiple of Hkv.
    - (C3) `beta` is `[B, T, H]` of the element type or f32.
    - (C4) `past`, where given, is `[B, Tk, H, Dv]` of the element type, and
      `offset` `[B]` of i32. Either goes with the other. Without them Tk is T.
    - (C5) The first position of a row has no earlier one: its result is its
      value.
    - (C6) Scores, maxima, sums and the system are f32, or f64 for f64.
    - (C7) An empty sequence gives an empty result.
  }];
  let arguments = (ins AnyRankedTensor:$query, AnyRankedTensor:$key,
    AnyRankedTensor:$value, AnyRankedTensor:$beta,
    Optional<AnyRankedTensor>:$past, Optional<AnyRankedTensor>:$offset,
    F64Attr:$scale, OptionalAttr<Weir_ScheduleAttr>:$schedule);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $query `,` $key `,` $value `,` $beta `scale` `(` $scale `)`
    (`past` `(` $past^ `:` type($past) `)`)?
    (`offset` `(` $offset^ `:` type($offset) `)`)?
    (`schedule` `(` $schedule^ `)`)? attr-dict
    `:` type($query) `,` type($key) `,` type($value) `,` type($beta)
    `->` type($result)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    int64_t getHeads();
    /// Heads that share a key head.
    int64_t getGroupSize();
    int64_t getKeyDim();
    int64_t getValueDim();
  }];
}

#endif // WEIR_IR_WEIRDELTAOPS_TD
