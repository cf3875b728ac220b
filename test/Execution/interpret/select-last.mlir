// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference %lower_plainly | %run_main \
// RUN:   | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)

func.func @main() {
  %x = arith.constant dense<[[[1.0, 2.0], [3.0, 4.0]],
                             [[5.0, 6.0], [7.0, 8.0]],
                             [[9.0, 10.0], [11.0, 12.0]]]> : tensor<3x2x2xf32>
  // An empty row gives its first entry, which nobody reads.
  %lengths = arith.constant dense<[2, 1, 0]> : tensor<3xi32>
  // CHECK: sizes = [3, 1, 2]
  // CHECK-NEXT: {{\[}}3, 4]
  // CHECK-NEXT: {{\[}}5, 6]
  // CHECK-NEXT: {{\[}}9, 10]
  %y = weir.select_last %x, %lengths
      : tensor<3x2x2xf32>, tensor<3xi32> -> tensor<3x1x2xf32>
  %u = tensor.cast %y : tensor<3x1x2xf32> to tensor<*xf32>
  call @printMemrefF32(%u) : (tensor<*xf32>) -> ()
  return
}
