// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference %lower_plainly | %run_main \
// RUN:   | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)

func.func @main() {
  // Mean squares are 4 and 8.
  %x = arith.constant dense<[[2.0, -2.0, 2.0, -2.0], [4.0, 0.0, 4.0, 0.0]]>
      : tensor<2x4xf32>
  // CHECK: sizes = [2, 4]
  // CHECK-NEXT: {{\[}}1, -1, 1, -1]
  // CHECK-NEXT: {{\[}}1.41421, 0, 1.41421, 0]
  %plain = weir.rms_norm %x eps(0.0) : tensor<2x4xf32>
  %u0 = tensor.cast %plain : tensor<2x4xf32> to tensor<*xf32>
  call @printMemrefF32(%u0) : (tensor<*xf32>) -> ()

  // Row 0 is divided by the root of 4 + 12; the weights are stored less one.
  // CHECK: sizes = [2, 4]
  // CHECK-NEXT: {{\[}}0.5, -1, 1.5, -2]
  %w = arith.constant dense<[0.0, 1.0, 2.0, 3.0]> : tensor<4xf32>
  %scaled = weir.rms_norm %x weight(%w : tensor<4xf32>) eps(12.0) offset(1.0)
      : tensor<2x4xf32>
  %u1 = tensor.cast %scaled : tensor<2x4xf32> to tensor<*xf32>
  call @printMemrefF32(%u1) : (tensor<*xf32>) -> ()

  // A row of zeros stays so.
  // CHECK: sizes = [1, 4]
  // CHECK-NEXT: {{\[}}0, 0, 0, 0]
  %zeros = arith.constant dense<0.0> : tensor<1x4xf32>
  %still = weir.rms_norm %zeros eps(1.0e-5) : tensor<1x4xf32>
  %u2 = tensor.cast %still : tensor<1x4xf32> to tensor<*xf32>
  call @printMemrefF32(%u2) : (tensor<*xf32>) -> ()
  return
}
