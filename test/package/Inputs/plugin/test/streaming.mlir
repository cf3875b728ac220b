// RUN: %weir_opt %s --weir-derive-streaming | FileCheck %s

// Weir's pass derives the step of an op it has never heard of.
// CHECK: func.func @extend(
// CHECK: tiny.double %{{.*}} : tensor<?x?x2x4xf32>
// CHECK: weir.append
func.func @forward(
    %x: tensor<?x?x2x4xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x2x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %q = tiny.double %x : tensor<?x?x2x4xf32>
  %y = weir.attention %q, %x, %x mask(<causal>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %y : tensor<?x?x2x4xf32>
}
