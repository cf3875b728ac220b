// Differential attention (arXiv:2410.05258): each half of the features of
// queries and keys has a softmax of its own, and the second is taken from the
// first. The factor is that of the reference case.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

#id = affine_map<(b, t, h, d) -> (b, t, h, d)>

func.func @differential_attn(
    %q: tensor<?x?x3x24xf32> {weir.name = "q"},
    %k: tensor<?x?x3x24xf32> {weir.name = "k"},
    %v: tensor<?x?x3x24xf32> {weir.name = "v"})
    -> (tensor<?x?x3x24xf32> {weir.name = "o"}) {
  %0 = arith.constant 0 : index
  %1 = arith.constant 1 : index
  %batch = tensor.dim %q, %0 : tensor<?x?x3x24xf32>
  %time = tensor.dim %q, %1 : tensor<?x?x3x24xf32>
  %q1 = tensor.extract_slice %q[0, 0, 0, 0] [%batch, %time, 3, 12] [1, 1, 1, 1]
      : tensor<?x?x3x24xf32> to tensor<?x?x3x12xf32>
  %q2 = tensor.extract_slice %q[0, 0, 0, 12] [%batch, %time, 3, 12] [1, 1, 1, 1]
      : tensor<?x?x3x24xf32> to tensor<?x?x3x12xf32>
  %k1 = tensor.extract_slice %k[0, 0, 0, 0] [%batch, %time, 3, 12] [1, 1, 1, 1]
      : tensor<?x?x3x24xf32> to tensor<?x?x3x12xf32>
  %k2 = tensor.extract_slice %k[0, 0, 0, 12] [%batch, %time, 3, 12] [1, 1, 1, 1]
      : tensor<?x?x3x24xf32> to tensor<?x?x3x12xf32>
  %a = weir.attention %q1, %k1, %v mask(<causal>) scale(0.2886751345948129)
      : tensor<?x?x3x12xf32>, tensor<?x?x3x12xf32>, tensor<?x?x3x24xf32>
      -> tensor<?x?x3x24xf32>
  %c = weir.attention %q2, %k2, %v mask(<causal>) scale(0.2886751345948129)
      : tensor<?x?x3x12xf32>, tensor<?x?x3x12xf32>, tensor<?x?x3x24xf32>
      -> tensor<?x?x3x24xf32>
  %e = tensor.empty(%batch, %time) : tensor<?x?x3x24xf32>
  %o = linalg.generic {indexing_maps = [#id, #id, #id],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%a, %c : tensor<?x?x3x24xf32>, tensor<?x?x3x24xf32>)
      outs(%e : tensor<?x?x3x24xf32>) {
  ^bb0(%first: f32, %second: f32, %out: f32):
    %lambda = arith.constant 0.37 : f32
    %part = arith.mulf %lambda, %second : f32
    %rest = arith.subf %first, %part : f32
    linalg.yield %rest : f32
  } -> tensor<?x?x3x24xf32>
  return %o : tensor<?x?x3x24xf32>
}
