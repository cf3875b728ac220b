weir.param @w : tensor<4xf32> = #weir.checkpoint<"w">
func.func @f(%x: tensor<4xf32> {weir.name = "x"})
    -> (tensor<4xf32> {weir.name = "y"}) {
  %w = weir.weight @w : tensor<4xf32>
  %y = linalg.add ins(%x, %w : tensor<4xf32>, tensor<4xf32>)
                  outs(%x : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
