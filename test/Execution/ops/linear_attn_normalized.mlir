// Linear attention (arXiv:2006.16236) with its denominator, which is the same
// recurrence of a value that is 1; its state is the sum of keys.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

#bthv = affine_map<(b, t, h, v) -> (b, t, h, v)>
#bth = affine_map<(b, t, h, v) -> (b, t, h)>

func.func @linear_attn_normalized(
    %q: tensor<?x?x3x16xf32> {weir.name = "q"},
    %k: tensor<?x?x3x16xf32> {weir.name = "k"},
    %v: tensor<?x?x3x24xf32> {weir.name = "v"})
    -> (tensor<?x?x3x24xf32> {weir.name = "o"},
        tensor<?x3x16x24xf32> {weir.name = "final_state"},
        tensor<?x1x3x16xf32> {weir.name = "final_z"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %q, %c0 : tensor<?x?x3x16xf32>
  %t = tensor.dim %q, %c1 : tensor<?x?x3x16xf32>
  %one = arith.constant 1.0 : f32
  %e1 = tensor.empty(%b, %t) : tensor<?x?x3x1xf32>
  %ones = linalg.fill ins(%one : f32) outs(%e1 : tensor<?x?x3x1xf32>)
      -> tensor<?x?x3x1xf32>
  %sum, %state = weir.recurrence %q, %k, %v : tensor<?x?x3x16xf32>,
      tensor<?x?x3x16xf32>, tensor<?x?x3x24xf32> -> tensor<?x?x3x24xf32>,
      tensor<?x3x16x24xf32>
  %weight, %keys = weir.recurrence %q, %k, %ones : tensor<?x?x3x16xf32>,
      tensor<?x?x3x16xf32>, tensor<?x?x3x1xf32> -> tensor<?x?x3x1xf32>,
      tensor<?x3x16x1xf32>
  %weights = tensor.collapse_shape %weight [[0], [1], [2, 3]]
      : tensor<?x?x3x1xf32> into tensor<?x?x3xf32>
  %e2 = tensor.empty(%b, %t) : tensor<?x?x3x24xf32>
  %o = linalg.generic {
      indexing_maps = [#bthv, #bth, #bthv],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%sum, %weights : tensor<?x?x3x24xf32>, tensor<?x?x3xf32>)
      outs(%e2 : tensor<?x?x3x24xf32>) {
  ^bb0(%s: f32, %w: f32, %out: f32):
    %tiny = arith.constant 1.0e-10 : f32
    %d = arith.addf %w, %tiny : f32
    %quotient = arith.divf %s, %d : f32
    linalg.yield %quotient : f32
  } -> tensor<?x?x3x24xf32>
  %flat = tensor.collapse_shape %keys [[0], [1], [2, 3]]
      : tensor<?x3x16x1xf32> into tensor<?x3x16xf32>
  %z = tensor.expand_shape %flat [[0, 1], [2], [3]] output_shape [%b, 1, 3, 16]
      : tensor<?x3x16xf32> into tensor<?x1x3x16xf32>
  return %o, %state, %z
      : tensor<?x?x3x24xf32>, tensor<?x3x16x24xf32>, tensor<?x1x3x16xf32>
}
