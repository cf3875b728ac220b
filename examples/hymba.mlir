// Attention heads beside a state space in every layer, as in Hymba
// (arXiv:2411.13676), written by hand.
//
// README.md beside this file explains it.

module attributes {weir.model = {name = "hymba", vocab_size = 128 : i64,
                                 max_length = 512 : i64}} {

weir.param @embedding : tensor<128x64xf32> = #weir.checkpoint<"embedding">
weir.param @norm : tensor<64xf32> = #weir.checkpoint<"norm">

weir.param @mixer.norm : tensor<4x64xf32>
    = #weir.checkpoint<"layers.*.mixer.norm", [0, 1, 2, 3]>
weir.param @query : tensor<4x64x64xf32>
    = #weir.checkpoint<"layers.*.query", [0, 1, 2, 3]>
weir.param @attention.norm : tensor<4x64xf32>
    = #weir.checkpoint<"layers.*.attention.norm", [0, 1, 2, 3]>
weir.param @scan.norm : tensor<4x64xf32>
    = #weir.checkpoint<"layers.*.scan.norm", [0, 1, 2, 3]>
weir.param @out : tensor<4x64x64xf32>
    = #weir.checkpoint<"layers.*.out", [0, 1, 2, 3]>

// Layer 2 has no keys and values of its own: it reads those of layer 1.
weir.param @key : tensor<3x32x64xf32>
    = #weir.checkpoint<"layers.*.key", [0, 1, 3]>
weir.param @value : tensor<3x32x64xf32>
    = #weir.checkpoint<"layers.*.value", [0, 1, 3]>

weir.param @scan.in : tensor<4x128x64xf32>
    = #weir.checkpoint<"layers.*.scan.in", [0, 1, 2, 3]>
weir.param @scan.conv : tensor<4x64x4xf32>
    = #weir.checkpoint<"layers.*.scan.conv", [0, 1, 2, 3]>
weir.param @scan.select : tensor<4x20x64xf32>
    = #weir.checkpoint<"layers.*.scan.select", [0, 1, 2, 3]>
weir.param @scan.step : tensor<4x64x4xf32>
    = #weir.checkpoint<"layers.*.scan.step", [0, 1, 2, 3]>
weir.param @scan.step_bias : tensor<4x64xf32>
    = #weir.checkpoint<"layers.*.scan.step_bias", [0, 1, 2, 3]>
weir.param @scan.rate_log : tensor<4x64x8xf32>
    = #weir.checkpoint<"layers.*.scan.rate_log", [0, 1, 2, 3]>
weir.param @scan.skip : tensor<4x64xf32>
    = #weir.checkpoint<"layers.*.scan.skip", [0, 1, 2, 3]>

weir.param @ffn.norm : tensor<4x64xf32>
    = #weir.checkpoint<"layers.*.ffn.norm", [0, 1, 2, 3]>
weir.param @ffn.gate : tensor<4x128x64xf32>
    = #weir.checkpoint<"layers.*.ffn.gate", [0, 1, 2, 3]>
weir.param @ffn.up : tensor<4x128x64xf32>
    = #weir.checkpoint<"layers.*.ffn.up", [0, 1, 2, 3]>
weir.param @ffn.down : tensor<4x64x128xf32>
    = #weir.checkpoint<"layers.*.ffn.down", [0, 1, 2, 3]>

// x * sigmoid(x), where sigmoid(x) is exp(-log(1 + exp(-x))).
func.func private @silu(%x: tensor<?x?x128xf32>) -> tensor<?x?x128xf32> {
  %a = arith.negf %x : tensor<?x?x128xf32>
  %b = math.exp %a : tensor<?x?x128xf32>
  %c = math.log1p %b : tensor<?x?x128xf32>
  %d = arith.negf %c : tensor<?x?x128xf32>
  %sigmoid = math.exp %d : tensor<?x?x128xf32>
  %y = arith.mulf %x, %sigmoid : tensor<?x?x128xf32>
  return %y : tensor<?x?x128xf32>
}

// Four heads of queries.
func.func private @queries(%layer: index, %n: tensor<?x?x64xf32>,
                           %positions: tensor<?x?xi32>)
    -> tensor<?x?x4x16xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %n, %c0 : tensor<?x?x64xf32>
  %t = tensor.dim %n, %c1 : tensor<?x?x64xf32>
  %w = weir.weight @query[%layer] : tensor<64x64xf32>
  %flat = weir.linear %n, %w
      : tensor<?x?x64xf32>, tensor<64x64xf32> -> tensor<?x?x64xf32>
  %heads = tensor.expand_shape %flat [[0], [1], [2, 3]]
      output_shape [%b, %t, 4, 16]
      : tensor<?x?x64xf32> into tensor<?x?x4x16xf32>
  %angles = weir.rope_frequencies base(1.0e4) dims(16) : tensor<8xf32>
  %q = weir.rotary %heads, %positions, %angles layout(half)
      : tensor<?x?x4x16xf32>, tensor<?x?xi32>, tensor<8xf32>
  return %q : tensor<?x?x4x16xf32>
}

