//===- WeirStackOps.td - Repeated layers -*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIRSTACKOPS_TD
#define WEIR_IR_WEIRSTACKOPS_TD

include "mlir/Interfaces/ControlFlowInterfaces.td"
include "weir/IR/WeirProjectionOps.td"

def Weir_StackOp : Weir_Op<"stack", [
    DeclareOpInterfaceMethods<RegionBranchOpInterface,
      ["getEntrySuccessorOperands"]>,
    RangedTypesMatchWith<"results have the types of the carried values",
      "results", "inits",
      "::llvm::make_range($_self.begin(), $_self.end())"> /*stack_c1*/,
    RecursiveMemoryEffects,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface>]> {
  let summary = "layers applied one after another, one region per layer kind";
  let description = [{
    Applies `order.size()` layers to the carried values. Entry i of `order`
    names the region that layer i runs. A region's arguments are the number of
    layers of its own kind before this one, which indexes stacked weights, and
    the carried values; it yields the new carried values. Code grows with the
    kinds, not with the depth.

    ```mlir
    %y = weir.stack (%x0) order [0, 0, 1, 0] : tensor<?x?x64xf32> {
    ^bb0(%layer: index, %x: tensor<?x?x64xf32>):
      ...
      weir.yield %z : tensor<?x?x64xf32>
    }, {
    ^bb0(%layer: index, %x: tensor<?x?x64xf32>):
      ...
    }
    ```

    - (C1) The results have the types of `inits`.
    - (C2) Each region takes an index and the carried values, and yields values
      of their types.
    - (C3) Entries of `order` name regions of the op, and each region is named.
  }];
  let arguments = (ins Variadic<AnyType>:$inits, DenseI32ArrayAttr:$order);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region VariadicRegion<SizedRegion<1>>:$kinds);
  let assemblyFormat = [{
    `(` $inits `)` `order` $order attr-dict `:` type($results) $kinds
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    /// How many layers run the region `kind`.
    int64_t getLayerCount(unsigned kind);
  }];
}

def Weir_YieldOp : Weir_Op<"yield", [Pure, Terminator, ReturnLike,
    ParentOneOf<["StackOp", "AttentionOp", "GenerateOp", "ScanOp",
      "ExpertsOp", "SelectBlocksOp"]>]> {
  let summary = "hands values to the enclosing op";
  let arguments = (ins Variadic<AnyType>:$operands);
  let assemblyFormat = "attr-dict ($operands^ `:` type($operands))?";
  let builders = [OpBuilder<(ins), [{ }]>];
}

#endif // WEIR_IR_WEIRSTACKOPS_TD
