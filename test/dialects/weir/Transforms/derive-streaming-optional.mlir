// RUN: weir-opt %s --weir-derive-streaming=require=false | FileCheck %s

// A model that cannot stream stays whole, and says why.
// CHECK: module attributes {weir.no_streaming = "{{.*}}derive-streaming-optional.mlir:{{[0-9]+}}:8: this attention sees later positions (mask: full)"}
// CHECK-NOT: weir.slot
// CHECK: func.func @forward
// CHECK-NOT: func.func
func.func @forward(
    %x: tensor<?x?x2x4xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x2x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %y = weir.attention %x, %x, %x mask(<full>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %y : tensor<?x?x2x4xf32>
}
