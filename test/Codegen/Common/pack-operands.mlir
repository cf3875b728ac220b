// RUN: weir-opt %s --weir-pack-operands --split-input-file | FileCheck %s
// RUN: weir-opt %s --weir-pack-operands=pairs=true --split-input-file | FileCheck %s --check-prefix=PAIRS
// RUN: weir-opt %s --weir-pack-operands=compute=bf16 --split-input-file | FileCheck %s --check-prefix=ROUNDED
// RUN: not weir-opt %s --weir-pack-operands=compute=int8 --split-input-file 2>&1 | FileCheck %s --check-prefix=COMPUTE
// RUN: weir-opt %s --weir-pack-operands --split-input-file \
// RUN:   --remark-format=emitRemark --remarks-filter='weir.*' -o /dev/null 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK

// COMPUTE: error: weir-pack-operands has panel=32 compute=int8, expected a positive panel and f32 or bf16

// The columns are panels already; rows may be any number.
// CHECK-DAG: #[[FROM:.+]] = affine_map<(d0, d1, d2) -> (d1, d0, d2)>
// CHECK-LABEL: func.func @matmul
// CHECK-SAME: (%[[A:.+]]: tensor<?x64xf32>, %[[B:.+]]: tensor<64x96xf32>
// CHECK: %[[CUT:.+]] = tensor.expand_shape %[[B]] {{\[\[}}0], [1, 2]]
// CHECK-SAME: tensor<64x96xf32> into tensor<64x3x32xf32>
// CHECK: %[[PANELS:.+]] = linalg.generic {indexing_maps = [#[[FROM]],
// CHECK-SAME: ins(%[[CUT]] : tensor<64x3x32xf32>)
// CHECK: %[[C:.+]] = weir.packed_linear %[[A]], %[[PANELS]] bits(32) group(32)
// CHECK-SAME: tensor<?x64xf32>, tensor<3x64x32xf32> -> tensor<?x96xf32>
// CHECK: return %[[C]]
// ROUNDED-LABEL: func.func @matmul
// ROUNDED: arith.truncf %{{.+}} : f32 to bf16
// ROUNDED: arith.truncf %{{.+}} : f32 to bf16
// ROUNDED: weir.packed_linear %{{.+}} bits(16) group(32) : tensor<?x64xbf16>, tensor<3x32x32x2xbf16> -> tensor<?x96xf32>
func.func @matmul(%a: tensor<?x64xf32>, %b: tensor<64x96xf32>, %e: tensor<?x96xf32>) -> tensor<?x96xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<?x96xf32>) -> tensor<?x96xf32>
  %1 = linalg.matmul ins(%a, %b : tensor<?x64xf32>, tensor<64x96xf32>)
                     outs(%0 : tensor<?x96xf32>) -> tensor<?x96xf32>
  return %1 : tensor<?x96xf32>
}

// -----

// Columns that fill no panel get zeros beside them; both factors are turned;
// what the product is added to is added behind it.
// CHECK-LABEL: func.func @turned
// CHECK-SAME: (%[[A:.+]]: tensor<128x20xf32>, %[[B:.+]]: tensor<70x128xf32>, %[[C:.+]]: tensor<20x70xf32>)
// CHECK: %[[ROWS:.+]] = linalg.generic {{.*}} ins(%[[A]] : tensor<128x20xf32>) outs(%{{.+}} : tensor<20x128xf32>)
// CHECK: %[[PADDED:.+]] = tensor.insert_slice %[[B]] into %{{.+}}[0, 0] [70, 128] [1, 1]
// CHECK-SAME: into tensor<96x128xf32>
// CHECK: %[[CUT:.+]] = tensor.expand_shape %[[PADDED]] {{\[\[}}0, 1], [2]]
// CHECK: weir.packed_linear %[[ROWS]], %{{.+}} : tensor<20x128xf32>, tensor<3x128x32xf32> -> tensor<20x70xf32>
// CHECK: %[[SUM:.+]] = linalg.generic
// CHECK: arith.addf
// CHECK: return %[[SUM]]
#kmn = affine_map<(m, n, k) -> (k, m)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>
func.func @turned(%a: tensor<128x20xf32>, %b: tensor<70x128xf32>, %c: tensor<20x70xf32>) -> tensor<20x70xf32> {
  %0 = linalg.generic {indexing_maps = [#kmn, #nk, #mn],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %b : tensor<128x20xf32>, tensor<70x128xf32>) outs(%c : tensor<20x70xf32>) {
  ^bb0(%l: f32, %r: f32, %o: f32):
    %p = arith.mulf %l, %r : f32
    %s = arith.addf %o, %p : f32
    linalg.yield %s : f32
  } -> tensor<20x70xf32>
  return %0 : tensor<20x70xf32>
}

// -----

// A batch is gone through; its panels are laid out at once. With pairs, factors
// of bf16 stay that; otherwise the first one is widened.
// CHECK-LABEL: func.func @batch
// CHECK: linalg.generic {{.*}} outs(%{{.+}} : tensor<?x3x64x32xbf16>)
// CHECK: scf.for
// CHECK: weir.packed_linear %{{.+}} bits(16) group(32) : tensor<40x64xf32>, tensor<3x64x32xbf16> -> tensor<40x96xf32>
// CHECK: tensor.insert_slice
// PAIRS-LABEL: func.func @batch
// PAIRS: linalg.generic {{.*}} outs(%{{.+}} : tensor<?x3x32x32x2xbf16>)
// PAIRS: weir.packed_linear %{{.+}} bits(16) group(32) : tensor<40x64xbf16>, tensor<3x32x32x2xbf16> -> tensor<40x96xf32>
func.func @batch(%a: tensor<?x40x64xbf16>, %b: tensor<?x64x96xbf16>, %e: tensor<?x40x96xf32>) -> tensor<?x40x96xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = linalg.fill ins(%zero : f32) outs(%e : tensor<?x40x96xf32>) -> tensor<?x40x96xf32>
  %1 = linalg.batch_matmul ins(%a, %b : tensor<?x40x64xbf16>, tensor<?x64x96xbf16>)
                           outs(%0 : tensor<?x40x96xf32>) -> tensor<?x40x96xf32>
  return %1 : tensor<?x40x96xf32>
}

