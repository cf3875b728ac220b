// Attention with bounded memory (arXiv:2110.02488): slots whose gates are
// differences of a running logarithm of sums, which is a scan.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

#hm = affine_map<(h, m) -> (h, m)>
#hkm = affine_map<(h, k, m) -> (h, k, m)>
#hm_of_hkm = affine_map<(h, k, m) -> (h, m)>
#hk = affine_map<(h, k, m) -> (h, k)>
#hkm_of_hmk = affine_map<(h, m, k) -> (h, k, m)>
#hk_of_hmk = affine_map<(h, m, k) -> (h, k)>
#hm_of_hmk = affine_map<(h, m, k) -> (h, m)>
#bthm = affine_map<(b, t, h, m) -> (b, t, h, m)>
#bth = affine_map<(b, t, h, m) -> (b, t, h)>

func.func @abc(
    %q: tensor<?x?x3x16xf32> {weir.name = "q"},
    %k: tensor<?x?x3x16xf32> {weir.name = "k"},
    %v: tensor<?x?x3x24xf32> {weir.name = "v"},
    %s: tensor<?x?x3x12xf32> {weir.name = "s"})
    -> (tensor<?x?x3x24xf32> {weir.name = "o"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %q, %c0 : tensor<?x?x3x16xf32>
  %t = tensor.dim %q, %c1 : tensor<?x?x3x16xf32>
  %first = arith.constant dense<-1.0e+30> : tensor<3x12xf32>
  %g, %w, %sums = weir.scan (%s) states(%first)
      : (tensor<?x?x3x12xf32>), (tensor<3x12xf32>)
      -> (tensor<?x?x3x12xf32>, tensor<?x?x3x12xf32>), (tensor<?x3x12xf32>) {
  ^bb0(%logits: tensor<3x12xf32>, %before: tensor<3x12xf32>):
    %e1 = tensor.empty() : tensor<3x12xf32>
    %e2 = tensor.empty() : tensor<3x12xf32>
    %e3 = tensor.empty() : tensor<3x12xf32>
    %gate, %share, %now = linalg.generic {
        indexing_maps = [#hm, #hm, #hm, #hm, #hm],
        iterator_types = ["parallel", "parallel"]}
        ins(%logits, %before : tensor<3x12xf32>, tensor<3x12xf32>)
        outs(%e1, %e2, %e3 : tensor<3x12xf32>, tensor<3x12xf32>,
            tensor<3x12xf32>) {
    ^bb0(%logit: f32, %sum: f32, %out0: f32, %out1: f32, %out2: f32):
      %top = arith.maximumf %logit, %sum : f32
      %low = arith.minimumf %logit, %sum : f32
      %less = arith.subf %low, %top : f32
      %power = math.exp %less : f32
      %more = math.log1p %power : f32
      %total = arith.addf %top, %more : f32
      %log = arith.subf %sum, %total : f32
      %rest = arith.subf %logit, %total : f32
      %part = math.exp %rest : f32
      linalg.yield %log, %part, %total : f32, f32, f32
    } -> (tensor<3x12xf32>, tensor<3x12xf32>, tensor<3x12xf32>)
    weir.yield %gate, %share, %now
        : tensor<3x12xf32>, tensor<3x12xf32>, tensor<3x12xf32>
  }
  %empty_slots = arith.constant dense<0.0> : tensor<3x16x12xf32>
  %zero = arith.constant 0.0 : f32
  %scores, %keys = weir.scan (%q, %k, %g, %w) states(%empty_slots)
      : (tensor<?x?x3x16xf32>, tensor<?x?x3x16xf32>, tensor<?x?x3x12xf32>,
          tensor<?x?x3x12xf32>), (tensor<3x16x12xf32>)
      -> (tensor<?x?x3x12xf32>), (tensor<?x3x16x12xf32>) {
  ^bb0(%qt: tensor<3x16xf32>, %kt: tensor<3x16xf32>, %gt: tensor<3x12xf32>,
      %st: tensor<3x12xf32>, %before: tensor<3x16x12xf32>):
    %e4 = tensor.empty() : tensor<3x16x12xf32>
    %after = linalg.generic {
        indexing_maps = [#hkm, #hm_of_hkm, #hk, #hm_of_hkm, #hkm],
        iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%before, %gt, %kt, %st : tensor<3x16x12xf32>, tensor<3x12xf32>,
            tensor<3x16xf32>, tensor<3x12xf32>)
        outs(%e4 : tensor<3x16x12xf32>) {
    ^bb0(%slot: f32, %log: f32, %key: f32, %weight: f32, %out: f32):
      %decay = math.exp %log : f32
      %kept = arith.mulf %decay, %slot : f32
      %entry = arith.mulf %key, %weight : f32
      %sum = arith.addf %kept, %entry : f32
      linalg.yield %sum : f32
    } -> tensor<3x16x12xf32>
    %e5 = tensor.empty() : tensor<3x12xf32>
    %none = linalg.fill ins(%zero : f32) outs(%e5 : tensor<3x12xf32>)
        -> tensor<3x12xf32>
    %score = linalg.generic {
        indexing_maps = [#hkm_of_hmk, #hk_of_hmk, #hm_of_hmk],
        iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%after, %qt : tensor<3x16x12xf32>, tensor<3x16xf32>)
        outs(%none : tensor<3x12xf32>) {
    ^bb0(%slot: f32, %query: f32, %out: f32):
      %scale = arith.constant 2.5e-01 : f32
      %scaled = arith.mulf %query, %scale : f32
      %product = arith.mulf %slot, %scaled : f32
      %sum = arith.addf %out, %product : f32
      linalg.yield %sum : f32
    } -> tensor<3x12xf32>
    weir.yield %score, %after : tensor<3x12xf32>, tensor<3x16x12xf32>
  }
  %lowest = arith.constant 0xFF800000 : f32
  %e6 = tensor.empty(%b, %t) : tensor<?x?x3xf32>
  %least = linalg.fill ins(%lowest : f32) outs(%e6 : tensor<?x?x3xf32>)
      -> tensor<?x?x3xf32>
  %most = linalg.generic {
      indexing_maps = [#bthm, #bth],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%scores : tensor<?x?x3x12xf32>)
      outs(%least : tensor<?x?x3xf32>) {
  ^bb0(%score: f32, %out: f32):
    %more = arith.maximumf %out, %score : f32
    linalg.yield %more : f32
  } -> tensor<?x?x3xf32>
  %e7 = tensor.empty(%b, %t) : tensor<?x?x3x12xf32>
  %powers = linalg.generic {
      indexing_maps = [#bthm, #bth, #bthm],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%scores, %most : tensor<?x?x3x12xf32>, tensor<?x?x3xf32>)
      outs(%e7 : tensor<?x?x3x12xf32>) {
  ^bb0(%score: f32, %top: f32, %out: f32):
    %less = arith.subf %score, %top : f32
    %power = math.exp %less : f32
    linalg.yield %power : f32
  } -> tensor<?x?x3x12xf32>
  %e8 = tensor.empty(%b, %t) : tensor<?x?x3xf32>
  %nothing = linalg.fill ins(%zero : f32) outs(%e8 : tensor<?x?x3xf32>)
      -> tensor<?x?x3xf32>
  %total = linalg.generic {
      indexing_maps = [#bthm, #bth],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%powers : tensor<?x?x3x12xf32>)
      outs(%nothing : tensor<?x?x3xf32>) {
  ^bb0(%power: f32, %out: f32):
    %sum = arith.addf %out, %power : f32
    linalg.yield %sum : f32
  } -> tensor<?x?x3xf32>
  %e9 = tensor.empty(%b, %t) : tensor<?x?x3x12xf32>
  %weights = linalg.generic {
      indexing_maps = [#bthm, #bth, #bthm],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%powers, %total : tensor<?x?x3x12xf32>, tensor<?x?x3xf32>)
      outs(%e9 : tensor<?x?x3x12xf32>) {
  ^bb0(%power: f32, %all: f32, %out: f32):
    %share = arith.divf %power, %all : f32
    linalg.yield %share : f32
  } -> tensor<?x?x3x12xf32>
  %o, %values = weir.recurrence %weights, %w, %v
      decay(%g : tensor<?x?x3x12xf32>) : tensor<?x?x3x12xf32>,
      tensor<?x?x3x12xf32>, tensor<?x?x3x24xf32> -> tensor<?x?x3x24xf32>,
      tensor<?x3x12x24xf32>
  return %o : tensor<?x?x3x24xf32>
}
