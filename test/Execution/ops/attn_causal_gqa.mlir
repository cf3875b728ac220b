// Causal attention, three query heads a key head, values wider than keys.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

func.func @attn_causal_gqa(
    %q: tensor<?x?x6x16xf32> {weir.name = "q"},
    %k: tensor<?x?x2x16xf32> {weir.name = "k"},
    %v: tensor<?x?x2x24xf32> {weir.name = "v"})
    -> (tensor<?x?x6x24xf32> {weir.name = "o"}) {
  %o = weir.attention %q, %k, %v mask(<causal>) scale(2.500000000e-01)
      : tensor<?x?x6x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x24xf32>
      -> tensor<?x?x6x24xf32>
  return %o : tensor<?x?x6x24xf32>
}
