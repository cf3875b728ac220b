// RUN: weir-opt %s --weir-vectorize-transposes | FileCheck %s
// RUN: weir-opt %s --weir-vectorize-transposes=vector-bits=256 | FileCheck %s --check-prefix=NARROW
// RUN: weir-opt %s --weir-vectorize-transposes=vector-bits=128 | FileCheck %s --check-prefix=SCALAR

#rows = affine_map<(i, j) -> (i, j)>
#columns = affine_map<(i, j) -> (j, i)>

// SCALAR-NOT: vector.shuffle

// Blocks of 8 for vectors of 256 bits.
// NARROW-LABEL: func.func @blocks
// NARROW: scf.for %[[I:.*]] = %c0{{.*}} to %c32{{.*}} step %c8
// NARROW: vector.transfer_read {{.*}} vector<4xf32>
// NARROW: vector.shuffle {{.*}} [0, 1, 2, 3, 4, 5, 6, 7] : vector<4xf32>, vector<4xf32>
// NARROW: vector.shuffle {{.*}} [0, 8, 1, 9, 4, 12, 5, 13] : vector<8xf32>, vector<8xf32>
// NARROW: vector.shuffle {{.*}} [0, 1, 8, 9, 4, 5, 12, 13] : vector<8xf32>, vector<8xf32>
// NARROW-COUNT-8: vector.transfer_write %{{.*}}[%{{.*}}, %[[I]]]