// Two heads of keys and of values, each for two heads of queries.
func.func private @keys_values(%set: index, %n: tensor<?x?x64xf32>,
                               %positions: tensor<?x?xi32>)
    -> (tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %n, %c0 : tensor<?x?x64xf32>
  %t = tensor.dim %n, %c1 : tensor<?x?x64xf32>
  %wk = weir.weight @key[%set] : tensor<32x64xf32>
  %wv = weir.weight @value[%set] : tensor<32x64xf32>
  %k0 = weir.linear %n, %wk
      : tensor<?x?x64xf32>, tensor<32x64xf32> -> tensor<?x?x32xf32>
  %v0 = weir.linear %n, %wv
      : tensor<?x?x64xf32>, tensor<32x64xf32> -> tensor<?x?x32xf32>
  %k1 = tensor.expand_shape %k0 [[0], [1], [2, 3]] output_shape [%b, %t, 2, 16]
      : tensor<?x?x32xf32> into tensor<?x?x2x16xf32>
  %v = tensor.expand_shape %v0 [[0], [1], [2, 3]] output_shape [%b, %t, 2, 16]
      : tensor<?x?x32xf32> into tensor<?x?x2x16xf32>
  %angles = weir.rope_frequencies base(1.0e4) dims(16) : tensor<8xf32>
  %k = weir.rotary %k1, %positions, %angles layout(half)
      : tensor<?x?x2x16xf32>, tensor<?x?xi32>, tensor<8xf32>
  return %k, %v : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
}

