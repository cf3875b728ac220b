//===- WeirScanOps.td - Loops over time, convolution, shift -*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIRSCANOPS_TD
#define WEIR_IR_WEIRSCANOPS_TD

include "weir/IR/WeirProjectionOps.td"

def Weir_ScanOp : Weir_Op<"scan", [Pure, AttrSizedOperandSegments,
    AttrSizedResultSegments, SingleBlock,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface>,
    DeclareOpInterfaceMethods<Weir_StreamingInterface>]> {
  let summary = "a recurrence whose step is a region";
  let description = [{
    Goes through time, for each row of the batch by itself, with any number of
    states of any shape. The region is one step of one row: its arguments are
    one time position of each of `inputs`, then the states before it; it yields
    one time position of each of `outputs`, then the states behind it. It may use values from above that are neither batched nor timed, such as
    weights.

    ```mlir
    // HGRN (arXiv:2311.04823): h = exp(g) * h + x.
    %h, %last = weir.scan (%x, %g) states(%init)
        : (tensor<?x?x40xf32>, tensor<?x?x40xf32>), (tensor<40xf32>)
        -> (tensor<?x?x40xf32>), (tensor<?x40xf32>) {
    ^bb0(%xt: tensor<40xf32>, %gt: tensor<40xf32>, %before: tensor<40xf32>):
      %after = linalg.generic ... ins(%xt, %gt, %before : ...) ...
      weir.yield %after, %after : tensor<40xf32>, tensor<40xf32>
    }
    ```

    - (C1) Inputs and outputs are `[B, T, ...]` with static extents behind T,
      and there is at least one input.
    - (C2) A state is `[B, ...]`, or `[...]` when all rows begin alike;
      `final_states` are `[B, ...]` in the order of `states`. Their extents
      behind B are static.
    - (C3) The region's arguments are the types of inputs without batch and
      time and those of states without batch; it yields types of outputs and
      states likewise.
    - (C4) Tokens at or behind `lengths[b]` leave the states as they are and
      give zeros; `lengths` is `[B]` of i32.
    - (C5) With `reverse`, time is gone through from the last token (of each
      row) to the first.
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs,
    Variadic<AnyRankedTensor>:$states, Optional<AnyRankedTensor>:$lengths,
    UnitAttr:$reverse, OptionalAttr<Weir_ScheduleAttr>:$schedule);
  let results = (outs Variadic<AnyRankedTensor>:$outputs,
    Variadic<AnyRankedTensor>:$final_states);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `(` $inputs `)` `states` `(` $states `)`
    (`lengths` `(` $lengths^ `:` type($lengths) `)`)? (`reverse` $reverse^)?
    (`schedule` `(` $schedule^ `)`)? attr-dict
    `:` `(` type($inputs) `)` `,` `(` type($states) `)`
    `->` `(` type($outputs) `)` `,` `(` type($final_states) `)` $body
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def Weir_ConvActivation : I32EnumAttr<"ConvActivation",
    "what a convolution does to its sums", [
    I32EnumAttrCase<"None", 0, "none">,
    I32EnumAttrCase<"SiLU", 1, "silu">
  ]> {
  let cppNamespace = "::weir";
}

def Weir_CausalConvOp : Weir_Op<"causal_conv", [Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface>,
    DeclareOpInterfaceMethods<Weir_StreamingInterface>]> {
  let summary = "short convolution along time, each feature by itself";
  let description = [{
    `result[b, t, d] = act(bias[d] + sum_w weight[d, w] * input[b, t - W + 1 + w, d])`

    Inputs before token 0 are those of `init`, whose last entry is the token
    right before it; without `init` they are zero. `tail` is what `init` would
    have to be to go on: the last L inputs, of which those before token 0 come
    from `init`, or are zero where it has no more.

    - (C1) `input` and `result` are `[B, T, D]` of one type, `weight` is `[D, W]`,
      `bias`, where given, `[D]`.
    - (C2) `tail`, and `init` where given, are `[B, L, D]` with a static
      L >= W - 1.
    - (C3) `tail` ends with token `lengths[b] - 1`, where lengths are given;
      `lengths` is `[B]` of i32. Results at or behind it are zeros.
    - (C4) The sum is f32, or f64 for f64.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$weight,
    Optional<AnyRankedTensor>:$bias, Optional<AnyRankedTensor>:$init,
    Optional<AnyRankedTensor>:$lengths,
    DefaultValuedAttr<Weir_ConvActivation,
      "::weir::ConvActivation::None">:$activation);
  let results = (outs AnyRankedTensor:$result, AnyRankedTensor:$tail);
  let assemblyFormat = [{
    $input `,` $weight
    oilist(`bias` `(` $bias `:` type($bias) `)`
           | `init` `(` $init `:` type($init) `)`
           | `lengths` `(` $lengths `:` type($lengths) `)`)
    (`activation` `(` $activation^ `)`)? attr-dict
    `:` type($input) `,` type($weight) `->` type($result) `,` type($tail)
  }];
  let hasVerifier = 1;
}

def Weir_ShiftOp : Weir_Op<"shift", [Pure, AttrSizedOperandSegments,
    AllTypesMatch<["input", "result"]> /*shift_c1*/,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface>,
    DeclareOpInterfaceMethods<Weir_StreamingInterface>]> {
  let summary = "the token before";
  let description = [{
    `result[b, t] = input[b, t - 1]`, where the token before the first is
    `init[b]`, or zero. `last` is the last token, or `init` without tokens: the
    token shift of RWKV (arXiv:2305.13048).

    - (C1) type(result) = type(input), `[B, T, ...]` with static extents behind
      T.
    - (C2) `last`, and `init` where given, are `[B, ...]`, `input` without time.
    - (C3) `last` is token `lengths[b] - 1`, where lengths are given; `lengths`
      is `[B]` of i32.
  }];
  let arguments = (ins AnyRankedTensor:$input,
    Optional<AnyRankedTensor>:$init, Optional<AnyRankedTensor>:$lengths);
  let results = (outs AnyRankedTensor:$result, AnyRankedTensor:$last);
  let assemblyFormat = [{
    $input oilist(`init` `(` $init `:` type($init) `)`
                  | `lengths` `(` $lengths `:` type($lengths) `)`)
    attr-dict `:` type($input) `->` type($last)
  }];
  let hasVerifier = 1;
}

#endif // WEIR_IR_WEIRSCANOPS_TD
