// RetNet (arXiv:2307.08621): one decay per head, the same for all tokens.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

func.func @retention(
    %q: tensor<?x?x5x16xf32> {weir.name = "q"},
    %k: tensor<?x?x5x16xf32> {weir.name = "k"},
    %v: tensor<?x?x5x24xf32> {weir.name = "v"})
    -> (tensor<?x?x5x24xf32> {weir.name = "o"}) {
  // log(1 - 2^(-5 - h))
  %decay = arith.constant dense<[-3.174869831e-02, -1.574835697e-02,
      -7.843177461e-03, -3.913899321e-03, -1.955034836e-03]> : tensor<5xf32>
  %o, %state = weir.recurrence %q, %k, %v decay(%decay : tensor<5xf32>)
      scale(2.500000e-01) : tensor<?x?x5x16xf32>, tensor<?x?x5x16xf32>,
      tensor<?x?x5x24xf32> -> tensor<?x?x5x24xf32>, tensor<?x5x16x24xf32>
  return %o : tensor<?x?x5x24xf32>
}
