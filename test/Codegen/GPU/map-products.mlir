// RUN: weir-opt %s --weir-map-products | FileCheck %s
// RUN: weir-opt %s --weir-map-products=tf32=true | FileCheck %s --check-prefix=TF32
// RUN: weir-opt %s --weir-map-products=limit=1024 | FileCheck %s --check-prefix=SMALL
// RUN: weir-opt %s --weir-map-products --weir-distribute-threads | FileCheck %s --check-prefix=THREADS
// RUN: weir-opt %s --weir-map-products="warpgroups=true limit=200000" | FileCheck %s --check-prefix=GROUPS

#in = affine_map<(i, n, k) -> (i, k)>
#out = affine_map<(i, n, k) -> (i, n)>
#panel = affine_map<(q)[s] -> (q + s)>

// A tile of registers: copies of two steps begin; then a step is awaited, one
// behind begins, and four columns of four rows are summed.
// CHECK-LABEL: func.func @floats
//       CHECK:   gpu.launch {{.*}} workgroup(%{{.*}} : memref<12288xi8, #gpu.address_space<workgroup>>, %{{.*}} : memref<24576xi8, #gpu.address_space<workgroup>>)
//       CHECK:     scf.execute_region
//       CHECK:       nvgpu.device_async_copy %{{.*}}, 4, %{{.*}} : memref<32x96xf32> to memref<3x32x32xf32, #gpu.address_space<workgroup>>
//       CHECK:       nvgpu.device_async_copy %{{.*}}, 4, %{{.*}} : memref<8x96x64xf32> to memref<3x32x64xf32, #gpu.address_space<workgroup>>
//       CHECK:       nvgpu.device_async_create_group
//       CHECK:       nvgpu.device_async_create_group
//       CHECK:       %[[SUMS:.*]]:4 = scf.for
//       CHECK:         nvgpu.device_async_wait %{{.*}} {numGroups = 1 : i32}
//       CHECK:         gpu.barrier
//       CHECK:         nvgpu.device_async_create_group
//       CHECK:         scf.for
// CHECK-COUNT-4:         vector.load %{{.*}} {alignment = 16 : i64} : memref<3x32x32xf32, {{.*}}>, vector<4xf32>
//       CHECK:           vector.load %{{.*}} {alignment = 16 : i64} : memref<3x32x64xf32, {{.*}}>, vector<4xf32>
//       CHECK:           vector.fma
//       CHECK:       memref.load %{{.*}} : memref<32x64xf32>
//       CHECK:     } {weir.by_thread}
//   CHECK-NOT:     linalg.generic

// The region stays as it is.
// THREADS-LABEL: func.func @floats
//       THREADS:   scf.execute_region
//       THREADS:     nvgpu.device_async_wait
//   THREADS-NOT:   weir.by_thread

// TF32-LABEL: func.func @floats
// TF32-COUNT-4:   nvvm.convert.float.to.tf32
//         TF32:   nvgpu.mma.sync{{.*}}mmaShape = [16, 8, 8], tf32Enabled

// Without room for two steps it stays.
// SMALL-LABEL: func.func @floats
//   SMALL-NOT:   nvgpu
//       SMALL:   return
func.func @floats(%x: memref<32x96xf32>, %w: memref<8x96x64xf32>, %y: memref<32x64xf32>, %first: index) {
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c128 = arith.constant 128 : index
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c128, %ny = %c1, %nz = %c1) {
    linalg.generic {indexing_maps = [#in, #out],
                    iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x : memref<32x96xf32>) outs(%y : memref<32x64xf32>) {
    ^bb0(%a: f32, %sum: f32):
      %column = linalg.index 1 : index
      %k = linalg.index 2 : index
      %q = arith.divui %column, %c64 : index
      %lane = arith.remui %column, %c64 : index
      %panel = affine.apply #panel(%q)[%first]
      %v = memref.load %w[%panel, %k, %lane] : memref<8x96x64xf32>
      %p = arith.mulf %a, %v : f32
      %s = arith.addf %sum, %p : f32
      linalg.yield %s : f32
    }
    gpu.terminator
  } {weir.shared_by = "block"}
  return
}