// The state space beside them: a selective scan of 64 channels.
func.func private @scan(%layer: index, %n: tensor<?x?x64xf32>)
    -> tensor<?x?x64xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %n, %c0 : tensor<?x?x64xf32>
  %t = tensor.dim %n, %c1 : tensor<?x?x64xf32>
  %w_in = weir.weight @scan.in[%layer] : tensor<128x64xf32>
  %both = weir.linear %n, %w_in
      : tensor<?x?x64xf32>, tensor<128x64xf32> -> tensor<?x?x128xf32>
  %u0 = tensor.extract_slice %both[0, 0, 0] [%b, %t, 64] [1, 1, 1]
      : tensor<?x?x128xf32> to tensor<?x?x64xf32>
  %z = tensor.extract_slice %both[0, 0, 64] [%b, %t, 64] [1, 1, 1]
      : tensor<?x?x128xf32> to tensor<?x?x64xf32>
  %w_conv = weir.weight @scan.conv[%layer] : tensor<64x4xf32>
  %u, %tail = weir.causal_conv %u0, %w_conv activation(silu)
      : tensor<?x?x64xf32>, tensor<64x4xf32>
      -> tensor<?x?x64xf32>, tensor<?x3x64xf32>

  %w_select = weir.weight @scan.select[%layer] : tensor<20x64xf32>
  %selected = weir.linear %u, %w_select
      : tensor<?x?x64xf32>, tensor<20x64xf32> -> tensor<?x?x20xf32>
  %rank = tensor.extract_slice %selected[0, 0, 0] [%b, %t, 4] [1, 1, 1]
      : tensor<?x?x20xf32> to tensor<?x?x4xf32>
  %write = tensor.extract_slice %selected[0, 0, 4] [%b, %t, 8] [1, 1, 1]
      : tensor<?x?x20xf32> to tensor<?x?x8xf32>
  %read = tensor.extract_slice %selected[0, 0, 12] [%b, %t, 8] [1, 1, 1]
      : tensor<?x?x20xf32> to tensor<?x?x8xf32>
  %w_step = weir.weight @scan.step[%layer] : tensor<64x4xf32>
  %b_step = weir.weight @scan.step_bias[%layer] : tensor<64xf32>
  %steps = weir.linear %rank, %w_step bias(%b_step : tensor<64xf32>)
      : tensor<?x?x4xf32>, tensor<64x4xf32> -> tensor<?x?x64xf32>
  %rate_log = weir.weight @scan.rate_log[%layer] : tensor<64x8xf32>
  %positive = math.exp %rate_log : tensor<64x8xf32>
  %rates = arith.negf %positive : tensor<64x8xf32>
  %skip = weir.weight @scan.skip[%layer] : tensor<64xf32>

  %nothing = arith.constant dense<0.0> : tensor<64x8xf32>
  %scanned, %last = weir.scan (%u, %steps, %write, %read, %z) states(%nothing)
      : (tensor<?x?x64xf32>, tensor<?x?x64xf32>, tensor<?x?x8xf32>,
         tensor<?x?x8xf32>, tensor<?x?x64xf32>), (tensor<64x8xf32>)
      -> (tensor<?x?x64xf32>), (tensor<?x64x8xf32>) {
  ^bb0(%ut: tensor<64xf32>, %st: tensor<64xf32>, %wt: tensor<8xf32>,
       %rt: tensor<8xf32>, %zt: tensor<64xf32>, %before: tensor<64x8xf32>):
    %s1 = math.exp %st : tensor<64xf32>
    %step = math.log1p %s1 : tensor<64xf32>
    %e = tensor.empty() : tensor<64xf32>
    %se = tensor.empty() : tensor<64x8xf32>
    %after = linalg.generic {
        indexing_maps = [affine_map<(d, n) -> (d)>, affine_map<(d, n) -> (d)>,
                         affine_map<(d, n) -> (n)>,
                         affine_map<(d, n) -> (d, n)>,
                         affine_map<(d, n) -> (d, n)>,
                         affine_map<(d, n) -> (d, n)>],
        iterator_types = ["parallel", "parallel"]}
        ins(%step, %ut, %wt, %rates, %before : tensor<64xf32>, tensor<64xf32>,
            tensor<8xf32>, tensor<64x8xf32>, tensor<64x8xf32>)
        outs(%se : tensor<64x8xf32>) {
    ^bb1(%s: f32, %in: f32, %w: f32, %rate: f32, %h: f32, %out: f32):
      %exponent = arith.mulf %s, %rate : f32
      %factor = math.exp %exponent : f32
      %kept = arith.mulf %factor, %h : f32
      %scaled = arith.mulf %s, %in : f32
      %new = arith.mulf %scaled, %w : f32
      %sum = arith.addf %kept, %new : f32
      linalg.yield %sum : f32
    } -> tensor<64x8xf32>
    %zero = arith.constant 0.0 : f32
    %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<64xf32>)
        -> tensor<64xf32>
    %seen = linalg.matvec ins(%after, %rt : tensor<64x8xf32>, tensor<8xf32>)
        outs(%zeros : tensor<64xf32>) -> tensor<64xf32>
    %skipped = arith.mulf %skip, %ut : tensor<64xf32>
    %sum = arith.addf %seen, %skipped : tensor<64xf32>
    %g1 = arith.negf %zt : tensor<64xf32>
    %g2 = math.exp %g1 : tensor<64xf32>
    %g3 = math.log1p %g2 : tensor<64xf32>
    %g4 = arith.negf %g3 : tensor<64xf32>
    %sigmoid = math.exp %g4 : tensor<64xf32>
    %gate = arith.mulf %zt, %sigmoid : tensor<64xf32>
    %yt = arith.mulf %sum, %gate : tensor<64xf32>
    weir.yield %yt, %after : tensor<64xf32>, tensor<64x8xf32>
  }
  return %scanned : tensor<?x?x64xf32>
}