// -----

// A matrix that is computed is laid out when it is there.
// CHECK-LABEL: func.func @computed
// CHECK: weir.packed_linear %{{.+}} bias(%{{.+}} : tensor<64xf32>) bits(32)
// ROUNDED-LABEL: func.func @computed
// ROUNDED: weir.packed_linear %{{.+}} bits(16) group(32) : tensor<?x?x128xbf16>, tensor<2x64x32x2xbf16> -> tensor<?x?x64xf32>
func.func @computed(%x: tensor<?x?x128xf32>, %w: tensor<64x128xf32>, %b: tensor<64xf32>) -> tensor<?x?x64xf32> {
  %m = arith.negf %w : tensor<64x128xf32>
  %0 = weir.linear %x, %m bias(%b : tensor<64xf32>) : tensor<?x?x128xf32>, tensor<64x128xf32> -> tensor<?x?x64xf32>
  return %0 : tensor<?x?x64xf32>
}

// -----

// One row, or a factor in the nearest cache, would not repay the copy.
// CHECK-LABEL: func.func @small
// CHECK-NOT: weir.packed_linear
// CHECK: return
func.func @small(%a: tensor<1x128xf32>, %b: tensor<128x64xf32>, %c: tensor<1x64xf32>,
                 %d: tensor<9x32xf32>, %f: tensor<32x64xf32>, %g: tensor<9x64xf32>)
    -> (tensor<1x64xf32>, tensor<9x64xf32>) {
  %0 = linalg.matmul ins(%a, %b : tensor<1x128xf32>, tensor<128x64xf32>)
                     outs(%c : tensor<1x64xf32>) -> tensor<1x64xf32>
  %1 = linalg.matmul ins(%d, %f : tensor<9x32xf32>, tensor<32x64xf32>)
                     outs(%g : tensor<9x64xf32>) -> tensor<9x64xf32>
  return %0, %1 : tensor<1x64xf32>, tensor<9x64xf32>
}

// -----

// REMARK: PackOperand{{.*}}columns or sums of dynamic extent
// REMARK: PackOperand{{.*}}sums that are not f32
// CHECK-LABEL: func.func @others
// CHECK-NOT: weir.packed_linear
func.func @others(%a: tensor<64x128xf32>, %b: tensor<128x?xf32>, %c: tensor<64x?xf32>,
                  %d: tensor<64x128xf64>, %f: tensor<128x64xf64>, %g: tensor<64x64xf64>)
    -> (tensor<64x?xf32>, tensor<64x64xf64>) {
  %0 = linalg.matmul ins(%a, %b : tensor<64x128xf32>, tensor<128x?xf32>)
                     outs(%c : tensor<64x?xf32>) -> tensor<64x?xf32>
  %1 = linalg.matmul ins(%d, %f : tensor<64x128xf64>, tensor<128x64xf64>)
                     outs(%g : tensor<64x64xf64>) -> tensor<64x64xf64>
  return %0, %1 : tensor<64x?xf32>, tensor<64x64xf64>
}
