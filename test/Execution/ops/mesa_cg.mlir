// MesaNet (arXiv:2506.05233) with thirty steps of conjugate gradients a token.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

#hkj = affine_map<(h, k, j) -> (h, k, j)>
#h = affine_map<(h, k, j) -> (h)>
#hk = affine_map<(h, k, j) -> (h, k)>
#hj = affine_map<(h, k, j) -> (h, j)>
#hkv = affine_map<(h, k, v) -> (h, k, v)>
#h_of_hkv = affine_map<(h, k, v) -> (h)>
#hk_of_hkv = affine_map<(h, k, v) -> (h, k)>
#hv = affine_map<(h, k, v) -> (h, v)>
#hk_of_hk = affine_map<(h, k) -> (h, k)>
#h_of_hk = affine_map<(h, k) -> (h)>
#hkj_of_hjk = affine_map<(h, j, k) -> (h, k, j)>
#hk_of_hjk = affine_map<(h, j, k) -> (h, k)>
#hj_of_hjk = affine_map<(h, j, k) -> (h, j)>
#hkv_of_hvk = affine_map<(h, v, k) -> (h, k, v)>
#hk_of_hvk = affine_map<(h, v, k) -> (h, k)>
#hv_of_hvk = affine_map<(h, v, k) -> (h, v)>

