// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference %lower_plainly | %run_main \
// RUN:   | FileCheck %s

func.func private @printMemrefI32(tensor<*xi32>)

func.func @main() {
  %lengths = arith.constant dense<[3, 7, 0, 5]> : tensor<4xi32>
  // CHECK: rank = 0
  // CHECK-NEXT: [7]
  %y = weir.longest %lengths : tensor<4xi32> -> tensor<i32>
  %u = tensor.cast %y : tensor<i32> to tensor<*xi32>
  call @printMemrefI32(%u) : (tensor<*xi32>) -> ()
  %none = arith.constant dense<> : tensor<0xi32>
  // CHECK: rank = 0
  // CHECK-NEXT: [0]
  %z = weir.longest %none : tensor<0xi32> -> tensor<i32>
  %v = tensor.cast %z : tensor<i32> to tensor<*xi32>
  call @printMemrefI32(%v) : (tensor<*xi32>) -> ()
  return
}
