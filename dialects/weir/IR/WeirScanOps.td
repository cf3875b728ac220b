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

#endif // WEIR_IR_WEIRSCANOPS_TD
