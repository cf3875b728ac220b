//===- WeirGenerateOps.td - Choosing tokens, decode loops -*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIRGENERATEOPS_TD
#define WEIR_IR_WEIRGENERATEOPS_TD

include "mlir/IR/SymbolInterfaces.td"
include "weir/IR/WeirProjectionOps.td"

def Weir_SampleOp : Weir_Op<"sample", [Pure,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface>]> {
  let summary = "a token drawn from logits";
  let description = [{
    In each row tokens are ranked by falling logit, equal ones by rising id. At
    temperature 0 the result is the first of them. Otherwise token i weighs
    `exp((logits[i] - maximum) / temperature)`, and

    - of the ranked tokens the first `top_k` are kept, all with `top_k` 0;
    - of those the fewest first ones whose weights sum to `top_p` of the sum
      (Holtzman et al., arXiv:1904.09751);
    - the result is the first kept token at which the sum of the weights so
      far exceeds `uniform` times the sum of all kept weights.

    The random number comes from outside, so that a draw can be repeated.

    ```mlir
    %best = weir.sample %logits : tensor<?x199xf32> -> tensor<?xi32>
    %drawn = weir.sample %logits uniform(%u : tensor<?xf32>) temperature(0.8)
        top_k(40) top_p(0.95) : tensor<?x199xf32> -> tensor<?xi32>
    ```

    - (C1) `logits` is `[batch, vocabulary]` of floats, `result` `[batch]` of
      i32.
    - (C2) `uniform` is given unless `temperature` is 0: `[batch]` of floats, in
      [0, 1).
    - (C3) `temperature` is finite and not negative, `top_k` not negative,
      `top_p` above 0 and at most 1.
    - (C4) Logits that are minus infinity or no number are never chosen; a row
      of nothing else gives -1.
    - (C5) A logit of infinity is chosen as at temperature 0.
    - (C6) Weights and sums are f32, or f64 for logits of f64.
  }];
  let arguments = (ins AnyRankedTensor:$logits,
    Optional<AnyRankedTensor>:$uniform,
    DefaultValuedAttr<F64Attr, "0.0">:$temperature,
    DefaultValuedAttr<I64Attr, "0">:$top_k,
    DefaultValuedAttr<F64Attr, "1.0">:$top_p);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $logits (`uniform` `(` $uniform^ `:` type($uniform) `)`)?
    (`temperature` `(` $temperature^ `)`)? (`top_k` `(` $top_k^ `)`)?
    (`top_p` `(` $top_p^ `)`)? attr-dict `:` type($logits) `->` type($result)
  }];
  let builders = [OpBuilder<(ins "::mlir::Value":$logits)>];
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
}

def Weir_GenerateOp : Weir_Op<"generate", [RecursiveMemoryEffects,
    AllTypesMatch<["lengths", "counts"]> /*generate_c1*/,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface>,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "continue token sequences one token at a time";
  let description = [{
    Asks the model `callee` for the logits behind each row, chooses a token,
    puts it at the row's end, and so on, `max_new` times. The region chooses
    from the logits and the number of the round, from 0; without one the
    likeliest token is taken, as by `weir.sample` at temperature 0.

    ```mlir
    %tokens, %counts = weir.generate @forward(%ids, %lengths) new(32) eos [2]
        choose {
    ^bb0(%logits: tensor<?x199xf32>, %round: index):
      %u = tensor.extract_slice %uniform[0, %round] [%batch, 1] [1, 1]
        : tensor<?x?xf32> to tensor<?xf32>
      %next = weir.sample %logits uniform(%u : tensor<?xf32>) temperature(0.8)
        : tensor<?x199xf32> -> tensor<?xi32>
      weir.yield %next : tensor<?xi32>
    } : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
    ```

    `callee` is a whole-sequence function (`weir.method` "forward"), which is
    run on all tokens in each round, or the step function derived from it
    (`extend`, `extend_last`), which is run on the prompt and then on one token
    a round; its state begins empty and ends with the op.
    `weir-derive-streaming` puts the step in the place of the function it
    derives it from.

    - (C1) `ids` is `[batch, time]` of i32, `lengths` `[batch]` of i32 and at
      most the time; `tokens` is `[batch, time + max_new]` of i32 and `counts`
      has the type of `lengths`.
    - (C2) `max_new` is positive.
    - (C3) `callee` is a function with a `weir.method`. It takes tokens,
      `[batch, time]` of i32, and the argument with the role `lengths`,
      `[batch]` of i32, and returns logits, `[batch, time, vocabulary]` of
      floats; its batch and the tokens' time are dynamic. All else are slots,
      which it returns if it changes them.
    - (C4) The region takes the callee's logits without time, and an index; it
      yields `[batch]` of i32 with the extent of its logits' batch.
    - (C5) A row without prompt gets no token: its count is 0.
    - (C6) A row ends behind the first token of `eos` that it generates, which
      is counted. Entries of `tokens` at or behind `counts` hold `pad`.
    - (C7) Both kinds of callee give the same tokens, as long as rounding makes
      no other choice.
  }];
  let arguments = (ins FlatSymbolRefAttr:$callee, AnyRankedTensor:$ids,
    AnyRankedTensor:$lengths, I64Attr:$max_new,
    OptionalAttr<DenseI32ArrayAttr>:$eos,
    DefaultValuedAttr<I32Attr, "0">:$pad);
  let results = (outs AnyRankedTensor:$tokens, AnyRankedTensor:$counts);
  let regions = (region MaxSizedRegion<1>:$choose);
  let assemblyFormat = [{
    $callee `(` $ids `,` $lengths `)` `new` `(` $max_new `)`
    (`eos` $eos^)? (`pad` `(` $pad^ `)`)? (`choose` $choose^)? attr-dict
    `:` type($ids) `,` type($lengths) `->` type($tokens)
  }];
  let hasVerifier = 1;
}

#endif // WEIR_IR_WEIRGENERATEOPS_TD
