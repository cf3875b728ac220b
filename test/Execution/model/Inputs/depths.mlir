// Layers that a token may skip, each with what its chosen tokens remember of each
// other: attention in a window, a convolution, and, of those of them that a
// second router chooses, attention to all before. One history and one carry are
// of every sequence there is.

module attributes {weir.model = {vocab_size = 6 : i64}} {
weir.param @table : tensor<6x8xf32> = dense<
      [[-0.52, 0.09, -0.26, 0.21, 0.25, -0.87, 0.31, -0.12],
       [-0.97, 0.67, -0.48, -0.53, 0.99, -0.06, -0.74, 0.55],
       [0.67, -0.05, 0.28, -0.70, 0.27, 0.74, 0.18, 0.93],
       [0.05, 0.48, 0.34, -0.87, 0.52, 0.18, -0.66, -0.41],
       [-0.40, -0.94, 0.73, -0.05, 0.44, 0.76, 0.09, -0.28],
       [0.43, 0.84, -0.21, 0.60, -0.11, 0.87, -0.35, 0.62]]>
      : tensor<6x8xf32>

// What chosen tokens see of each other, heads of `x` being all that they have.
func.func private @attend(%x: tensor<?x?x8xf32>, %counts: tensor<?xi32>)
    -> tensor<?x?x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x8xf32>
  %t = tensor.dim %x, %c1 : tensor<?x?x8xf32>
  %flat = tensor.expand_shape %x [[0], [1], [2, 3]]
      output_shape [%b, %t, 2, 4] : tensor<?x?x8xf32> into tensor<?x?x2x4xf32>
  // Positions are those among the chosen.
  %at = weir.positions %x : tensor<?x?x8xf32> -> tensor<?x?xi32>
  %angles = weir.rope_frequencies base(10.0) dims(4) : tensor<2xf32>
  %q = weir.rotary %flat, %at, %angles layout(half)
      : tensor<?x?x2x4xf32>, tensor<?x?xi32>, tensor<2xf32>
  %o = weir.attention %q, %q, %flat mask(<causal and window<5>>) scale(0.9)
      where {
  ^bb0(%row: index, %head: index, %i: index, %j: index):
    %count = tensor.extract %counts[%row] : tensor<?xi32>
    %end = arith.index_cast %count : i32 to index
    %there = arith.cmpi slt, %i, %end : index
    weir.yield %there : i1
  } : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
      -> tensor<?x?x2x4xf32>
  %y = tensor.collapse_shape %o [[0], [1], [2, 3]]
      : tensor<?x?x2x4xf32> into tensor<?x?x8xf32>
  return %y : tensor<?x?x8xf32>
}

