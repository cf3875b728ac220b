// RUN: weir-opt %s --weir-specialize-time=time=1 -split-input-file \
// RUN:   -verify-diagnostics

// expected-error @below {{cannot add @extend_t1: the module has this symbol already}}
func.func @extend(%x: tensor<?x?x8xf32> {weir.name = "x"})
    -> (tensor<?x?x8xf32> {weir.name = "y"})
    attributes {weir.method = "extend"} {
  return %x : tensor<?x?x8xf32>
}
// expected-note @below {{defined here}}
func.func private @extend_t1()

// -----

func.func @extend(
    // expected-note @below {{the axis comes from this argument}}
    %x: tensor<?x?x8xf32> {weir.name = "x"})
    -> (tensor<?x8xf32> {weir.name = "y"})
    attributes {weir.method = "extend"} {
  // expected-error @below {{cannot fix the block length: this joins the time axis with another}}
  %y = tensor.collapse_shape %x [[0, 1], [2]]
      : tensor<?x?x8xf32> into tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
