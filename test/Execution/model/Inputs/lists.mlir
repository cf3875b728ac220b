// Layers that choose what they attend to: keys one by one, by heads that share a
// list, and blocks of three by running sums; and one that breaks a stick.

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
  %none = arith.constant dense<0.0> : tensor<2x6xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %rows = tensor.dim %ids, %c0 : tensor<?x?xi32>
  %time = tensor.dim %ids, %c1 : tensor<?x?xi32>
  %positions = weir.positions %ids : tensor<?x?xi32> -> tensor<?x?xi32>
  %flat = weir.embedding %ids, %table
      : tensor<?x?xi32>, tensor<6x12xf32> -> tensor<?x?x12xf32>
  %x = tensor.expand_shape %flat [[0], [1], [2, 3]]
      output_shape [%rows, %time, 2, 6]
      : tensor<?x?x12xf32> into tensor<?x?x2x6xf32>
  %y = weir.attention %x, %x, %x mask(<causal>) scale(0.5)
      normalize(stick_breaking) : tensor<?x?x2x6xf32>, tensor<?x?x2x6xf32>, tensor<?x?x2x6xf32> -> tensor<?x?x2x6xf32>
  %single = weir.select_blocks %y, %x block_size(1) scale(1.0) score(softmax)
      : tensor<?x?x2x6xf32>, tensor<?x?x2x6xf32> -> tensor<?x?x2x4xi32>
  %z = weir.attention %y, %x, %y mask(<causal>) scale(0.7)
      block_list(%single : tensor<?x?x2x4xi32>) : tensor<?x?x2x6xf32>, tensor<?x?x2x6xf32>, tensor<?x?x2x6xf32> -> tensor<?x?x2x6xf32>

  // What a block has added up goes on from token to token of it.
  %e = tensor.empty(%rows, %time) : tensor<?x?xf32>
  %keep = linalg.generic {indexing_maps = [affine_map<(b, t) -> (b, t)>,
                                           affine_map<(b, t) -> (b, t)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%positions : tensor<?x?xi32>) outs(%e : tensor<?x?xf32>) {
  ^bb0(%at: i32, %out: f32):
    %three = arith.constant 3 : i32
    %first = arith.constant 0 : i32
    %zero = arith.constant 0.0 : f32
    %one = arith.constant 1.0 : f32
    %place = arith.remsi %at, %three : i32
    %begins = arith.cmpi eq, %place, %first : i32
    %factor = arith.select %begins, %zero, %one : f32
    linalg.yield %factor : f32
  } -> tensor<?x?xf32>
  %sums, %last = weir.scan (%z, %keep) states(%none)
      : (tensor<?x?x2x6xf32>, tensor<?x?xf32>), (tensor<2x6xf32>) -> (tensor<?x?x2x6xf32>), (tensor<?x2x6xf32>) {
  ^bb0(%now: tensor<2x6xf32>, %kept: tensor<f32>, %before: tensor<2x6xf32>):
    %into = tensor.empty() : tensor<2x6xf32>
    %after = linalg.generic {indexing_maps = [affine_map<(h, d) -> (h, d)>,
                                              affine_map<(h, d) -> ()>,
                                              affine_map<(h, d) -> (h, d)>,
                                              affine_map<(h, d) -> (h, d)>],
        iterator_types = ["parallel", "parallel"]}
        ins(%now, %kept, %before : tensor<2x6xf32>, tensor<f32>,
                                   tensor<2x6xf32>)
        outs(%into : tensor<2x6xf32>) {
    ^bb1(%part: f32, %factor: f32, %sum: f32, %out: f32):
      %old = arith.mulf %factor, %sum : f32
      %new = arith.addf %old, %part : f32
      linalg.yield %new : f32
    } -> tensor<2x6xf32>
    weir.yield %after, %after : tensor<2x6xf32>, tensor<2x6xf32>
  }
  %blocks = weir.select_blocks %z, %sums block_size(3) scale(1.0) score(raw)
      adjust {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %c: index):
    %always = arith.constant 0x7F800000 : f32
    %own = arith.divui %i, %c3 : index
    %isOwn = arith.cmpi eq, %own, %c : index
    %t = arith.select %isOwn, %always, %s : f32
    weir.yield %t : f32
  } : tensor<?x?x2x6xf32>, tensor<?x?x2x6xf32> -> tensor<?x?x2x2xi32>
  %w = weir.attention %z, %z, %x mask(<causal>) scale(0.7)
      block_list(%blocks : tensor<?x?x2x2xi32>) block_size(3) : tensor<?x?x2x6xf32>, tensor<?x?x2x6xf32>, tensor<?x?x2x6xf32> -> tensor<?x?x2x6xf32>
  %logits = tensor.extract_slice %w[0, 0, 1, 0] [%rows, %time, 1, 6] [1, 1, 1, 1]
      : tensor<?x?x2x6xf32> to tensor<?x?x6xf32>
  return %logits : tensor<?x?x6xf32>
}
}
