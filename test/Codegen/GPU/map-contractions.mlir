// RUN: weir-opt %s --weir-map-contractions | FileCheck %s
// RUN: weir-opt %s --weir-map-contractions=rounding=tf32 | FileCheck %s --check-prefix=TF32
// RUN: weir-opt %s --weir-map-contractions=rounding=bf16 | FileCheck %s --check-prefix=BF16

#shared = #gpu.address_space<workgroup>
#rows = affine_map<(m, n, k) -> (m, k)>
#columns = affine_map<(m, n, k) -> (k, n)>
#sums = affine_map<(m, n, k) -> (m, n)>

// Scores: keys of a tile cut short, in memory, by queries. A thread has four
// keys, as neighbours in its warp have others, and two queries side by side.
// CHECK-LABEL: func.func @scores
//   CHECK-NOT:   linalg.fill
//       CHECK:   scf.execute_region
//       CHECK:     scf.for %{{.*}} = %{{.*}} to %{{.*}} step %c128
//       CHECK:       arith.minsi
//       CHECK:       %[[SUMS:.*]]:8 = scf.for
// CHECK-COUNT-4:       memref.load {{.*}} : memref<?x32xf32
//   CHECK-NOT:         memref.load
//       CHECK:         vector.load {{.*}} {alignment = 8 : i64} : memref<32x64xf32{{.*}}vector<2xf32>
// CHECK-COUNT-8:       arith.addf
//       CHECK:         scf.yield
//       CHECK:     } {weir.by_thread}
//
// A warp has 16 keys by a matrix or several of 8 queries.
// TF32-LABEL: func.func @scores
//       TF32:   nvvm.convert.float.to.tf32
//       TF32:   nvgpu.mma.sync{{.*}} {mmaShape = [16, 8, 8], tf32Enabled}
// BF16-LABEL: func.func @scores
//       BF16:   arith.truncf %{{.*}} : f32 to bf16
//       BF16:   nvgpu.mma.sync{{.*}} {mmaShape = [16, 8, 16]}
func.func @scores(%k: memref<?x32xf32>, %q: memref<32x64xf32, #shared>,
    %s: memref<?x64xf32, #shared>) {
  %c1 = arith.constant 1 : index
  %c128 = arith.constant 128 : index
  %zero = arith.constant 0.0 : f32
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
      threads(%tx, %ty, %tz) in (%nx = %c128, %ny = %c1, %nz = %c1) {
    linalg.fill ins(%zero : f32) outs(%s : memref<?x64xf32, #shared>)
    linalg.generic {indexing_maps = [#rows, #columns, #sums],
        iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%k, %q : memref<?x32xf32>, memref<32x64xf32, #shared>)
        outs(%s : memref<?x64xf32, #shared>) {
    ^bb0(%a: f32, %b: f32, %c: f32):
      %0 = arith.mulf %a, %b : f32
      %1 = arith.addf %c, %0 : f32
      linalg.yield %1 : f32
    }
    gpu.terminator
  } {weir.shared_by = "block"}
  return
}

// Keys of bf16 are what they are to matrices; to others they are extended.
// TF32-LABEL: func.func @narrow
//       TF32:   arith.extf %{{.*}} : bf16 to f32
//       TF32:   nvgpu.mma.sync{{.*}} {mmaShape = [16, 8, 8], tf32Enabled}
// BF16-LABEL: func.func @narrow
//       BF16:   memref.load {{.*}} : memref<64x40xbf16
//   BF16-NOT:   arith.extf
//       BF16:   arith.select {{.*}} : bf16
//       BF16:   arith.truncf %{{.*}} : f32 to bf16
//   BF16-NOT:   arith.extf
//       BF16:   nvgpu.mma.sync{{.*}} {mmaShape = [16, 8, 16]}
func.func @narrow(%k: memref<64x40xbf16, #shared>, %q: memref<40x64xf32, #shared>,
    %s: memref<64x64xf32, #shared>) {
  %c1 = arith.constant 1 : index
  %c128 = arith.constant 128 : index
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
      threads(%tx, %ty, %tz) in (%nx = %c128, %ny = %c1, %nz = %c1) {
    linalg.generic {indexing_maps = [#rows, #columns, #sums],
        iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%k, %q : memref<64x40xbf16, #shared>, memref<40x64xf32, #shared>)
        outs(%s : memref<64x64xf32, #shared>) {
    ^bb0(%a: bf16, %b: f32, %c: f32):
      %0 = arith.extf %a : bf16 to f32
      %1 = arith.mulf %b, %0 : f32
      %2 = arith.addf %c, %1 : f32
      linalg.yield %2 : f32
    }
    gpu.terminator
  } {weir.shared_by = "block"}
  return
}

// A decay between two positions makes it no plain product, and no matrices.
// CHECK-LABEL: func.func @decayed
//       CHECK:   scf.execute_region
//       CHECK:     math.exp
// TF32-LABEL: func.func @decayed
//   TF32-NOT:   nvgpu.mma.sync
//       TF32:   scf.execute_region
// BF16-LABEL: func.func @decayed
func.func @decayed(%q: memref<64x16xf32, #shared>, %g: memref<16x64xf32, #shared>,
    %s: memref<64x64xf32, #shared>) {
  %c1 = arith.constant 1 : index
  %c128 = arith.constant 128 : index
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
      threads(%tx, %ty, %tz) in (%nx = %c128, %ny = %c1, %nz = %c1) {
    linalg.generic {indexing_maps = [#rows, #columns, #sums],
        iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%q, %g : memref<64x16xf32, #shared>, memref<16x64xf32, #shared>)
        outs(%s : memref<64x64xf32, #shared>) {
    ^bb0(%a: f32, %b: f32, %c: f32):
      %0 = math.exp %b : f32
      %1 = arith.mulf %a, %0 : f32
      %2 = arith.addf %c, %1 : f32
      linalg.yield %2 : f32
    }
    gpu.terminator
  } {weir.shared_by = "block"}
  return
}

// A norm's sum has no columns to share a factor with.
// CHECK-LABEL: func.func @norm
//       CHECK:   linalg.generic
//   CHECK-NOT:   scf.execute_region
func.func @norm(%x: memref<64x64xf32, #shared>, %s: memref<64xf32, #shared>) {
  %c1 = arith.constant 1 : index
  %c128 = arith.constant 128 : index
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
      threads(%tx, %ty, %tz) in (%nx = %c128, %ny = %c1, %nz = %c1) {
    linalg.generic {indexing_maps = [affine_map<(m, k) -> (m, k)>,
                                     affine_map<(m, k) -> (m)>],
        iterator_types = ["parallel", "reduction"]}
        ins(%x : memref<64x64xf32, #shared>) outs(%s : memref<64xf32, #shared>) {
    ^bb0(%a: f32, %c: f32):
      %0 = arith.mulf %a, %a : f32
      %1 = arith.addf %c, %0 : f32
      linalg.yield %1 : f32
    }
    gpu.terminator
  } {weir.shared_by = "block"}
  return
}
