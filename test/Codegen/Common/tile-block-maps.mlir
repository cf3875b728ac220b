// RUN: weir-opt %s --weir-tile-block-maps | FileCheck %s

// What the loops compute is tested in Execution/interpret/attention.mlir; here,
// how they are nested and what goes from block to block.

// Points are batch rows, key heads and tiles of queries; scores are transposed,
// [keys, 2 * 64] for two query heads that share a key head.
// CHECK-LABEL: func.func @flash
// CHECK-SAME: (%[[Q:.*]]: tensor<?x?x4x16xf32>, %[[K:.*]]: tensor<?x?x2x16xf32>, %[[V:.*]]: tensor<?x?x2x8xf32>)
// CHECK: %[[TILES:.*]] = arith.ceildivsi
// CHECK: %[[OUT:.*]] = tensor.empty({{.*}}) : tensor<?x?x4x8xf32>
// CHECK: %[[R:.*]] = scf.forall ({{.*}}) in (%{{.*}}, 2, %[[TILES]]) shared_outs(%[[SHARED:.*]] = %[[OUT]])
// CHECK: %[[PLACE:.*]] = tensor.extract_slice %[[SHARED]]
// CHECK: %[[QT:.*]] = tensor.collapse_shape {{.*}} into tensor<16x128xf32>
// CHECK: %[[CARRY:.*]]:3 = scf.for {{.*}} -> (tensor<128xf32>, tensor<128xf32>, tensor<8x128xf32>)
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %[[QT]] : tensor<?x16xf32>, tensor<16x128xf32>) outs(%{{.*}} : tensor<?x128xf32>)
// CHECK: scf.if
// CHECK: math.exp
// CHECK: scf.yield {{.*}} : tensor<128xf32>, tensor<128xf32>, tensor<8x128xf32>
// CHECK: scf.forall.in_parallel
// CHECK-NEXT: tensor.parallel_insert_slice {{.*}} into %[[SHARED]]
// CHECK: return %[[R]]
func.func @flash(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>,
                 %v: tensor<?x?x2x8xf32>) -> tensor<?x?x4x8xf32> {
  %0 = weir.attention %q, %k, %v mask(<causal>) scale(0.25)
      schedule(<form = "flash", tiles = [64, 96]>)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x8xf32>
        -> tensor<?x?x4x8xf32>
  return %0 : tensor<?x?x4x8xf32>
}

// CHECK-LABEL: func.func @row
// CHECK: tensor.collapse_shape {{.*}} into tensor<2x16xf32>
// CHECK: scf.for {{.*}} -> (tensor<2xf32>, tensor<2xf32>, tensor<2x8xf32>)
// CHECK: linalg.generic {{.*}} ins({{.*}} : tensor<2x16xf32>, tensor<?x16xf32>) outs(%{{.*}} : tensor<2x?xf32>)
func.func @row(%q: tensor<?x1x4x16xf32>, %k: tensor<?x?x2x16xf32>,
               %v: tensor<?x?x2x8xf32>, %o: tensor<?xi32>)
    -> tensor<?x1x4x8xf32> {
  %0 = weir.attention %q, %k, %v mask(<causal>) scale(0.25)
      offset(%o : tensor<?xi32>) schedule(<form = "row", tiles = [1, 128]>)
      : tensor<?x1x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x8xf32>
        -> tensor<?x1x4x8xf32>
  return %0 : tensor<?x1x4x8xf32>
}

// Cut into parts, a first loop leaves what each part does to a carry, a second
// one joins that.
// CHECK-LABEL: func.func @split
// CHECK: %[[PARTS:.*]]:3 = scf.forall (%[[B:.*]], %[[H:.*]], %{{.*}}, %[[PART:.*]]) in (%{{.*}}, 2, %{{.*}}, 8) shared_outs(%[[S0:[^ ]+]] = %{{.*}}) -> (tensor<?x2x?x8x2xf32>, tensor<?x2x?x8x2xf32>, tensor<?x2x?x8x2x8xf32>)
// CHECK: arith.muli %[[PART]], %
// CHECK: %[[PARTIAL:.*]]:3 = scf.for
// CHECK: math.exp
// CHECK: scf.forall.in_parallel
// CHECK: tensor.parallel_insert_slice %[[PARTIAL]]#0 into %[[S0]][%[[B]], %[[H]], %{{.*}}, %[[PART]], 0] [1, 1, 1, 1, 2]
// CHECK: scf.forall (%{{.*}}, %{{.*}}, %{{.*}}) in (%{{.*}}, 2, %{{.*}}) shared_outs
// CHECK: scf.for %[[I:.*]] = %{{.*}} to %{{.*}} step {{.*}} iter_args(%[[MAX:[^ ]+]] =
// CHECK: tensor.extract_slice %[[PARTS]]#0[%{{.*}}, %{{.*}}, %{{.*}}, %[[I]], 0]
// CHECK: linalg.generic {{.*}} outs({{.*}}, %[[MAX]], %{{.*}}
func.func @split(%q: tensor<?x1x4x16xf32>, %k: tensor<?x?x2x16xf32>,
                 %v: tensor<?x?x2x8xf32>, %o: tensor<?xi32>)
    -> tensor<?x1x4x8xf32> {
  %0 = weir.attention %q, %k, %v mask(<causal>) scale(0.25)
      offset(%o : tensor<?xi32>)
      schedule(<form = "split", tiles = [1, 128, 8]>)
      : tensor<?x1x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x8xf32>
        -> tensor<?x1x4x8xf32>
  return %0 : tensor<?x1x4x8xf32>
}

// Without a mask no block tests it.
// CHECK-LABEL: func.func @full_mask
// CHECK-NOT: scf.if
// CHECK: return
func.func @full_mask(%q: tensor<?x?x2x16xf32>, %k: tensor<?x?x2x16xf32>)
    -> tensor<?x?x2x16xf32> {
  %0 = weir.attention %q, %k, %k mask(<full>) scale(0.25)
      schedule(<form = "flash", tiles = [64, 96]>)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x2x16xf32>
  return %0 : tensor<?x?x2x16xf32>
}
