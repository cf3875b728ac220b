// Loops whose carried tensors change places, are handed on, or are made of parts
// of themselves.
//
// REQUIRES: runner
// RUN: weir-opt %s --weir-carry-in-place %lower_plainly | %run_main \
// RUN:   | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)

// Three times each is the sum of itself and the first, then the first two
// change places.
func.func private @eliminate(%x0: tensor<3xf32>, %n: index) -> tensor<3xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%x = %x0) -> tensor<3xf32> {
    %init = tensor.empty() : tensor<3xf32>
    %y = scf.for %j = %c0 to %c3 step %c1 iter_args(%o = %init)
        -> tensor<3xf32> {
      %a = tensor.extract %x[%j] : tensor<3xf32>
      %b = tensor.extract %x[%c0] : tensor<3xf32>
      %c = arith.addf %a, %b : f32
      %p = tensor.insert %c into %o[%j] : tensor<3xf32>
      scf.yield %p : tensor<3xf32>
    }
    %u = tensor.extract %y[%c0] : tensor<3xf32>
    %z = tensor.insert %u into %y[%c1] : tensor<3xf32>
    %v = tensor.extract %y[%c1] : tensor<3xf32>
    %w = tensor.insert %v into %z[%c0] : tensor<3xf32>
    scf.yield %w : tensor<3xf32>
  }
  return %r : tensor<3xf32>
}

// Fibonacci numbers, and two tensors that change places.
func.func private @rotate(%a0: tensor<2xf32>, %b0: tensor<2xf32>, %n: index)
    -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:4 = scf.for %i = %c0 to %n step %c1
      iter_args(%a = %a0, %b = %b0, %c = %a0, %d = %b0)
      -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>) {
    %init = tensor.empty() : tensor<2xf32>
    %next = linalg.add ins(%a, %b : tensor<2xf32>, tensor<2xf32>)
        outs(%init : tensor<2xf32>) -> tensor<2xf32>
    scf.yield %next, %a, %d, %c
        : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
  }
  return %r#0, %r#1, %r#2, %r#3
      : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>
}

func.func @main() {
  %c3 = arith.constant 3 : index
  %c5 = arith.constant 5 : index
  %x = arith.constant dense<[1.0, 2.0, 5.0]> : tensor<3xf32>
  %y = func.call @eliminate(%x, %c3) : (tensor<3xf32>, index) -> tensor<3xf32>
  %yu = tensor.cast %y : tensor<3xf32> to tensor<*xf32>
  // [1, 2, 5] is [3, 2, 6], then [5, 6, 9], then [11, 10, 14].
  // CHECK: data =
  // CHECK-NEXT: [11, 10, 14]
  call @printMemrefF32(%yu) : (tensor<*xf32>) -> ()

  %a = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %b = arith.constant dense<[0.0, 1.0]> : tensor<2xf32>
  %r:4 = func.call @rotate(%a, %b, %c5) : (tensor<2xf32>, tensor<2xf32>, index)
      -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, tensor<2xf32>)
  %r0 = tensor.cast %r#0 : tensor<2xf32> to tensor<*xf32>
  %r1 = tensor.cast %r#1 : tensor<2xf32> to tensor<*xf32>
  %r2 = tensor.cast %r#2 : tensor<2xf32> to tensor<*xf32>
  %r3 = tensor.cast %r#3 : tensor<2xf32> to tensor<*xf32>
  // CHECK: data =
  // CHECK-NEXT: [8, 21]
  // CHECK: data =
  // CHECK-NEXT: [5, 13]
  // CHECK: data =
  // CHECK-NEXT: [0, 1]
  // CHECK: data =
  // CHECK-NEXT: [1, 2]
  call @printMemrefF32(%r0) : (tensor<*xf32>) -> ()
  call @printMemrefF32(%r1) : (tensor<*xf32>) -> ()
  call @printMemrefF32(%r2) : (tensor<*xf32>) -> ()
  call @printMemrefF32(%r3) : (tensor<*xf32>) -> ()
  return
}
