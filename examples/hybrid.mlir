// A small language model written by hand, with every kind of mixer at once.
//
// README.md beside this file goes through it from top to bottom.

module attributes {weir.model = {name = "hybrid", vocab_size = 128 : i64,
                                 max_length = 512 : i64}} {

// Weights. A layer kind has its layers in front: split layers are number 0 and
// 3 of the model, scan layers number 1 and 2.

weir.param @embedding : tensor<128x64xf32> = #weir.checkpoint<"embedding">
weir.param @norm : tensor<64xf32> = #weir.checkpoint<"norm">

weir.param @split.norm : tensor<2x64xf32>
    = #weir.checkpoint<"layers.*.mixer.norm", [0, 3]>
weir.param @split.query : tensor<2x64x64xf32>
    = #weir.checkpoint<"layers.*.mixer.query", [0, 3]>
weir.param @split.key : tensor<2x64x64xf32>
    = #weir.checkpoint<"layers.*.mixer.key", [0, 3]>
weir.param @split.value : tensor<2x64x64xf32>
    = #weir.checkpoint<"layers.*.mixer.value", [0, 3]>
weir.param @split.sinks : tensor<2x2xf32>
    = #weir.checkpoint<"layers.*.mixer.sinks", [0, 3]>
weir.param @split.forget : tensor<2x2x64xf32>
    = #weir.checkpoint<"layers.*.mixer.forget", [0, 3]>
weir.param @split.forget_bias : tensor<2x2xf32>
    = #weir.checkpoint<"layers.*.mixer.forget_bias", [0, 3]>
weir.param @split.out : tensor<2x64x64xf32>
    = #weir.checkpoint<"layers.*.mixer.out", [0, 3]>

weir.param @experts.norm : tensor<2x64xf32>
    = #weir.checkpoint<"layers.*.experts.norm", [0, 3]>
weir.param @experts.router : tensor<2x8x64xf32>
    = #weir.checkpoint<"layers.*.experts.router", [0, 3]>
weir.param @experts.gate : tensor<2x8x48x64xf32>
    = #weir.checkpoint<"layers.*.experts.*.gate", [0, 3], experts = 8>
weir.param @experts.up : tensor<2x8x48x64xf32>
    = #weir.checkpoint<"layers.*.experts.*.up", [0, 3], experts = 8>
weir.param @experts.down : tensor<2x8x64x48xf32>
    = #weir.checkpoint<"layers.*.experts.*.down", [0, 3], experts = 8>

weir.param @scan.norm : tensor<2x64xf32>
    = #weir.checkpoint<"layers.*.mixer.norm", [1, 2]>
weir.param @scan.in : tensor<2x256x64xf32>
    = #weir.checkpoint<"layers.*.mixer.in", [1, 2]>
weir.param @scan.conv : tensor<2x128x4xf32>
    = #weir.checkpoint<"layers.*.mixer.conv", [1, 2]>
weir.param @scan.conv_bias : tensor<2x128xf32>
    = #weir.checkpoint<"layers.*.mixer.conv_bias", [1, 2]>
weir.param @scan.select : tensor<2x24x128xf32>
    = #weir.checkpoint<"layers.*.mixer.select", [1, 2]>
weir.param @scan.step : tensor<2x128x8xf32>
    = #weir.checkpoint<"layers.*.mixer.step", [1, 2]>
weir.param @scan.step_bias : tensor<2x128xf32>
    = #weir.checkpoint<"layers.*.mixer.step_bias", [1, 2]>
weir.param @scan.rate_log : tensor<2x128x8xf32>
    = #weir.checkpoint<"layers.*.mixer.rate_log", [1, 2]>
weir.param @scan.skip : tensor<2x128xf32>
    = #weir.checkpoint<"layers.*.mixer.skip", [1, 2]>
weir.param @scan.out : tensor<2x64x128xf32>
    = #weir.checkpoint<"layers.*.mixer.out", [1, 2]>

// A layer with its heads split: of four heads of 16 features, two look at the
// last 32 tokens and two remember all of them.
func.func private @split(%layer: index, %x: tensor<?x?x64xf32>,
                         %positions: tensor<?x?xi32>) -> tensor<?x?x64xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x64xf32>
  %t = tensor.dim %x, %c1 : tensor<?x?x64xf32>

  %norm = weir.weight @split.norm[%layer] : tensor<64xf32>
  %n = weir.rms_norm %x weight(%norm : tensor<64xf32>) eps(1.0e-6)
      : tensor<?x?x64xf32>

  // One projection each for queries, keys and values of all heads.
  %wq = weir.weight @split.query[%layer] : tensor<64x64xf32>
  %wk = weir.weight @split.key[%layer] : tensor<64x64xf32>
  %wv = weir.weight @split.value[%layer] : tensor<64x64xf32>
  %q_flat = weir.linear %n, %wq
      : tensor<?x?x64xf32>, tensor<64x64xf32> -> tensor<?x?x64xf32>
  %k_flat = weir.linear %n, %wk
      : tensor<?x?x64xf32>, tensor<64x64xf32> -> tensor<?x?x64xf32>
  %v_flat = weir.linear %n, %wv
      : tensor<?x?x64xf32>, tensor<64x64xf32> -> tensor<?x?x64xf32>
  %q = tensor.expand_shape %q_flat [[0], [1], [2, 3]]
      output_shape [%b, %t, 4, 16]
      : tensor<?x?x64xf32> into tensor<?x?x4x16xf32>
  %k = tensor.expand_shape %k_flat [[0], [1], [2, 3]]
      output_shape [%b, %t, 4, 16]
      : tensor<?x?x64xf32> into tensor<?x?x4x16xf32>
  %v = tensor.expand_shape %v_flat [[0], [1], [2, 3]]
      output_shape [%b, %t, 4, 16]
      : tensor<?x?x64xf32> into tensor<?x?x4x16xf32>

  // The first two heads.
  %qa = tensor.extract_slice %q[0, 0, 0, 0] [%b, %t, 2, 16] [1, 1, 1, 1]
      : tensor<?x?x4x16xf32> to tensor<?x?x2x16xf32>
  %ka = tensor.extract_slice %k[0, 0, 0, 0] [%b, %t, 2, 16] [1, 1, 1, 1]
      : tensor<?x?x4x16xf32> to tensor<?x?x2x16xf32>
  %va = tensor.extract_slice %v[0, 0, 0, 0] [%b, %t, 2, 16] [1, 1, 1, 1]
      : tensor<?x?x4x16xf32> to tensor<?x?x2x16xf32>
  %angles = weir.rope_frequencies base(1.0e4) dims(16) : tensor<8xf32>
  %qr = weir.rotary %qa, %positions, %angles layout(half)
      : tensor<?x?x2x16xf32>, tensor<?x?xi32>, tensor<8xf32>
  %kr = weir.rotary %ka, %positions, %angles layout(half)
      : tensor<?x?x2x16xf32>, tensor<?x?xi32>, tensor<8xf32>
  %sinks = weir.weight @split.sinks[%layer] : tensor<2xf32>
  %looked = weir.attention %qr, %kr, %va
      mask(<causal and (window<32> or first<2>)>) scale(0.25)
      sinks(%sinks : tensor<2xf32>)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
      -> tensor<?x?x2x16xf32>

  // The last two heads. What each keeps of its memory, from token to token, is
  // sigmoid(forget), and the logarithm of that is -log(1 + exp(-forget)).
  %qm = tensor.extract_slice %q[0, 0, 2, 0] [%b, %t, 2, 16] [1, 1, 1, 1]
      : tensor<?x?x4x16xf32> to tensor<?x?x2x16xf32>
  %km = tensor.extract_slice %k[0, 0, 2, 0] [%b, %t, 2, 16] [1, 1, 1, 1]
      : tensor<?x?x4x16xf32> to tensor<?x?x2x16xf32>
  %vm = tensor.extract_slice %v[0, 0, 2, 0] [%b, %t, 2, 16] [1, 1, 1, 1]
      : tensor<?x?x4x16xf32> to tensor<?x?x2x16xf32>
  %wf = weir.weight @split.forget[%layer] : tensor<2x64xf32>
  %bf = weir.weight @split.forget_bias[%layer] : tensor<2xf32>
  %forget = weir.linear %n, %wf bias(%bf : tensor<2xf32>)
      : tensor<?x?x64xf32>, tensor<2x64xf32> -> tensor<?x?x2xf32>
  %f1 = arith.negf %forget : tensor<?x?x2xf32>
  %f2 = math.exp %f1 : tensor<?x?x2xf32>
  %f3 = math.log1p %f2 : tensor<?x?x2xf32>
  %decay = arith.negf %f3 : tensor<?x?x2xf32>
  %read, %memory = weir.recurrence %qm, %km, %vm
      decay(%decay : tensor<?x?x2xf32>) scale(0.25)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
      -> tensor<?x?x2x16xf32>, tensor<?x2x16x16xf32>
  %remembered = weir.rms_norm %read eps(1.0e-6) : tensor<?x?x2x16xf32>

  // All four heads again, one projection, and the residual sum.
  %heads = tensor.concat dim(2) %looked, %remembered
      : (tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>) -> tensor<?x?x4x16xf32>
  %flat = tensor.collapse_shape %heads [[0], [1], [2, 3]]
      : tensor<?x?x4x16xf32> into tensor<?x?x64xf32>
  %wo = weir.weight @split.out[%layer] : tensor<64x64xf32>
  %o = weir.linear %flat, %wo
      : tensor<?x?x64xf32>, tensor<64x64xf32> -> tensor<?x?x64xf32>
  %y = arith.addf %x, %o : tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}

