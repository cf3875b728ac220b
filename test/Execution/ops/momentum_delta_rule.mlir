// The delta rule with momentum: two matrices as states, one driving the other.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

#hkv = affine_map<(h, v, k) -> (h, k, v)>
#hk = affine_map<(h, v, k) -> (h, k)>
#hv = affine_map<(h, v, k) -> (h, v)>
#hkv_of_hkv = affine_map<(h, k, v) -> (h, k, v)>
#h = affine_map<(h, k, v) -> (h)>
#hk_of_hkv = affine_map<(h, k, v) -> (h, k)>
#hv_of_hkv = affine_map<(h, k, v) -> (h, v)>

func.func @momentum_delta_rule(
    %q: tensor<?x?x2x16xf32> {weir.name = "q"},
    %k: tensor<?x?x2x16xf32> {weir.name = "k"},
    %v: tensor<?x?x2x24xf32> {weir.name = "v"},
    %p: tensor<?x?x2x16xf32> {weir.name = "p"},
    %log_alpha: tensor<?x?x2xf32> {weir.name = "log_alpha"},
    %log_mu: tensor<?x?x2xf32> {weir.name = "log_mu"},
    %beta: tensor<?x?x2xf32> {weir.name = "beta"},
    %eta: tensor<?x?x2xf32> {weir.name = "eta"})
    -> (tensor<?x?x2x24xf32> {weir.name = "o"},
        tensor<?x2x16x24xf32> {weir.name = "final_S"},
        tensor<?x2x16x24xf32> {weir.name = "final_M"}) {
  %zeros = arith.constant dense<0.0> : tensor<2x16x24xf32>
  %zero = arith.constant 0.0 : f32
  %o, %S, %M = weir.scan (%q, %k, %v, %p, %log_alpha, %log_mu, %beta, %eta)
      states(%zeros, %zeros)
      : (tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x24xf32>,
          tensor<?x?x2x16xf32>, tensor<?x?x2xf32>, tensor<?x?x2xf32>,
          tensor<?x?x2xf32>, tensor<?x?x2xf32>), (tensor<2x16x24xf32>,
          tensor<2x16x24xf32>)
      -> (tensor<?x?x2x24xf32>),
          (tensor<?x2x16x24xf32>, tensor<?x2x16x24xf32>) {
  ^bb0(%qt: tensor<2x16xf32>, %kt: tensor<2x16xf32>, %vt: tensor<2x24xf32>,
      %pt: tensor<2x16xf32>, %alpha: tensor<2xf32>, %mu: tensor<2xf32>,
      %bt: tensor<2xf32>, %et: tensor<2xf32>, %s: tensor<2x16x24xf32>,
      %m: tensor<2x16x24xf32>):
    %e1 = tensor.empty() : tensor<2x24xf32>
    %none = linalg.fill ins(%zero : f32) outs(%e1 : tensor<2x24xf32>)
        -> tensor<2x24xf32>
    %guess = linalg.generic {
        indexing_maps = [#hkv, #hk, #hv],
        iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%s, %pt : tensor<2x16x24xf32>, tensor<2x16xf32>)
        outs(%none : tensor<2x24xf32>) {
    ^bb0(%state: f32, %key: f32, %out: f32):
      %product = arith.mulf %state, %key : f32
      %sum = arith.addf %out, %product : f32
      linalg.yield %sum : f32
    } -> tensor<2x24xf32>
    %e2 = tensor.empty() : tensor<2x16x24xf32>
    %momentum = linalg.generic {
        indexing_maps = [#hkv_of_hkv, #h, #hk_of_hkv, #h, #hv_of_hkv,
            #hv_of_hkv, #hkv_of_hkv],
        iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%m, %mu, %kt, %et, %guess, %vt : tensor<2x16x24xf32>, tensor<2xf32>,
            tensor<2x16xf32>, tensor<2xf32>, tensor<2x24xf32>, tensor<2x24xf32>)
        outs(%e2 : tensor<2x16x24xf32>) {
    ^bb0(%before: f32, %log: f32, %key: f32, %rate: f32, %got: f32, %want: f32,
        %out: f32):
      %decay = math.exp %log : f32
      %kept = arith.mulf %decay, %before : f32
      %error = arith.subf %got, %want : f32
      %scaled = arith.mulf %rate, %key : f32
      %step = arith.mulf %scaled, %error : f32
      %sum = arith.addf %kept, %step : f32
      linalg.yield %sum : f32
    } -> tensor<2x16x24xf32>
    %e3 = tensor.empty() : tensor<2x16x24xf32>
    %after = linalg.generic {
        indexing_maps = [#hkv_of_hkv, #h, #h, #hkv_of_hkv, #hkv_of_hkv],
        iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%s, %alpha, %bt, %momentum : tensor<2x16x24xf32>, tensor<2xf32>,
            tensor<2xf32>, tensor<2x16x24xf32>)
        outs(%e3 : tensor<2x16x24xf32>) {
    ^bb0(%before: f32, %log: f32, %rate: f32, %step: f32, %out: f32):
      %decay = math.exp %log : f32
      %kept = arith.mulf %decay, %before : f32
      %scaled = arith.mulf %rate, %step : f32
      %sum = arith.subf %kept, %scaled : f32
      linalg.yield %sum : f32
    } -> tensor<2x16x24xf32>
    %read = linalg.generic {
        indexing_maps = [#hkv, #hk, #hv],
        iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%after, %qt : tensor<2x16x24xf32>, tensor<2x16xf32>)
        outs(%none : tensor<2x24xf32>) {
    ^bb0(%state: f32, %query: f32, %out: f32):
      %scale = arith.constant 2.5e-01 : f32
      %scaled = arith.mulf %query, %scale : f32
      %product = arith.mulf %state, %scaled : f32
      %sum = arith.addf %out, %product : f32
      linalg.yield %sum : f32
    } -> tensor<2x24xf32>
    weir.yield %read, %after, %momentum
        : tensor<2x24xf32>, tensor<2x16x24xf32>, tensor<2x16x24xf32>
  }
  return %o, %S, %M
      : tensor<?x?x2x24xf32>, tensor<?x2x16x24xf32>, tensor<?x2x16x24xf32>
}
