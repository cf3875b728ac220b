// One key head for all queries, values narrower than keys.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

func.func @attn_mqa(
    %q: tensor<?x?x5x24xf32> {weir.name = "q"},
    %k: tensor<?x?x1x24xf32> {weir.name = "k"},
    %v: tensor<?x?x1x16xf32> {weir.name = "v"})
    -> (tensor<?x?x5x16xf32> {weir.name = "o"}) {
  %o = weir.attention %q, %k, %v mask(<causal>) scale(2.041241452e-01)
      : tensor<?x?x5x24xf32>, tensor<?x?x1x24xf32>, tensor<?x?x1x16xf32>
      -> tensor<?x?x5x16xf32>
  return %o : tensor<?x?x5x16xf32>
}