// x + weight * y, kept small.
func.func private @add(%x: tensor<?x?x8xf32>, %w: tensor<?x?x1xf32>,
                       %y: tensor<?x?x8xf32>) -> tensor<?x?x8xf32> {
  %sum = linalg.generic {
      indexing_maps = [affine_map<(b, t, d) -> (b, t, d)>,
                       affine_map<(b, t, d) -> (b, t, 0)>,
                       affine_map<(b, t, d) -> (b, t, d)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %w : tensor<?x?x8xf32>, tensor<?x?x1xf32>)
      outs(%y : tensor<?x?x8xf32>) {
  ^bb0(%in: f32, %weight: f32, %made: f32):
    %part = arith.mulf %weight, %made : f32
    %all = arith.addf %in, %part : f32
    %small = math.tanh %all : f32
    linalg.yield %small : f32
  } -> tensor<?x?x8xf32>
  return %sum : tensor<?x?x8xf32>
}

func.func @forward(%ids: tensor<?x?xi32> {weir.name = "input_ids"},
                   %n: tensor<?xi32> {weir.name = "lengths",
                                      weir.role = "lengths"})
    -> (tensor<?x?x6xf32> {weir.name = "logits"})
    attributes {weir.method = "forward"} {
  %table = weir.weight @table : tensor<6x8xf32>
  %outer_router = arith.constant dense<
      [[0.71, 0.98, -0.82, 0.60, -0.57, 0.31, 0.44, -0.93]]> : tensor<1x8xf32>
  %inner_router = arith.constant dense<
      [[-0.38, 0.52, 0.75, -0.91, 0.23, 0.84, -0.67, 0.19]]> : tensor<1x8xf32>
  %taps = arith.constant dense<
      [[0.71, 0.98, -0.82], [-0.18, -0.70, -0.41], [0.75, -0.91, 0.23],
       [0.44, -0.34, 0.76], [0.01, 1.00, -0.38], [0.20, -0.94, -0.61],
       [-0.55, 0.37, 0.62], [0.89, 0.14, -0.27]]> : tensor<8x3xf32>
  %x = weir.embedding %ids, %table
      : tensor<?x?xi32>, tensor<6x8xf32> -> tensor<?x?x8xf32>
  %y = weir.stack(%x) order [0, 0, 0] : tensor<?x?x8xf32> {
  ^bb0(%layer: index, %a: tensor<?x?x8xf32>):
    %logits = weir.linear %a, %outer_router
        : tensor<?x?x8xf32>, tensor<1x8xf32> -> tensor<?x?x1xf32>
    %i, %w = weir.route %logits top_k(1) score(raw) weighting(scores)
        threshold(0.0)
        : tensor<?x?x1xf32> -> tensor<?x?x1xi32>, tensor<?x?x1xf32>
    %places, %ranks, %counts = weir.list_tokens %i
        : tensor<?x?x1xi32> -> tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>
    %s = weir.gather_tokens %a, %places
        : tensor<?x?x8xf32>, tensor<?x?xi32> -> tensor<?x?x8xf32>
    %o = func.call @attend(%s, %counts)
        : (tensor<?x?x8xf32>, tensor<?xi32>) -> tensor<?x?x8xf32>
    %c, %tail = weir.causal_conv %o, %taps activation(silu)
        : tensor<?x?x8xf32>, tensor<8x3xf32>
          -> tensor<?x?x8xf32>, tensor<?x2x8xf32>

    %logits2 = weir.linear %c, %inner_router
        : tensor<?x?x8xf32>, tensor<1x8xf32> -> tensor<?x?x1xf32>
    %i2, %w2 = weir.route %logits2 top_k(1) score(raw) weighting(scores)
        threshold(0.0)
        : tensor<?x?x1xf32> -> tensor<?x?x1xi32>, tensor<?x?x1xf32>
    %places2, %ranks2, %counts2 = weir.list_tokens %i2
        lengths(%counts : tensor<?xi32>)
        : tensor<?x?x1xi32> -> tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>
    %s2 = weir.gather_tokens %c, %places2
        : tensor<?x?x8xf32>, tensor<?x?xi32> -> tensor<?x?x8xf32>
    %o2 = func.call @attend(%s2, %counts2)
        : (tensor<?x?x8xf32>, tensor<?xi32>) -> tensor<?x?x8xf32>
    %d = weir.gather_tokens %o2, %ranks2
        : tensor<?x?x8xf32>, tensor<?x?xi32> -> tensor<?x?x8xf32>

    %e = func.call @add(%c, %w2, %d)
        : (tensor<?x?x8xf32>, tensor<?x?x1xf32>, tensor<?x?x8xf32>)
          -> tensor<?x?x8xf32>
    %f = weir.gather_tokens %e, %ranks
        : tensor<?x?x8xf32>, tensor<?x?xi32> -> tensor<?x?x8xf32>
    %z = func.call @add(%a, %w, %f)
        : (tensor<?x?x8xf32>, tensor<?x?x1xf32>, tensor<?x?x8xf32>)
          -> tensor<?x?x8xf32>
    weir.yield %z : tensor<?x?x8xf32>
  }
  %logits = weir.linear %y, %table
      : tensor<?x?x8xf32>, tensor<6x8xf32> -> tensor<?x?x6xf32>
  return %logits : tensor<?x?x6xf32>
}
}
