//===- WeirParamOps.td - Weights and where they come from -*- tablegen -*-===//
//
// Part of the Weir project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef WEIR_IR_WEIRPARAMOPS_TD
#define WEIR_IR_WEIRPARAMOPS_TD

include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "weir/IR/WeirAttrs.td"
include "weir/IR/WeirDialect.td"
include "weir/IR/WeirInterfaces.td"

def Weir_ParamOp : Weir_Op<"param", [Symbol,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a weight, bound to a checkpoint or made of other weights";
  let description = [{
    Declares the weight `sym_name` of type `type`. `init` says where its numbers
    come from: a checkpoint tensor or a stack of them (`#weir.checkpoint`),
    other parameters (`#weir.concat`, `#weir.slice`, `#weir.transpose`,
    `#weir.reshape`, `#weir.pack`), or constants (`dense<...>`). All of it is
    evaluated while compiling, so that loading a compiled model does no work.

    A parameter of repeated layers has one entry per layer on its leading axis.

    ```mlir
    weir.param @norm : tensor<576xf32> = #weir.checkpoint<"model.norm.weight">
    weir.param @up : tensor<3x112x64xf32>
      = #weir.checkpoint<"model.layers.*.mlp.up_proj.weight", [0, 1, 2]>
    ```

    - (C1) `type` is a ranked tensor with a static shape.
    - (C2) `init` is one of the attributes above; constants have type `type`.
    - (C3) `#weir.checkpoint` with n layers: the leading extent is n; with m
      experts besides, the next extent is m and the key has two `*`.
    - (C4) Parameters named by `init` exist, none refers to itself in a cycle,
      and their shapes give `type`'s shape.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<AnyRankedTensor>:$type,
    AnyAttr:$init, OptionalAttr<StrAttr>:$sym_visibility);
  let assemblyFormat = [{
    $sym_name `:` $type `=` $init attr-dict
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::RankedTensorType getTensorType() {
      return ::llvm::cast<::mlir::RankedTensorType>(getType());
    }
    /// The parameters that `init` names.
    ::llvm::SmallVector<::mlir::FlatSymbolRefAttr> getSources();
  }];
}

def Weir_WeightOp : Weir_Op<"weight", [Pure,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a weight, or of one layer of it";
  let description = [{
    ```mlir
    %w = weir.weight @norm : tensor<576xf32>
    %u = weir.weight @up[%layer] : tensor<112x64xf32>
    ```

    - (C1) `param` names a `weir.param`.
    - (C2) Without `layer`, the result has the parameter's type; with it, the
      parameter's type less its leading axis.
  }];
  let arguments = (ins FlatSymbolRefAttr:$param, Optional<Index>:$layer);
  let results = (outs AnyStaticShapeTensor:$result);
  let assemblyFormat = [{
    $param (`[` $layer^ `]`)? attr-dict `:` type($result)
  }];
}

#endif // WEIR_IR_WEIRPARAMOPS_TD
