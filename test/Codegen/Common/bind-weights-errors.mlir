// RUN: weir-opt %s --weir-bind-weights -verify-diagnostics

weir.param @w : tensor<4xf32> = #weir.checkpoint<"w">

func.func private @private_reader() -> tensor<4xf32> {
  // expected-error @below {{reads a weight in a private function; inline calls before weights are bound}}
  %0 = weir.weight @w : tensor<4xf32>
  return %0 : tensor<4xf32>
}
