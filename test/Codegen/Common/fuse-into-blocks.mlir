// RUN: weir-opt %s --weir-fuse-into-blocks | FileCheck %s

#bth = affine_map<(b, t, h) -> (b, t, h)>
#bt = affine_map<(b, t, h) -> (b, t)>
#h = affine_map<(b, t, h) -> (h)>

// A gate in front and a skip behind: both move in, and the axes that the slice
// drops are dropped from what the gate reads.
// CHECK-LABEL: func.func @both
// CHECK-SAME: (%[[X:.*]]: tensor<1x8x4xf32>, %[[G:.*]]: tensor<1x8xf32>, %[[D:.*]]: tensor<4xf32>)
// CHECK-NOT: linalg.generic
// CHECK: %[[R:.*]] = scf.forall (%[[I:.*]]) in (4)
// CHECK: %[[XT:.*]] = tensor.extract_slice %[[X]][0, 0, %[[I]]] [1, 8, 1] [1, 1, 1] : tensor<1x8x4xf32> to tensor<8xf32>
// CHECK: %[[GT:.*]] = tensor.extract_slice %[[G]][0, 0] [1, 8] [1, 1] : tensor<1x8xf32> to tensor<8xf32>
// CHECK: linalg.generic {{.*}} ins(%[[XT]], %[[GT]] : tensor<8xf32>, tensor<8xf32>)
// CHECK: arith.mulf
// CHECK: %[[TILE:.*]] = tensor.expand_shape
// CHECK: %[[DT:.*]] = tensor.extract_slice %[[D]][%[[I]]] [1] [1]
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[TILE]], %[[DT]] : {{.*}}) outs(%[[TILE]] : {{.*}})
// CHECK: arith.addf
// CHECK: tensor.parallel_insert_slice %[[SUM]]
// CHECK: return %[[R]]
func.func @both(%x: tensor<1x8x4xf32>, %g: tensor<1x8xf32>, %d: tensor<4xf32>)
    -> tensor<1x8x4xf32> {
  %e = tensor.empty() : tensor<1x8x4xf32>
  %v = linalg.generic {indexing_maps = [#bth, #bt, #bth],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %g : tensor<1x8x4xf32>, tensor<1x8xf32>)
      outs(%e : tensor<1x8x4xf32>) {
  ^bb0(%a: f32, %s: f32, %o: f32):
    %p = arith.mulf %a, %s : f32
    linalg.yield %p : f32
  } -> tensor<1x8x4xf32>
  %r = scf.forall (%i) in (4) shared_outs(%out = %e) -> (tensor<1x8x4xf32>) {
    %t = tensor.extract_slice %v[0, 0, %i] [1, 8, 1] [1, 1, 1]
        : tensor<1x8x4xf32> to tensor<8xf32>
    %w = tensor.expand_shape %t [[0, 1, 2]] output_shape [1, 8, 1]
        : tensor<8xf32> into tensor<1x8x1xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %w into %out[0, 0, %i] [1, 8, 1] [1, 1, 1]
          : tensor<1x8x1xf32> into tensor<1x8x4xf32>
    }
  }
  %y = linalg.generic {indexing_maps = [#bth, #h, #bth],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%r, %d : tensor<1x8x4xf32>, tensor<4xf32>)
      outs(%e : tensor<1x8x4xf32>) {
  ^bb0(%a: f32, %s: f32, %o: f32):
    %p = arith.addf %a, %s : f32
    linalg.yield %p : f32
  } -> tensor<1x8x4xf32>
  return %y : tensor<1x8x4xf32>
}

// Heads that share a key would compute it again; a result that somebody else
// reads too has to exist; and what is known only behind the loop cannot be
// taken into it.
// CHECK-LABEL: func.func @neither
// CHECK: math.exp
// CHECK: scf.forall
// CHECK-NOT: math.exp
// CHECK: scf.forall.in_parallel
// CHECK: linalg.generic
// CHECK: arith.addf
func.func @neither(%x: tensor<1x8x2xf32>)
    -> (tensor<1x8x4xf32>, tensor<1x8x4xf32>) {
  %c2 = arith.constant 2 : index
  %e = tensor.empty() : tensor<1x8x2xf32>
  %e4 = tensor.empty() : tensor<1x8x4xf32>
  %v = linalg.generic {indexing_maps = [#bth, #bth],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x : tensor<1x8x2xf32>) outs(%e : tensor<1x8x2xf32>) {
  ^bb0(%a: f32, %o: f32):
    %p = math.exp %a : f32
    linalg.yield %p : f32
  } -> tensor<1x8x2xf32>
  %r = scf.forall (%i) in (4) shared_outs(%out = %e4) -> (tensor<1x8x4xf32>) {
    %head = arith.divui %i, %c2 : index
    %t = tensor.extract_slice %v[0, 0, %head] [1, 8, 1] [1, 1, 1]
        : tensor<1x8x2xf32> to tensor<1x8x1xf32>
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %t into %out[0, 0, %i] [1, 8, 1] [1, 1, 1]
          : tensor<1x8x1xf32> into tensor<1x8x4xf32>
    }
  }
  %y = linalg.generic {indexing_maps = [#bth, #bth],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%r : tensor<1x8x4xf32>) outs(%e4 : tensor<1x8x4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %p = arith.addf %a, %a : f32
    linalg.yield %p : f32
  } -> tensor<1x8x4xf32>
  return %r, %y : tensor<1x8x4xf32>, tensor<1x8x4xf32>
}
