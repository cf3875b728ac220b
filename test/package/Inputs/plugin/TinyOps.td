#ifndef TINY_OPS_TD
#define TINY_OPS_TD

include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "weir/IR/WeirInterfaces.td"

def Tiny_Dialect : Dialect {
  let name = "tiny";
  let cppNamespace = "::tiny";
  let summary = "one op that Weir does not have";
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def Tiny_DoubleOp : Op<Tiny_Dialect, "double", [Pure,
    SameOperandsAndResultType,
    DeclareOpInterfaceMethods<Weir_ReferenceInterface>,
    DeclareOpInterfaceMethods<Weir_StreamingInterface, ["isTimePointwise"]>]> {
  let summary = "twice the input";
  let description = [{
    Weir's own passes handle the op by its interfaces: it streams, since each
    position depends on itself alone, and it has a plain definition.
  }];
  let arguments = (ins AnyRankedTensor:$input);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$input attr-dict `:` type($input)";
}

#endif // TINY_OPS_TD
