// Frequency 0 turns by a right angle a position, frequency 1 by half of one
// turn, so that features change places and signs alone.
//
// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference %lower_plainly | %run_main \
// RUN:   | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)

func.func @main() {
  %x = arith.constant dense<[[[[1.0, 2.0, 3.0, 4.0, 5.0]],
                              [[1.0, 2.0, 3.0, 4.0, 5.0]]]]>
      : tensor<1x2x1x5xf32>
  %p = arith.constant dense<[[0, 1]]> : tensor<1x2xi32>
  %f = arith.constant dense<[1.57079632679, 3.14159265359]> : tensor<2xf32>

  // Pairs (1, 3) and (2, 4); the fifth feature passes through.
  // CHECK: sizes = [1, 2, 1, 5]
  // CHECK-NEXT: {{\[}}1, 2, 3, 4, 5]
  // CHECK-NEXT: {{\[}}-3, -2, 1, -4, 5]
  %half = weir.rotary %x, %p, %f layout(half)
      : tensor<1x2x1x5xf32>, tensor<1x2xi32>, tensor<2xf32>
  %u0 = tensor.cast %half : tensor<1x2x1x5xf32> to tensor<*xf32>
  call @printMemrefF32(%u0) : (tensor<*xf32>) -> ()

  // Pairs (1, 2) and (3, 4), scaled by two.
  // CHECK: sizes = [1, 2, 1, 5]
  // CHECK-NEXT: {{\[}}2, 4, 6, 8, 5]
  // CHECK-NEXT: {{\[}}-4, 2, -6, -8, 5]
  %pairs = weir.rotary %x, %p, %f layout(interleaved) scale(2.0)
      : tensor<1x2x1x5xf32>, tensor<1x2xi32>, tensor<2xf32>
  %u1 = tensor.cast %pairs : tensor<1x2x1x5xf32> to tensor<*xf32>
  call @printMemrefF32(%u1) : (tensor<*xf32>) -> ()
  return
}
