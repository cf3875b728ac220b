// Sinkhorn's normalisation of small matrices, as hyper-connections have it
// (arXiv:2409.19606): columns and rows in turn, as logarithms, ten times each.
//
// REQUIRES: parity, numpy
// RUN: %weir_src/scripts/parity --weirc weirc --flags --reference %s \
// RUN:   | FileCheck %s
// RUN: %weir_src/scripts/parity --weirc weirc %s | FileCheck %s
// CHECK: {{^}}1 passed, 0 failed

#all = affine_map<(b, t, i, j) -> (b, t, i, j)>
#column = affine_map<(b, t, i, j) -> (b, t, j)>
#row = affine_map<(b, t, i, j) -> (b, t, i)>

func.func @sinkhorn(%logits: tensor<?x?x4x4xf32> {weir.name = "logits"})
    -> (tensor<?x?x4x4xf32> {weir.name = "y"}) {
  %0 = arith.constant 0 : index
  %1 = arith.constant 1 : index
  %steps = arith.constant 20 : index
  %batch = tensor.dim %logits, %0 : tensor<?x?x4x4xf32>
  %time = tensor.dim %logits, %1 : tensor<?x?x4x4xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty(%batch, %time) : tensor<?x?x4xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?x4xf32>)
      -> tensor<?x?x4xf32>
  %last = scf.for %step = %0 to %steps step %1 iter_args(%x = %logits)
      -> tensor<?x?x4x4xf32> {
    %columns = linalg.generic {indexing_maps = [#all, #column],
        iterator_types = ["parallel", "parallel", "reduction", "parallel"]}
        ins(%x : tensor<?x?x4x4xf32>) outs(%zeros : tensor<?x?x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %p = math.exp %in : f32
      %s = arith.addf %out, %p : f32
      linalg.yield %s : f32
    } -> tensor<?x?x4xf32>
    %e1 = tensor.empty(%batch, %time) : tensor<?x?x4x4xf32>
    %y = linalg.generic {indexing_maps = [#all, #column, #all],
        iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
        ins(%x, %columns : tensor<?x?x4x4xf32>, tensor<?x?x4xf32>)
        outs(%e1 : tensor<?x?x4x4xf32>) {
    ^bb0(%in: f32, %sum: f32, %out: f32):
      %l = math.log %sum : f32
      %d = arith.subf %in, %l : f32
      linalg.yield %d : f32
    } -> tensor<?x?x4x4xf32>
    %rows = linalg.generic {indexing_maps = [#all, #row],
        iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%y : tensor<?x?x4x4xf32>) outs(%zeros : tensor<?x?x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %p = math.exp %in : f32
      %s = arith.addf %out, %p : f32
      linalg.yield %s : f32
    } -> tensor<?x?x4xf32>
    %e2 = tensor.empty(%batch, %time) : tensor<?x?x4x4xf32>
    %z = linalg.generic {indexing_maps = [#all, #row, #all],
        iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
        ins(%y, %rows : tensor<?x?x4x4xf32>, tensor<?x?x4xf32>)
        outs(%e2 : tensor<?x?x4x4xf32>) {
    ^bb0(%in: f32, %sum: f32, %out: f32):
      %l = math.log %sum : f32
      %d = arith.subf %in, %l : f32
      linalg.yield %d : f32
    } -> tensor<?x?x4x4xf32>
    scf.yield %z : tensor<?x?x4x4xf32>
  }
  %e3 = tensor.empty(%batch, %time) : tensor<?x?x4x4xf32>
  %result = linalg.generic {indexing_maps = [#all, #all],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%last : tensor<?x?x4x4xf32>) outs(%e3 : tensor<?x?x4x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %p = math.exp %in : f32
    linalg.yield %p : f32
  } -> tensor<?x?x4x4xf32>
  return %result : tensor<?x?x4x4xf32>
}