// Eight experts, of which a token goes to two.
func.func private @experts(%layer: index, %x: tensor<?x?x64xf32>)
    -> tensor<?x?x64xf32> {
  %norm = weir.weight @experts.norm[%layer] : tensor<64xf32>
  %n = weir.rms_norm %x weight(%norm : tensor<64xf32>) eps(1.0e-6)
      : tensor<?x?x64xf32>
  %router = weir.weight @experts.router[%layer] : tensor<8x64xf32>
  %logits = weir.linear %n, %router
      : tensor<?x?x64xf32>, tensor<8x64xf32> -> tensor<?x?x8xf32>
  %indices, %weights = weir.route %logits top_k(2) score(softmax)
      weighting(normalized)
      : tensor<?x?x8xf32> -> tensor<?x?x2xi32>, tensor<?x?x2xf32>

  %gates = weir.weight @experts.gate[%layer] : tensor<8x48x64xf32>
  %ups = weir.weight @experts.up[%layer] : tensor<8x48x64xf32>
  %downs = weir.weight @experts.down[%layer] : tensor<8x64x48xf32>
  %o = weir.experts %n, %indices, %weights
      params(%gates, %ups, %downs : tensor<8x48x64xf32>, tensor<8x48x64xf32>,
             tensor<8x64x48xf32>)
      : tensor<?x?x64xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32>
      -> tensor<?x?x64xf32> {
  ^bb0(%rows: tensor<?x64xf32>, %gate: tensor<48x64xf32>,
       %up: tensor<48x64xf32>, %down: tensor<64x48xf32>):
    %g = weir.linear %rows, %gate
        : tensor<?x64xf32>, tensor<48x64xf32> -> tensor<?x48xf32>
    %u = weir.linear %rows, %up
        : tensor<?x64xf32>, tensor<48x64xf32> -> tensor<?x48xf32>
    // g * sigmoid(g) * u.
    %s1 = arith.negf %g : tensor<?x48xf32>
    %s2 = math.exp %s1 : tensor<?x48xf32>
    %s3 = math.log1p %s2 : tensor<?x48xf32>
    %s4 = arith.negf %s3 : tensor<?x48xf32>
    %sigmoid = math.exp %s4 : tensor<?x48xf32>
    %silu = arith.mulf %g, %sigmoid : tensor<?x48xf32>
    %inner = arith.mulf %silu, %u : tensor<?x48xf32>
    %z = weir.linear %inner, %down
        : tensor<?x48xf32>, tensor<64x48xf32> -> tensor<?x64xf32>
    weir.yield %z : tensor<?x64xf32>
  }
  %y = arith.addf %x, %o : tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}

