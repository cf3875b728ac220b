// RUN: weir-opt %s --weir-verify-formed -split-input-file -verify-diagnostics

weir.param @w : tensor<2x3xf32> = #weir.checkpoint<"w">
weir.slot @history history : tensor<?x?x4xf32>

func.func @compilable(%x: tensor<?x3xf32>) -> tensor<?x2xf32> {
  %w = weir.weight @w : tensor<2x3xf32>
  %y = weir.linear %x, %w
      : tensor<?x3xf32>, tensor<2x3xf32> -> tensor<?x2xf32>
  %z = math.absf %y : tensor<?x2xf32>
  return %z : tensor<?x2xf32>
}

// -----

// Each op is named once.
func.func @op_of_another_dialect(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{'tosa.abs' op may not remain behind the stage formed, expected ops of weir with a plain definition or of linalg, tensor, arith, math, scf and vector; lower it to those first}}
  %y = tosa.abs %x : (tensor<4xf32>) -> tensor<4xf32>
  %z = tosa.abs %y : (tensor<4xf32>) -> tensor<4xf32>
  return %z : tensor<4xf32>
}
