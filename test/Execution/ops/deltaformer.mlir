// DeltaFormer (arXiv:2505.19488): attention over values from which each token
// has taken what its query reads of the earlier ones.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

func.func @deltaformer(
    %q: tensor<?x?x3x16xf32> {weir.name = "q"},
    %k: tensor<?x?x3x16xf32> {weir.name = "k"},
    %v: tensor<?x?x3x16xf32> {weir.name = "v"},
    %beta: tensor<?x?x3xf32> {weir.name = "beta"})
    -> (tensor<?x?x3x16xf32> {weir.name = "o"}) {
  %u = weir.delta_values %q, %k, %v, %beta scale(0.25)
      : tensor<?x?x3x16xf32>, tensor<?x?x3x16xf32>, tensor<?x?x3x16xf32>,
        tensor<?x?x3xf32> -> tensor<?x?x3x16xf32>
  %o = weir.attention %q, %k, %u mask(<causal>) scale(0.25)
      : tensor<?x?x3x16xf32>, tensor<?x?x3x16xf32>, tensor<?x?x3x16xf32>
      -> tensor<?x?x3x16xf32>
  return %o : tensor<?x?x3x16xf32>
}
