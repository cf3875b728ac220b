// RUN: weir-opt %s --weir-distribute-threads | FileCheck %s

#shared = #gpu.address_space<workgroup>
#all = affine_map<(i, k) -> (i, k)>
#rows = affine_map<(i, k) -> (i)>

// A start is a thread's, a sum a warp's, a quotient a thread's; between them all
// meet.
// CHECK-LABEL: func.func @normalise
//       CHECK:   gpu.launch blocks({{.*}}) in {{.*}} threads(%[[T:[^,]+]], {{.*}}workgroup(%[[S:[^ ]+]]
//       CHECK:     scf.for %{{.*}} = %[[T]] to
//       CHECK:       memref.store %{{.*}}, %[[S]]
//       CHECK:     gpu.barrier
//       CHECK:     %[[LANE:.*]] = arith.remui %[[T]]
//       CHECK:     %[[WARP:.*]] = arith.divui %[[T]]
//       CHECK:     scf.for %{{.*}} = %[[WARP]] to
//       CHECK:       scf.for %{{.*}} = %[[LANE]] to
//       CHECK:         arith.addf
// CHECK-COUNT-5:     gpu.shuffle xor
//       CHECK:       scf.if
//       CHECK:         memref.store %{{.*}}, %[[S]]
//       CHECK:     gpu.barrier
//       CHECK:     scf.for %{{.*}} = %[[T]] to
//       CHECK:       arith.divf
//   CHECK-NOT:   weir.shared_by
func.func @normalise(%x: memref<8x64xf32>, %y: memref<8x64xf32>) {
  %c1 = arith.constant 1 : index
  %c128 = arith.constant 128 : index
  %zero = arith.constant 0.0 : f32
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c128, %ny = %c1, %nz = %c1)
             workgroup(%s : memref<8xf32, #shared>) {
    linalg.fill ins(%zero : f32) outs(%s : memref<8xf32, #shared>)
    linalg.generic {indexing_maps = [#all, #rows],
                    iterator_types = ["parallel", "reduction"]}
        ins(%x : memref<8x64xf32>) outs(%s : memref<8xf32, #shared>) {
    ^bb0(%a: f32, %acc: f32):
      %0 = arith.addf %acc, %a : f32
      linalg.yield %0 : f32
    }
    linalg.generic {indexing_maps = [#all, #rows, #all],
                    iterator_types = ["parallel", "parallel"]}
        ins(%x, %s : memref<8x64xf32>, memref<8xf32, #shared>)
        outs(%y : memref<8x64xf32>) {
    ^bb0(%a: f32, %sum: f32, %out: f32):
      %0 = arith.divf %a, %sum : f32
      linalg.yield %0 : f32
    }
    gpu.terminator
  } {weir.shared_by = "block"}
  return
}

// Operations on different buffers need no barrier; a loop ends with one when
// something is open.
// CHECK-LABEL: func.func @apart
//       CHECK:   gpu.launch
//       CHECK:     scf.for
//   CHECK-NOT:       gpu.barrier
//       CHECK:       memref.store
//   CHECK-NOT:       gpu.barrier
//       CHECK:       memref.store
//       CHECK:       gpu.barrier
//   CHECK-NOT:     gpu.barrier
//       CHECK:   return
func.func @apart(%x: memref<64xf32>, %y: memref<64xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c128 = arith.constant 128 : index
  %zero = arith.constant 0.0 : f32
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c128, %ny = %c1, %nz = %c1) {
    scf.for %i = %c0 to %c128 step %c1 {
      linalg.fill ins(%zero : f32) outs(%x : memref<64xf32>)
      linalg.fill ins(%zero : f32) outs(%y : memref<64xf32>)
    }
    gpu.terminator
  } {weir.shared_by = "block"}
  return
}

// One element is written by one thread.
// CHECK-LABEL: func.func @single
//       CHECK:   gpu.launch blocks({{.*}}) in {{.*}} threads(%[[T:[^,]+]],
//       CHECK:     %[[FIRST:.*]] = arith.cmpi eq, %[[T]]
//       CHECK:     scf.if %[[FIRST]]
//       CHECK:       memref.store
func.func @single(%x: memref<64xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c128 = arith.constant 128 : index
  %zero = arith.constant 0.0 : f32
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c128, %ny = %c1, %nz = %c1) {
    memref.store %zero, %x[%c0] : memref<64xf32>
    gpu.terminator
  } {weir.shared_by = "block"}
  return
}

// What threads do by hand stays.
// CHECK-LABEL: func.func @by_hand
//       CHECK:   linalg.fill
func.func @by_hand(%x: memref<64xf32>) {
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c1, %ny = %c1, %nz = %c1) {
    linalg.fill ins(%zero : f32) outs(%x : memref<64xf32>)
    gpu.terminator
  }
  return
}
