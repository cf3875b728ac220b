// An instruction that no pass of the last stage turns into LLVM's.
func.func @f(%x: tensor<16xf32> {weir.name = "x"})
    -> (tensor<16xf32> {weir.name = "y"}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %v = vector.transfer_read %x[%c0], %zero : tensor<16xf32>, vector<16xf32>
  %m = arith.constant dense<true> : vector<16xi1>
  %p = x86vector.avx512.mask.compress %m, %v : vector<16xf32>
  %y = vector.transfer_write %p, %x[%c0] : vector<16xf32>, tensor<16xf32>
  return %y : tensor<16xf32>
}
