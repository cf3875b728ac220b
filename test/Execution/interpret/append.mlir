// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference %lower_plainly | %run_main \
// RUN:   | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)

func.func @main() {
  %block = arith.constant dense<[[[1.0], [2.0], [3.0]],
                                 [[4.0], [5.0], [6.0]]]> : tensor<2x3x1xf32>
  %slot = arith.constant dense<0.0> : tensor<2x4x1xf32>
  // Row 0 has room, row 1 goes round.
  %offset = arith.constant dense<[1, 6]> : tensor<2xi32>

  // CHECK: sizes = [2, 4]
  // CHECK-NEXT: {{\[}}0, 1, 2, 3]
  // CHECK-NEXT: {{\[}}6, 0, 4, 5]
  %all = weir.append %block into %slot at %offset
      : tensor<2x3x1xf32>, tensor<2x4x1xf32>, tensor<2xi32>
  %m0 = tensor.collapse_shape %all [[0], [1, 2]]
      : tensor<2x4x1xf32> into tensor<2x4xf32>
  %u0 = tensor.cast %m0 : tensor<2x4xf32> to tensor<*xf32>
  call @printMemrefF32(%u0) : (tensor<*xf32>) -> ()

  // Padding behind a row's length is not written.
  // CHECK: sizes = [2, 4]
  // CHECK-NEXT: {{\[}}0, 1, 2, 0]
  // CHECK-NEXT: {{\[}}0, 0, 0, 0]
  %lengths = arith.constant dense<[2, 0]> : tensor<2xi32>
  %some = weir.append %block into %slot at %offset
      lengths(%lengths : tensor<2xi32>)
      : tensor<2x3x1xf32>, tensor<2x4x1xf32>, tensor<2xi32>
  %m1 = tensor.collapse_shape %some [[0], [1, 2]]
      : tensor<2x4x1xf32> into tensor<2x4xf32>
  %u1 = tensor.cast %m1 : tensor<2x4xf32> to tensor<*xf32>
  call @printMemrefF32(%u1) : (tensor<*xf32>) -> ()

  // Of a stacked slot one layer alone.
  // CHECK: sizes = [4, 4]
  // CHECK-NEXT: {{\[}}7, 7, 7, 7]
  // CHECK-NEXT: {{\[}}7, 7, 7, 7]
  // CHECK-NEXT: {{\[}}7, 1, 2, 3]
  // CHECK-NEXT: {{\[}}6, 7, 4, 5]
  %stacked = arith.constant dense<7.0> : tensor<2x2x4x1xf32>
  %layer = arith.constant 1 : index
  %one = weir.append %block into %stacked[%layer] at %offset
      : tensor<2x3x1xf32>, tensor<2x2x4x1xf32>, tensor<2xi32>
  %m2 = tensor.collapse_shape %one [[0, 1], [2, 3]]
      : tensor<2x2x4x1xf32> into tensor<4x4xf32>
  %u2 = tensor.cast %m2 : tensor<4x4xf32> to tensor<*xf32>
  call @printMemrefF32(%u2) : (tensor<*xf32>) -> ()
  return
}
