// Gated DeltaProduct (arXiv:2502.10297): two corrections a token, whose keys,
// values and betas stand one behind the other in time.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}2 passed, 0 failed

func.func @gated_delta_product(
    %q: tensor<?x?x3x16xf32> {weir.name = "q"},
    %k: tensor<?x?x3x16xf32> {weir.name = "k"},
    %v: tensor<?x?x3x24xf32> {weir.name = "v"},
    %g: tensor<?x?x3xf32> {weir.name = "g"},
    %beta: tensor<?x?x3xf32> {weir.name = "beta"})
    -> (tensor<?x?x3x24xf32> {weir.name = "o"},
        tensor<?x3x16x24xf32> {weir.name = "final_state"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %q, %c0 : tensor<?x?x3x16xf32>
  %t = tensor.dim %q, %c1 : tensor<?x?x3x16xf32>
  %ks = tensor.expand_shape %k [[0], [1, 2], [3], [4]]
      output_shape [%b, %t, 2, 3, 16]
      : tensor<?x?x3x16xf32> into tensor<?x?x2x3x16xf32>
  %vs = tensor.expand_shape %v [[0], [1, 2], [3], [4]]
      output_shape [%b, %t, 2, 3, 24]
      : tensor<?x?x3x24xf32> into tensor<?x?x2x3x24xf32>
  %betas = tensor.expand_shape %beta [[0], [1, 2], [3]]
      output_shape [%b, %t, 2, 3] : tensor<?x?x3xf32> into tensor<?x?x2x3xf32>
  %o, %state = weir.recurrence %q, %ks, %vs decay(%g : tensor<?x?x3xf32>)
      delta(%betas : tensor<?x?x2x3xf32>) scale(2.500000e-01)
      : tensor<?x?x3x16xf32>, tensor<?x?x2x3x16xf32>, tensor<?x?x2x3x24xf32>
      -> tensor<?x?x3x24xf32>, tensor<?x3x16x24xf32>
  return %o, %state : tensor<?x?x3x24xf32>, tensor<?x3x16x24xf32>
}

func.func @gated_delta_product_init(
    %q: tensor<?x?x3x16xf32> {weir.name = "q"},
    %k: tensor<?x?x3x16xf32> {weir.name = "k"},
    %v: tensor<?x?x3x24xf32> {weir.name = "v"},
    %g: tensor<?x?x3xf32> {weir.name = "g"},
    %beta: tensor<?x?x3xf32> {weir.name = "beta"},
    %initial: tensor<?x3x16x24xf32> {weir.name = "initial_state"})
    -> (tensor<?x?x3x24xf32> {weir.name = "o"},
        tensor<?x3x16x24xf32> {weir.name = "final_state"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %q, %c0 : tensor<?x?x3x16xf32>
  %t = tensor.dim %q, %c1 : tensor<?x?x3x16xf32>
  %ks = tensor.expand_shape %k [[0], [1, 2], [3], [4]]
      output_shape [%b, %t, 2, 3, 16]
      : tensor<?x?x3x16xf32> into tensor<?x?x2x3x16xf32>
  %vs = tensor.expand_shape %v [[0], [1, 2], [3], [4]]
      output_shape [%b, %t, 2, 3, 24]
      : tensor<?x?x3x24xf32> into tensor<?x?x2x3x24xf32>
  %betas = tensor.expand_shape %beta [[0], [1, 2], [3]]
      output_shape [%b, %t, 2, 3] : tensor<?x?x3xf32> into tensor<?x?x2x3xf32>
  %o, %state = weir.recurrence %q, %ks, %vs decay(%g : tensor<?x?x3xf32>)
      delta(%betas : tensor<?x?x2x3xf32>) init(%initial : tensor<?x3x16x24xf32>)
      scale(2.500000e-01) : tensor<?x?x3x16xf32>, tensor<?x?x2x3x16xf32>,
      tensor<?x?x2x3x24xf32> -> tensor<?x?x3x24xf32>, tensor<?x3x16x24xf32>
  return %o, %state : tensor<?x?x3x24xf32>, tensor<?x3x16x24xf32>
}
