// RUN: weir-opt %s --weir-distribute-threads --split-input-file --verify-diagnostics

#place = affine_map<(i, k) -> (i + k)>
#all = affine_map<(i, k) -> (i, k)>
func.func @overlapping(%x: memref<8x8xf32>, %y: memref<16xf32>) {
  %c1 = arith.constant 1 : index
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c1, %ny = %c1, %nz = %c1) {
    // expected-error @below {{has a result whose place depends on loop 1, which is reduced over, and not on all loops}}
    linalg.generic {indexing_maps = [#all, #place],
                    iterator_types = ["parallel", "reduction"]}
        ins(%x : memref<8x8xf32>) outs(%y : memref<16xf32>) {
    ^bb0(%a: f32, %acc: f32):
      %0 = arith.addf %acc, %a : f32
      linalg.yield %0 : f32
    }
    gpu.terminator
  } {weir.shared_by = "block"}
  return
}

// -----

func.func private @foreign(memref<64xf32>)
func.func @calls(%x: memref<64xf32>) {
  %c1 = arith.constant 1 : index
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c1, %ny = %c1, %nz = %c1) {
    // expected-error @below {{has no GPU form inside of a parallel loop}}
    func.call @foreign(%x) : (memref<64xf32>) -> ()
    gpu.terminator
  } {weir.shared_by = "block"}
  return
}
