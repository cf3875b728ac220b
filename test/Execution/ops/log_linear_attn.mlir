// Log-linear attention (arXiv:2506.04761): states for the buckets of a Fenwick
// tree. Token t empties all levels below its lowest set bit into the one at it;
// level 0 is the token itself.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

#mgrkv = affine_map<(l, g, r, k, v, m) -> (m, g, r, k, v)>
#none = affine_map<(l, g, r, k, v, m) -> ()>
#lgrkv = affine_map<(l, g, r, k, v, m) -> (l, g, r, k, v)>
#lgrkv_of_lgrkv = affine_map<(l, g, r, k, v) -> (l, g, r, k, v)>
#gr = affine_map<(l, g, r, k, v) -> (g, r)>
#gk = affine_map<(l, g, r, k, v) -> (g, k)>
#grv = affine_map<(l, g, r, k, v) -> (g, r, v)>
#lgrkv_of_grvlk = affine_map<(g, r, v, l, k) -> (l, g, r, k, v)>
#gk_of_grvlk = affine_map<(g, r, v, l, k) -> (g, k)>
#grl = affine_map<(g, r, v, l, k) -> (g, r, l)>
#grv_of_grvlk = affine_map<(g, r, v, l, k) -> (g, r, v)>

func.func @log_linear_attn(
    %q: tensor<?x?x2x16xf32> {weir.name = "q"},
    %k: tensor<?x?x2x16xf32> {weir.name = "k"},
    %v: tensor<?x?x4x24xf32> {weir.name = "v"},
    %g: tensor<?x?x4xf32> {weir.name = "g"},
    %scales: tensor<?x?x4x8xf32> {weir.name = "level_scales"})
    -> (tensor<?x?x4x24xf32> {weir.name = "o"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %q, %c0 : tensor<?x?x2x16xf32>
  %t = tensor.dim %q, %c1 : tensor<?x?x2x16xf32>
  %vs = tensor.expand_shape %v [[0], [1], [2, 3], [4]]
      output_shape [%b, %t, 2, 2, 24]
      : tensor<?x?x4x24xf32> into tensor<?x?x2x2x24xf32>
  %gs = tensor.expand_shape %g [[0], [1], [2, 3]] output_shape [%b, %t, 2, 2]
      : tensor<?x?x4xf32> into tensor<?x?x2x2xf32>
  %ls = tensor.expand_shape %scales [[0], [1], [2, 3], [4]]
      output_shape [%b, %t, 2, 2, 8]
      : tensor<?x?x4x8xf32> into tensor<?x?x2x2x8xf32>
  %positions = weir.positions %q : tensor<?x?x2x16xf32> -> tensor<?x?xi32>
  %empty_levels = arith.constant dense<0.0> : tensor<8x2x2x16x24xf32>
  %zero = arith.constant 0.0 : f32
  %reads, %levels = weir.scan (%q, %k, %vs, %gs, %ls, %positions)
      states(%empty_levels)
      : (tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x2x24xf32>,
          tensor<?x?x2x2xf32>, tensor<?x?x2x2x8xf32>,
          tensor<?x?xi32>), (tensor<8x2x2x16x24xf32>)
      -> (tensor<?x?x2x2x24xf32>), (tensor<?x8x2x2x16x24xf32>) {
  ^bb0(%qt: tensor<2x16xf32>, %kt: tensor<2x16xf32>, %vt: tensor<2x2x24xf32>,
      %gt: tensor<2x2xf32>, %lt: tensor<2x2x8xf32>, %position: tensor<i32>,
      %before: tensor<8x2x2x16x24xf32>):
    %e1 = tensor.empty() : tensor<8x2x2x16x24xf32>
    %none = linalg.fill ins(%zero : f32) outs(%e1 : tensor<8x2x2x16x24xf32>)
        -> tensor<8x2x2x16x24xf32>
    %merged = linalg.generic {
        indexing_maps = [#mgrkv, #none, #lgrkv],
        iterator_types = ["parallel", "parallel", "parallel", "parallel",
            "parallel", "reduction"]}
        ins(%before, %position : tensor<8x2x2x16x24xf32>, tensor<i32>)
        outs(%none : tensor<8x2x2x16x24xf32>) {
    ^bb0(%in: f32, %p: i32, %out: f32):
      %to = linalg.index 0 : index
      %from = linalg.index 5 : index
      %zeros = math.cttz %p : i32
      %carry = arith.index_cast %zeros : i32 to index
      %unit = arith.constant 1 : index
      %target = arith.addi %carry, %unit : index
      %is_target = arith.cmpi eq, %to, %target : index
      %below = arith.cmpi ule, %from, %carry : index
      %joins = arith.andi %is_target, %below : i1
      %above = arith.cmpi ugt, %to, %target : index
      %same = arith.cmpi eq, %to, %from : index
      %stays = arith.andi %above, %same : i1
      %counts = arith.ori %joins, %stays : i1
      %nothing = arith.constant 0.0 : f32
      %part = arith.select %counts, %in, %nothing : f32
      %sum = arith.addf %out, %part : f32
      linalg.yield %sum : f32
    } -> tensor<8x2x2x16x24xf32>
    %e2 = tensor.empty() : tensor<8x2x2x16x24xf32>
    %after = linalg.generic {
        indexing_maps = [#lgrkv_of_lgrkv, #gr, #gk, #grv, #lgrkv_of_lgrkv],
        iterator_types = ["parallel", "parallel", "parallel", "parallel",
            "parallel"]}
        ins(%merged, %gt, %kt, %vt : tensor<8x2x2x16x24xf32>, tensor<2x2xf32>,
            tensor<2x16xf32>, tensor<2x2x24xf32>)
        outs(%e2 : tensor<8x2x2x16x24xf32>) {
    ^bb0(%in: f32, %log: f32, %key: f32, %value: f32, %out: f32):
      %level = linalg.index 0 : index
      %first = arith.constant 0 : index
      %own = arith.cmpi eq, %level, %first : index
      %decay = math.exp %log : f32
      %kept = arith.mulf %decay, %in : f32
      %product = arith.mulf %key, %value : f32
      %next = arith.select %own, %product, %kept : f32
      linalg.yield %next : f32
    } -> tensor<8x2x2x16x24xf32>
    %e3 = tensor.empty() : tensor<2x2x24xf32>
    %no_read = linalg.fill ins(%zero : f32) outs(%e3 : tensor<2x2x24xf32>)
        -> tensor<2x2x24xf32>
    %read = linalg.generic {
        indexing_maps = [#lgrkv_of_grvlk, #gk_of_grvlk, #grl, #grv_of_grvlk],
        iterator_types = ["parallel", "parallel", "parallel", "reduction",
            "reduction"]}
        ins(%after, %qt, %lt : tensor<8x2x2x16x24xf32>, tensor<2x16xf32>,
            tensor<2x2x8xf32>)
        outs(%no_read : tensor<2x2x24xf32>) {
    ^bb0(%state: f32, %query: f32, %scale: f32, %out: f32):
      %scaled = arith.mulf %query, %scale : f32
      %product = arith.mulf %state, %scaled : f32
      %sum = arith.addf %out, %product : f32
      linalg.yield %sum : f32
    } -> tensor<2x2x24xf32>
    weir.yield %read, %after : tensor<2x2x24xf32>, tensor<8x2x2x16x24xf32>
  }
  %o = tensor.collapse_shape %reads [[0], [1], [2, 3], [4]]
      : tensor<?x?x2x2x24xf32> into tensor<?x?x4x24xf32>
  return %o : tensor<?x?x4x24xf32>
}
