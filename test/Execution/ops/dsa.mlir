// Sparse attention of DeepSeek-V3.2: an indexer with heads of its own scores every
// key, and the best 17 are attended to by all heads.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

#list = affine_map<(b, i, j, e) -> (b, i, e)>
#pair = affine_map<(b, i, j, e) -> (b, i, j)>

func.func @dsa(
    %q: tensor<?x?x4x16xf32> {weir.name = "q"},
    %k: tensor<?x?x2x16xf32> {weir.name = "k"},
    %v: tensor<?x?x2x24xf32> {weir.name = "v"},
    %q_idx: tensor<?x?x8x12xf32> {weir.name = "q_idx"},
    %k_idx: tensor<?x?x12xf32> {weir.name = "k_idx"},
    %w_idx: tensor<?x?x8xf32> {weir.name = "w_idx"})
    -> (tensor<?x?x4x24xf32> {weir.name = "o"},
        tensor<?x?x?xf32> {weir.name = "selected"}) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %batch = tensor.dim %q, %c0 : tensor<?x?x4x16xf32>
  %time = tensor.dim %q, %c1 : tensor<?x?x4x16xf32>
  %keys = tensor.expand_shape %k_idx [[0], [1], [2, 3]]
      output_shape [%batch, %time, 1, 12]
      : tensor<?x?x12xf32> into tensor<?x?x1x12xf32>
  %list = weir.select_blocks %q_idx, %keys block_size(1)
      scale(0.28867513459481287) score(relu)
      weights(%w_idx : tensor<?x?x8xf32>)
      : tensor<?x?x8x12xf32>, tensor<?x?x1x12xf32> -> tensor<?x?x1x17xi32>
  %o = weir.attention %q, %k, %v mask(<causal>) scale(0.25)
      block_list(%list : tensor<?x?x1x17xi32>) block_size(1)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x24xf32>
      -> tensor<?x?x4x24xf32>

  // The same as a matrix.
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %flat = tensor.collapse_shape %list [[0], [1], [2, 3]]
      : tensor<?x?x1x17xi32> into tensor<?x?x17xi32>
  %e = tensor.empty(%batch, %time, %time) : tensor<?x?x?xf32>
  %none = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?x?xf32>)
      -> tensor<?x?x?xf32>
  %selected = linalg.generic {indexing_maps = [#list, #pair],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%flat : tensor<?x?x17xi32>) outs(%none : tensor<?x?x?xf32>) {
  ^bb0(%entry: i32, %sofar: f32):
    %j = linalg.index 2 : index
    %key = arith.index_cast %j : index to i32
    %is = arith.cmpi eq, %key, %entry : i32
    %next = arith.select %is, %one, %sofar : f32
    linalg.yield %next : f32
  } -> tensor<?x?x?xf32>
  return %o, %selected : tensor<?x?x4x24xf32>, tensor<?x?x?xf32>
}
