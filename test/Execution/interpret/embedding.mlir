// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference %lower_plainly | %run_main \
// RUN:   | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)

func.func @main() {
  %table = arith.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]>
      : tensor<3x2xbf16>
  // Tokens outside the table read its nearest row.
  %ids = arith.constant dense<[[2, 0, 1, -1, 3]]> : tensor<1x5xi32>
  // CHECK: sizes = [1, 5, 2]
  // CHECK-NEXT: {{\[}}5, 6]
  // CHECK-NEXT: {{\[}}1, 2]
  // CHECK-NEXT: {{\[}}3, 4]
  // CHECK-NEXT: {{\[}}1, 2]
  // CHECK-NEXT: {{\[}}5, 6]
  %y = weir.embedding %ids, %table
      : tensor<1x5xi32>, tensor<3x2xbf16> -> tensor<1x5x2xf32>
  %u = tensor.cast %y : tensor<1x5x2xf32> to tensor<*xf32>
  call @printMemrefF32(%u) : (tensor<*xf32>) -> ()
  return
}
