//===- WeirExpertOps.td - Mixtures of experts -*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIREXPERTOPS_TD
#define WEIR_IR_WEIREXPERTOPS_TD

include "weir/IR/WeirProjectionOps.td"

//===----------------------------------------------------------------------===//
// Routing
//===----------------------------------------------------------------------===//

def Weir_RouteScore : I32EnumAttr<"RouteScore",
    "what a router makes of its logits, over all experts", [
    I32EnumAttrCase<"Raw", 0, "raw">,
    I32EnumAttrCase<"Softmax", 1, "softmax">,
    I32EnumAttrCase<"Sigmoid", 2, "sigmoid">
  ]> {
  let cppNamespace = "::weir";
}

def Weir_RouteWeighting : I32EnumAttr<"RouteWeighting",
    "what chosen experts weigh, from their scores", [
    I32EnumAttrCase<"Scores", 0, "scores">,
    I32EnumAttrCase<"Normalized", 1, "normalized">,
    I32EnumAttrCase<"Softmax", 2, "softmax">
  ]> {
  let cppNamespace = "::weir";
}

def Weir_RouteGroupScore : I32EnumAttr<"RouteGroupScore",
    "what ranks a group of experts", [
    I32EnumAttrCase<"Max", 0, "max">,
    I32EnumAttrCase<"TopTwo", 1, "top_two">
  ]> {
  let cppNamespace = "::weir";
}

