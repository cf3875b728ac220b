// Mixture of block attention (arXiv:2502.13189): each query attends to its own
// block and to the two whose mean keys it likes best. The means are sums that run
// along the blocks; what counts is the last one of a block.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

#token = affine_map<(b, t) -> (b, t)>
#row = affine_map<(h, d) -> (h, d)>
#scalar = affine_map<(h, d) -> ()>
#list = affine_map<(b, h, i, c, e) -> (b, i, h, e)>
#block = affine_map<(b, h, i, c, e) -> (b, h, i, c)>

func.func @moba(
    %q: tensor<?x?x3x16xf32> {weir.name = "q"},
    %k: tensor<?x?x3x16xf32> {weir.name = "k"},
    %v: tensor<?x?x3x16xf32> {weir.name = "v"})
    -> (tensor<?x?x3x16xf32> {weir.name = "o"},
        tensor<?x3x?x?xf32> {weir.name = "selected_blocks"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %batch = tensor.dim %q, %c0 : tensor<?x?x3x16xf32>
  %time = tensor.dim %q, %c1 : tensor<?x?x3x16xf32>
  %none.3 = arith.constant dense<0.0> : tensor<3x16xf32>
  // What a block has added up is kept from token to token of it.
  %positions = weir.positions %q : tensor<?x?x3x16xf32> -> tensor<?x?xi32>
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
  %means, %means.last = weir.scan (%k, %keep) states(%none.3)
      : (tensor<?x?x3x16xf32>, tensor<?x?xf32>), (tensor<3x16xf32>)
      -> (tensor<?x?x3x16xf32>), (tensor<?x3x16xf32>) {
  ^bb0(%now: tensor<3x16xf32>, %kept: tensor<f32>, %before: tensor<3x16xf32>):
    %e = tensor.empty() : tensor<3x16xf32>
    %after = linalg.generic {indexing_maps = [#row, #scalar, #row, #row],
        iterator_types = ["parallel", "parallel"]}
        ins(%now, %kept, %before : tensor<3x16xf32>, tensor<f32>,
                                   tensor<3x16xf32>)
        outs(%e : tensor<3x16xf32>) {
    ^bb1(%x: f32, %factor: f32, %sum: f32, %out: f32):
      %share = arith.mulf %x, %eighth : f32
      %old = arith.mulf %factor, %sum : f32
      %new = arith.addf %old, %share : f32
      linalg.yield %new : f32
    } -> tensor<3x16xf32>
    weir.yield %after, %after : tensor<3x16xf32>, tensor<3x16xf32>
  }
  %list = weir.select_blocks %q, %means block_size(8) scale(1.0) score(raw)
      adjust {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %c: index):
    %always = arith.constant 0x7F800000 : f32
    %own = arith.divui %i, %c8 : index
    %isOwn = arith.cmpi eq, %own, %c : index
    %t = arith.select %isOwn, %always, %s : f32
    weir.yield %t : f32
  } : tensor<?x?x3x16xf32>, tensor<?x?x3x16xf32> -> tensor<?x?x3x3xi32>
  %o = weir.attention %q, %k, %v mask(<causal>) scale(0.25)
      block_list(%list : tensor<?x?x3x3xi32>) block_size(8)
      : tensor<?x?x3x16xf32>, tensor<?x?x3x16xf32>, tensor<?x?x3x16xf32>
      -> tensor<?x?x3x16xf32>

  // The same as a matrix.
  %no = arith.constant 0.0 : f32
  %yes = arith.constant 1.0 : f32
  %blocks = arith.ceildivui %time, %c8 : index
  %e = tensor.empty(%batch, %time, %blocks) : tensor<?x3x?x?xf32>
  %nothing = linalg.fill ins(%no : f32) outs(%e : tensor<?x3x?x?xf32>)
      -> tensor<?x3x?x?xf32>
  %selected = linalg.generic {indexing_maps = [#list, #block],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "reduction"]}
      ins(%list : tensor<?x?x3x3xi32>) outs(%nothing : tensor<?x3x?x?xf32>) {
  ^bb0(%entry: i32, %sofar: f32):
    %c = linalg.index 3 : index
    %number = arith.index_cast %c : index to i32
    %is = arith.cmpi eq, %number, %entry : i32
    %next = arith.select %is, %yes, %sofar : f32
    linalg.yield %next : f32
  } -> tensor<?x3x?x?xf32>
  return %o, %selected : tensor<?x?x3x16xf32>, tensor<?x3x?x?xf32>
}
