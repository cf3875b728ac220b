// RUN: weir-opt %s --weir-lower-packed-linear=vector-bits=256 | FileCheck %s

// Panels, then tiles of rows, then the reduction; 256-bit vectors have 16
// registers, of which 12 accumulate: up to six rows of two vectors. 14 rows are
// three tiles of five, the last of which takes the last row twice.
// CHECK-LABEL: func.func @rows
// CHECK-SAME: (%[[X:.*]]: tensor<1x14x5xf32>, %[[W:.*]]: tensor<2x5x16xf32>)
// CHECK: %[[Y:.*]] = tensor.empty() : tensor<1x14x32xf32>
// CHECK: scf.for %[[P:[^ ]*]] = {{.*}} iter_args(%{{.*}} = %[[Y]])
// CHECK: scf.for %[[R:[^ ]*]] = {{.*}} step %c5
// CHECK: %[[NEXT:.*]] = arith.addi %[[R]], %{{.*}}
// CHECK: %[[CLAMPED:.*]] = arith.minui %[[NEXT]], %{{.*}}
// CHECK: %[[ACC:.*]]:10 = scf.for
// CHECK: vector.transfer_read %[[W]][%[[P]], {{.*}} vector<8xf32>
// CHECK: vector.transfer_read %[[W]][%[[P]], {{.*}} vector<8xf32>
// CHECK: %[[E:.*]] = tensor.extract %[[X]]
// CHECK: vector.broadcast %[[E]] : f32 to vector<8xf32>
// CHECK: vector.fma
// CHECK: tensor.extract %[[X]][%{{.*}}, %[[CLAMPED]], %{{.*}}]
// CHECK: vector.transfer_write %[[ACC]]#0
// CHECK-NOT: weir.packed_linear
// CHECK: return
func.func @rows(%x: tensor<1x14x5xf32>, %w: tensor<2x5x16xf32>)
    -> tensor<1x14x32xf32> {
  %y = weir.packed_linear %x, %w bits(32) group(32)
      : tensor<1x14x5xf32>, tensor<2x5x16xf32> -> tensor<1x14x32xf32>
  return %y : tensor<1x14x32xf32>
}

// Rows of two dynamic axes are numbered through, and the result goes where
// `outs` is; its columns may end within a panel.
// CHECK-LABEL: func.func @dynamic_rows_and_columns
// CHECK-SAME: %[[O:[^:]*]]: tensor<?x?x?xf32>)
// CHECK: %[[T:.*]] = tensor.dim %{{.*}}, %c1
// CHECK: %[[ROWS:.*]] = arith.muli %{{.*}}, %[[T]]
// CHECK: scf.for {{.*}} iter_args(%{{.*}} = %[[O]])
// CHECK: scf.for %[[R:[^ ]*]] = %{{.*}} to %[[ROWS]]
// CHECK: arith.remui %[[R]], %[[T]]
// CHECK: arith.divui %[[R]], %[[T]]
// CHECK: vector.transfer_write %{{[^{]*}} : vector<8xf32>, tensor<?x?x?xf32>
func.func @dynamic_rows_and_columns(
    %x: tensor<?x?x5xf32>, %w: tensor<?x5x16xf32>, %o: tensor<?x?x?xf32>)
    -> tensor<?x?x?xf32> {
  %y = weir.packed_linear %x, %w outs(%o : tensor<?x?x?xf32>)
      bits(32) group(32)
      : tensor<?x?x5xf32>, tensor<?x5x16xf32> -> tensor<?x?x?xf32>
  return %y : tensor<?x?x?xf32>
}

