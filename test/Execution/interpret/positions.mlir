// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference %lower_plainly | %run_main \
// RUN:   | FileCheck %s

func.func private @printMemrefI32(tensor<*xi32>)

func.func @main() {
  %like = arith.constant dense<0> : tensor<2x3xi32>
  // CHECK: sizes = [2, 3]
  // CHECK-NEXT: {{\[}}0, 1, 2]
  // CHECK-NEXT: {{\[}}0, 1, 2]
  %plain = weir.positions %like : tensor<2x3xi32> -> tensor<2x3xi32>
  %u0 = tensor.cast %plain : tensor<2x3xi32> to tensor<*xi32>
  call @printMemrefI32(%u0) : (tensor<*xi32>) -> ()

  // CHECK: sizes = [2, 3]
  // CHECK-NEXT: {{\[}}5, 6, 7]
  // CHECK-NEXT: {{\[}}40, 41, 42]
  %offset = arith.constant dense<[5, 40]> : tensor<2xi32>
  %shifted = weir.positions %like offset(%offset : tensor<2xi32>)
      : tensor<2x3xi32> -> tensor<2x3xi32>
  %u1 = tensor.cast %shifted : tensor<2x3xi32> to tensor<*xi32>
  call @printMemrefI32(%u1) : (tensor<*xi32>) -> ()
  return
}
