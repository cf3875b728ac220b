// A model that streams, of two layer kinds and constant weights: no checkpoint.

module attributes {weir.model = {name = "tiny", vocab_size = 10, max_length = 32,
                                 bos = -1, pad = -1, eos = [], add_bos = false}} {
  weir.param @embed : tensor<10x8xf32> = dense<0.25> : tensor<10x8xf32>
  weir.param @layers.norm : tensor<2x8xf32> = dense<1.0> : tensor<2x8xf32>
  weir.param @layers.up : tensor<2x8x8xf32> = dense<0.5> : tensor<2x8x8xf32>
  weir.param @mix.down : tensor<1x8x8xf32> = dense<0.125> : tensor<1x8x8xf32>
  weir.param @head : tensor<10x8xf32> = dense<2.0> : tensor<10x8xf32>

  func.func @forward(
      %ids: tensor<?x?xi32> {weir.name = "input_ids"},
      %lengths: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
      -> (tensor<?x?x10xf32> {weir.name = "logits"})
      attributes {weir.method = "forward"} {
    %table = weir.weight @embed : tensor<10x8xf32>
    %x0 = weir.embedding %ids, %table
        : tensor<?x?xi32>, tensor<10x8xf32> -> tensor<?x?x8xf32>
    %x1 = weir.stack (%x0) order [0, 1, 0] : tensor<?x?x8xf32> {
    ^bb0(%layer: index, %x: tensor<?x?x8xf32>):
      %scale = weir.weight @layers.norm[%layer] : tensor<8xf32>
      %up = weir.weight @layers.up[%layer] : tensor<8x8xf32>
      %n = weir.rms_norm %x weight(%scale : tensor<8xf32>) eps(1.0e-5)
          : tensor<?x?x8xf32>
      %y = weir.linear %n, %up
          : tensor<?x?x8xf32>, tensor<8x8xf32> -> tensor<?x?x8xf32>
      weir.yield %y : tensor<?x?x8xf32>
    }, {
    ^bb0(%layer: index, %x: tensor<?x?x8xf32>):
      %down = weir.weight @mix.down[%layer] : tensor<8x8xf32>
      %q = weir.linear %x, %down
          : tensor<?x?x8xf32>, tensor<8x8xf32> -> tensor<?x?x8xf32>
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %b = tensor.dim %x, %c0 : tensor<?x?x8xf32>
      %t = tensor.dim %x, %c1 : tensor<?x?x8xf32>
      %h = tensor.expand_shape %q [[0], [1], [2, 3]] output_shape [%b, %t, 2, 4]
          : tensor<?x?x8xf32> into tensor<?x?x2x4xf32>
      %a = weir.attention %h, %h, %h mask(<causal and window<4>>) scale(0.5)
          : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
            -> tensor<?x?x2x4xf32>
      %y = tensor.collapse_shape %a [[0], [1], [2, 3]]
          : tensor<?x?x2x4xf32> into tensor<?x?x8xf32>
      weir.yield %y : tensor<?x?x8xf32>
    }
    %head = weir.weight @head : tensor<10x8xf32>
    %logits = weir.linear %x1, %head
        : tensor<?x?x8xf32>, tensor<10x8xf32> -> tensor<?x?x10xf32>
    return %logits : tensor<?x?x10xf32>
  }
}
