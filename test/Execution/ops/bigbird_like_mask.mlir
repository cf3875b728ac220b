// A mask of blocks of eight positions, given as a tensor (BigBird,
// arXiv:2007.14062, draws such blocks at random).
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

func.func @bigbird_like_mask(
    %q: tensor<?x?x3x16xf32> {weir.name = "q"},
    %k: tensor<?x?x3x16xf32> {weir.name = "k"},
    %v: tensor<?x?x3x16xf32> {weir.name = "v"},
    %blocks: tensor<?x?xf32> {weir.name = "block_mask"})
    -> (tensor<?x?x3x16xf32> {weir.name = "o"}) {
  %o = weir.attention %q, %k, %v mask(<full>) scale(0.25) where {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %eight = arith.constant 8 : index
    %none = arith.constant 0.0 : f32
    %row = arith.divsi %i, %eight : index
    %column = arith.divsi %j, %eight : index
    %block = tensor.extract %blocks[%row, %column] : tensor<?x?xf32>
    %shown = arith.cmpf une, %block, %none : f32
    weir.yield %shown : i1
  } : tensor<?x?x3x16xf32>, tensor<?x?x3x16xf32>, tensor<?x?x3x16xf32>
      -> tensor<?x?x3x16xf32>
  return %o : tensor<?x?x3x16xf32>
}
