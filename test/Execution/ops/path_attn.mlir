// PaTH attention (arXiv:2505.16381): what lies between a key and a query is a
// product of reflections by rows of its own. Forgetting gates are scaled as
// scores are; their query's part drops out of the softmax.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

#id = affine_map<(d) -> (d)>

func.func @path_attn(
    %q: tensor<?x?x4x16xf32> {weir.name = "q"},
    %k: tensor<?x?x2x16xf32> {weir.name = "k"},
    %v: tensor<?x?x2x16xf32> {weir.name = "v"},
    %w: tensor<?x?x2x16xf32> {weir.name = "w"},
    %beta: tensor<?x?x2xf32> {weir.name = "beta"},
    %g: tensor<?x?x4xf32> {weir.name = "g"})
    -> (tensor<?x?x4x16xf32> {weir.name = "o"}) {
  %none = arith.constant dense<0.0> : tensor<4xf32>
  %bias, %last = weir.scan (%g) states(%none)
      : (tensor<?x?x4xf32>), (tensor<4xf32>)
      -> (tensor<?x?x4xf32>), (tensor<?x4xf32>) {
  ^bb0(%now: tensor<4xf32>, %before: tensor<4xf32>):
    %e = tensor.empty() : tensor<4xf32>
    %after = linalg.generic {indexing_maps = [#id, #id, #id],
        iterator_types = ["parallel"]}
        ins(%now, %before : tensor<4xf32>, tensor<4xf32>)
        outs(%e : tensor<4xf32>) {
    ^bb0(%gate: f32, %sum: f32, %out: f32):
      %scale = arith.constant 0.25 : f32
      %scaled = arith.mulf %gate, %scale : f32
      %less = arith.subf %sum, %scaled : f32
      linalg.yield %less : f32
    } -> tensor<4xf32>
    weir.yield %after, %after : tensor<4xf32>, tensor<4xf32>
  }
  %o = weir.attention %q, %k, %v mask(<causal>) scale(0.25)
      key_bias(%bias : tensor<?x?x4xf32>)
      path(%w, %beta : tensor<?x?x2x16xf32>, tensor<?x?x2xf32>)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
      -> tensor<?x?x4x16xf32>
  return %o : tensor<?x?x4x16xf32>
}
