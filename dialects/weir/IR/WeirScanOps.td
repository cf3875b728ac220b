//===- WeirScanOps.td - Loops over time -*- tablegen -*-===//
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
    DeclareOpInterfaceMethods<Weir_StreamingInterface>,
    DeclareOpInterfaceMethods<Weir_BlockMapInterface, ["getTransferTypes",
      "getCarriedParts", "buildTransferInit", "buildSummary",
      "buildApplication", "isWrittenByBlocks", "getRangeCost",
      "buildBlockCount", "buildResume"]>]> {
  let summary = "a recurrence whose step is a region";
  let description = [{
    Goes through time, for each row of the batch by itself, with any number of
    states of any shape. The region is one step of one row: its arguments are
    one time position of each of `inputs`, the states before it, and `params`
    as they are; it yields one time position of each of `outputs`, then the
    states behind it. It may also use values from above that are neither batched
    nor timed, such as weights; passes that would move work into the region
    make `params` of them first.

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
      and there is at least one of each.
    - (C2) There is at least one state. It is `[B, ...]`, or `[...]` when all
      rows begin alike; `final_states` are `[B, ...]` in the order of `states`.
      Their extents behind B are static.
    - (C3) The region's arguments are the types of inputs without batch and
      time, those of states without batch, and those of params; it yields types
      of outputs and states likewise.
    - (C4) `lengths`, where given, is `[B]` of i32 from 0 to T. Tokens at or
      behind `lengths[b]` leave the states as they are and give zeros.
    - (C5) With `reverse`, time is gone through from the last token (of each
      row) to the first.
    - (C6) Tensors among `params` have static extents.
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs,
    Variadic<AnyRankedTensor>:$states, Variadic<AnyType>:$params,
    Optional<AnyRankedTensor>:$lengths, UnitAttr:$reverse,
    OptionalAttr<Weir_ScheduleAttr>:$schedule);
  let results = (outs Variadic<AnyRankedTensor>:$outputs,
    Variadic<AnyRankedTensor>:$final_states);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    `(` $inputs `)` `states` `(` $states `)`
    (`params` `(` $params^ `:` type($params) `)`)?
    (`lengths` `(` $lengths^ `:` type($lengths) `)`)? (`reverse` $reverse^)?
    (`schedule` `(` $schedule^ `)`)? attr-dict
    `:` `(` type($inputs) `)` `,` `(` type($states) `)`
    `->` `(` type($outputs) `)` `,` `(` type($final_states) `)` $body
  }];
  let extraClassDeclaration = [{
    /// The region's arguments that stand for inputs, states and params.
    ::mlir::Block::BlockArgListType getInputArguments();
    ::mlir::Block::BlockArgListType getStateArguments();
    ::mlir::Block::BlockArgListType getParamArguments();
    /// Whether rows of the batch have initial states of their own.
    bool isBatched(unsigned state);
    /// Makes `params` of the values that the region uses from above, constants
    /// apart, which are copied into it.
    void isolate(::mlir::OpBuilder &builder);
  }];
  let builders = [
    OpBuilder<(ins "::mlir::ValueRange":$inputs, "::mlir::ValueRange":$states,
      "::mlir::TypeRange":$stateTypes, "::weir::ScanStepBuilder":$step)>
  ];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

#endif // WEIR_IR_WEIRSCANOPS_TD
