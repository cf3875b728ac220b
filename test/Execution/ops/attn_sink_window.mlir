// The last seventeen keys and a logit per head that none stands for.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

func.func @attn_sink_window(
    %q: tensor<?x?x4x16xf32> {weir.name = "q"},
    %k: tensor<?x?x2x16xf32> {weir.name = "k"},
    %v: tensor<?x?x2x16xf32> {weir.name = "v"},
    %s: tensor<4xf32> {weir.name = "sink_bias"})
    -> (tensor<?x?x4x16xf32> {weir.name = "o"}) {
  %o = weir.attention %q, %k, %v mask(<causal and window<17>>)
      scale(2.500000000e-01) sinks(%s : tensor<4xf32>)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
      -> tensor<?x?x4x16xf32>
  return %o : tensor<?x?x4x16xf32>
}
