// An op on tensors that cannot be bufferised.
func.func @f(%x: tensor<4xf32> {weir.name = "x"},
             %n: tensor<i32> {weir.name = "n"})
    -> (tensor<4xi32> {weir.name = "y"}) {
  %y = tensor.bitcast %x : tensor<4xf32> to tensor<4xi32>
  return %y : tensor<4xi32>
}