// A selective scan (Mamba, arXiv:2312.00752): 128 channels, each with a state of
// 8 numbers.
func.func private @scan(%layer: index, %x: tensor<?x?x64xf32>)
    -> tensor<?x?x64xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x64xf32>
  %t = tensor.dim %x, %c1 : tensor<?x?x64xf32>

  %norm = weir.weight @scan.norm[%layer] : tensor<64xf32>
  %n = weir.rms_norm %x weight(%norm : tensor<64xf32>) eps(1.0e-6)
      : tensor<?x?x64xf32>
  %w_in = weir.weight @scan.in[%layer] : tensor<256x64xf32>
  %both = weir.linear %n, %w_in
      : tensor<?x?x64xf32>, tensor<256x64xf32> -> tensor<?x?x256xf32>
  %u0 = tensor.extract_slice %both[0, 0, 0] [%b, %t, 128] [1, 1, 1]
      : tensor<?x?x256xf32> to tensor<?x?x128xf32>
  %z = tensor.extract_slice %both[0, 0, 128] [%b, %t, 128] [1, 1, 1]
      : tensor<?x?x256xf32> to tensor<?x?x128xf32>
  %w_conv = weir.weight @scan.conv[%layer] : tensor<128x4xf32>
  %b_conv = weir.weight @scan.conv_bias[%layer] : tensor<128xf32>
  %u, %tail = weir.causal_conv %u0, %w_conv bias(%b_conv : tensor<128xf32>)
      activation(silu) : tensor<?x?x128xf32>, tensor<128x4xf32>
      -> tensor<?x?x128xf32>, tensor<?x3x128xf32>

  // The input selects: how far to step, what to write and what to read.
  %w_select = weir.weight @scan.select[%layer] : tensor<24x128xf32>
  %selected = weir.linear %u, %w_select
      : tensor<?x?x128xf32>, tensor<24x128xf32> -> tensor<?x?x24xf32>
  %rank = tensor.extract_slice %selected[0, 0, 0] [%b, %t, 8] [1, 1, 1]
      : tensor<?x?x24xf32> to tensor<?x?x8xf32>
  %write = tensor.extract_slice %selected[0, 0, 8] [%b, %t, 8] [1, 1, 1]
      : tensor<?x?x24xf32> to tensor<?x?x8xf32>
  %read = tensor.extract_slice %selected[0, 0, 16] [%b, %t, 8] [1, 1, 1]
      : tensor<?x?x24xf32> to tensor<?x?x8xf32>
  %w_step = weir.weight @scan.step[%layer] : tensor<128x8xf32>
  %b_step = weir.weight @scan.step_bias[%layer] : tensor<128xf32>
  %steps = weir.linear %rank, %w_step bias(%b_step : tensor<128xf32>)
      : tensor<?x?x8xf32>, tensor<128x8xf32> -> tensor<?x?x128xf32>

  // What is made of weights alone is made once.
  %rate_log = weir.weight @scan.rate_log[%layer] : tensor<128x8xf32>
  %positive = math.exp %rate_log : tensor<128x8xf32>
  %rates = arith.negf %positive : tensor<128x8xf32>
  %skip = weir.weight @scan.skip[%layer] : tensor<128xf32>

  %nothing = arith.constant dense<0.0> : tensor<128x8xf32>
  %scanned, %last = weir.scan (%u, %steps, %write, %read, %z) states(%nothing)
      : (tensor<?x?x128xf32>, tensor<?x?x128xf32>, tensor<?x?x8xf32>,
         tensor<?x?x8xf32>, tensor<?x?x128xf32>), (tensor<128x8xf32>)
      -> (tensor<?x?x128xf32>), (tensor<?x128x8xf32>) {
  ^bb0(%ut: tensor<128xf32>, %st: tensor<128xf32>, %wt: tensor<8xf32>,
       %rt: tensor<8xf32>, %zt: tensor<128xf32>, %before: tensor<128x8xf32>):
    // Softplus of the step: log(1 + exp(step)).
    %s1 = math.exp %st : tensor<128xf32>
    %step = math.log1p %s1 : tensor<128xf32>
    %e = tensor.empty() : tensor<128xf32>
    %se = tensor.empty() : tensor<128x8xf32>
    %after = linalg.generic {
        indexing_maps = [affine_map<(d, n) -> (d)>, affine_map<(d, n) -> (d)>,
                         affine_map<(d, n) -> (n)>,
                         affine_map<(d, n) -> (d, n)>,
                         affine_map<(d, n) -> (d, n)>,
                         affine_map<(d, n) -> (d, n)>],
        iterator_types = ["parallel", "parallel"]}
        ins(%step, %ut, %wt, %rates, %before : tensor<128xf32>,
            tensor<128xf32>, tensor<8xf32>, tensor<128x8xf32>,
            tensor<128x8xf32>) outs(%se : tensor<128x8xf32>) {
    ^bb1(%s: f32, %in: f32, %w: f32, %rate: f32, %h: f32, %out: f32):
      %exponent = arith.mulf %s, %rate : f32
      %factor = math.exp %exponent : f32
      %kept = arith.mulf %factor, %h : f32
      %scaled = arith.mulf %s, %in : f32
      %new = arith.mulf %scaled, %w : f32
      %sum = arith.addf %kept, %new : f32
      linalg.yield %sum : f32
    } -> tensor<128x8xf32>
    %zero = arith.constant 0.0 : f32
    %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<128xf32>)
        -> tensor<128xf32>
    %seen = linalg.matvec ins(%after, %rt : tensor<128x8xf32>, tensor<8xf32>)
        outs(%zeros : tensor<128xf32>) -> tensor<128xf32>
    %skipped = arith.mulf %skip, %ut : tensor<128xf32>
    %sum = arith.addf %seen, %skipped : tensor<128xf32>
    // Gated by z * sigmoid(z).
    %g1 = arith.negf %zt : tensor<128xf32>
    %g2 = math.exp %g1 : tensor<128xf32>
    %g3 = math.log1p %g2 : tensor<128xf32>
    %g4 = arith.negf %g3 : tensor<128xf32>
    %sigmoid = math.exp %g4 : tensor<128xf32>
    %gate = arith.mulf %zt, %sigmoid : tensor<128xf32>
    %yt = arith.mulf %sum, %gate : tensor<128xf32>
    weir.yield %yt, %after : tensor<128xf32>, tensor<128x8xf32>
  }
  %w_out = weir.weight @scan.out[%layer] : tensor<64x128xf32>
  %o = weir.linear %scanned, %w_out
      : tensor<?x?x128xf32>, tensor<64x128xf32> -> tensor<?x?x64xf32>
  %y = arith.addf %x, %o : tensor<?x?x64xf32>
  return %y : tensor<?x?x64xf32>
}

