// The polynomial against known values: e, 1/e, the ends of the range, what
// lies beyond them, and NaN.
//
// REQUIRES: runner
// RUN: weir-opt %s --weir-expand-math %lower_plainly | %run_main \
// RUN:   | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)

func.func @main() {
  %x = arith.constant dense<[0.0, 1.0, -1.0, 10.0, 88.72, -87.33, 89.0, -88.0,
                             0x7F800000, 0xFF800000, 0x7FC00000]>
      : tensor<11xf32>
  // CHECK: {{\[}}1, 2.71828, 0.367879, 22026.5, 3.39318e+38, 1.18321e-38, inf, 0, inf, 0, nan]
  %init = tensor.empty() : tensor<11xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
      iterator_types = ["parallel"]}
      ins(%x : tensor<11xf32>) outs(%init : tensor<11xf32>) {
  ^bb0(%in: f32, %out: f32):
    %e = math.exp %in : f32
    linalg.yield %e : f32
  } -> tensor<11xf32>
  %u = tensor.cast %y : tensor<11xf32> to tensor<*xf32>
  call @printMemrefF32(%u) : (tensor<*xf32>) -> ()
  return
}
