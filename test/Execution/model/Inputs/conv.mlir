// Layers that remember by a short convolution and a shift: one carry is longer
// than the convolution is wide, and there are three of each in a stack.

module attributes {weir.model = {vocab_size = 6 : i64}} {
weir.param @table : tensor<6x6xf32> = dense<
      [[-0.52, 0.09, -0.26, 0.21, 0.25, -0.87],
       [-0.97, 0.67, -0.48, -0.53, 0.99, -0.06],
       [0.67, -0.05, 0.28, -0.70, 0.27, 0.74],
       [0.05, 0.48, 0.34, -0.87, 0.52, 0.18],
       [-0.40, -0.94, 0.73, -0.05, 0.44, 0.76],
       [0.43, 0.84, -0.21, 0.60, -0.11, 0.87]]> : tensor<6x6xf32>

func.func @forward(%ids: tensor<?x?xi32> {weir.name = "input_ids"},
                   %n: tensor<?xi32> {weir.name = "lengths",
                                      weir.role = "lengths"})
    -> (tensor<?x?x6xf32> {weir.name = "logits"})
    attributes {weir.method = "forward"} {
  %table = weir.weight @table : tensor<6x6xf32>
  %taps = arith.constant dense<
      [[0.71, 0.98, -0.82, 0.60],
       [-0.18, -0.70, -0.41, 0.54],
       [0.75, -0.91, 0.23, -0.91],
       [0.44, -0.34, 0.76, 0.96],
       [0.01, 1.00, -0.38, -0.85],
       [0.20, -0.94, -0.61, -0.18]]> : tensor<6x4xf32>
  %bias = arith.constant dense<
      [0.22, -0.69, -0.92, 0.74, -0.37, 0.92]> : tensor<6xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %rows = tensor.dim %ids, %c0 : tensor<?x?xi32>
  %time = tensor.dim %ids, %c1 : tensor<?x?xi32>
  %x = weir.embedding %ids, %table
      : tensor<?x?xi32>, tensor<6x6xf32> -> tensor<?x?x6xf32>
  %y = weir.stack(%x) order [0, 0, 0] : tensor<?x?x6xf32> {
  ^bb0(%layer: index, %a: tensor<?x?x6xf32>):
    %c, %tail = weir.causal_conv %a, %taps bias(%bias : tensor<6xf32>)
        activation(silu) : tensor<?x?x6xf32>, tensor<6x4xf32>
          -> tensor<?x?x6xf32>, tensor<?x5x6xf32>
    %s, %last = weir.shift %c : tensor<?x?x6xf32> -> tensor<?x6xf32>
    %e = tensor.empty(%rows, %time) : tensor<?x?x6xf32>
    %mixed = linalg.elementwise kind=#linalg.elementwise_kind<add>
        ins(%c, %s : tensor<?x?x6xf32>, tensor<?x?x6xf32>)
        outs(%e : tensor<?x?x6xf32>) -> tensor<?x?x6xf32>
    %b = linalg.elementwise kind=#linalg.elementwise_kind<sub>
        ins(%mixed, %a : tensor<?x?x6xf32>, tensor<?x?x6xf32>)
        outs(%e : tensor<?x?x6xf32>) -> tensor<?x?x6xf32>
    weir.yield %b : tensor<?x?x6xf32>
  }
  return %y : tensor<?x?x6xf32>
}
}
