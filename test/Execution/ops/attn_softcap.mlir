// Scores bounded by 5 (arXiv:2408.00118).
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

func.func @attn_softcap(
    %q: tensor<?x?x4x16xf32> {weir.name = "q"},
    %k: tensor<?x?x2x16xf32> {weir.name = "k"},
    %v: tensor<?x?x2x16xf32> {weir.name = "v"})
    -> (tensor<?x?x4x16xf32> {weir.name = "o"}) {
  %o = weir.attention %q, %k, %v mask(<causal>) scale(2.500000000e-01) score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    %cap = arith.constant 5.0 : f32
    %part = arith.divf %s, %cap : f32
    %tanh = math.tanh %part : f32
    %capped = arith.mulf %tanh, %cap : f32
    weir.yield %capped : f32
  } : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
      -> tensor<?x?x4x16xf32>
  return %o : tensor<?x?x4x16xf32>
}
