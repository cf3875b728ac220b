// A small causal language model whose weights stand in the file: one layer of
// attention over an embedding, and logits by the embedding again.
module attributes {weir.model = {name = "tiny", vocab_size = 8 : i64,
                                 max_length = 64 : i64}} {
  weir.param @embed : tensor<8x8xf32> = dense<[
    [-1.25, 0.00, 1.25, -0.25, 1.00, -0.50, 0.75, -0.75],
    [0.50, -0.25, -1.00, 1.00, 0.25, -0.50, -1.25, 0.75],
    [-0.50, -0.50, -0.50, -0.50, -0.50, -0.50, -0.50, -0.50],
    [1.25, -0.75, 0.00, 0.75, -1.25, -0.50, 0.25, 1.00],
    [0.25, -1.00, 0.50, -0.75, 0.75, -0.50, 1.00, -0.25],
    [-0.75, -1.25, 1.00, 0.50, 0.00, -0.50, -1.00, 1.25],
    [1.00, 1.25, -1.25, -1.00, -0.75, -0.50, -0.25, 0.00],
    [0.00, 1.00, -0.75, 0.25, 1.25, -0.50, 0.50, -1.25]]> : tensor<8x8xf32>

  func.func @forward(
      %ids: tensor<?x?xi32> {weir.name = "input_ids"},
      %lengths: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
      -> (tensor<?x?x8xf32> {weir.name = "logits"})
      attributes {weir.method = "forward"} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %b = tensor.dim %ids, %c0 : tensor<?x?xi32>
    %t = tensor.dim %ids, %c1 : tensor<?x?xi32>
    %embed = weir.weight @embed : tensor<8x8xf32>
    %x = weir.embedding %ids, %embed
        : tensor<?x?xi32>, tensor<8x8xf32> -> tensor<?x?x8xf32>
    %heads = tensor.expand_shape %x [[0], [1], [2, 3]]
        output_shape [%b, %t, 2, 4] : tensor<?x?x8xf32> into tensor<?x?x2x4xf32>
    %mixed = weir.attention %heads, %heads, %heads mask(<causal>) scale(0.5)
        : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
          -> tensor<?x?x2x4xf32>
    %y = tensor.collapse_shape %mixed [[0], [1], [2, 3]]
        : tensor<?x?x2x4xf32> into tensor<?x?x8xf32>
    %logits = weir.linear %y, %embed
        : tensor<?x?x8xf32>, tensor<8x8xf32> -> tensor<?x?x8xf32>
    return %logits : tensor<?x?x8xf32>
  }
}
