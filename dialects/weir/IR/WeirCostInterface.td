//===- WeirCostInterface.td - What an op costs -------------*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIRCOSTINTERFACE_TD
#define WEIR_IR_WEIRCOSTINTERFACE_TD

include "mlir/IR/OpBase.td"

def Weir_CostInterface : OpInterface<"CostInterface"> {
  let cppNamespace = "::weir";
  let description = [{
    What an op computes and moves, so that `weirc --explain` and cost models
    need not know ops by name. An op without the interface counts as free.
  }];
  let methods = [
    InterfaceMethod<[{
        The cost of one execution at `point`. Dynamic extents of axis 0 and 1
        are the point's batch and time. Bytes are those that must come from
        memory at least once: weights and state, not intermediates.
      }],
      "::weir::OpCost", "getCost", (ins "const ::weir::CostPoint &":$point)>,
    InterfaceMethod<[{
        What the op maps to what, in few words, e.g. "576 -> 1536".
      }],
      "::std::string", "describeShape", (ins)>,
  ];
}

#endif // WEIR_IR_WEIRCOSTINTERFACE_TD
