// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference %lower_plainly | %run_main \
// RUN:   | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)

func.func @main() {
  // CHECK: {{\[}}1, 0.1, 0.01, 0.001]
  %plain = weir.rope_frequencies base(1.0e4) dims(8) : tensor<4xf32>
  %u0 = tensor.cast %plain : tensor<4xf32> to tensor<*xf32>
  call @printMemrefF32(%u0) : (tensor<*xf32>) -> ()
  // CHECK: {{\[}}0.25, 0.025, 0.0025, 0.00025]
  %linear = weir.rope_frequencies base(1.0e4) dims(8)
      scaling(<kind = linear, factor = 4.0>) : tensor<4xf32>
  %u1 = tensor.cast %linear : tensor<4xf32> to tensor<*xf32>
  call @printMemrefF32(%u1) : (tensor<*xf32>) -> ()
  return
}
