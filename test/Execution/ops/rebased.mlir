// ReBased (arXiv:2402.10644): squares of products as 144 features; the
// denominator is a value of 1.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

#bthk = affine_map<(b, t, h, k, j) -> (b, t, h, k)>
#bthj = affine_map<(b, t, h, k, j) -> (b, t, h, j)>
#bthkj = affine_map<(b, t, h, k, j) -> (b, t, h, k, j)>
#bthv = affine_map<(b, t, h, v) -> (b, t, h, v)>
#bth = affine_map<(b, t, h, v) -> (b, t, h)>

func.func @rebased(
    %q: tensor<?x?x3x12xf32> {weir.name = "q"},
    %k: tensor<?x?x3x12xf32> {weir.name = "k"},
    %v: tensor<?x?x3x24xf32> {weir.name = "v"})
    -> (tensor<?x?x3x24xf32> {weir.name = "o"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %q, %c0 : tensor<?x?x3x12xf32>
  %t = tensor.dim %q, %c1 : tensor<?x?x3x12xf32>
  %one = arith.constant 1.0 : f32
  %e1 = tensor.empty(%b, %t) : tensor<?x?x3x12x12xf32>
  %q_squares = linalg.generic {
      indexing_maps = [#bthk, #bthj, #bthkj],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
          "parallel"]}
      ins(%q, %q : tensor<?x?x3x12xf32>, tensor<?x?x3x12xf32>)
      outs(%e1 : tensor<?x?x3x12x12xf32>) {
  ^bb0(%left: f32, %right: f32, %out: f32):
    %square = arith.mulf %left, %right : f32
    linalg.yield %square : f32
  } -> tensor<?x?x3x12x12xf32>
  %q_features = tensor.collapse_shape %q_squares [[0], [1], [2], [3, 4]]
      : tensor<?x?x3x12x12xf32> into tensor<?x?x3x144xf32>
  %e2 = tensor.empty(%b, %t) : tensor<?x?x3x12x12xf32>
  %k_squares = linalg.generic {
      indexing_maps = [#bthk, #bthj, #bthkj],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
          "parallel"]}
      ins(%k, %k : tensor<?x?x3x12xf32>, tensor<?x?x3x12xf32>)
      outs(%e2 : tensor<?x?x3x12x12xf32>) {
  ^bb0(%left: f32, %right: f32, %out: f32):
    %square = arith.mulf %left, %right : f32
    linalg.yield %square : f32
  } -> tensor<?x?x3x12x12xf32>
  %k_features = tensor.collapse_shape %k_squares [[0], [1], [2], [3, 4]]
      : tensor<?x?x3x12x12xf32> into tensor<?x?x3x144xf32>
  %e3 = tensor.empty(%b, %t) : tensor<?x?x3x25xf32>
  %ones = linalg.fill ins(%one : f32) outs(%e3 : tensor<?x?x3x25xf32>)
      -> tensor<?x?x3x25xf32>
  %values = tensor.insert_slice %v
      into %ones[0, 0, 0, 0] [%b, %t, 3, 24] [1, 1, 1, 1]
      : tensor<?x?x3x24xf32> into tensor<?x?x3x25xf32>
  %sums, %state = weir.recurrence %q_features, %k_features, %values
      scale(8.333333333e-02) : tensor<?x?x3x144xf32>, tensor<?x?x3x144xf32>,
      tensor<?x?x3x25xf32> -> tensor<?x?x3x25xf32>, tensor<?x3x144x25xf32>
  %sum = tensor.extract_slice %sums[0, 0, 0, 0] [%b, %t, 3, 24] [1, 1, 1, 1]
      : tensor<?x?x3x25xf32> to tensor<?x?x3x24xf32>
  %weight = tensor.extract_slice %sums[0, 0, 0, 24] [%b, %t, 3, 1] [1, 1, 1, 1]
      : tensor<?x?x3x25xf32> to tensor<?x?x3xf32>
  %e4 = tensor.empty(%b, %t) : tensor<?x?x3x24xf32>
  %o = linalg.generic {
      indexing_maps = [#bthv, #bth, #bthv],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%sum, %weight : tensor<?x?x3x24xf32>, tensor<?x?x3xf32>)
      outs(%e4 : tensor<?x?x3x24xf32>) {
  ^bb0(%s: f32, %n: f32, %out: f32):
    %tiny = arith.constant 1.0e-06 : f32
    %d = arith.addf %n, %tiny : f32
    %quotient = arith.divf %s, %d : f32
    linalg.yield %quotient : f32
  } -> tensor<?x?x3x24xf32>
  return %o : tensor<?x?x3x24xf32>
}
