// RUN: weir-opt %s --weir-tile-and-fuse | FileCheck %s

#id = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#rows = affine_map<(d0, d1, d2) -> (d0, d1)>

// Gate and up are computed tile by tile in one loop with their product.
// CHECK-LABEL: func.func @gate_times_up
// CHECK-SAME: (%[[X:.*]]: tensor<1x1x64xf32>, %[[WG:.*]]: tensor<8x64x32xf32>, %[[WU:.*]]: tensor<8x64x32xf32>)
// CHECK: %[[Y:.*]] = scf.forall (%[[N:.*]]) = (0) to (256) step (64) shared_outs(%[[OUT:.*]] = %{{.*}})
// CHECK: %[[G:.*]] = weir.packed_linear {{.*}} -> tensor<1x1x64xf32>
// CHECK: %[[U:.*]] = weir.packed_linear {{.*}} -> tensor<1x1x64xf32>
// CHECK: %[[T:.*]] = linalg.generic {{.*}} ins(%[[G]], %[[U]]
// CHECK: tensor.parallel_insert_slice %[[T]] into %[[OUT]][0, 0, %[[N]]]
// CHECK-NOT: weir.packed_linear
// CHECK: return %[[Y]]
func.func @gate_times_up(%x: tensor<1x1x64xf32>, %wg: tensor<8x64x32xf32>,
                         %wu: tensor<8x64x32xf32>) -> tensor<1x1x256xf32> {
  %g = weir.packed_linear %x, %wg bits(32) group(32)
      schedule(<form = "panel", tiles = [128, 64], parallel = true>)
      : tensor<1x1x64xf32>, tensor<8x64x32xf32> -> tensor<1x1x256xf32>
  %u = weir.packed_linear %x, %wu bits(32) group(32)
      schedule(<form = "panel", tiles = [128, 64], parallel = true>)
      : tensor<1x1x64xf32>, tensor<8x64x32xf32> -> tensor<1x1x256xf32>
  %e = tensor.empty() : tensor<1x1x256xf32>
  %y = linalg.generic {indexing_maps = [#id, #id, #id],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%g, %u : tensor<1x1x256xf32>, tensor<1x1x256xf32>)
      outs(%e : tensor<1x1x256xf32>) {
  ^bb0(%a: f32, %b: f32, %c: f32):
    %0 = arith.mulf %a, %b : f32
    linalg.yield %0 : f32
  } -> tensor<1x1x256xf32>
  return %y : tensor<1x1x256xf32>
}

// Many rows are cut too; a product that is read twice stands alone.
// CHECK-LABEL: func.func @product_read_twice
// CHECK: %[[P:.*]] = scf.forall (%{{.*}}, %[[T:.*]], %[[N:.*]]) = (0, 0, 0) to (%{{.*}}, %{{.*}}, 256) step (1, 128, 64)
// CHECK: weir.packed_linear {{.*}} -> tensor<1x?x64xf32>
// CHECK: return %[[P]], %[[P]]
func.func @product_read_twice(%x: tensor<?x?x64xf32>, %w: tensor<8x64x32xf32>)
    -> (tensor<?x?x256xf32>, tensor<?x?x256xf32>) {
  %y = weir.packed_linear %x, %w bits(32) group(32)
      schedule(<form = "panel", tiles = [128, 64], parallel = true>)
      : tensor<?x?x64xf32>, tensor<8x64x32xf32> -> tensor<?x?x256xf32>
  return %y, %y : tensor<?x?x256xf32>, tensor<?x?x256xf32>
}

// A norm is cut along rows, with the reduction that it alone reads.
// CHECK-LABEL: func.func @norm
// CHECK: scf.forall (%{{.*}}, %{{.*}}) = (0, 0) to (%{{.*}}, %{{.*}}) step (1, 14)
// CHECK: linalg.fill
// CHECK: linalg.generic {{.*}} "reduction"
// CHECK: linalg.generic
// CHECK: scf.forall.in_parallel
func.func @norm(%x: tensor<?x?x576xf32>) -> tensor<?x?x576xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %b = tensor.dim %x, %c0 : tensor<?x?x576xf32>
  %t = tensor.dim %x, %c1 : tensor<?x?x576xf32>
  %s0 = tensor.empty(%b, %t) : tensor<?x?xf32>
  %s1 = linalg.fill ins(%zero : f32) outs(%s0 : tensor<?x?xf32>)
      -> tensor<?x?xf32>
  %s = linalg.generic {indexing_maps = [#id, #rows],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x : tensor<?x?x576xf32>) outs(%s1 : tensor<?x?xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.mulf %a, %a : f32
    %1 = arith.addf %c, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<?x?xf32>
  %e = tensor.empty(%b, %t) : tensor<?x?x576xf32>
  %y = linalg.generic {indexing_maps = [#id, #rows, #id],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %s : tensor<?x?x576xf32>, tensor<?x?xf32>)
      outs(%e : tensor<?x?x576xf32>) {
  ^bb0(%a: f32, %q: f32, %c: f32):
    %0 = arith.mulf %a, %q : f32
    linalg.yield %0 : f32
  } -> tensor<?x?x576xf32>
  return %y : tensor<?x?x576xf32>
}

// One row of a decoding step is not worth entering a parallel loop.
// CHECK-LABEL: func.func @little_to_do
// CHECK-NOT: scf.forall
// CHECK: return
func.func @little_to_do(%x: tensor<1x1x576xf32>) -> tensor<1x1x576xf32> {
  %e = tensor.empty() : tensor<1x1x576xf32>
  %y = linalg.generic {indexing_maps = [#id, #id],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x : tensor<1x1x576xf32>) outs(%e : tensor<1x1x576xf32>) {
  ^bb0(%a: f32, %c: f32):
    %0 = arith.addf %a, %a : f32
    linalg.yield %0 : f32
  } -> tensor<1x1x576xf32>
  return %y : tensor<1x1x576xf32>
}
