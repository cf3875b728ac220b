// RUN: weir-opt %s --weir-lower-to-reference -split-input-file \
// RUN:   -verify-diagnostics

func.func @integer_rows(%x: tensor<?x4xi32>) -> tensor<?x4xi32> {
  // expected-error @below {{has no reference definition for these types}}
  %y = weir.rms_norm %x eps(1.0e-5) : tensor<?x4xi32>
  return %y : tensor<?x4xi32>
}