func.func @mesa_cg(
    %q: tensor<?x?x2x16xf32> {weir.name = "q"},
    %k: tensor<?x?x2x16xf32> {weir.name = "k"},
    %v: tensor<?x?x2x16xf32> {weir.name = "v"},
    %g: tensor<?x?x2xf32> {weir.name = "g"},
    %lamb: tensor<2x16xf32> {weir.name = "lamb"},
    %beta: tensor<?x?x2xf32> {weir.name = "beta"})
    -> (tensor<?x?x2x16xf32> {weir.name = "o"},
        tensor<?x2x16x16xf32> {weir.name = "h_kk"},
        tensor<?x2x16x16xf32> {weir.name = "h_kv"}) {
  %zeros = arith.constant dense<0.0> : tensor<2x16x16xf32>
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %end = arith.constant 30 : index
  %o, %kk, %kv = weir.scan (%q, %k, %v, %g, %beta) states(%zeros, %zeros)
      : (tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>,
          tensor<?x?x2xf32>, tensor<?x?x2xf32>), (tensor<2x16x16xf32>,
          tensor<2x16x16xf32>)
      -> (tensor<?x?x2x16xf32>),
          (tensor<?x2x16x16xf32>, tensor<?x2x16x16xf32>) {
  ^bb0(%qt: tensor<2x16xf32>, %kt: tensor<2x16xf32>, %vt: tensor<2x16xf32>,
      %gt: tensor<2xf32>, %bt: tensor<2xf32>, %kk_before: tensor<2x16x16xf32>,
      %kv_before: tensor<2x16x16xf32>):
    %e1 = tensor.empty() : tensor<2x16x16xf32>
    %kk_after = linalg.generic {
        indexing_maps = [#hkj, #h, #h, #hk, #hj, #hkj],
        iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%kk_before, %gt, %bt, %kt, %kt : tensor<2x16x16xf32>, tensor<2xf32>,
            tensor<2xf32>, tensor<2x16xf32>, tensor<2x16xf32>)
        outs(%e1 : tensor<2x16x16xf32>) {
    ^bb0(%before: f32, %log: f32, %rate: f32, %key: f32, %value: f32,
        %out: f32):
      %decay = math.exp %log : f32
      %kept = arith.mulf %decay, %before : f32
      %scaled = arith.mulf %rate, %key : f32
      %step = arith.mulf %scaled, %value : f32
      %sum = arith.addf %kept, %step : f32
      linalg.yield %sum : f32
    } -> tensor<2x16x16xf32>
    %e2 = tensor.empty() : tensor<2x16x16xf32>
    %kv_after = linalg.generic {
        indexing_maps = [#hkv, #h_of_hkv, #h_of_hkv, #hk_of_hkv, #hv, #hkv],
        iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%kv_before, %gt, %bt, %kt, %vt : tensor<2x16x16xf32>, tensor<2xf32>,
            tensor<2xf32>, tensor<2x16xf32>, tensor<2x16xf32>)
        outs(%e2 : tensor<2x16x16xf32>) {
    ^bb0(%before: f32, %log: f32, %rate: f32, %key: f32, %value: f32,
        %out: f32):
      %decay = math.exp %log : f32
      %kept = arith.mulf %decay, %before : f32
      %scaled = arith.mulf %rate, %key : f32
      %step = arith.mulf %scaled, %value : f32
      %sum = arith.addf %kept, %step : f32
      linalg.yield %sum : f32
    } -> tensor<2x16x16xf32>
    %e3 = tensor.empty() : tensor<2x16xf32>
    %none = linalg.fill ins(%zero : f32) outs(%e3 : tensor<2x16xf32>)
        -> tensor<2x16xf32>
    %e4 = tensor.empty() : tensor<2xf32>
    %nil = linalg.fill ins(%zero : f32) outs(%e4 : tensor<2xf32>)
        -> tensor<2xf32>
    %norm = linalg.generic {
        indexing_maps = [#hk_of_hk, #hk_of_hk, #h_of_hk],
        iterator_types = ["parallel", "reduction"]}
        ins(%qt, %qt : tensor<2x16xf32>, tensor<2x16xf32>)
        outs(%nil : tensor<2xf32>) {
    ^bb0(%left: f32, %right: f32, %out: f32):
      %product = arith.mulf %left, %right : f32
      %sum = arith.addf %out, %product : f32
      linalg.yield %sum : f32
    } -> tensor<2xf32>
    %x, %left_r, %left_p,
        %left_norm = scf.for %step = %c0 to %end step %c1 iter_args(%x0 = %none,
        %r0 = %qt, %p0 = %qt, %norm0 = %norm) -> (tensor<2x16xf32>,
        tensor<2x16xf32>, tensor<2x16xf32>, tensor<2xf32>) {
      %e5 = tensor.empty() : tensor<2x16xf32>
      %ridge = linalg.generic {
          indexing_maps = [#hk_of_hk, #hk_of_hk, #hk_of_hk],
          iterator_types = ["parallel", "parallel"]}
          ins(%lamb, %p0 : tensor<2x16xf32>, tensor<2x16xf32>)
          outs(%e5 : tensor<2x16xf32>) {
      ^bb0(%l: f32, %p: f32, %out: f32):
        %product = arith.mulf %l, %p : f32
        linalg.yield %product : f32
      } -> tensor<2x16xf32>
      %ap = linalg.generic {
          indexing_maps = [#hkj_of_hjk, #hk_of_hjk, #hj_of_hjk],
          iterator_types = ["parallel", "parallel", "reduction"]}
          ins(%kk_after, %p0 : tensor<2x16x16xf32>, tensor<2x16xf32>)
          outs(%ridge : tensor<2x16xf32>) {
      ^bb0(%a: f32, %p: f32, %out: f32):
        %product = arith.mulf %a, %p : f32
        %sum = arith.addf %out, %product : f32
        linalg.yield %sum : f32
      } -> tensor<2x16xf32>
      %curve = linalg.generic {
          indexing_maps = [#hk_of_hk, #hk_of_hk, #h_of_hk],
          iterator_types = ["parallel", "reduction"]}
          ins(%p0, %ap : tensor<2x16xf32>, tensor<2x16xf32>)
          outs(%nil : tensor<2xf32>) {
      ^bb0(%left: f32, %right: f32, %out: f32):
        %product = arith.mulf %left, %right : f32
        %sum = arith.addf %out, %product : f32
        linalg.yield %sum : f32
      } -> tensor<2xf32>
      %e6 = tensor.empty() : tensor<2x16xf32>
      %e7 = tensor.empty() : tensor<2x16xf32>
      %x1, %r1 = linalg.generic {
          indexing_maps = [#hk_of_hk, #hk_of_hk, #hk_of_hk, #hk_of_hk, #h_of_hk,
              #h_of_hk, #hk_of_hk, #hk_of_hk],
          iterator_types = ["parallel", "parallel"]}
          ins(%x0, %r0, %p0, %ap, %norm0, %curve : tensor<2x16xf32>,
              tensor<2x16xf32>, tensor<2x16xf32>, tensor<2x16xf32>,
              tensor<2xf32>, tensor<2xf32>)
          outs(%e6, %e7 : tensor<2x16xf32>, tensor<2x16xf32>) {
      ^bb0(%x: f32, %r: f32, %p: f32, %ap_in: f32, %n: f32, %c: f32, %out0: f32,
          %out1: f32):
        %tiny = arith.constant 1.0e-05 : f32
        %d = arith.addf %c, %tiny : f32
        %alpha = arith.divf %n, %d : f32
        %up = arith.mulf %alpha, %p : f32
        %more = arith.addf %x, %up : f32
        %down = arith.mulf %alpha, %ap_in : f32
        %less = arith.subf %r, %down : f32
        linalg.yield %more, %less : f32, f32
      } -> (tensor<2x16xf32>, tensor<2x16xf32>)
      %norm1 = linalg.generic {
          indexing_maps = [#hk_of_hk, #hk_of_hk, #h_of_hk],
          iterator_types = ["parallel", "reduction"]}
          ins(%r1, %r1 : tensor<2x16xf32>, tensor<2x16xf32>)
          outs(%nil : tensor<2xf32>) {
      ^bb0(%left: f32, %right: f32, %out: f32):
        %product = arith.mulf %left, %right : f32
        %sum = arith.addf %out, %product : f32
        linalg.yield %sum : f32
      } -> tensor<2xf32>
      %e8 = tensor.empty() : tensor<2x16xf32>
      %p1 = linalg.generic {
          indexing_maps = [#hk_of_hk, #hk_of_hk, #h_of_hk, #h_of_hk, #hk_of_hk],
          iterator_types = ["parallel", "parallel"]}
          ins(%r1, %p0, %norm0, %norm1 : tensor<2x16xf32>, tensor<2x16xf32>,
              tensor<2xf32>, tensor<2xf32>)
          outs(%e8 : tensor<2x16xf32>) {
      ^bb0(%r: f32, %p: f32, %old: f32, %new: f32, %out: f32):
        %tiny = arith.constant 1.0e-05 : f32
        %d = arith.addf %old, %tiny : f32
        %share = arith.divf %new, %d : f32
        %kept = arith.mulf %share, %p : f32
        %sum = arith.addf %r, %kept : f32
        linalg.yield %sum : f32
      } -> tensor<2x16xf32>
      scf.yield %x1, %r1, %p1, %norm1
          : tensor<2x16xf32>, tensor<2x16xf32>, tensor<2x16xf32>, tensor<2xf32>
    }
    %e9 = tensor.empty() : tensor<2x16xf32>
    %no_read = linalg.fill ins(%zero : f32) outs(%e9 : tensor<2x16xf32>)
        -> tensor<2x16xf32>
    %read = linalg.generic {
        indexing_maps = [#hkv_of_hvk, #hk_of_hvk, #hv_of_hvk],
        iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%kv_after, %x : tensor<2x16x16xf32>, tensor<2x16xf32>)
        outs(%no_read : tensor<2x16xf32>) {
    ^bb0(%state: f32, %weight: f32, %out: f32):
      %product = arith.mulf %state, %weight : f32
      %sum = arith.addf %out, %product : f32
      linalg.yield %sum : f32
    } -> tensor<2x16xf32>
    weir.yield %read, %kk_after, %kv_after
        : tensor<2x16xf32>, tensor<2x16x16xf32>, tensor<2x16x16xf32>
  }
  return %o, %kk, %kv
      : tensor<?x?x2x16xf32>, tensor<?x2x16x16xf32>, tensor<?x2x16x16xf32>
}
