// MesaNet (arXiv:2506.05233): two states and a system of equations solved at
// each token, by elimination: the matrix is positive definite and needs no
// pivots.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}2 passed, 0 failed

#hkj = affine_map<(h, k, j) -> (h, k, j)>
#h = affine_map<(h, k, j) -> (h)>
#hk = affine_map<(h, k, j) -> (h, k)>
#hj = affine_map<(h, k, j) -> (h, j)>
#hkv = affine_map<(h, k, v) -> (h, k, v)>
#h_of_hkv = affine_map<(h, k, v) -> (h)>
#hk_of_hkv = affine_map<(h, k, v) -> (h, k)>
#hv = affine_map<(h, k, v) -> (h, v)>
#hkw = affine_map<(h, k, w) -> (h, k, w)>
#hw = affine_map<(h, k, w) -> (h, w)>
#hk_of_hkw = affine_map<(h, k, w) -> (h, k)>
#h_of_hkw = affine_map<(h, k, w) -> (h)>
#hkv_of_hvk = affine_map<(h, v, k) -> (h, k, v)>
#hk_of_hvk = affine_map<(h, v, k) -> (h, k)>
#hv_of_hvk = affine_map<(h, v, k) -> (h, v)>

func.func @mesa(
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
  %end = arith.constant 16 : index
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
    %e3 = tensor.empty() : tensor<2x16x16xf32>
    %ridged = linalg.generic {
        indexing_maps = [#hkj, #hk, #hkj],
        iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%kk_after, %lamb : tensor<2x16x16xf32>, tensor<2x16xf32>)
        outs(%e3 : tensor<2x16x16xf32>) {
    ^bb0(%a: f32, %l: f32, %out: f32):
      %i = linalg.index 1 : index
      %j = linalg.index 2 : index
      %diagonal = arith.cmpi eq, %i, %j : index
      %sum = arith.addf %a, %l : f32
      %entry = arith.select %diagonal, %sum, %a : f32
      linalg.yield %entry : f32
    } -> tensor<2x16x16xf32>
    %e4 = tensor.empty() : tensor<2x16x17xf32>
    %with_matrix = tensor.insert_slice %ridged
        into %e4[0, 0, 0] [2, 16, 16] [1, 1, 1]
        : tensor<2x16x16xf32> into tensor<2x16x17xf32>
    %system = tensor.insert_slice %qt
        into %with_matrix[0, 0, 16] [2, 16, 1] [1, 1, 1]
        : tensor<2x16xf32> into tensor<2x16x17xf32>
    %solved = scf.for %p = %c0 to %end step %c1 iter_args(%m = %system)
        -> (tensor<2x16x17xf32>) {
      %row = tensor.extract_slice %m[0, %p, 0] [2, 1, 17] [1, 1, 1]
          : tensor<2x16x17xf32> to tensor<2x17xf32>
      %column = tensor.extract_slice %m[0, 0, %p] [2, 16, 1] [1, 1, 1]
          : tensor<2x16x17xf32> to tensor<2x16xf32>
      %pivot = tensor.extract_slice %m[0, %p, %p] [2, 1, 1] [1, 1, 1]
          : tensor<2x16x17xf32> to tensor<2xf32>
      %e5 = tensor.empty() : tensor<2x16x17xf32>
      %next = linalg.generic {
          indexing_maps = [#hkw, #hw, #hk_of_hkw, #h_of_hkw, #hkw],
          iterator_types = ["parallel", "parallel", "parallel"]}
          ins(%m, %row, %column, %pivot : tensor<2x16x17xf32>, tensor<2x17xf32>,
              tensor<2x16xf32>, tensor<2xf32>)
          outs(%e5 : tensor<2x16x17xf32>) {
      ^bb0(%a: f32, %r: f32, %c: f32, %d: f32, %out: f32):
        %i = linalg.index 1 : index
        %own = arith.cmpi eq, %i, %p : index
        %unit = arith.divf %r, %d : f32
        %part = arith.mulf %c, %unit : f32
        %less = arith.subf %a, %part : f32
        %entry = arith.select %own, %unit, %less : f32
        linalg.yield %entry : f32
      } -> tensor<2x16x17xf32>
      scf.yield %next : tensor<2x16x17xf32>
    }
    %x = tensor.extract_slice %solved[0, 0, 16] [2, 16, 1] [1, 1, 1]
        : tensor<2x16x17xf32> to tensor<2x16xf32>
    %e6 = tensor.empty() : tensor<2x16xf32>
    %no_read = linalg.fill ins(%zero : f32) outs(%e6 : tensor<2x16xf32>)
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

func.func @mesa_init(
    %q: tensor<?x?x2x16xf32> {weir.name = "q"},
    %k: tensor<?x?x2x16xf32> {weir.name = "k"},
    %v: tensor<?x?x2x16xf32> {weir.name = "v"},
    %g: tensor<?x?x2xf32> {weir.name = "g"},
    %lamb: tensor<2x16xf32> {weir.name = "lamb"},
    %beta: tensor<?x?x2xf32> {weir.name = "beta"},
    %kk_init: tensor<?x2x16x16xf32> {weir.name = "h_kk_init"},
    %kv_init: tensor<?x2x16x16xf32> {weir.name = "h_kv_init"})
    -> (tensor<?x?x2x16xf32> {weir.name = "o"},
        tensor<?x2x16x16xf32> {weir.name = "h_kk"},
        tensor<?x2x16x16xf32> {weir.name = "h_kv"}) {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %end = arith.constant 16 : index
  %o, %kk, %kv = weir.scan (%q, %k, %v, %g, %beta) states(%kk_init, %kv_init)
      : (tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>,
          tensor<?x?x2xf32>, tensor<?x?x2xf32>), (tensor<?x2x16x16xf32>,
          tensor<?x2x16x16xf32>)
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
    %e3 = tensor.empty() : tensor<2x16x16xf32>
    %ridged = linalg.generic {
        indexing_maps = [#hkj, #hk, #hkj],
        iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%kk_after, %lamb : tensor<2x16x16xf32>, tensor<2x16xf32>)
        outs(%e3 : tensor<2x16x16xf32>) {
    ^bb0(%a: f32, %l: f32, %out: f32):
      %i = linalg.index 1 : index
      %j = linalg.index 2 : index
      %diagonal = arith.cmpi eq, %i, %j : index
      %sum = arith.addf %a, %l : f32
      %entry = arith.select %diagonal, %sum, %a : f32
      linalg.yield %entry : f32
    } -> tensor<2x16x16xf32>
    %e4 = tensor.empty() : tensor<2x16x17xf32>
    %with_matrix = tensor.insert_slice %ridged
        into %e4[0, 0, 0] [2, 16, 16] [1, 1, 1]
        : tensor<2x16x16xf32> into tensor<2x16x17xf32>
    %system = tensor.insert_slice %qt
        into %with_matrix[0, 0, 16] [2, 16, 1] [1, 1, 1]
        : tensor<2x16xf32> into tensor<2x16x17xf32>
    %solved = scf.for %p = %c0 to %end step %c1 iter_args(%m = %system)
        -> (tensor<2x16x17xf32>) {
      %row = tensor.extract_slice %m[0, %p, 0] [2, 1, 17] [1, 1, 1]
          : tensor<2x16x17xf32> to tensor<2x17xf32>
      %column = tensor.extract_slice %m[0, 0, %p] [2, 16, 1] [1, 1, 1]
          : tensor<2x16x17xf32> to tensor<2x16xf32>
      %pivot = tensor.extract_slice %m[0, %p, %p] [2, 1, 1] [1, 1, 1]
          : tensor<2x16x17xf32> to tensor<2xf32>
      %e5 = tensor.empty() : tensor<2x16x17xf32>
      %next = linalg.generic {
          indexing_maps = [#hkw, #hw, #hk_of_hkw, #h_of_hkw, #hkw],
          iterator_types = ["parallel", "parallel", "parallel"]}
          ins(%m, %row, %column, %pivot : tensor<2x16x17xf32>, tensor<2x17xf32>,
              tensor<2x16xf32>, tensor<2xf32>)
          outs(%e5 : tensor<2x16x17xf32>) {
      ^bb0(%a: f32, %r: f32, %c: f32, %d: f32, %out: f32):
        %i = linalg.index 1 : index
        %own = arith.cmpi eq, %i, %p : index
        %unit = arith.divf %r, %d : f32
        %part = arith.mulf %c, %unit : f32
        %less = arith.subf %a, %part : f32
        %entry = arith.select %own, %unit, %less : f32
        linalg.yield %entry : f32
      } -> tensor<2x16x17xf32>
      scf.yield %next : tensor<2x16x17xf32>
    }
    %x = tensor.extract_slice %solved[0, 0, 16] [2, 16, 1] [1, 1, 1]
        : tensor<2x16x17xf32> to tensor<2x16xf32>
    %e6 = tensor.empty() : tensor<2x16xf32>
    %no_read = linalg.fill ins(%zero : f32) outs(%e6 : tensor<2x16xf32>)
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
