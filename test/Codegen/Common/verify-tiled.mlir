// RUN: weir-opt %s --weir-verify-tiled -split-input-file -verify-diagnostics

weir.param @w : tensor<4xf32> = #weir.checkpoint<"w">
weir.slot @history history : tensor<?x?x4xf32>

func.func @loops_and_weights(%x: tensor<4xf32>) -> tensor<4xf32> {
  %w = weir.weight @w : tensor<4xf32>
  %y = linalg.add ins(%x, %w : tensor<4xf32>, tensor<4xf32>)
                  outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func @op_with_definition(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  // expected-error @below {{'weir.rms_norm' op may not remain behind the stage tiled, expected loops and ops on tiles; weir-tile-block-maps}}
  %y = weir.rms_norm %x eps(1.0e-5) : tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}
