// A mixture of depths (arXiv:2404.02258), written by hand: every second layer is
// one that tokens may skip, attention included.
//
// README.md beside this file explains it.

module attributes {weir.model = {name = "depths", vocab_size = 128 : i64,
                                 max_length = 512 : i64}} {

weir.param @embedding : tensor<128x64xf32> = #weir.checkpoint<"embedding">
weir.param @norm : tensor<64xf32> = #weir.checkpoint<"norm">

// Layers 0 and 2, which all tokens go through.
weir.param @all.norm : tensor<2x64xf32>
    = #weir.checkpoint<"layers.*.attention.norm", [0, 2]>
weir.param @all.qkv : tensor<2x128x64xf32>
    = #weir.checkpoint<"layers.*.attention.qkv", [0, 2]>
weir.param @all.out : tensor<2x64x64xf32>
    = #weir.checkpoint<"layers.*.attention.out", [0, 2]>
weir.param @all.ffn.norm : tensor<2x64xf32>
    = #weir.checkpoint<"layers.*.ffn.norm", [0, 2]>
weir.param @all.up : tensor<2x160x64xf32>
    = #weir.checkpoint<"layers.*.ffn.up", [0, 2]>
weir.param @all.down : tensor<2x64x160xf32>
    = #weir.checkpoint<"layers.*.ffn.down", [0, 2]>

// Layers 1 and 3 and their routers. What is one expert has an axis for it.
weir.param @router : tensor<2x1x64xf32>
    = #weir.checkpoint<"layers.*.router", [1, 3]>
weir.param @some.norm : tensor<2x64xf32>
    = #weir.checkpoint<"layers.*.attention.norm", [1, 3]>
weir.param @some.qkv : tensor<2x1x128x64xf32>
    = #weir.checkpoint<"layers.*.attention.*.qkv", [1, 3], experts = 1>
weir.param @some.out : tensor<2x1x64x64xf32>
    = #weir.checkpoint<"layers.*.attention.*.out", [1, 3], experts = 1>
weir.param @some.ffn.norm : tensor<2x64xf32>
    = #weir.checkpoint<"layers.*.ffn.norm", [1, 3]>
weir.param @some.up : tensor<2x1x160x64xf32>
    = #weir.checkpoint<"layers.*.ffn.*.up", [1, 3], experts = 1>
weir.param @some.down : tensor<2x1x64x160xf32>
    = #weir.checkpoint<"layers.*.ffn.*.down", [1, 3], experts = 1>

// Four heads of queries and two of keys, turned by positions, and of values.
func.func private @heads(%qkv: tensor<?x?x128xf32>, %positions: tensor<?x?xi32>)
    -> (tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %qkv, %c0 : tensor<?x?x128xf32>
  %t = tensor.dim %qkv, %c1 : tensor<?x?x128xf32>
  %all = tensor.expand_shape %qkv [[0], [1], [2, 3]]
      output_shape [%b, %t, 8, 16]
      : tensor<?x?x128xf32> into tensor<?x?x8x16xf32>
  %q0 = tensor.extract_slice %all[0, 0, 0, 0] [%b, %t, 4, 16] [1, 1, 1, 1]
      : tensor<?x?x8x16xf32> to tensor<?x?x4x16xf32>
  %k0 = tensor.extract_slice %all[0, 0, 4, 0] [%b, %t, 2, 16] [1, 1, 1, 1]
      : tensor<?x?x8x16xf32> to tensor<?x?x2x16xf32>
  %v = tensor.extract_slice %all[0, 0, 6, 0] [%b, %t, 2, 16] [1, 1, 1, 1]
      : tensor<?x?x8x16xf32> to tensor<?x?x2x16xf32>
  %angles = weir.rope_frequencies base(1.0e4) dims(16) : tensor<8xf32>
  %q = weir.rotary %q0, %positions, %angles layout(half)
      : tensor<?x?x4x16xf32>, tensor<?x?xi32>, tensor<8xf32>
  %k = weir.rotary %k0, %positions, %angles layout(half)
      : tensor<?x?x2x16xf32>, tensor<?x?xi32>, tensor<8xf32>
  return %q, %k, %v
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
}

// A layer that all tokens go through.
func.func private @everyone(%layer: index, %x: tensor<?x?x64xf32>,
                            %positions: tensor<?x?xi32>)
    -> tensor<?x?x64xf32> {
  %w1 = weir.weight @all.norm[%layer] : tensor<64xf32>
  %w_qkv = weir.weight @all.qkv[%layer] : tensor<128x64xf32>
  %w_out = weir.weight @all.out[%layer] : tensor<64x64xf32>
  %n1 = weir.rms_norm %x weight(%w1 : tensor<64xf32>) eps(1.0e-6)
      : tensor<?x?x64xf32>
  %qkv = weir.linear %n1, %w_qkv
      : tensor<?x?x64xf32>, tensor<128x64xf32> -> tensor<?x?x128xf32>
  %q, %k, %v = func.call @heads(%qkv, %positions)
      : (tensor<?x?x128xf32>, tensor<?x?xi32>)
      -> (tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>)
  %looked = weir.attention %q, %k, %v mask(<causal>) scale(0.25)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
      -> tensor<?x?x4x16xf32>
  %flat = tensor.collapse_shape %looked [[0], [1], [2, 3]]
      : tensor<?x?x4x16xf32> into tensor<?x?x64xf32>
  %a = weir.linear %flat, %w_out
      : tensor<?x?x64xf32>, tensor<64x64xf32> -> tensor<?x?x64xf32>
  %y = arith.addf %x, %a : tensor<?x?x64xf32>

  %w2 = weir.weight @all.ffn.norm[%layer] : tensor<64xf32>
  %w_up = weir.weight @all.up[%layer] : tensor<160x64xf32>
  %w_down = weir.weight @all.down[%layer] : tensor<64x160xf32>
  %n2 = weir.rms_norm %y weight(%w2 : tensor<64xf32>) eps(1.0e-6)
      : tensor<?x?x64xf32>
  %u = weir.linear %n2, %w_up
      : tensor<?x?x64xf32>, tensor<160x64xf32> -> tensor<?x?x160xf32>
  %g = math.tanh %u : tensor<?x?x160xf32>
  %d = weir.linear %g, %w_down
      : tensor<?x?x160xf32>, tensor<64x160xf32> -> tensor<?x?x64xf32>
  %z = arith.addf %y, %d : tensor<?x?x64xf32>
  return %z : tensor<?x?x64xf32>
}

// A layer that a token goes through when its router says so: x + r * f(x), where
// f is attention among such tokens and the feed-forward part.
func.func private @chosen(%layer: index, %x: tensor<?x?x64xf32>,
                          %positions: tensor<?x?xi32>)
    -> tensor<?x?x64xf32> {
  %w_router = weir.weight @router[%layer] : tensor<1x64xf32>
  %r = weir.linear %x, %w_router
      : tensor<?x?x64xf32>, tensor<1x64xf32> -> tensor<?x?x1xf32>
  %indices, %weights = weir.route %r top_k(1) score(raw) weighting(scores)
      threshold(0.0)
      : tensor<?x?x1xf32> -> tensor<?x?x1xi32>, tensor<?x?x1xf32>

  // Projections of the chosen tokens, each by itself.
  %ones = linalg.map ins(%weights : tensor<?x?x1xf32>)
      outs(%weights : tensor<?x?x1xf32>) (%in: f32, %out: f32) {
    %one = arith.constant 1.0 : f32
    linalg.yield %one : f32
  }
  %w1 = weir.weight @some.norm[%layer] : tensor<64xf32>
  %ws_qkv = weir.weight @some.qkv[%layer] : tensor<1x128x64xf32>
  %qkv = weir.experts %x, %indices, %ones params(%ws_qkv : tensor<1x128x64xf32>)
      : tensor<?x?x64xf32>, tensor<?x?x1xi32>, tensor<?x?x1xf32>
      -> tensor<?x?x128xf32> {
  ^bb0(%rows: tensor<?x64xf32>, %w_qkv: tensor<128x64xf32>):
    %n = weir.rms_norm %rows weight(%w1 : tensor<64xf32>) eps(1.0e-6)
        : tensor<?x64xf32>
    %p = weir.linear %n, %w_qkv
        : tensor<?x64xf32>, tensor<128x64xf32> -> tensor<?x128xf32>
    weir.yield %p : tensor<?x128xf32>
  }
  %q0, %k0, %v0 = func.call @heads(%qkv, %positions)
      : (tensor<?x?x128xf32>, tensor<?x?xi32>)
      -> (tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>)

  // Attention among them: a shorter sequence, in the order of the longer one.
  %places, %ranks, %counts = weir.list_tokens %indices
      : tensor<?x?x1xi32> -> tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>
  %q = weir.gather_tokens %q0, %places
      : tensor<?x?x4x16xf32>, tensor<?x?xi32> -> tensor<?x?x4x16xf32>
  %k = weir.gather_tokens %k0, %places
      : tensor<?x?x2x16xf32>, tensor<?x?xi32> -> tensor<?x?x2x16xf32>
  %v = weir.gather_tokens %v0, %places
      : tensor<?x?x2x16xf32>, tensor<?x?xi32> -> tensor<?x?x2x16xf32>
  %looked = weir.attention %q, %k, %v mask(<causal>) scale(0.25) where {
  ^bb0(%row: index, %head: index, %i: index, %j: index):
    %count = tensor.extract %counts[%row] : tensor<?xi32>
    %end = arith.index_cast %count : i32 to index
    %there = arith.cmpi slt, %i, %end : index
    weir.yield %there : i1
  } : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
      -> tensor<?x?x4x16xf32>
  %back = weir.gather_tokens %looked, %ranks
      : tensor<?x?x4x16xf32>, tensor<?x?xi32> -> tensor<?x?x4x16xf32>
  %flat = tensor.collapse_shape %back [[0], [1], [2, 3]]
      : tensor<?x?x4x16xf32> into tensor<?x?x64xf32>

  // The rest of the layer, again of chosen tokens alone.
  %both = tensor.concat dim(2) %x, %flat
      : (tensor<?x?x64xf32>, tensor<?x?x64xf32>) -> tensor<?x?x128xf32>
  %w2 = weir.weight @some.ffn.norm[%layer] : tensor<64xf32>
  %ws_out = weir.weight @some.out[%layer] : tensor<1x64x64xf32>
  %ws_up = weir.weight @some.up[%layer] : tensor<1x160x64xf32>
  %ws_down = weir.weight @some.down[%layer] : tensor<1x64x160xf32>
  %f = weir.experts %both, %indices, %weights
      params(%ws_out, %ws_up, %ws_down : tensor<1x64x64xf32>,
             tensor<1x160x64xf32>, tensor<1x64x160xf32>)
      : tensor<?x?x128xf32>, tensor<?x?x1xi32>, tensor<?x?x1xf32>
      -> tensor<?x?x64xf32> {
  ^bb0(%rows: tensor<?x128xf32>, %w_out: tensor<64x64xf32>,
       %w_up: tensor<160x64xf32>, %w_down: tensor<64x160xf32>):
    %c0 = arith.constant 0 : index
    %count = tensor.dim %rows, %c0 : tensor<?x128xf32>
    %xs = tensor.extract_slice %rows[0, 0] [%count, 64] [1, 1]
        : tensor<?x128xf32> to tensor<?x64xf32>
    %seen = tensor.extract_slice %rows[0, 64] [%count, 64] [1, 1]
        : tensor<?x128xf32> to tensor<?x64xf32>
    %a = weir.linear %seen, %w_out
        : tensor<?x64xf32>, tensor<64x64xf32> -> tensor<?x64xf32>
    %y = arith.addf %xs, %a : tensor<?x64xf32>
    %n = weir.rms_norm %y weight(%w2 : tensor<64xf32>) eps(1.0e-6)
        : tensor<?x64xf32>
    %u = weir.linear %n, %w_up
        : tensor<?x64xf32>, tensor<160x64xf32> -> tensor<?x160xf32>
    %g = math.tanh %u : tensor<?x160xf32>
    %d = weir.linear %g, %w_down
        : tensor<?x160xf32>, tensor<64x160xf32> -> tensor<?x64xf32>
    %sum = arith.addf %a, %d : tensor<?x64xf32>
    weir.yield %sum : tensor<?x64xf32>
  }
  %z = arith.addf %x, %f : tensor<?x?x64xf32>
  return %z : tensor<?x?x64xf32>
}

func.func @forward(%ids: tensor<?x?xi32> {weir.name = "input_ids"},
                   %lengths: tensor<?xi32> {weir.name = "lengths",
                                            weir.role = "lengths"})
    -> (tensor<?x?x128xf32> {weir.name = "logits"})
    attributes {weir.method = "forward"} {
  %embedding = weir.weight @embedding : tensor<128x64xf32>
  %x0 = weir.embedding %ids, %embedding
      : tensor<?x?xi32>, tensor<128x64xf32> -> tensor<?x?x64xf32>
  %positions = weir.positions %ids : tensor<?x?xi32> -> tensor<?x?xi32>
  %x4 = weir.stack (%x0) order [0, 1, 0, 1] : tensor<?x?x64xf32> {
  ^bb0(%layer: index, %x: tensor<?x?x64xf32>):
    %y = func.call @everyone(%layer, %x, %positions)
        : (index, tensor<?x?x64xf32>, tensor<?x?xi32>) -> tensor<?x?x64xf32>
    weir.yield %y : tensor<?x?x64xf32>
  }, {
  ^bb0(%layer: index, %x: tensor<?x?x64xf32>):
    %y = func.call @chosen(%layer, %x, %positions)
        : (index, tensor<?x?x64xf32>, tensor<?x?xi32>) -> tensor<?x?x64xf32>
    weir.yield %y : tensor<?x?x64xf32>
  }
  %w = weir.weight @norm : tensor<64xf32>
  %n = weir.rms_norm %x4 weight(%w : tensor<64xf32>) eps(1.0e-6)
      : tensor<?x?x64xf32>
  %logits = weir.linear %n, %embedding
      : tensor<?x?x64xf32>, tensor<128x64xf32> -> tensor<?x?x128xf32>
  return %logits : tensor<?x?x128xf32>
}
}
