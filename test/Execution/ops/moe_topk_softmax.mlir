// Experts behind a softmax router, the chosen ones' weights renormalised.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

#rows = affine_map<(n, d) -> (n, d)>

func.func @moe_topk_softmax(
    %x: tensor<?x24xf32> {weir.name = "x"},
    %router: tensor<6x24xf32> {weir.name = "router"},
    %gate_up: tensor<6x40x24xf32> {weir.name = "gate_up"},
    %down: tensor<6x24x20xf32> {weir.name = "down"})
    -> (tensor<?x24xf32> {weir.name = "y"},
        tensor<?x2xf32> {weir.name = "expert_index"}) {
  %logits = weir.linear %x, %router
      : tensor<?x24xf32>, tensor<6x24xf32> -> tensor<?x6xf32>
  %indices, %weights = weir.route %logits top_k(2) score(softmax)
      weighting(normalized)
      : tensor<?x6xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  %y = weir.experts %x, %indices, %weights
      params(%gate_up, %down : tensor<6x40x24xf32>, tensor<6x24x20xf32>)
      : tensor<?x24xf32>, tensor<?x2xi32>, tensor<?x2xf32> -> tensor<?x24xf32> {
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
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x24xf32>
  %e = tensor.empty(%n) : tensor<?x2xf32>
  %index = linalg.generic {indexing_maps = [#rows, #rows],
      iterator_types = ["parallel", "parallel"]}
      ins(%indices : tensor<?x2xi32>) outs(%e : tensor<?x2xf32>) {
  ^bb0(%i: i32, %o: f32):
    %f = arith.sitofp %i : i32 to f32
    linalg.yield %f : f32
  } -> tensor<?x2xf32>
  return %y, %index : tensor<?x24xf32>, tensor<?x2xf32>
}