def Weir_RouteGroupsAttr : Weir_Attr<"RouteGroups", "route_groups"> {
  let summary = "a choice of experts limited to the best groups of them";
  let description = [{
    Experts in order form `count` groups of one size. A token goes to experts of
    its `chosen` best groups alone; a group is ranked by the largest key of its
    experts (`max`) or the sum of its two largest (`top_two`).
  }];
  let parameters = (ins "int64_t":$count, "int64_t":$chosen,
    EnumParameter<Weir_RouteGroupScore>:$score);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Weir_RouteOp : Weir_PointwiseOp<"route"> {
  let summary = "the experts each token goes to, and what they weigh";
  let description = [{
    For each token, with its logits over E experts:

    ```
    score[e] = logits[e], softmax(logits)[e] or sigmoid(logits[e])
    key[e]   = score[e] + bias[e]
    indices  = the top_k experts with the largest keys, the largest first
    w[s]     = score[indices[s]]
    weights  = scale * (w, w / (sum of w + eps), or softmax(w))
    ```

    The bias chooses and does not weigh (arXiv:2408.15664). `groups` limits the
    choice to experts of the best groups (arXiv:2412.19437).

    Softmax over the chosen experts alone, as in Mixtral's paper, is
    `score(raw) weighting(softmax)`; over all of them, renormalised,
    `score(softmax) weighting(normalized)` gives the same numbers.

    With `threshold`, an expert whose key is below it is left out: its index is
    -1 and its weight 0. One expert with a threshold is a layer that a token may
    skip, as a mixture of depths decides it when decoding (arXiv:2404.02258).

    Each token is routed by itself. What looks across tokens is no option of
    this op. Experts that choose tokens are `weir.choose_tokens`. A capacity
    that lets an expert take the first tokens of a sequence (arXiv:2101.03961)
    is a `weir.scan` of the indices, which counts them and streams. A token
    dropped by such a rule has an index that is no expert's, which
    `weir.experts` leaves out.

    - (C1) `logits` is `[..., E]` of floats with a static E and one axis or more
      in front.
    - (C2) `indices` is `[..., top_k]` of i32 and `weights` the same of the
      logits' type; 0 < top_k <= E.
    - (C3) `bias`, where given, is `[E]` of the logits' type.
    - (C4) `groups`: count divides E, 0 < chosen <= count, the chosen groups
      have top_k experts or more, and for `top_two` a group has two or more.
    - (C5) Equal keys are ranked by index, the lowest first; so are groups. A
      key that is not a number counts as minus infinity, as do keys outside of
      the chosen groups. The indices of a token are top_k different experts.
    - (C6) Sums are accumulated in the logits' type, f32 at least.
    - (C7) `eps` is not negative.
    - (C8) `threshold` is a number, and goes with the weighting `scores`. A key
      that is not a number is below it.
  }];
  let arguments = (ins AnyRankedTensor:$logits, Optional<AnyRankedTensor>:$bias,
    I64Attr:$top_k, DefaultValuedAttr<Weir_RouteScore,
      "::weir::RouteScore::Softmax">:$score,
    DefaultValuedAttr<Weir_RouteWeighting,
      "::weir::RouteWeighting::Scores">:$weighting,
    OptionalAttr<Weir_RouteGroupsAttr>:$groups,
    DefaultValuedAttr<F64Attr, "0.0">:$eps,
    DefaultValuedAttr<F64Attr, "1.0">:$scale,
    OptionalAttr<F64Attr>:$threshold);
  let results = (outs AnyRankedTensor:$indices, AnyRankedTensor:$weights);
  let assemblyFormat = [{
    $logits (`bias` `(` $bias^ `:` type($bias) `)`)? `top_k` `(` $top_k `)`
    `score` `(` $score `)` `weighting` `(` $weighting `)`
    (`groups` `(` $groups^ `)`)? (`eps` `(` $eps^ `)`)?
    (`scale` `(` $scale^ `)`)? (`threshold` `(` $threshold^ `)`)? attr-dict
    `:` type($logits) `->` type($indices) `,` type($weights)
  }];
  let hasVerifier = 1;
}

def Weir_ChooseTokensOp : Weir_Op<"choose_tokens", [Pure,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface,
                              ["buildLowering", "hasOwnLowering"]>,
    DeclareOpInterfaceMethods<Weir_StreamingInterface>]> {
  let summary = "the tokens of a sequence that each expert takes";
  let description = [{
    Expert choice (arXiv:2202.09368). For each batch row b of n tokens, with
    their logits over E experts:

    ```
    score[t, e] = logits[t, e], softmax_e(logits[t])[e] or sigmoid(logits[t, e])
    chosen[e]   = the ceil(n * taken / of) tokens t with the largest score[t, e]
    indices     = e where t is in chosen[e], else -1
    weights     = score[t, e] there, else 0
    ```

    Slot e of a token is for expert e, so that the results are what
    `weir.experts` reads; a token may go to no expert, or to all. All experts
    take equally many tokens. The paper's capacity factor c is `take(c of E)`.

    With one expert, and the token itself added to the result, it is the choice
    of a mixture of depths (arXiv:2404.02258): `take(1 of 8)` lets one token of
    eight through a layer and the others past it. Attention among the tokens
    that are let through goes over the shorter sequence that `weir.list_tokens`
    makes of them.

    Tokens of a sequence are counted, not those of a batch: other rows change
    nothing. The choice needs all tokens of the sequence, so that no streaming
    step can be derived.

    - (C1) `logits` is `[B, T, E]` of floats with a static E.
    - (C2) `indices` has the shape of `logits`, of i32; `weights` its type.
    - (C3) `lengths`, where given, is `[B]` of i32: how many tokens a row has,
      the first ones, 0 to T; what is beyond these counts as the nearer one.
      Others are never chosen. Without it all are there.
    - (C4) 0 < taken <= of.
    - (C5) Equal scores are ranked by position, the earliest first. A score that
      is not a number counts as minus infinity.
    - (C6) Sums are accumulated in the logits' type, f32 at least.
  }];
  let arguments = (ins AnyRankedTensor:$logits,
    Optional<AnyRankedTensor>:$lengths, I64Attr:$taken, I64Attr:$of,
    DefaultValuedAttr<Weir_RouteScore,
      "::weir::RouteScore::Softmax">:$score);
  let results = (outs AnyRankedTensor:$indices, AnyRankedTensor:$weights);
  let assemblyFormat = [{
    $logits (`lengths` `(` $lengths^ `:` type($lengths) `)`)?
    `take` `(` $taken `of` $of `)` `score` `(` $score `)` attr-dict
    `:` type($logits) `->` type($indices) `,` type($weights)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Tokens that are chosen
//===----------------------------------------------------------------------===//

def Weir_ListTokensOp : Weir_Op<"list_tokens", [Pure,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface,
                              ["buildLowering", "hasOwnLowering"]>,
    DeclareOpInterfaceMethods<Weir_StreamingInterface>]> {
  let summary = "where the chosen tokens of a sequence stand, in order";
  let description = [{
    The tokens t of batch row b that an expert takes, `indices[b, t, 0] >= 0`,
    become a shorter sequence in the order in which they stand:

    ```
    places[b, k] = the position t of the k-th chosen token, or -1 behind the last
    ranks[b, t]  = the k with places[b, k] = t, or -1 where t is not listed
    counts[b]    = how many are listed
    ```

    `weir.gather_tokens` reads `places` to make the shorter sequence of a value,
    and `ranks` to bring results back to where their tokens stand. Between the
    two stands what chosen tokens do among themselves, attention for one: a
    mixture of depths around a whole layer (arXiv:2404.02258).

    ```mlir
    %places, %ranks, %counts = weir.list_tokens %indices take(1 of 8)
        : tensor<?x?x1xi32> -> tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>
    %short = weir.gather_tokens %x, %places
        : tensor<?x?x64xf32>, tensor<?x?xi32> -> tensor<?x?x64xf32>
    %made = ... %short ...
    %y = weir.gather_tokens %made, %ranks
        : tensor<?x?x64xf32>, tensor<?x?xi32> -> tensor<?x?x64xf32>
    ```

    `take` says how many places there are, `K = ceil(T * taken / of)`; it goes
    with a `weir.choose_tokens` that takes as many. Without it there are as many
    as tokens, K = T, for a choice that each token makes by itself, such as that
    of a `weir.route` with a threshold.

    Such a list streams: a step lists the chosen tokens of its block, and what
    reads the past among them, histories and states, goes on behind those that
    were chosen before. A token that is not chosen leaves nothing in them.
    `counts` includes the tokens of earlier steps, so that it says where the
    shorter sequence ends, as the lengths of a function do. With `take` no step
    can be derived.

    - (C1) `indices` is `[B, T, 1]` of i32.
    - (C2) `lengths`, where given, is `[B]` of i32; tokens at or behind it are
      not listed.
    - (C3) `places` is `[B, K]`, `ranks` `[B, T]` and `counts` `[B]`, of i32.
    - (C4) `taken` and `of` are given both or not at all, with 0 < taken <= of.
    - (C5) Of more than K chosen tokens the first K are listed.
  }];
  let arguments = (ins AnyRankedTensor:$indices,
    Optional<AnyRankedTensor>:$lengths, OptionalAttr<I64Attr>:$taken,
    OptionalAttr<I64Attr>:$of);
  let results = (outs AnyRankedTensor:$places, AnyRankedTensor:$ranks,
    AnyRankedTensor:$counts);
  let assemblyFormat = [{
    $indices (`lengths` `(` $lengths^ `:` type($lengths) `)`)?
    (`take` `(` $taken^ `of` $of `)`)? attr-dict
    `:` type($indices) `->` type($places) `,` type($ranks) `,` type($counts)
  }];
  let hasVerifier = 1;
}

def Weir_GatherTokensOp : Weir_Op<"gather_tokens", [Pure,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface, ["hasOwnLowering"]>,
    DeclareOpInterfaceMethods<Weir_StreamingInterface>]> {
  let summary = "tokens of a sequence by their positions";
  let description = [{
    `result[b, k, ...] = input[b, places[b, k], ...]`, and zeros where
    `places[b, k]` is no position of `input`.

    With the `places` of a `weir.list_tokens` the result is the shorter sequence
    of the listed tokens; with its `ranks` a value of that sequence goes back to
    where the tokens stand, and tokens that are not listed get zeros. A step can
    be derived of these two alone.

    - (C1) `input` is `[B, T, ...]` of floats or integers.
    - (C2) `places` is `[B, K]` of i32.
    - (C3) `result` is `[B, K, ...]` with the element type and the other extents
      of `input`.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$places);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = [{
    $input `,` $places attr-dict
    `:` type($input) `,` type($places) `->` type($result)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Experts
//===----------------------------------------------------------------------===//

def Weir_ExpertsOp : Weir_PointwiseOp<"experts", [SingleBlock]> {
  let summary = "each token through the experts it goes to";
  let description = [{
    ```
    result[t] = sum over s of weights[t, s] * body(input[t], indices[t, s])
    ```

    The region is one expert's body on a block of rows. Its arguments are the
    rows and the expert's slice of each of `params`, which are stacked with the
    experts in front. Which rows come together, and how many, is not defined.
    The region may also use values from above that are neither batched nor
    timed.

    ```mlir
    %y = weir.experts %x, %indices, %weights
        params(%up, %down : tensor<8x112x64xf32>, tensor<8x64x112xf32>)
        : tensor<?x?x64xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32>
        -> tensor<?x?x64xf32> {
    ^bb0(%rows: tensor<?x64xf32>, %u: tensor<112x64xf32>,
         %d: tensor<64x112xf32>):
      %a = weir.linear %rows, %u ...
      ...
      weir.yield %z : tensor<?x64xf32>
    }
    ```

    - (C1) `input` is `[..., D]` of floats with a static D and one axis or more
      in front; `indices` is `[..., k]` of i32 with a static k > 0, and `weights`
      the same of the input's type.
    - (C2) `result` has the input's type but for its last axis.
    - (C3) There is at least one param; all have a static shape and one leading
      extent, the number of experts.
    - (C4) The region's arguments are `[?, D]` of the input's type and the params
      without their first axis; it yields `[?, D']`, where D' is the result's
      last extent. Each row that it yields depends on that row alone.
    - (C5) Terms are added in the order of slots. An index that is no expert's
      has no term; a token without terms gives zeros.
    - (C6) With `weigh_input`, the body gets weights[t, s] * input[t], and its
      results are added as they are.
    - (C7) `schedule`, where given, has the form `grouped` with the tiles [rows
      of a block, parts for threads]; or `grid` with [rows of a block], one
      operation of the region after another for all experts; or, for one token
      of static extents, `slots` (its experts side by side) or `columns` (one
      after another, each spread over threads).
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$indices,
    AnyRankedTensor:$weights, Variadic<AnyRankedTensor>:$params,
    UnitAttr:$weigh_input, OptionalAttr<Weir_ScheduleAttr>:$schedule);
  let results = (outs AnyRankedTensor:$result);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    $input `,` $indices `,` $weights `params` `(` $params `:` type($params) `)`
    (`weigh_input` $weigh_input^)? (`schedule` `(` $schedule^ `)`)? attr-dict
    `:` type($input) `,` type($indices) `,` type($weights)
    `->` type($result) $body
  }];
  let extraClassDeclaration = [{
    /// How many experts there are.
    int64_t getExpertCount();
    /// How many experts a token goes to.
    int64_t getSlotCount();
    /// The region's arguments that stand for `params`.
    ::mlir::Block::BlockArgListType getParamArguments();
    /// Adds a param, and gives the region's argument that stands for it.
    ::mlir::BlockArgument addParam(::mlir::Value param);
    /// Drops params that the region does not use, as long as one is left.
    void dropUnusedParams();
    /// Sorts tokens by expert, or takes the experts of one token one by one.
    ::mlir::FailureOr<::llvm::SmallVector<::mlir::Value>>
    buildLowering(::mlir::OpBuilder &builder);
  }];
  let builders = [
    OpBuilder<(ins "::mlir::Value":$input, "::mlir::Value":$indices,
      "::mlir::Value":$weights, "::mlir::ValueRange":$params,
      "bool":$weighInput, "::weir::ExpertBodyBuilder":$body)>
  ];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

#endif // WEIR_IR_WEIREXPERTOPS_TD
