// DeepSeek-V3's router (arXiv:2412.19437): sigmoid scores, a bias that chooses and
// does not weigh, groups ranked by the sum of their two best.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

#rows = affine_map<(n, d) -> (n, d)>

func.func @moe_group_sigmoid(
    %x: tensor<?x24xf32> {weir.name = "x"},
    %router: tensor<8x24xf32> {weir.name = "router"},
    %gate_up: tensor<8x40x24xf32> {weir.name = "gate_up"},
    %down: tensor<8x24x20xf32> {weir.name = "down"},
    %bias: tensor<8xf32> {weir.name = "bias"})
    -> (tensor<?x24xf32> {weir.name = "y"}) {
  %logits = weir.linear %x, %router
      : tensor<?x24xf32>, tensor<8x24xf32> -> tensor<?x8xf32>
  %indices, %weights = weir.route %logits bias(%bias : tensor<8xf32>)
      top_k(3) score(sigmoid) weighting(normalized)
      groups(<count = 4, chosen = 2, score = top_two>) scale(1.700000e+00)
      : tensor<?x8xf32> -> tensor<?x3xi32>, tensor<?x3xf32>
  %y = weir.experts %x, %indices, %weights
      params(%gate_up, %down : tensor<8x40x24xf32>, tensor<8x24x20xf32>)
      : tensor<?x24xf32>, tensor<?x3xi32>, tensor<?x3xf32> -> tensor<?x24xf32> {
  ^bb0(%rows: tensor<?x24xf32>, %gu: tensor<40x24xf32>, %d: tensor<24x20xf32>):
    %both = weir.linear %rows, %gu
        : tensor<?x24xf32>, tensor<40x24xf32> -> tensor<?x40xf32>
    %zero = arith.constant 0 : index
    %count = tensor.dim %rows, %zero : tensor<?x24xf32>
    %gate = tensor.extract_slice %both[0, 0] [%count, 20] [1, 1]
        : tensor<?x40xf32> to tensor<?x20xf32>
    %up = tensor.extract_slice %both[0, 20] [%count, 20] [1, 1]
        : tensor<?x40xf32> to tensor<?x20xf32>
    %empty = tensor.empty(%count) : tensor<?x20xf32>
    %inner = linalg.generic {indexing_maps = [#rows, #rows, #rows],
        iterator_types = ["parallel", "parallel"]}
        ins(%gate, %up : tensor<?x20xf32>, tensor<?x20xf32>)
        outs(%empty : tensor<?x20xf32>) {
    ^bb1(%g: f32, %u: f32, %o: f32):
      %one = arith.constant 1.0 : f32
      %negated = arith.negf %g : f32
      %power = math.exp %negated : f32
      %sum = arith.addf %one, %power : f32
      %silu = arith.divf %g, %sum : f32
      %product = arith.mulf %silu, %u : f32
      linalg.yield %product : f32
    } -> tensor<?x20xf32>
    %z = weir.linear %inner, %d
        : tensor<?x20xf32>, tensor<24x20xf32> -> tensor<?x24xf32>
    weir.yield %z : tensor<?x24xf32>
  }
  return %y : tensor<?x24xf32>
}
