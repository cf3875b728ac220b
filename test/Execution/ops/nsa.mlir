// Native sparse attention (arXiv:2502.11089): three branches, each with its gate:
// all finished blocks by their means; the blocks whose means weigh most for the
// sixteen heads of a group, beside the first, the own and the one before it; and a
// window.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

#token = affine_map<(b, t) -> (b, t)>
#row = affine_map<(h, d) -> (h, d)>
#scalar = affine_map<(h, d) -> ()>
#list = affine_map<(b, i, h, c, e) -> (b, i, h, e)>
#block = affine_map<(b, i, h, c, e) -> (b, i, h, c)>
#all = affine_map<(b, i, h, d) -> (b, i, h, d)>
#gate = affine_map<(b, i, h, d) -> (b, i, h)>

func.func @nsa(
    %q: tensor<?x?x32x12xf32> {weir.name = "q"},
    %k: tensor<?x?x2x12xf32> {weir.name = "k"},
    %v: tensor<?x?x2x12xf32> {weir.name = "v"},
    %g_cmp: tensor<?x?x32xf32> {weir.name = "g_cmp"},
    %g_slc: tensor<?x?x32xf32> {weir.name = "g_slc"},
    %g_swa: tensor<?x?x32xf32> {weir.name = "g_swa"})
    -> (tensor<?x?x32x12xf32> {weir.name = "o"},
        tensor<?x?x2x?xf32> {weir.name = "selected_blocks"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %c8 = arith.constant 8 : index
  %batch = tensor.dim %q, %c0 : tensor<?x?x32x12xf32>
  %time = tensor.dim %q, %c1 : tensor<?x?x32x12xf32>
  %none.2 = arith.constant dense<0.0> : tensor<2x12xf32>
  // What a block has added up is kept from token to token of it.
  %positions = weir.positions %q : tensor<?x?x32x12xf32> -> tensor<?x?xi32>
  %k.e = tensor.empty(%batch, %time) : tensor<?x?xf32>
  %keep = linalg.generic {indexing_maps = [#token, #token],
      iterator_types = ["parallel", "parallel"]}
      ins(%positions : tensor<?x?xi32>) outs(%k.e : tensor<?x?xf32>) {
  ^bb0(%at: i32, %out: f32):
    %eight = arith.constant 8 : i32
    %c0_i32 = arith.constant 0 : i32
    %zero = arith.constant 0.0 : f32
    %one = arith.constant 1.0 : f32
    %place = arith.remsi %at, %eight : i32
    %begins = arith.cmpi eq, %place, %c0_i32 : i32
    %factor = arith.select %begins, %zero, %one : f32
    linalg.yield %factor : f32
  } -> tensor<?x?xf32>
  %eighth = arith.constant 0.125 : f32
  %means, %means.last = weir.scan (%k, %keep) states(%none.2)
      : (tensor<?x?x2x12xf32>, tensor<?x?xf32>), (tensor<2x12xf32>)
      -> (tensor<?x?x2x12xf32>), (tensor<?x2x12xf32>) {
  ^bb0(%now: tensor<2x12xf32>, %kept: tensor<f32>, %before: tensor<2x12xf32>):
    %e = tensor.empty() : tensor<2x12xf32>
    %after = linalg.generic {indexing_maps = [#row, #scalar, #row, #row],
        iterator_types = ["parallel", "parallel"]}
        ins(%now, %kept, %before : tensor<2x12xf32>, tensor<f32>,
                                   tensor<2x12xf32>)
        outs(%e : tensor<2x12xf32>) {
    ^bb1(%x: f32, %factor: f32, %sum: f32, %out: f32):
      %share = arith.mulf %x, %eighth : f32
      %old = arith.mulf %factor, %sum : f32
      %new = arith.addf %old, %share : f32
      linalg.yield %new : f32
    } -> tensor<2x12xf32>
    weir.yield %after, %after : tensor<2x12xf32>, tensor<2x12xf32>
  }
  %values, %values.last = weir.scan (%v, %keep) states(%none.2)
      : (tensor<?x?x2x12xf32>, tensor<?x?xf32>), (tensor<2x12xf32>)
      -> (tensor<?x?x2x12xf32>), (tensor<?x2x12xf32>) {
  ^bb0(%now: tensor<2x12xf32>, %kept: tensor<f32>, %before: tensor<2x12xf32>):
    %e = tensor.empty() : tensor<2x12xf32>
    %after = linalg.generic {indexing_maps = [#row, #scalar, #row, #row],
        iterator_types = ["parallel", "parallel"]}
        ins(%now, %kept, %before : tensor<2x12xf32>, tensor<f32>,
                                   tensor<2x12xf32>)
        outs(%e : tensor<2x12xf32>) {
    ^bb1(%x: f32, %factor: f32, %sum: f32, %out: f32):
      %share = arith.mulf %x, %eighth : f32
      %old = arith.mulf %factor, %sum : f32
      %new = arith.addf %old, %share : f32
      linalg.yield %new : f32
    } -> tensor<2x12xf32>
    weir.yield %after, %after : tensor<2x12xf32>, tensor<2x12xf32>
  }
  %compressed = weir.attention %q, %means, %values mask(<causal>)
      scale(0.28867513459481287) where {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %place = arith.remui %j, %c8 : index
    %isLast = arith.cmpi eq, %place, %c7 : index
    weir.yield %isLast : i1
  } : tensor<?x?x32x12xf32>, tensor<?x?x2x12xf32>, tensor<?x?x2x12xf32>
      -> tensor<?x?x32x12xf32>
  %list = weir.select_blocks %q, %means block_size(8)
      scale(0.28867513459481287) score(softmax) adjust {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %c: index):
    %always = arith.constant 0x7F800000 : f32
    %own = arith.divui %i, %c8 : index
    %next = arith.addi %c, %c1 : index
    %isNear = arith.cmpi uge, %next, %own : index
    %isFirst = arith.cmpi eq, %c, %c0 : index
    %isForced = arith.ori %isNear, %isFirst : i1
    %t = arith.select %isForced, %always, %s : f32
    weir.yield %t : f32
  } : tensor<?x?x32x12xf32>, tensor<?x?x2x12xf32> -> tensor<?x?x2x5xi32>
  %chosen = weir.attention %q, %k, %v mask(<causal>)
      scale(0.28867513459481287)
      block_list(%list : tensor<?x?x2x5xi32>) block_size(8)
      : tensor<?x?x32x12xf32>, tensor<?x?x2x12xf32>, tensor<?x?x2x12xf32>
      -> tensor<?x?x32x12xf32>
  %near = weir.attention %q, %k, %v mask(<causal and window<13>>)
      scale(0.28867513459481287)
      : tensor<?x?x32x12xf32>, tensor<?x?x2x12xf32>, tensor<?x?x2x12xf32>
      -> tensor<?x?x32x12xf32>
  %oe = tensor.empty(%batch, %time) : tensor<?x?x32x12xf32>
  %o = linalg.generic {indexing_maps = [#all, #gate, #all, #gate, #all, #gate,
                                        #all],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%compressed, %g_cmp, %chosen, %g_slc, %near, %g_swa
          : tensor<?x?x32x12xf32>, tensor<?x?x32xf32>, tensor<?x?x32x12xf32>,
            tensor<?x?x32xf32>, tensor<?x?x32x12xf32>, tensor<?x?x32xf32>)
      outs(%oe : tensor<?x?x32x12xf32>) {
  ^bb0(%x: f32, %gx: f32, %y: f32, %gy: f32, %z: f32, %gz: f32, %out: f32):
    %xs = arith.mulf %x, %gx : f32
    %ys = arith.mulf %y, %gy : f32
    %zs = arith.mulf %z, %gz : f32
    %xy = arith.addf %xs, %ys : f32
    %xyz = arith.addf %xy, %zs : f32
    linalg.yield %xyz : f32
  } -> tensor<?x?x32x12xf32>

  // The list as a matrix.
  %no = arith.constant 0.0 : f32
  %yes = arith.constant 1.0 : f32
  %blocks = arith.ceildivui %time, %c8 : index
  %e = tensor.empty(%batch, %time, %blocks) : tensor<?x?x2x?xf32>
  %nothing = linalg.fill ins(%no : f32) outs(%e : tensor<?x?x2x?xf32>)
      -> tensor<?x?x2x?xf32>
  %selected = linalg.generic {indexing_maps = [#list, #block],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "reduction"]}
      ins(%list : tensor<?x?x2x5xi32>) outs(%nothing : tensor<?x?x2x?xf32>) {
  ^bb0(%entry: i32, %sofar: f32):
    %c = linalg.index 3 : index
    %number = arith.index_cast %c : index to i32
    %is = arith.cmpi eq, %number, %entry : i32
    %next = arith.select %is, %yes, %sofar : f32
    linalg.yield %next : f32
  } -> tensor<?x?x2x?xf32>
  return %o, %selected : tensor<?x?x32x12xf32>, tensor<?x?x2x?xf32>
}
