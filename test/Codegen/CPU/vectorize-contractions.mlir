// RUN: weir-opt %s --weir-vectorize-contractions='vector-bits=128 rows=6' \
// RUN:   | FileCheck %s

// Rows are dynamic: whole tiles of six, then one by one; the fill is where
// accumulators start.
// CHECK-LABEL: func.func @outer_products
// CHECK-SAME: (%[[A:.*]]: tensor<?x5xf32>, %[[B:.*]]: tensor<5x8xf32>, %[[C:.*]]: tensor<?x8xf32>)
// CHECK: scf.for %[[I:[^ ]*]] = {{.*}} iter_args(%{{.*}} = %[[C]])
// CHECK: scf.for %[[J:[^ ]*]] = {{.*}} step %{{.*}}
// CHECK: %[[ACC:.*]]:12 = scf.for %[[K:[^ ]*]] =
// CHECK: %[[B0:.*]] = vector.transfer_read %[[B]][%[[K]], %[[J]]], {{.*}} : tensor<5x8xf32>, vector<4xf32>
// CHECK: %[[B1:.*]] = vector.transfer_read %[[B]][%[[K]], %{{.*}}]
// CHECK: %[[E:.*]] = tensor.extract %[[A]][%[[I]], %[[K]]]
// CHECK: %[[S:.*]] = vector.broadcast %[[E]] : f32 to vector<4xf32>
// CHECK: vector.fma %[[S]], %[[B0]]
// CHECK: vector.fma %{{.*}}, %[[B1]]
// CHECK: vector.transfer_write %[[ACC]]#0
// CHECK: vector.transfer_write %[[ACC]]#11
// CHECK: scf.for
// CHECK: scf.for
// CHECK: %{{.*}}:2 = scf.for
// CHECK-NOT: linalg
// CHECK: return
func.func @outer_products(%a: tensor<?x5xf32>, %b: tensor<5x8xf32>,
                          %c: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %zero = arith.constant 0.0 : f32
  %f = linalg.fill ins(%zero : f32) outs(%c : tensor<?x8xf32>)
      -> tensor<?x8xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j, k) -> (i, k)>,
                       affine_map<(i, j, k) -> (k, j)>,
                       affine_map<(i, j, k) -> (i, j)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<?x5xf32>, tensor<5x8xf32>)
      outs(%f : tensor<?x8xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %z, %p : f32
    linalg.yield %s : f32
  } -> tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}

// Without a fill the result's own numbers are where sums start, and narrow
// factors are widened on load. Six columns are one vector and a shorter one.
// CHECK-LABEL: func.func @update_of_narrow_factors
// CHECK-SAME: (%[[A:.*]]: tensor<2x5xbf16>, %[[B:.*]]: tensor<5x6xbf16>, %[[C:.*]]: tensor<2x6xf32>)
// CHECK: vector.transfer_read %{{.*}} : tensor<2x6xf32>, vector<4xf32>
// CHECK: vector.transfer_read %{{.*}} : tensor<2x6xf32>, vector<2xf32>
// CHECK: scf.for
// CHECK: vector.transfer_read %[[B]]{{.*}} vector<4xbf16>
// CHECK: arith.extf %{{.*}} : vector<4xbf16> to vector<4xf32>
// CHECK: vector.transfer_read %[[B]]{{.*}} vector<2xbf16>
// CHECK: arith.extf %{{.*}} : bf16 to f32
func.func @update_of_narrow_factors(%a: tensor<2x5xbf16>, %b: tensor<5x6xbf16>,
                                    %c: tensor<2x6xf32>) -> tensor<2x6xf32> {
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j, k) -> (i, k)>,
                       affine_map<(i, j, k) -> (k, j)>,
                       affine_map<(i, j, k) -> (i, j)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<2x5xbf16>, tensor<5x6xbf16>)
      outs(%c : tensor<2x6xf32>) {
  ^bb0(%x: bf16, %y: bf16, %z: f32):
    %u = arith.extf %x : bf16 to f32
    %v = arith.extf %y : bf16 to f32
    %p = arith.mulf %u, %v : f32
    %s = arith.addf %z, %p : f32
    linalg.yield %s : f32
  } -> tensor<2x6xf32>
  return %r : tensor<2x6xf32>
}

// Both factors are contiguous along k: six of it are one vector and two more,
// added up across the lanes at the end.
// CHECK-LABEL: func.func @dot_products
// CHECK-SAME: (%[[A:.*]]: tensor<2x6xf32>, %[[B:.*]]: tensor<?x6xf32>, %[[C:.*]]: tensor<2x?xf32>)
// CHECK: vector.transfer_read %[[A]]{{.*}} vector<4xf32>
// CHECK: vector.transfer_read %[[B]]{{.*}} vector<4xf32>
// CHECK: vector.fma
// CHECK: vector.reduction <add>
// CHECK: vector.transfer_read %[[A]]{{.*}} vector<2xf32>
// CHECK: tensor.insert
// CHECK-NOT: linalg
// CHECK: return
func.func @dot_products(%a: tensor<2x6xf32>, %b: tensor<?x6xf32>,
                        %c: tensor<2x?xf32>) -> tensor<2x?xf32> {
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j, k) -> (i, k)>,
                       affine_map<(i, j, k) -> (j, k)>,
                       affine_map<(i, j, k) -> (i, j)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<2x6xf32>, tensor<?x6xf32>)
      outs(%c : tensor<2x?xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %z, %p : f32
    linalg.yield %s : f32
  } -> tensor<2x?xf32>
  return %r : tensor<2x?xf32>
}

// CHECK-LABEL: func.func @dynamic_columns_stay
// CHECK: linalg.matmul
func.func @dynamic_columns_stay(%a: tensor<2x6xf32>, %b: tensor<6x?xf32>,
                                %c: tensor<2x?xf32>) -> tensor<2x?xf32> {
  %r = linalg.matmul ins(%a, %b : tensor<2x6xf32>, tensor<6x?xf32>)
      outs(%c : tensor<2x?xf32>) -> tensor<2x?xf32>
  return %r : tensor<2x?xf32>
}

// CHECK-LABEL: func.func @other_sums_stay
// CHECK: linalg.generic
func.func @other_sums_stay(%a: tensor<2x6xf32>, %b: tensor<6x4xf32>,
                           %c: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %r = linalg.generic {
      indexing_maps = [affine_map<(i, j, k) -> (i, k)>,
                       affine_map<(i, j, k) -> (k, j)>,
                       affine_map<(i, j, k) -> (i, j)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<2x6xf32>, tensor<6x4xf32>)
      outs(%c : tensor<2x4xf32>) {
  ^bb0(%x: f32, %y: f32, %z: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.maximumf %z, %p : f32
    linalg.yield %s : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}