// Pairs of bf16 are words of matrices; a fill is not needed. Rows of 33 pairs
// are copied by words.
// CHECK-LABEL: func.func @pairs
//   CHECK-NOT:   linalg.fill
//       CHECK:   nvgpu.device_async_copy %{{.*}}, 2, %{{.*}} : memref<20x66xbf16> to memref<2x32x64xbf16, #gpu.address_space<workgroup>>
//       CHECK:   nvgpu.device_async_copy %{{.*}}, 8, %{{.*}} {bypassL1} : memref<1x33x64x2xbf16>
// CHECK-COUNT-2: nvgpu.ldmatrix %{{.*}} {numTiles = 4 : i32, transpose = false} : {{.*}} -> vector<4x2xbf16>
// CHECK-COUNT-4: nvgpu.mma.sync{{.*}}mmaShape = [16, 8, 16]
//   CHECK-NOT:   memref.load %{{.*}} : memref<20x64xf32>
//       CHECK:   memref.store %{{.*}} : memref<20x64xf32>
func.func @pairs(%x: memref<20x66xbf16>, %w: memref<1x33x64x2xbf16>, %y: memref<20x64xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c64 = arith.constant 64 : index
  %c128 = arith.constant 128 : index
  %zero = arith.constant 0.0 : f32
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c128, %ny = %c1, %nz = %c1) {
    linalg.fill ins(%zero : f32) outs(%y : memref<20x64xf32>)
    linalg.generic {indexing_maps = [#in, #out],
                    iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x : memref<20x66xbf16>) outs(%y : memref<20x64xf32>) {
    ^bb0(%a: bf16, %sum: f32):
      %column = linalg.index 1 : index
      %k = linalg.index 2 : index
      %q = arith.divui %column, %c64 : index
      %lane = arith.remui %column, %c64 : index
      %pair = arith.divui %k, %c2 : index
      %place = arith.remui %k, %c2 : index
      %v = memref.load %w[%q, %pair, %lane, %place] : memref<1x33x64x2xbf16>
      %wide = arith.extf %v : bf16 to f32
      %x1 = arith.extf %a : bf16 to f32
      %p = arith.mulf %x1, %wide : f32
      %s = arith.addf %sum, %p : f32
      linalg.yield %s : f32
    }
    gpu.terminator
  } {weir.shared_by = "block"}
  return
}

