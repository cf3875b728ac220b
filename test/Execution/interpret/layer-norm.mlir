// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference %lower_plainly | %run_main \
// RUN:   | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)

func.func @main() {
  // Both rows have the mean 5 and the biased variance 4.
  %x = arith.constant dense<[[3.0, 7.0, 3.0, 7.0], [7.0, 7.0, 3.0, 3.0]]>
      : tensor<2x4xf32>
  // CHECK: sizes = [2, 4]
  // CHECK-NEXT: {{\[}}-1, 1, -1, 1]
  // CHECK-NEXT: {{\[}}1, 1, -1, -1]
  %plain = weir.layer_norm %x eps(0.0) : tensor<2x4xf32>
  %u0 = tensor.cast %plain : tensor<2x4xf32> to tensor<*xf32>
  call @printMemrefF32(%u0) : (tensor<*xf32>) -> ()

  // Divided by the root of 4 + 12.
  // CHECK: sizes = [2, 4]
  // CHECK-NEXT: {{\[}}9.5, 21, 28.5, 42]
  // CHECK-NEXT: {{\[}}10.5, 21, 28.5, 38]
  %w = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %b = arith.constant dense<[10.0, 20.0, 30.0, 40.0]> : tensor<4xf32>
  %scaled = weir.layer_norm %x weight(%w : tensor<4xf32>)
      bias(%b : tensor<4xf32>) eps(12.0) : tensor<2x4xf32>
  %u1 = tensor.cast %scaled : tensor<2x4xf32> to tensor<*xf32>
  call @printMemrefF32(%u1) : (tensor<*xf32>) -> ()
  return
}
