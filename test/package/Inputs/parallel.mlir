// A plain function with a parallel loop, which becomes a region of OpenMP.
func.func @double(%x: tensor<64xf32> {weir.name = "x"})
    -> (tensor<64xf32> {weir.name = "y"}) {
  %c0 = arith.constant 0 : index
  %empty = tensor.empty() : tensor<64xf32>
  %y = scf.forall (%i) in (64) shared_outs(%out = %empty) -> tensor<64xf32> {
    %v = tensor.extract %x[%i] : tensor<64xf32>
    %d = arith.addf %v, %v : f32
    %part = tensor.extract_slice %out[%i] [1] [1]
        : tensor<64xf32> to tensor<1xf32>
    %e = tensor.insert %d into %part[%c0] : tensor<1xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %e into %out[%i] [1] [1]
          : tensor<1xf32> into tensor<64xf32>
    }
  }
  return %y : tensor<64xf32>
}