// A weight that is in no panels, and one whose panel depends on the reduction.
// CHECK-LABEL: func.func @others
// CHECK-COUNT-2: linalg.generic
func.func @others(%x: memref<8x96xf32>, %w: memref<8x96x64xf32>, %plain: memref<64x96xf32>, %y: memref<8x64xf32>) {
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c128 = arith.constant 128 : index
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c128, %ny = %c1, %nz = %c1) {
    linalg.generic {indexing_maps = [#in, #out],
                    iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x : memref<8x96xf32>) outs(%y : memref<8x64xf32>) {
    ^bb0(%a: f32, %sum: f32):
      %column = linalg.index 1 : index
      %k = linalg.index 2 : index
      %v = memref.load %plain[%column, %k] : memref<64x96xf32>
      %p = arith.mulf %a, %v : f32
      %s = arith.addf %sum, %p : f32
      linalg.yield %s : f32
    }
    linalg.generic {indexing_maps = [#in, #out],
                    iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x : memref<8x96xf32>) outs(%y : memref<8x64xf32>) {
    ^bb0(%a: f32, %sum: f32):
      %column = linalg.index 1 : index
      %k = linalg.index 2 : index
      %q = arith.divui %column, %c64 : index
      %lane = arith.remui %column, %c64 : index
      %panel = arith.addi %q, %k : index
      %v = memref.load %w[%panel, %k, %lane] : memref<8x96x64xf32>
      %p = arith.mulf %a, %v : f32
      %s = arith.addf %sum, %p : f32
      linalg.yield %s : f32
    }
    gpu.terminator
  } {weir.shared_by = "block"}
  return
}

// By warpgroups: the host encodes maps of both factors in front of the launch,
// which has a warp more. Its one thread copies boxes, the others multiply. The
// input is rows of a whole buffer; four rounds of stages.
// GROUPS-LABEL: func.func @boxes
//  GROUPS-SAME:     %[[QUEUE:[a-z0-9]+]]: !llvm.ptr) {
//       GROUPS:   llvm.call @weir_rt_tensor_map(%[[QUEUE]], %[[ROWS:[a-z0-9]+]],
//       GROUPS:   llvm.call @weir_rt_tensor_map(%[[QUEUE]], %[[PAIRS:[a-z0-9]+]],
//       GROUPS:   gpu.launch {{.*}} threads({{.*}}) in (%{{[a-z0-9]+}} = %[[WIDTH:[a-z0-9_]+]],
//  GROUPS-SAME:     memref<18432xi8, #gpu.address_space<workgroup>>
//  GROUPS-SAME:     memref<24576xi8, #gpu.address_space<workgroup>>
//  GROUPS-SAME:     memref<48xi8, #gpu.address_space<workgroup>>
// GROUPS-COUNT-6:     nvvm.mbarrier.init
//       GROUPS:     nvvm.fence.mbarrier.init
//       GROUPS:     gpu.barrier
//       GROUPS:       nvvm.mbarrier.try_wait
// GROUPS-COUNT-16:       memref.load %{{.*}} : memref<3x2048xi32, #gpu.address_space<workgroup>>
//       GROUPS:       nvvm.wgmma.fence.aligned
// GROUPS-COUNT-4:       llvm.inline_asm {{.*}} "wgmma.mma_async.sync.aligned.m64n48k16.f32.bf16.bf16
//       GROUPS:       nvvm.wgmma.commit.group.sync.aligned
//       GROUPS:       llvm.inline_asm {{.*}} "wgmma.wait_group.sync.aligned 0;"
//       GROUPS:       nvvm.bar.warp.sync
//       GROUPS:       nvvm.mbarrier.arrive %
//       GROUPS:       nvvm.mbarrier.try_wait
//       GROUPS:       nvvm.mbarrier.arrive.expect_tx
//       GROUPS:       nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.*}}, %[[ROWS]], %{{.*}}, box[%{{[a-z0-9_]+}}, %{{[a-z0-9_]+}}]
//       GROUPS:       nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.*}}, %[[PAIRS]], %{{.*}}, box[%{{[a-z0-9_]+}}, %{{[a-z0-9_]+}}, %{{[a-z0-9_]+}}, %{{[a-z0-9_]+}}]
//       GROUPS:     gpu.barrier
// GROUPS-COUNT-6:     nvvm.mbarrier.inval
// GROUPS-LABEL: func.func @written
//   GROUPS-NOT:   wgmma
func.func @boxes(%all: memref<3x90x192xbf16>, %w: memref<2x96x64x2xbf16>, %y: memref<42x128xf32>, %queue: !llvm.ptr) {
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c64 = arith.constant 64 : index
  %c128 = arith.constant 128 : index
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c128, %ny = %c1, %nz = %c1) {
    %part = memref.subview %all[%b, 4, 0] [1, 42, 192] [1, 1, 1] : memref<3x90x192xbf16> to memref<1x42x192xbf16, strided<[17280, 192, 1], offset: ?>>
    %to = memref.expand_shape %y [[0, 1], [2]] output_shape [1, 42, 128] : memref<42x128xf32> into memref<1x42x128xf32>
    linalg.generic {indexing_maps = [affine_map<(o, i, n, k) -> (o, i, k)>, affine_map<(o, i, n, k) -> (o, i, n)>],
                    iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
        ins(%part : memref<1x42x192xbf16, strided<[17280, 192, 1], offset: ?>>) outs(%to : memref<1x42x128xf32>) {
    ^bb0(%a: bf16, %sum: f32):
      %column = linalg.index 2 : index
      %k = linalg.index 3 : index
      %q = arith.divui %column, %c64 : index
      %lane = arith.remui %column, %c64 : index
      %pair = arith.divui %k, %c2 : index
      %place = arith.remui %k, %c2 : index
      %v = memref.load %w[%q, %pair, %lane, %place] : memref<2x96x64x2xbf16>
      %wide = arith.extf %v : bf16 to f32
      %x1 = arith.extf %a : bf16 to f32
      %p = arith.mulf %x1, %wide : f32
      %s = arith.addf %sum, %p : f32
      linalg.yield %s : f32
    }
    gpu.terminator
  } {weir.shared_by = "block"}
  return
}

// The kernel writes its input before: hardware that copies would not see that.
func.func @written(%x: memref<42x192xbf16>, %w: memref<2x96x64x2xbf16>, %y: memref<42x128xf32>, %queue: !llvm.ptr) {
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c64 = arith.constant 64 : index
  %c128 = arith.constant 128 : index
  %zero = arith.constant 0.0 : bf16
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c128, %ny = %c1, %nz = %c1) {
    linalg.fill ins(%zero : bf16) outs(%x : memref<42x192xbf16>)
    linalg.generic {indexing_maps = [#in, #out],
                    iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%x : memref<42x192xbf16>) outs(%y : memref<42x128xf32>) {
    ^bb0(%a: bf16, %sum: f32):
      %column = linalg.index 1 : index
      %k = linalg.index 2 : index
      %q = arith.divui %column, %c64 : index
      %lane = arith.remui %column, %c64 : index
      %pair = arith.divui %k, %c2 : index
      %place = arith.remui %k, %c2 : index
      %v = memref.load %w[%q, %pair, %lane, %place] : memref<2x96x64x2xbf16>
      %wide = arith.extf %v : bf16 to f32
      %x1 = arith.extf %a : bf16 to f32
      %p = arith.mulf %x1, %wide : f32
      %s = arith.addf %sum, %p : f32
      linalg.yield %s : f32
    }
    gpu.terminator
  } {weir.shared_by = "block"}
  return
}
