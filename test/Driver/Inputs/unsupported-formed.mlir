// An op of a dialect no stage knows.
func.func @f(%x: tensor<4xf32> {weir.name = "x"})
    -> (tensor<4xf32> {weir.name = "y"}) {
  %y = tosa.abs %x : (tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}
