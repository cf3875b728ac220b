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

    Each token is routed by itself. What looks across tokens (experts that
    choose tokens, capacities) is no option of this op, since it cannot stream;
    a token dropped by such a rule has an index that is no expert's, which
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
  }];
  let arguments = (ins AnyRankedTensor:$logits, Optional<AnyRankedTensor>:$bias,
    I64Attr:$top_k, DefaultValuedAttr<Weir_RouteScore,
      "::weir::RouteScore::Softmax">:$score,
    DefaultValuedAttr<Weir_RouteWeighting,
      "::weir::RouteWeighting::Scores">:$weighting,
    OptionalAttr<Weir_RouteGroupsAttr>:$groups,
    DefaultValuedAttr<F64Attr, "0.0">:$eps,
    DefaultValuedAttr<F64Attr, "1.0">:$scale);
  let results = (outs AnyRankedTensor:$indices, AnyRankedTensor:$weights);
  let assemblyFormat = [{
    $logits (`bias` `(` $bias^ `:` type($bias) `)`)? `top_k` `(` $top_k `)`
    `score` `(` $score `)` `weighting` `(` $weighting `)`
    (`groups` `(` $groups^ `)`)? (`eps` `(` $eps^ `)`)?
    (`scale` `(` $scale^ `)`)? attr-dict
    `:` type($logits) `->` type($indices) `,` type($weights)
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