// Bytes by bytes: dot products of four bytes a lane, then the steps of weight
// and input, and the mins times the input's sum.
// CHECK-LABEL: func.func @bytes_by_bytes
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.256"
// CHECK: arith.sitofp %{{.*}} : vector<8xi32> to vector<8xf32>
// CHECK: vector.fma
func.func @bytes_by_bytes(
    %x: tensor<1x32xi8>, %xs: tensor<1x1xf32>, %xsum: tensor<1x1xi32>,
    %w: tensor<1x4x16x4xi8>, %s: tensor<1x1x16xf16>, %m: tensor<1x1x16xf16>)
    -> tensor<1x16xf32> {
  %y = weir.packed_linear %x, %w scales(%s : tensor<1x1x16xf16>)
      mins(%m : tensor<1x1x16xf16>) input_scales(%xs : tensor<1x1xf32>)
      input_sums(%xsum : tensor<1x1xi32>) bits(4) group(32)
      : tensor<1x32xi8>, tensor<1x4x16x4xi8> -> tensor<1x16xf32>
  return %y : tensor<1x16xf32>
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

// CHECK-LABEL: func.func @half_weights_widen
// CHECK: vector.transfer_read %{{.*}} vector<8xbf16>
// CHECK: arith.extf %{{.*}} : vector<8xbf16> to vector<8xf32>
func.func @half_weights_widen(%x: tensor<1x8xf32>, %w: tensor<1x8x16xbf16>)
    -> tensor<1x16xf32> {
  %y = weir.packed_linear %x, %w bits(16) group(32)
      : tensor<1x8xf32>, tensor<1x8x16xbf16> -> tensor<1x16xf32>
  return %y : tensor<1x16xf32>
}

// A step takes two neighbours along the reduction of input and weights.
// CHECK-LABEL: func.func @pairs_of_bf16
// CHECK: vector.transfer_read %{{.*}} vector<16xbf16>
// CHECK: vector.transfer_read %{{.*}} vector<2xbf16>
// CHECK: vector.bitcast %{{.*}} : vector<8xi32> to vector<16xbf16>
// CHECK: llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.256"
func.func @pairs_of_bf16(%x: tensor<1x8xbf16>, %w: tensor<1x4x16x2xbf16>)
    -> tensor<1x16xf32> {
  %y = weir.packed_linear %x, %w bits(16) group(32)
      : tensor<1x8xbf16>, tensor<1x4x16x2xbf16> -> tensor<1x16xf32>
  return %y : tensor<1x16xf32>
}

// Numbers of e2m1 are looked up, and half an exponent's power is their scale.
// CHECK-LABEL: func.func @e2m1_row
// CHECK: %[[LOW:.*]] = arith.andi %{{.*}} : vector<8xi32>
// CHECK: %[[AT:.*]] = vector.bitcast %[[LOW]] : vector<8xi32> to vector<32xi8>
// CHECK: llvm.call_intrinsic "llvm.x86.avx2.pshuf.b"(%{{.*}}, %[[AT]])
// CHECK: %[[WIDE:.*]] = arith.extui %{{.*}} : vector<8xi8> to vector<8xi32>
// CHECK: %[[BITS:.*]] = arith.shli %[[WIDE]]
// CHECK: %[[POWER:.*]] = vector.bitcast %[[BITS]] : vector<8xi32> to vector<8xf32>
// CHECK: arith.mulf %[[POWER]]
func.func @e2m1_row(%x: tensor<1x32xf32>, %w: tensor<1x4x16x4xi8>,
                    %s: tensor<1x1x16xi8>) -> tensor<1x16xf32> {
  %y = weir.packed_linear %x, %w scales(%s : tensor<1x1x16xi8>)
      bits(4) group(32) code(e2m1)
      : tensor<1x32xf32>, tensor<1x4x16x4xi8> -> tensor<1x16xf32>
  return %y : tensor<1x16xf32>
}

// CHECK-LABEL: func.func @e2m1_by_bytes
// CHECK: llvm.call_intrinsic "llvm.x86.avx2.pshuf.b"
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.256"
func.func @e2m1_by_bytes(
    %x: tensor<1x32xi8>, %xs: tensor<1x1xf32>, %xsum: tensor<1x1xi32>,
    %w: tensor<1x4x16x4xi8>, %s: tensor<1x1x16xi8>) -> tensor<1x16xf32> {
  %y = weir.packed_linear %x, %w scales(%s : tensor<1x1x16xi8>)
      input_scales(%xs : tensor<1x1xf32>) input_sums(%xsum : tensor<1x1xi32>)
      bits(4) group(32) code(e2m1)
      : tensor<1x32xi8>, tensor<1x4x16x4xi8> -> tensor<1x16xf32>
  return %y : tensor<1x16xf32>
}