// CHECK-LABEL: func.func @blocks
// CHECK-SAME: (%[[X:.*]]: tensor<32x64xf32>, %[[OUT:.*]]: tensor<64x32xf32>)
// CHECK: scf.for %[[I:.*]] = %c0{{.*}} to %c32{{.*}} step %c16{{.*}} iter_args(%{{.*}} = %[[OUT]])
// CHECK: scf.for %[[J:.*]] = %c0{{.*}} to %c64{{.*}} step %c16{{.*}} iter_args(%[[TILE:.*]] =
// CHECK: vector.transfer_read %[[X]][%{{.*}}, %{{.*}}], {{.*}} vector<4xf32>
// CHECK: vector.shuffle {{.*}} [0, 1, 2, 3, 4, 5, 6, 7] : vector<4xf32>, vector<4xf32>
// CHECK: vector.shuffle {{.*}} [0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29] : vector<16xf32>, vector<16xf32>
// CHECK: vector.shuffle {{.*}} [0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29] : vector<16xf32>, vector<16xf32>
// CHECK-COUNT-16: vector.transfer_write %{{.*}}[%{{.*}}, %[[I]]]
func.func @blocks(%x: tensor<32x64xf32>, %out: tensor<64x32xf32>)
    -> tensor<64x32xf32> {
  %0 = linalg.generic {indexing_maps = [#columns, #rows],
                       iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<32x64xf32>) outs(%out : tensor<64x32xf32>) {
  ^bb0(%in: f32, %old: f32):
    linalg.yield %in : f32
  } -> tensor<64x32xf32>
  return %0 : tensor<64x32xf32>
}

// What is left of an extent stays an operation; what is done to each number is
// done to rows.
// CHECK-LABEL: func.func @odd
// CHECK-SAME: (%[[X:.*]]: tensor<16x24xf32>, %[[OUT:.*]]: tensor<24x16xf32>)
// CHECK: scf.for
// CHECK: %[[R:.*]] = scf.for %{{.*}} = %c0{{.*}} to %c16{{.*}} step %c16
// CHECK: vector.shuffle
// CHECK: %[[B:.*]] = arith.negf %{{.*}} : vector<16xf32>
// CHECK: vector.transfer_write %[[B]], %{{.*}}[%{{.*}}, %{{.*}}] {{.*}} : vector<16xf32>, tensor<24x16xf32>
// CHECK: %[[XREST:.*]] = tensor.extract_slice %[[X]][0, 16] [16, 8] [1, 1]
// CHECK: %[[REST:.*]] = tensor.extract_slice %{{.*}}[16, 0] [8, 16] [1, 1]
// CHECK: linalg.generic {{.*}} ins(%[[XREST]] : tensor<16x8xf32>) outs(%[[REST]] : tensor<8x16xf32>)
// CHECK: tensor.insert_slice %{{.*}} into %{{.*}}[16, 0] [8, 16] [1, 1]
func.func @odd(%x: tensor<16x24xf32>, %out: tensor<24x16xf32>)
    -> tensor<24x16xf32> {
  %0 = linalg.generic {indexing_maps = [#columns, #rows],
                       iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<16x24xf32>) outs(%out : tensor<24x16xf32>) {
  ^bb0(%in: f32, %old: f32):
    %1 = arith.negf %in : f32
    linalg.yield %1 : f32
  } -> tensor<24x16xf32>
  return %0 : tensor<24x16xf32>
}

// A dynamic extent, and axes in any order: queries of one tile by head.
// CHECK-LABEL: func.func @dynamic
// CHECK-SAME: (%[[X:.*]]: tensor<?x3x32xf32>, %{{.*}}: tensor<32x3x?xf32>)
// CHECK: %[[SMALL:.*]] = arith.remsi %[[COUNT:.*]], %c16
// CHECK: %[[WHOLE:.*]] = arith.subi %[[COUNT]], %[[SMALL]]
// CHECK: scf.for %[[G:.*]] = %c0{{.*}} to %c3
// CHECK: scf.for %[[Q:.*]] = %c0{{.*}} to %[[WHOLE]] step %c16
// CHECK: scf.for %[[D:.*]] = %c0{{.*}} to %c32{{.*}} step %c16
// CHECK: vector.transfer_read %[[X]][%{{.*}}, %[[G]], %{{.*}}], {{.*}} vector<4xf32>
// CHECK: vector.transfer_write %{{.*}}[%{{.*}}, %[[G]], %{{.*}}]
// CHECK: linalg.transpose ins(%{{.*}} : tensor<?x3x32xf32>)
func.func @dynamic(%x: tensor<?x3x32xf32>, %out: tensor<32x3x?xf32>)
    -> tensor<32x3x?xf32> {
  %0 = linalg.transpose ins(%x : tensor<?x3x32xf32>)
      outs(%out : tensor<32x3x?xf32>) permutation = [2, 1, 0]
  return %0 : tensor<32x3x?xf32>
}

// Extents below a block, and two numbers at once, are left.
// CHECK-LABEL: func.func @left
// CHECK-NOT: vector.shuffle
func.func @left(%x: tensor<8x32xf32>, %out: tensor<32x8xf32>,
                %y: tensor<16x16xf32>)
    -> (tensor<32x8xf32>, tensor<16x16xf32>) {
  %0 = linalg.transpose ins(%x : tensor<8x32xf32>)
      outs(%out : tensor<32x8xf32>) permutation = [1, 0]
  %1 = linalg.generic {indexing_maps = [#columns, #rows],
                       iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<16x16xf32>) outs(%y : tensor<16x16xf32>) {
  ^bb0(%in: f32, %old: f32):
    %2 = arith.addf %in, %old : f32
    linalg.yield %2 : f32
  } -> tensor<16x16xf32>
  return %0, %1 : tensor<32x8xf32>, tensor<16x16xf32>
}

// Axes before the last two are loops over matrices.
// CHECK-LABEL: func.func @matrices
// CHECK-SAME: (%[[X:.*]]: tensor<3x32x16xf32>,
// CHECK: scf.for %[[M:.*]] = %c0{{.*}} to %c3{{.*}} step %c1
// CHECK: scf.for %[[I:.*]] = %c0{{.*}} to %c32{{.*}} step %c16
// CHECK: scf.for %[[J:.*]] = %c0{{.*}} to %c16{{.*}} step %c16
// CHECK: vector.transfer_read %[[X]][%[[M]], %{{.*}}, %{{.*}}], {{.*}} vector<4xf32>
// CHECK-COUNT-16: vector.transfer_write %{{.*}}[%[[M]], %{{.*}}, %[[I]]]
func.func @matrices(%x: tensor<3x32x16xf32>, %out: tensor<3x16x32xf32>)
    -> tensor<3x16x32xf32> {
  %0 = linalg.transpose ins(%x : tensor<3x32x16xf32>)
      outs(%out : tensor<3x16x32xf32>) permutation = [0, 2, 1]
  return %0 : tensor<3x16x32xf32>
}

// Other orders of axes are left.
// CHECK-LABEL: func.func @other_axes
// CHECK-NOT: vector.shuffle
func.func @other_axes(%x: tensor<16x32x16xf32>, %out: tensor<32x16x16xf32>)
    -> tensor<32x16x16xf32> {
  %0 = linalg.transpose ins(%x : tensor<16x32x16xf32>)
      outs(%out : tensor<32x16x16xf32>) permutation = [1, 0, 2]
  return %0 : tensor<32x16x16xf32>
}
