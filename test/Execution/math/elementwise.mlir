// Arithmetic on whole tensors, in a function and in the region of a scan.
//
// REQUIRES: numpy, safetensors
// RUN: %python %weir_src/test/Driver/Inputs/tensors.py write %t.in.safetensors \
// RUN:   x=1x3x2:1,2,3,4,5,6 y=1x3x2:1,1,0,0,2,2
// RUN: weirc %s --quiet -o %t
// RUN: %t --inputs %t.in.safetensors --outputs %t.out.safetensors
// RUN: %python %weir_src/test/Driver/Inputs/tensors.py print %t.out.safetensors \
// RUN:   | FileCheck %s
// RUN: weirc %s --reference --quiet -o %t
// RUN: %t --inputs %t.in.safetensors --outputs %t.out.safetensors
// RUN: %python %weir_src/test/Driver/Inputs/tensors.py print %t.out.safetensors \
// RUN:   | FileCheck %s

// The state is halved and x * |x - y| added: 0, 2, 9, 16, 15, 24.
// CHECK-DAG: sum 1x3x2: 0 2 9 17 19.5 32.5
// CHECK-DAG: last 1x2: 19.5 32.5
func.func @f(%x: tensor<?x?x2xf32> {weir.name = "x"},
             %y: tensor<?x?x2xf32> {weir.name = "y"})
    -> (tensor<?x?x2xf32> {weir.name = "sum"},
        tensor<?x2xf32> {weir.name = "last"}) {
  %less = arith.subf %x, %y : tensor<?x?x2xf32>
  %size = math.absf %less : tensor<?x?x2xf32>
  %z = arith.mulf %x, %size : tensor<?x?x2xf32>
  %none = arith.constant dense<0.0> : tensor<2xf32>
  %sum, %last = weir.scan (%z) states(%none)
      : (tensor<?x?x2xf32>), (tensor<2xf32>)
      -> (tensor<?x?x2xf32>), (tensor<?x2xf32>) {
  ^bb0(%now: tensor<2xf32>, %before: tensor<2xf32>):
    %half = arith.constant dense<0.5> : tensor<2xf32>
    %kept = arith.mulf %before, %half : tensor<2xf32>
    %next = arith.addf %kept, %now : tensor<2xf32>
    weir.yield %next, %next : tensor<2xf32>, tensor<2xf32>
  }
  return %sum, %last : tensor<?x?x2xf32>, tensor<?x2xf32>
}