// The model: four layers of two kinds.
func.func @forward(%ids: tensor<?x?xi32> {weir.name = "input_ids"},
                   %lengths: tensor<?xi32> {weir.name = "lengths",
                                            weir.role = "lengths"})
    -> (tensor<?x?x128xf32> {weir.name = "logits"})
    attributes {weir.method = "forward"} {
  %embedding = weir.weight @embedding : tensor<128x64xf32>
  %x0 = weir.embedding %ids, %embedding
      : tensor<?x?xi32>, tensor<128x64xf32> -> tensor<?x?x64xf32>
  %positions = weir.positions %ids : tensor<?x?xi32> -> tensor<?x?xi32>
  %x4 = weir.stack (%x0) order [0, 1, 1, 0] : tensor<?x?x64xf32> {
  ^bb0(%layer: index, %x: tensor<?x?x64xf32>):
    %mixed = func.call @split(%layer, %x, %positions)
        : (index, tensor<?x?x64xf32>, tensor<?x?xi32>) -> tensor<?x?x64xf32>
    %y = func.call @experts(%layer, %mixed)
        : (index, tensor<?x?x64xf32>) -> tensor<?x?x64xf32>
    weir.yield %y : tensor<?x?x64xf32>
  }, {
  ^bb0(%layer: index, %x: tensor<?x?x64xf32>):
    %y = func.call @scan(%layer, %x)
        : (index, tensor<?x?x64xf32>) -> tensor<?x?x64xf32>
    weir.yield %y : tensor<?x?x64xf32>
  }
  %norm = weir.weight @norm : tensor<64xf32>
  %n = weir.rms_norm %x4 weight(%norm : tensor<64xf32>) eps(1.0e-6)
      : tensor<?x?x64xf32>
  %logits = weir.linear %n, %embedding
      : tensor<?x?x64xf32>, tensor<128x64xf32> -> tensor<?x?x128xf32>
  return %logits : tensor<?x?x128xf32>
}
}
