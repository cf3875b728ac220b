// Layers with a loop over time of two states, a matrix that starts at a weight
// and a vector that starts at zero; what is decayed by is made in front of it.

#d = affine_map<(d, n) -> (d)>
#n = affine_map<(d, n) -> (n)>
#dn = affine_map<(d, n) -> (d, n)>
#one = affine_map<(d) -> (d)>
#all = affine_map<(b, t, d) -> (b, t, d)>

module attributes {weir.model = {vocab_size = 6 : i64}} {
weir.param @table : tensor<6x6xf32> = dense<
      [[-0.52, 0.09, -0.26, 0.21, 0.25, -0.87],
       [-0.97, 0.67, -0.48, -0.53, 0.99, -0.06],
       [0.67, -0.05, 0.28, -0.70, 0.27, 0.74],
       [0.05, 0.48, 0.34, -0.87, 0.52, 0.18],
       [-0.40, -0.94, 0.73, -0.05, 0.44, 0.76],
       [0.43, 0.84, -0.21, 0.60, -0.11, 0.87]]> : tensor<6x6xf32>

weir.param @start : tensor<6x6xf32> = #weir.transpose<@table, [1, 0]>

func.func @forward(%ids: tensor<?x?xi32> {weir.name = "input_ids"},
                   %n: tensor<?xi32> {weir.name = "lengths",
                                      weir.role = "lengths"})
    -> (tensor<?x?x6xf32> {weir.name = "logits"})
    attributes {weir.method = "forward"} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %rows = tensor.dim %ids, %c0 : tensor<?x?xi32>
  %time = tensor.dim %ids, %c1 : tensor<?x?xi32>
  %table = weir.weight @table : tensor<6x6xf32>
  %start = weir.weight @start : tensor<6x6xf32>
  %x = weir.embedding %ids, %table
      : tensor<?x?xi32>, tensor<6x6xf32> -> tensor<?x?x6xf32>
  %y = weir.stack(%x) order [0, 0] : tensor<?x?x6xf32> {
  ^bb0(%layer: index, %a: tensor<?x?x6xf32>):
    %re = tensor.empty() : tensor<6x6xf32>
    %rates = linalg.generic {indexing_maps = [#dn, #dn],
        iterator_types = ["parallel", "parallel"]}
        ins(%start : tensor<6x6xf32>) outs(%re : tensor<6x6xf32>) {
    ^bb1(%r: f32, %out: f32):
      %e = math.exp %r : f32
      %m = arith.negf %e : f32
      linalg.yield %m : f32
    } -> tensor<6x6xf32>
    %zero = arith.constant dense<0.0> : tensor<6xf32>
    %b, %last:2 = weir.scan (%a) states(%start, %zero)
        : (tensor<?x?x6xf32>), (tensor<6x6xf32>, tensor<6xf32>)
        -> (tensor<?x?x6xf32>), (tensor<?x6x6xf32>, tensor<?x6xf32>) {
    ^bb1(%u: tensor<6xf32>, %before: tensor<6x6xf32>, %held: tensor<6xf32>):
      %se = tensor.empty() : tensor<6x6xf32>
      %after = linalg.generic {indexing_maps = [#d, #d, #dn, #dn, #dn],
          iterator_types = ["parallel", "parallel"]}
          ins(%u, %held, %rates, %before : tensor<6xf32>, tensor<6xf32>,
              tensor<6x6xf32>, tensor<6x6xf32>)
          outs(%se : tensor<6x6xf32>) {
      ^bb2(%v: f32, %k: f32, %r: f32, %h: f32, %out: f32):
        %decay = math.exp %r : f32
        %kept = arith.mulf %decay, %h : f32
        %new = arith.subf %v, %k : f32
        %sum = arith.addf %kept, %new : f32
        linalg.yield %sum : f32
      } -> tensor<6x6xf32>
      %nothing = arith.constant 0.0 : f32
      %ve = tensor.empty() : tensor<6xf32>
      %fill = linalg.fill ins(%nothing : f32) outs(%ve : tensor<6xf32>)
          -> tensor<6xf32>
      %read = linalg.generic {indexing_maps = [#dn, #d],
          iterator_types = ["parallel", "reduction"]}
          ins(%after : tensor<6x6xf32>) outs(%fill : tensor<6xf32>) {
      ^bb2(%h: f32, %sum: f32):
        %r = arith.addf %sum, %h : f32
        linalg.yield %r : f32
      } -> tensor<6xf32>
      %next = linalg.generic {indexing_maps = [#one, #one, #one],
          iterator_types = ["parallel"]}
          ins(%held, %u : tensor<6xf32>, tensor<6xf32>)
          outs(%ve : tensor<6xf32>) {
      ^bb2(%h: f32, %v: f32, %out: f32):
        %half = arith.constant 0.5 : f32
        %p = arith.mulf %h, %half : f32
        %q = arith.addf %p, %v : f32
        linalg.yield %q : f32
      } -> tensor<6xf32>
      weir.yield %read, %after, %next
          : tensor<6xf32>, tensor<6x6xf32>, tensor<6xf32>
    }
    %de = tensor.empty(%rows, %time) : tensor<?x?x6xf32>
    %sum = linalg.generic {indexing_maps = [#all, #all, #all],
        iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%a, %b : tensor<?x?x6xf32>, tensor<?x?x6xf32>)
        outs(%de : tensor<?x?x6xf32>) {
    ^bb1(%u: f32, %v: f32, %out: f32):
      %w = arith.addf %u, %v : f32
      linalg.yield %w : f32
    } -> tensor<?x?x6xf32>
    weir.yield %sum : tensor<?x?x6xf32>
  }
  return %y : tensor<?x?x6xf32>
}
}
