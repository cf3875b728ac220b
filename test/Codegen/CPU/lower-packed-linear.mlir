// RUN: weir-opt %s --weir-lower-packed-linear=vector-bits=256 | FileCheck %s

// Panels, then tiles of rows, then the reduction; 256-bit vectors have 16
// registers, of which 12 accumulate: six rows of two vectors.
// CHECK-LABEL: func.func @rows
// CHECK-SAME: (%[[X:.*]]: tensor<1x14x5xf32>, %[[W:.*]]: tensor<2x5x16xf32>)
// CHECK: %[[Y:.*]] = tensor.empty() : tensor<1x14x32xf32>
// CHECK: scf.for %[[P:[^ ]*]] = {{.*}} iter_args(%{{.*}} = %[[Y]])
// CHECK: scf.for
// CHECK: %[[ACC:.*]]:12 = scf.for
// CHECK: vector.transfer_read %[[W]][%[[P]], {{.*}} vector<8xf32>
// CHECK: vector.transfer_read %[[W]][%[[P]], {{.*}} vector<8xf32>
// CHECK: %[[E:.*]] = tensor.extract %[[X]]
// CHECK: vector.broadcast %[[E]] : f32 to vector<8xf32>
// CHECK: vector.fma
// CHECK: vector.transfer_write %[[ACC]]#0
// Two of the fourteen rows are left.
// CHECK: scf.for
// CHECK-NOT: weir.packed_linear
// CHECK: return
func.func @rows(%x: tensor<1x14x5xf32>, %w: tensor<2x5x16xf32>)
    -> tensor<1x14x32xf32> {
  %y = weir.packed_linear %x, %w bits(32) group(32)
      : tensor<1x14x5xf32>, tensor<2x5x16xf32> -> tensor<1x14x32xf32>
  return %y : tensor<1x14x32xf32>
}

// One row takes four steps at once, so that eight sums are under way, and
// begins at the bias.
// CHECK-LABEL: func.func @one_row_and_bias
// CHECK-SAME: %[[B:[^:]*]]: tensor<16xf32>)
// CHECK: vector.transfer_read %[[B]]{{.*}} vector<8xf32>
// CHECK: %{{.*}}:8 = scf.for
// CHECK: arith.addf
// CHECK: vector.transfer_write
func.func @one_row_and_bias(%x: tensor<1x1x8xf32>, %w: tensor<1x8x16xf32>,
                            %b: tensor<16xf32>) -> tensor<1x1x16xf32> {
  %y = weir.packed_linear %x, %w bias(%b : tensor<16xf32>) bits(32) group(32)
      : tensor<1x1x8xf32>, tensor<1x8x16xf32> -> tensor<1x1x16xf32>
  return %y : tensor<1x1x16xf32>
}

// CHECK-LABEL: func.func @panels_over_threads
// CHECK: scf.forall
// CHECK: scf.forall.in_parallel
// CHECK: tensor.parallel_insert_slice
func.func @panels_over_threads(%x: tensor<1x8xf32>, %w: tensor<8x8x16xf32>)
    -> tensor<1x128xf32> {
  %y = weir.packed_linear %x, %w bits(32) group(32)
      schedule(<form = "panel", tiles = [], parallel = true>)
      : tensor<1x8xf32>, tensor<8x8x16xf32> -> tensor<1x128xf32>
  return %y : tensor<1x128xf32>
}

// CHECK-LABEL: func.func @half_weights_widen
// CHECK: vector.transfer_read %{{.*}} vector<8xbf16>
// CHECK: arith.extf %{{.*}} : vector<8xbf16> to vector<8xf32>
func.func @half_weights_widen(%x: tensor<1x8xf32>, %w: tensor<1x8x16xbf16>)
    -> tensor<1x16xf32> {
  %y = weir.packed_linear %x, %w bits(16) group(32)
      : tensor<1x8xf32>, tensor<1x8x16xbf16> -> tensor<1x16xf32>
  return %y : tensor<1x16xf32>
}
