// Layers with a path between queries and keys, with and without a window, and
// one whose values are corrected by what attention reads of the earlier ones.

module attributes {weir.model = {vocab_size = 6 : i64}} {
weir.param @table : tensor<6x12xf32> = dense<
      [[-0.52, 0.09, -0.26, 0.21, 0.25, -0.87, 0.71, 0.98, -0.82, 0.60, 0.33, -0.44],
       [-0.97, 0.67, -0.48, -0.53, 0.99, -0.06, -0.18, -0.70, -0.41, 0.54, -0.2, 0.9],
       [0.67, -0.05, 0.28, -0.70, 0.27, 0.74, 0.75, -0.91, 0.23, -0.91, 0.15, 0.05],
       [0.05, 0.48, 0.34, -0.87, 0.52, 0.18, 0.44, -0.34, 0.76, 0.96, -0.66, -0.3],
       [-0.40, -0.94, 0.73, -0.05, 0.44, 0.76, 0.01, 1.00, -0.38, -0.85, 0.5, 0.7],
       [0.43, 0.84, -0.21, 0.60, -0.11, 0.87, 0.20, -0.94, -0.61, -0.18, -0.9, 0.2]]> : tensor<6x12xf32>

func.func @forward(%ids: tensor<?x?xi32> {weir.name = "input_ids"},
                   %n: tensor<?xi32> {weir.name = "lengths",
                                      weir.role = "lengths"})
    -> (tensor<?x?x6xf32> {weir.name = "logits"})
    attributes {weir.method = "forward"} {
  %table = weir.weight @table : tensor<6x12xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %rows = tensor.dim %ids, %c0 : tensor<?x?xi32>
  %time = tensor.dim %ids, %c1 : tensor<?x?xi32>
  %flat = weir.embedding %ids, %table
      : tensor<?x?xi32>, tensor<6x12xf32> -> tensor<?x?x12xf32>
  %x = tensor.expand_shape %flat [[0], [1], [2, 3]]
      output_shape [%rows, %time, 2, 6]
      : tensor<?x?x12xf32> into tensor<?x?x2x6xf32>
  %e = tensor.empty(%rows, %time) : tensor<?x?x2xf32>
  %zero = arith.constant 0.0 : f32
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?x2xf32>)
      -> tensor<?x?x2xf32>
  // With vectors whose squares are no more than 6, factors of at most a third.
  %beta = linalg.generic {
      indexing_maps = [affine_map<(b, t, h, d) -> (b, t, h, d)>,
                       affine_map<(b, t, h, d) -> (b, t, h)>],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x : tensor<?x?x2x6xf32>) outs(%f : tensor<?x?x2xf32>) {
  ^bb0(%in: f32, %out: f32):
    %part = arith.constant 0.05 : f32
    %square = arith.mulf %in, %in : f32
    %scaled = arith.mulf %square, %part : f32
    %sum = arith.addf %out, %scaled : f32
    linalg.yield %sum : f32
  } -> tensor<?x?x2xf32>
  %y = weir.attention %x, %x, %x mask(<causal>) scale(0.5)
      path(%x, %beta : tensor<?x?x2x6xf32>, tensor<?x?x2xf32>)
      : tensor<?x?x2x6xf32>, tensor<?x?x2x6xf32>, tensor<?x?x2x6xf32>
      -> tensor<?x?x2x6xf32>
  %z = weir.attention %y, %x, %y mask(<causal and window<5>>) scale(0.7)
      path(%y, %beta : tensor<?x?x2x6xf32>, tensor<?x?x2xf32>)
      key_bias(%beta : tensor<?x?x2xf32>)
      : tensor<?x?x2x6xf32>, tensor<?x?x2x6xf32>, tensor<?x?x2x6xf32>
      -> tensor<?x?x2x6xf32>
  %u = weir.delta_values %z, %y, %x, %beta scale(2.0)
      : tensor<?x?x2x6xf32>, tensor<?x?x2x6xf32>, tensor<?x?x2x6xf32>,
        tensor<?x?x2xf32> -> tensor<?x?x2x6xf32>
  %o = weir.attention %z, %y, %u mask(<causal>) scale(0.5)
      : tensor<?x?x2x6xf32>, tensor<?x?x2x6xf32>, tensor<?x?x2x6xf32>
      -> tensor<?x?x2x6xf32>
  // Its results are read by nothing but its own past.
  %s = weir.delta_values %o, %y, %u, %beta scale(1.0)
      : tensor<?x?x2x6xf32>, tensor<?x?x2x6xf32>, tensor<?x?x2x6xf32>,
        tensor<?x?x2xf32> -> tensor<?x?x2x6xf32>
  %merged = tensor.collapse_shape %s [[0], [1], [2, 3]]
      : tensor<?x?x2x6xf32> into tensor<?x?x12xf32>
  %logits = weir.linear %merged, %table
      : tensor<?x?x12xf32>, tensor<6x12xf32> -> tensor<?x?x6xf32>
  return %logits : tensor<?x?x6xf32>
}
}
