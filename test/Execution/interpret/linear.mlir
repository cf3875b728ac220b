// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference %lower_plainly | %run_main \
// RUN:   | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)

func.func @main() {
  %x = arith.constant dense<[[[1.0, 2.0], [3.0, 4.0]]]> : tensor<1x2x2xf32>
  %w = arith.constant dense<[[1.0, 1.0], [1.0, -1.0], [0.5, 2.0]]>
      : tensor<3x2xf32>
  %b = arith.constant dense<[0.0, 10.0, 1.0]> : tensor<3xf32>

  // CHECK: sizes = [1, 2, 3]
  // CHECK-NEXT: {{\[}}3, -1, 4.5]
  // CHECK-NEXT: {{\[}}7, -1, 9.5]
  %plain = weir.linear %x, %w
      : tensor<1x2x2xf32>, tensor<3x2xf32> -> tensor<1x2x3xf32>
  %u0 = tensor.cast %plain : tensor<1x2x3xf32> to tensor<*xf32>
  call @printMemrefF32(%u0) : (tensor<*xf32>) -> ()

  // CHECK: sizes = [1, 2, 3]
  // CHECK-NEXT: {{\[}}3, 9, 5.5]
  // CHECK-NEXT: {{\[}}7, 9, 10.5]
  %biased = weir.linear %x, %w bias(%b : tensor<3xf32>)
      : tensor<1x2x2xf32>, tensor<3x2xf32> -> tensor<1x2x3xf32>
  %u1 = tensor.cast %biased : tensor<1x2x3xf32> to tensor<*xf32>
  call @printMemrefF32(%u1) : (tensor<*xf32>) -> ()

  // An empty sequence is an empty result.
  // CHECK: sizes = [1, 0, 3]
  %none = tensor.empty() : tensor<1x0x2xf32>
  %empty = weir.linear %none, %w
      : tensor<1x0x2xf32>, tensor<3x2xf32> -> tensor<1x0x3xf32>
  %u2 = tensor.cast %empty : tensor<1x0x3xf32> to tensor<*xf32>
  call @printMemrefF32(%u2) : (tensor<*xf32>) -> ()

  // Sums are f32 whatever the weight is: 256 + 1 - 256 is 1.
  // CHECK: sizes = [1, 1]
  // CHECK-NEXT: {{\[}}1]
  %h = arith.constant dense<[[256.0, 1.0, -256.0]]> : tensor<1x3xf32>
  %ones = arith.constant dense<1.0> : tensor<1x3xbf16>
  %narrow = weir.linear %h, %ones
      : tensor<1x3xf32>, tensor<1x3xbf16> -> tensor<1x1xf32>
  %u3 = tensor.cast %narrow : tensor<1x1xf32> to tensor<*xf32>
  call @printMemrefF32(%u3) : (tensor<*xf32>) -> ()
  return
}
