// ALiBi (arXiv:2108.12409): a slope per head times the distance.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

func.func @attn_alibi(
    %q: tensor<?x?x4x16xf32> {weir.name = "q"},
    %k: tensor<?x?x4x16xf32> {weir.name = "k"},
    %v: tensor<?x?x4x16xf32> {weir.name = "v"},
    %slopes: tensor<4xf32> {weir.name = "slopes"})
    -> (tensor<?x?x4x16xf32> {weir.name = "o"}) {
  %o = weir.attention %q, %k, %v mask(<causal>) scale(2.500000000e-01) score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    %slope = tensor.extract %slopes[%h] : tensor<4xf32>
    %behind = arith.subi %i, %j : index
    %number = arith.index_cast %behind : index to i32
    %distance = arith.sitofp %number : i32 to f32
    %bias = arith.mulf %slope, %distance : f32
    %biased = arith.subf %s, %bias : f32
    weir.yield %biased : f32
  } : tensor<?x?x4x16xf32>, tensor<?x?x4x16xf32>, tensor<?x?x4x16xf32>
      -> tensor<?x?x4x16xf32>
  return %o : tensor<?x?x4x16xf32>
}