// The mean of both kinds of heads, each normalised; then the feed-forward part.
func.func private @join(%layer: index, %x: tensor<?x?x64xf32>,
                        %heads: tensor<?x?x4x16xf32>,
                        %scanned: tensor<?x?x64xf32>) -> tensor<?x?x64xf32> {
  %attended = tensor.collapse_shape %heads [[0], [1], [2, 3]]
      : tensor<?x?x4x16xf32> into tensor<?x?x64xf32>
  %wa = weir.weight @attention.norm[%layer] : tensor<64xf32>
  %ws = weir.weight @scan.norm[%layer] : tensor<64xf32>
  %a = weir.rms_norm %attended weight(%wa : tensor<64xf32>) eps(1.0e-6)
      : tensor<?x?x64xf32>
  %s = weir.rms_norm %scanned weight(%ws : tensor<64xf32>) eps(1.0e-6)
      : tensor<?x?x64xf32>
  %sum = arith.addf %a, %s : tensor<?x?x64xf32>
  %mean = linalg.map ins(%sum : tensor<?x?x64xf32>)
      outs(%sum : tensor<?x?x64xf32>) (%in: f32, %out: f32) {
    %half = arith.constant 0.5 : f32
    %m = arith.mulf %in, %half : f32
    linalg.yield %m : f32
  }
  %wo = weir.weight @out[%layer] : tensor<64x64xf32>
  %o = weir.linear %mean, %wo
      : tensor<?x?x64xf32>, tensor<64x64xf32> -> tensor<?x?x64xf32>
  %y = arith.addf %x, %o : tensor<?x?x64xf32>

  %wn = weir.weight @ffn.norm[%layer] : tensor<64xf32>
  %n = weir.rms_norm %y weight(%wn : tensor<64xf32>) eps(1.0e-6)
      : tensor<?x?x64xf32>
  %wg = weir.weight @ffn.gate[%layer] : tensor<128x64xf32>
  %wu = weir.weight @ffn.up[%layer] : tensor<128x64xf32>
  %wd = weir.weight @ffn.down[%layer] : tensor<64x128xf32>
  %g = weir.linear %n, %wg
      : tensor<?x?x64xf32>, tensor<128x64xf32> -> tensor<?x?x128xf32>
  %u = weir.linear %n, %wu
      : tensor<?x?x64xf32>, tensor<128x64xf32> -> tensor<?x?x128xf32>
  %silu = func.call @silu(%g) : (tensor<?x?x128xf32>) -> tensor<?x?x128xf32>
  %inner = arith.mulf %silu, %u : tensor<?x?x128xf32>
  %d = weir.linear %inner, %wd
      : tensor<?x?x128xf32>, tensor<64x128xf32> -> tensor<?x?x64xf32>
  %z = arith.addf %y, %d : tensor<?x?x64xf32>
  return %z : tensor<?x?x64xf32>
}

