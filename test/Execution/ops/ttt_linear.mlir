// TTT-Linear (arXiv:2407.04620): a linear map trained while it is used. Its
// gradients are taken at the weights the mini-batch of 16 began with; %G and %s
// sum them, and the last token of a mini-batch applies them.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

#hd = affine_map<(h, e, d) -> (h, d)>
#hde = affine_map<(h, e, d) -> (h, d, e)>
#he = affine_map<(h, e, d) -> (h, e)>
#hd_of_hd = affine_map<(h, d) -> (h, d)>
#h = affine_map<(h, d) -> (h)>
#h_of_h = affine_map<(h) -> (h)>
#hde_of_hde = affine_map<(h, d, e) -> (h, d, e)>
#hd_of_hde = affine_map<(h, d, e) -> (h, d)>
#he_of_hde = affine_map<(h, d, e) -> (h, e)>
#h_of_hed = affine_map<(h, e, d) -> (h)>
#h_of_hde = affine_map<(h, d, e) -> (h)>
#none = affine_map<(h, d, e) -> ()>
#_of_hd = affine_map<(h, d) -> ()>

func.func @ttt_linear(
    %q: tensor<?x?x2x16xf32> {weir.name = "q"},
    %k: tensor<?x?x2x16xf32> {weir.name = "k"},
    %v: tensor<?x?x2x16xf32> {weir.name = "v"},
    %w: tensor<2x16xf32> {weir.name = "w"},
    %bias: tensor<2x16xf32> {weir.name = "b"},
    %eta: tensor<?x?x2x1xf32> {weir.name = "eta"},
    %W0: tensor<?x2x16x16xf32> {weir.name = "initial_state"},
    %b0: tensor<?x2x1x16xf32> {weir.name = "initial_state_bias"})
    -> (tensor<?x?x2x16xf32> {weir.name = "o"}) {
  %rates = tensor.collapse_shape %eta [[0], [1], [2, 3]]
      : tensor<?x?x2x1xf32> into tensor<?x?x2xf32>
  %b1 = tensor.collapse_shape %b0 [[0], [1, 2], [3]]
      : tensor<?x2x1x16xf32> into tensor<?x2x16xf32>
  %positions = weir.positions %q : tensor<?x?x2x16xf32> -> tensor<?x?xi32>
  %no_matrix = arith.constant dense<0.0> : tensor<2x16x16xf32>
  %no_vector = arith.constant dense<0.0> : tensor<2x16xf32>
  %zero = arith.constant 0.0 : f32
  %o, %W_last, %b_last, %G_last,
      %s_last = weir.scan (%q, %k, %v, %rates, %positions)
      states(%W0, %b1, %no_matrix, %no_vector)
      : (tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>,
          tensor<?x?x2xf32>, tensor<?x?xi32>), (tensor<?x2x16x16xf32>,
          tensor<?x2x16xf32>, tensor<2x16x16xf32>, tensor<2x16xf32>)
      -> (tensor<?x?x2x16xf32>),
          (tensor<?x2x16x16xf32>, tensor<?x2x16xf32>, tensor<?x2x16x16xf32>,
          tensor<?x2x16xf32>) {
  ^bb0(%qt: tensor<2x16xf32>, %kt: tensor<2x16xf32>, %vt: tensor<2x16xf32>,
      %rate: tensor<2xf32>, %position: tensor<i32>, %W: tensor<2x16x16xf32>,
      %shift: tensor<2x16xf32>, %G: tensor<2x16x16xf32>, %s: tensor<2x16xf32>):
    %e1 = tensor.empty() : tensor<2xf32>
    %no_sum = linalg.fill ins(%zero : f32) outs(%e1 : tensor<2xf32>)
        -> tensor<2xf32>
    %guess = linalg.generic {
        indexing_maps = [#hd, #hde, #he],
        iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%kt, %W : tensor<2x16xf32>, tensor<2x16x16xf32>)
        outs(%shift : tensor<2x16xf32>) {
    ^bb0(%key: f32, %weight: f32, %out: f32):
      %product = arith.mulf %key, %weight : f32
      %sum = arith.addf %out, %product : f32
      linalg.yield %sum : f32
    } -> tensor<2x16xf32>
    %sum_k = linalg.generic {
        indexing_maps = [#hd_of_hd, #h],
        iterator_types = ["parallel", "reduction"]}
        ins(%guess : tensor<2x16xf32>)
        outs(%no_sum : tensor<2xf32>) {
    ^bb0(%in: f32, %out: f32):
      %sum = arith.addf %out, %in : f32
      linalg.yield %sum : f32
    } -> tensor<2xf32>
    %squares_k = linalg.generic {
        indexing_maps = [#hd_of_hd, #h, #h],
        iterator_types = ["parallel", "reduction"]}
        ins(%guess, %sum_k : tensor<2x16xf32>, tensor<2xf32>)
        outs(%no_sum : tensor<2xf32>) {
    ^bb0(%in: f32, %total: f32, %out: f32):
      %share = arith.constant 6.25e-02 : f32
      %mean = arith.mulf %total, %share : f32
      %less = arith.subf %in, %mean : f32
      %square = arith.mulf %less, %less : f32
      %sum = arith.addf %out, %square : f32
      linalg.yield %sum : f32
    } -> tensor<2xf32>
    %e2 = tensor.empty() : tensor<2xf32>
    %deviation_k = linalg.generic {
        indexing_maps = [#h_of_h, #h_of_h],
        iterator_types = ["parallel"]}
        ins(%squares_k : tensor<2xf32>)
        outs(%e2 : tensor<2xf32>) {
    ^bb0(%in: f32, %out: f32):
      %share = arith.constant 6.25e-02 : f32
      %tiny = arith.constant 1.0e-06 : f32
      %mean = arith.mulf %in, %share : f32
      %moved = arith.addf %mean, %tiny : f32
      %root = math.sqrt %moved : f32
      linalg.yield %root : f32
    } -> tensor<2xf32>
    %e3 = tensor.empty() : tensor<2x16xf32>
    %normed_k = linalg.generic {
        indexing_maps = [#hd_of_hd, #h, #h, #hd_of_hd],
        iterator_types = ["parallel", "parallel"]}
        ins(%guess, %sum_k, %deviation_k : tensor<2x16xf32>, tensor<2xf32>,
            tensor<2xf32>)
        outs(%e3 : tensor<2x16xf32>) {
    ^bb0(%in: f32, %total: f32, %d: f32, %out: f32):
      %share = arith.constant 6.25e-02 : f32
      %mean = arith.mulf %total, %share : f32
      %less = arith.subf %in, %mean : f32
      %quotient = arith.divf %less, %d : f32
      linalg.yield %quotient : f32
    } -> tensor<2x16xf32>
    %e4 = tensor.empty() : tensor<2x16xf32>
    %slope = linalg.generic {
        indexing_maps = [#hd_of_hd, #hd_of_hd, #hd_of_hd, #hd_of_hd, #hd_of_hd,
            #hd_of_hd],
        iterator_types = ["parallel", "parallel"]}
        ins(%normed_k, %w, %bias, %vt, %kt : tensor<2x16xf32>, tensor<2x16xf32>,
            tensor<2x16xf32>, tensor<2x16xf32>, tensor<2x16xf32>)
        outs(%e4 : tensor<2x16xf32>) {
    ^bb0(%in: f32, %weight: f32, %bias_in: f32, %value: f32, %key: f32,
        %out: f32):
      %scaled = arith.mulf %weight, %in : f32
      %moved = arith.addf %scaled, %bias_in : f32
      %target = arith.subf %value, %key : f32
      %error = arith.subf %moved, %target : f32
      %product = arith.mulf %error, %weight : f32
      linalg.yield %product : f32
    } -> tensor<2x16xf32>
    %slope_sum = linalg.generic {
        indexing_maps = [#hd_of_hd, #h],
        iterator_types = ["parallel", "reduction"]}
        ins(%slope : tensor<2x16xf32>)
        outs(%no_sum : tensor<2xf32>) {
    ^bb0(%in: f32, %out: f32):
      %sum = arith.addf %out, %in : f32
      linalg.yield %sum : f32
    } -> tensor<2xf32>
    %slope_dot = linalg.generic {
        indexing_maps = [#hd_of_hd, #hd_of_hd, #h],
        iterator_types = ["parallel", "reduction"]}
        ins(%slope, %normed_k : tensor<2x16xf32>, tensor<2x16xf32>)
        outs(%no_sum : tensor<2xf32>) {
    ^bb0(%in: f32, %n: f32, %out: f32):
      %product = arith.mulf %in, %n : f32
      %sum = arith.addf %out, %product : f32
      linalg.yield %sum : f32
    } -> tensor<2xf32>
    %e5 = tensor.empty() : tensor<2x16xf32>
    %gradient = linalg.generic {
        indexing_maps = [#hd_of_hd, #h, #h, #hd_of_hd, #h, #hd_of_hd],
        iterator_types = ["parallel", "parallel"]}
        ins(%slope, %slope_sum, %slope_dot, %normed_k, %deviation_k
            : tensor<2x16xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2x16xf32>,
            tensor<2xf32>)
        outs(%e5 : tensor<2x16xf32>) {
    ^bb0(%in: f32, %total: f32, %dot: f32, %n: f32, %d: f32, %out: f32):
      %count = arith.constant 1.6e+01 : f32
      %times = arith.mulf %count, %in : f32
      %centred = arith.subf %times, %total : f32
      %along = arith.mulf %n, %dot : f32
      %across = arith.subf %centred, %along : f32
      %all = arith.mulf %d, %count : f32
      %quotient = arith.divf %across, %all : f32
      linalg.yield %quotient : f32
    } -> tensor<2x16xf32>
    %e6 = tensor.empty() : tensor<2x16x16xf32>
    %G_now = linalg.generic {
        indexing_maps = [#hde_of_hde, #hd_of_hde, #he_of_hde, #hde_of_hde],
        iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%G, %kt, %gradient : tensor<2x16x16xf32>, tensor<2x16xf32>,
            tensor<2x16xf32>)
        outs(%e6 : tensor<2x16x16xf32>) {
    ^bb0(%in: f32, %key: f32, %g: f32, %out: f32):
      %product = arith.mulf %key, %g : f32
      %sum = arith.addf %in, %product : f32
      linalg.yield %sum : f32
    } -> tensor<2x16x16xf32>
    %e7 = tensor.empty() : tensor<2x16xf32>
    %s_now = linalg.generic {
        indexing_maps = [#hd_of_hd, #hd_of_hd, #hd_of_hd],
        iterator_types = ["parallel", "parallel"]}
        ins(%s, %gradient : tensor<2x16xf32>, tensor<2x16xf32>)
        outs(%e7 : tensor<2x16xf32>) {
    ^bb0(%in: f32, %g: f32, %out: f32):
      %sum = arith.addf %in, %g : f32
      linalg.yield %sum : f32
    } -> tensor<2x16xf32>
    %e8 = tensor.empty() : tensor<2x16xf32>
    %base = linalg.generic {
        indexing_maps = [#hd_of_hd, #hd_of_hd, #h, #hd_of_hd],
        iterator_types = ["parallel", "parallel"]}
        ins(%shift, %s_now, %rate : tensor<2x16xf32>, tensor<2x16xf32>,
            tensor<2xf32>)
        outs(%e8 : tensor<2x16xf32>) {
    ^bb0(%in: f32, %step: f32, %r: f32, %out: f32):
      %scaled = arith.mulf %r, %step : f32
      %less = arith.subf %in, %scaled : f32
      linalg.yield %less : f32
    } -> tensor<2x16xf32>
    %read = linalg.generic {
        indexing_maps = [#hd, #hde, #hde, #h_of_hed, #he],
        iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%qt, %W, %G_now, %rate : tensor<2x16xf32>, tensor<2x16x16xf32>,
            tensor<2x16x16xf32>, tensor<2xf32>)
        outs(%base : tensor<2x16xf32>) {
    ^bb0(%query: f32, %weight: f32, %step: f32, %r: f32, %out: f32):
      %scale = arith.constant 2.5e-01 : f32
      %scaled = arith.mulf %query, %scale : f32
      %change = arith.mulf %r, %step : f32
      %now = arith.subf %weight, %change : f32
      %product = arith.mulf %scaled, %now : f32
      %sum = arith.addf %out, %product : f32
      linalg.yield %sum : f32
    } -> tensor<2x16xf32>
    %sum_q = linalg.generic {
        indexing_maps = [#hd_of_hd, #h],
        iterator_types = ["parallel", "reduction"]}
        ins(%read : tensor<2x16xf32>)
        outs(%no_sum : tensor<2xf32>) {
    ^bb0(%in: f32, %out: f32):
      %sum = arith.addf %out, %in : f32
      linalg.yield %sum : f32
    } -> tensor<2xf32>
    %squares_q = linalg.generic {
        indexing_maps = [#hd_of_hd, #h, #h],
        iterator_types = ["parallel", "reduction"]}
        ins(%read, %sum_q : tensor<2x16xf32>, tensor<2xf32>)
        outs(%no_sum : tensor<2xf32>) {
    ^bb0(%in: f32, %total: f32, %out: f32):
      %share = arith.constant 6.25e-02 : f32
      %mean = arith.mulf %total, %share : f32
      %less = arith.subf %in, %mean : f32
      %square = arith.mulf %less, %less : f32
      %sum = arith.addf %out, %square : f32
      linalg.yield %sum : f32
    } -> tensor<2xf32>
    %e9 = tensor.empty() : tensor<2xf32>
    %deviation_q = linalg.generic {
        indexing_maps = [#h_of_h, #h_of_h],
        iterator_types = ["parallel"]}
        ins(%squares_q : tensor<2xf32>)
        outs(%e9 : tensor<2xf32>) {
    ^bb0(%in: f32, %out: f32):
      %share = arith.constant 6.25e-02 : f32
      %tiny = arith.constant 1.0e-06 : f32
      %mean = arith.mulf %in, %share : f32
      %moved = arith.addf %mean, %tiny : f32
      %root = math.sqrt %moved : f32
      linalg.yield %root : f32
    } -> tensor<2xf32>
    %e10 = tensor.empty() : tensor<2x16xf32>
    %normed_q = linalg.generic {
        indexing_maps = [#hd_of_hd, #h, #h, #hd_of_hd],
        iterator_types = ["parallel", "parallel"]}
        ins(%read, %sum_q, %deviation_q : tensor<2x16xf32>, tensor<2xf32>,
            tensor<2xf32>)
        outs(%e10 : tensor<2x16xf32>) {
    ^bb0(%in: f32, %total: f32, %d: f32, %out: f32):
      %share = arith.constant 6.25e-02 : f32
      %mean = arith.mulf %total, %share : f32
      %less = arith.subf %in, %mean : f32
      %quotient = arith.divf %less, %d : f32
      linalg.yield %quotient : f32
    } -> tensor<2x16xf32>
    %e11 = tensor.empty() : tensor<2x16xf32>
    %result = linalg.generic {
        indexing_maps = [#hd_of_hd, #hd_of_hd, #hd_of_hd, #hd_of_hd, #hd_of_hd],
        iterator_types = ["parallel", "parallel"]}
        ins(%read, %normed_q, %w, %bias : tensor<2x16xf32>, tensor<2x16xf32>,
            tensor<2x16xf32>, tensor<2x16xf32>)
        outs(%e11 : tensor<2x16xf32>) {
    ^bb0(%in: f32, %n: f32, %weight: f32, %bias_in: f32, %out: f32):
      %scaled = arith.mulf %n, %weight : f32
      %sum = arith.addf %in, %scaled : f32
      %moved = arith.addf %sum, %bias_in : f32
      linalg.yield %moved : f32
    } -> tensor<2x16xf32>
    %e12 = tensor.empty() : tensor<2x16x16xf32>
    %W_next = linalg.generic {
        indexing_maps = [#hde_of_hde, #hde_of_hde, #h_of_hde, #none,
            #hde_of_hde],
        iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%W, %G_now, %rate, %position : tensor<2x16x16xf32>,
            tensor<2x16x16xf32>, tensor<2xf32>, tensor<i32>)
        outs(%e12 : tensor<2x16x16xf32>) {
    ^bb0(%in: f32, %step: f32, %r: f32, %p: i32, %out: f32):
      %size = arith.constant 16 : i32
      %fifteen = arith.constant 15 : i32
      %rest = arith.remsi %p, %size : i32
      %ends = arith.cmpi eq, %rest, %fifteen : i32
      %scaled = arith.mulf %r, %step : f32
      %less = arith.subf %in, %scaled : f32
      %next = arith.select %ends, %less, %in : f32
      linalg.yield %next : f32
    } -> tensor<2x16x16xf32>
    %e13 = tensor.empty() : tensor<2x16xf32>
    %b_next = linalg.generic {
        indexing_maps = [#hd_of_hd, #hd_of_hd, #h, #_of_hd, #hd_of_hd],
        iterator_types = ["parallel", "parallel"]}
        ins(%shift, %s_now, %rate, %position : tensor<2x16xf32>,
            tensor<2x16xf32>, tensor<2xf32>, tensor<i32>)
        outs(%e13 : tensor<2x16xf32>) {
    ^bb0(%in: f32, %step: f32, %r: f32, %p: i32, %out: f32):
      %size = arith.constant 16 : i32
      %fifteen = arith.constant 15 : i32
      %rest = arith.remsi %p, %size : i32
      %ends = arith.cmpi eq, %rest, %fifteen : i32
      %scaled = arith.mulf %r, %step : f32
      %less = arith.subf %in, %scaled : f32
      %next = arith.select %ends, %less, %in : f32
      linalg.yield %next : f32
    } -> tensor<2x16xf32>
    %e14 = tensor.empty() : tensor<2x16x16xf32>
    %G_next = linalg.generic {
        indexing_maps = [#hde_of_hde, #none, #hde_of_hde],
        iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%G_now, %position : tensor<2x16x16xf32>, tensor<i32>)
        outs(%e14 : tensor<2x16x16xf32>) {
    ^bb0(%in: f32, %p: i32, %out: f32):
      %size = arith.constant 16 : i32
      %fifteen = arith.constant 15 : i32
      %rest = arith.remsi %p, %size : i32
      %ends = arith.cmpi eq, %rest, %fifteen : i32
      %none = arith.constant 0.0 : f32
      %next = arith.select %ends, %none, %in : f32
      linalg.yield %next : f32
    } -> tensor<2x16x16xf32>
    %e15 = tensor.empty() : tensor<2x16xf32>
    %s_next = linalg.generic {
        indexing_maps = [#hd_of_hd, #_of_hd, #hd_of_hd],
        iterator_types = ["parallel", "parallel"]}
        ins(%s_now, %position : tensor<2x16xf32>, tensor<i32>)
        outs(%e15 : tensor<2x16xf32>) {
    ^bb0(%in: f32, %p: i32, %out: f32):
      %size = arith.constant 16 : i32
      %fifteen = arith.constant 15 : i32
      %rest = arith.remsi %p, %size : i32
      %ends = arith.cmpi eq, %rest, %fifteen : i32
      %none = arith.constant 0.0 : f32
      %next = arith.select %ends, %none, %in : f32
      linalg.yield %next : f32
    } -> tensor<2x16xf32>
    weir.yield %result, %W_next, %b_next, %G_next, %s_next : tensor<2x16xf32>,
        tensor<2x16x16xf32>, tensor<2x16xf32>, tensor<2x16x16xf32>,
        tensor<2x16xf32>
  }
  return %o : tensor<?x?x2x16xf32>
}
