// RUN: weir-opt %s --weir-widen-to-f64 -split-input-file -verify-diagnostics

func.func @bits_of_f32(%x: f32) -> i32 {
  // expected-error @below {{cannot widen a bitcast of f32 to f64}}
  %bits = arith.bitcast %x : f32 to i32
  return %bits : i32
}

// -----

// expected-note @below {{function declared here}}
func.func private @outside(f32)

func.func @call_of_the_outside(%x: f32) {
  // expected-error @below {{cannot widen a call of @outside, whose f32 arguments and results stay; expected a private function with a body}}
  call @outside(%x) : (f32) -> ()
  return
}