// One global layer, two local ones with one set of keys, one global layer.
func.func @forward(%ids: tensor<?x?xi32> {weir.name = "input_ids"},
                   %lengths: tensor<?xi32> {weir.name = "lengths",
                                            weir.role = "lengths"})
    -> (tensor<?x?x128xf32> {weir.name = "logits"})
    attributes {weir.method = "forward"} {
  %embedding = weir.weight @embedding : tensor<128x64xf32>
  %x0 = weir.embedding %ids, %embedding
      : tensor<?x?xi32>, tensor<128x64xf32> -> tensor<?x?x64xf32>
  %positions = weir.positions %ids : tensor<?x?xi32> -> tensor<?x?xi32>
  %x4 = weir.stack (%x0) order [0, 1, 0] : tensor<?x?x64xf32> {
  ^bb0(%i: index, %x: tensor<?x?x64xf32>):
    // Layers 0 and 3, whose keys are the sets 0 and 2.
    %c2 = arith.constant 2 : index
    %c3 = arith.constant 3 : index
    %layer = arith.muli %i, %c3 : index
    %set = arith.muli %i, %c2 : index
    %w = weir.weight @mixer.norm[%layer] : tensor<64xf32>
    %n = weir.rms_norm %x weight(%w : tensor<64xf32>) eps(1.0e-6)
        : tensor<?x?x64xf32>
    %q = func.call @queries(%layer, %n, %positions)
        : (index, tensor<?x?x64xf32>, tensor<?x?xi32>) -> tensor<?x?x4x16xf32>
    %k, %v = func.call @keys_values(%set, %n, %positions)
        : (index, tensor<?x?x64xf32>, tensor<?x?xi32>)
        -> (tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>)
    %attended = weir.attention %q, %k, %v mask(<causal>) scale(0.25)
        : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
    %scanned = func.call @scan(%layer, %n)
        : (index, tensor<?x?x64xf32>) -> tensor<?x?x64xf32>
    %y = func.call @join(%layer, %x, %attended, %scanned)
        : (index, tensor<?x?x64xf32>, tensor<?x?x4x16xf32>,
           tensor<?x?x64xf32>) -> tensor<?x?x64xf32>
    weir.yield %y : tensor<?x?x64xf32>
  }, {
  ^bb0(%i: index, %x: tensor<?x?x64xf32>):
    // Layers 1 and 2, which share the set 1.
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %first = arith.addi %i, %c1 : index
    %second = arith.addi %i, %c2 : index
    %w1 = weir.weight @mixer.norm[%first] : tensor<64xf32>
    %n1 = weir.rms_norm %x weight(%w1 : tensor<64xf32>) eps(1.0e-6)
        : tensor<?x?x64xf32>
    %q1 = func.call @queries(%first, %n1, %positions)
        : (index, tensor<?x?x64xf32>, tensor<?x?xi32>) -> tensor<?x?x4x16xf32>
    %k, %v = func.call @keys_values(%first, %n1, %positions)
        : (index, tensor<?x?x64xf32>, tensor<?x?xi32>)
        -> (tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>)
    %attended1 = weir.attention %q1, %k, %v
        mask(<causal and (window<24> or first<8>)>) scale(0.25)
        : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
    %scanned1 = func.call @scan(%first, %n1)
        : (index, tensor<?x?x64xf32>) -> tensor<?x?x64xf32>
    %y1 = func.call @join(%first, %x, %attended1, %scanned1)
        : (index, tensor<?x?x64xf32>, tensor<?x?x4x16xf32>,
           tensor<?x?x64xf32>) -> tensor<?x?x64xf32>

    %w2 = weir.weight @mixer.norm[%second] : tensor<64xf32>
    %n2 = weir.rms_norm %y1 weight(%w2 : tensor<64xf32>) eps(1.0e-6)
        : tensor<?x?x64xf32>
    %q2 = func.call @queries(%second, %n2, %positions)
        : (index, tensor<?x?x64xf32>, tensor<?x?xi32>) -> tensor<?x?x4x16xf32>
    %attended2 = weir.attention %q2, %k, %v
        mask(<causal and (window<24> or first<8>)>) scale(0.25)
        : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
    %scanned2 = func.call @scan(%second, %n2)
        : (index, tensor<?x?x64xf32>) -> tensor<?x?x64xf32>
    %y2 = func.call @join(%second, %y1, %attended2, %scanned2)
        : (index, tensor<?x?x64xf32>, tensor<?x?x4x16xf32>,
           tensor<?x?x64xf32>) -> tensor<?x?x64xf32>
    weir.yield %y2 : tensor<?x?x64xf32>
  }
  %w = weir.weight @norm : tensor<64xf32>
  %n = weir.rms_norm %x4 weight(%w : tensor<64xf32>) eps(1.0e-6)
      : tensor<?x?x64xf32>
  %logits = weir.linear %n, %embedding
      : tensor<?x?x64xf32>, tensor<128x64xf32> -> tensor<?x?x128xf32>
  return %logits : tensor<?x?x128xf32>
}
}
