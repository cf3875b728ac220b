// Stick-breaking attention (arXiv:2410.17980): a key takes its share of what the
// keys between it and the query leave; `rem` is what is left in the end, which
// one more value feature of ones adds up.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

#all = affine_map<(b, t, h) -> (b, t, h)>

func.func @stickbreaking_attn(
    %q: tensor<?x?x4x16xf32> {weir.name = "q"},
    %k: tensor<?x?x2x16xf32> {weir.name = "k"},
    %v: tensor<?x?x2x24xf32> {weir.name = "v"})
    -> (tensor<?x?x4x24xf32> {weir.name = "o"},
        tensor<?x?x4xf32> {weir.name = "rem"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %one = arith.constant 1.0 : f32
  %batch = tensor.dim %q, %c0 : tensor<?x?x4x16xf32>
  %time = tensor.dim %q, %c1 : tensor<?x?x4x16xf32>
  %o = weir.attention %q, %k, %v mask(<causal and not window<1>>) scale(0.25)
      normalize(stick_breaking)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x24xf32>
      -> tensor<?x?x4x24xf32>
  %units = tensor.empty(%batch, %time) : tensor<?x?x2x1xf32>
  %ones = linalg.fill ins(%one : f32) outs(%units : tensor<?x?x2x1xf32>)
      -> tensor<?x?x2x1xf32>
  %taken = weir.attention %q, %k, %ones mask(<causal and not window<1>>) scale(0.25)
      normalize(stick_breaking)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x1xf32>
      -> tensor<?x?x4x1xf32>
  %flat = tensor.collapse_shape %taken [[0], [1], [2, 3]]
      : tensor<?x?x4x1xf32> into tensor<?x?x4xf32>
  %e = tensor.empty(%batch, %time) : tensor<?x?x4xf32>
  %rem = linalg.generic {indexing_maps = [#all, #all],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%flat : tensor<?x?x4xf32>) outs(%e : tensor<?x?x4xf32>) {
  ^bb0(%part: f32, %out: f32):
    %left = arith.subf %one, %part : f32
    linalg.yield %left : f32
  } -> tensor<?x?x4xf32>
  return %o, %rem : tensor<?x?x4x24xf32>, tensor<?x?x4xf32>
}
