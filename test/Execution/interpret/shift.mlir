// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference %lower_plainly | %run_main \
// RUN:   | FileCheck %s
// RUN: weir-opt %s --weir-lower-pointwise --weir-lower-to-reference \
// RUN:     %lower_plainly | %run_main | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)

func.func private @begin(%x: tensor<?x?x2xf32>) {
  %y, %last = weir.shift %x : tensor<?x?x2xf32> -> tensor<?x2xf32>
  %yu = tensor.cast %y : tensor<?x?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%yu) : (tensor<*xf32>) -> ()
  %lu = tensor.cast %last : tensor<?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%lu) : (tensor<*xf32>) -> ()
  return
}

// Values without features.
func.func private @go_on(%x: tensor<?x?xf32>, %i: tensor<?xf32>,
                         %n: tensor<?xi32>) {
  %y, %last = weir.shift %x init(%i : tensor<?xf32>)
      lengths(%n : tensor<?xi32>) : tensor<?x?xf32> -> tensor<?xf32>
  %yu = tensor.cast %y : tensor<?x?xf32> to tensor<*xf32>
  call @printMemrefF32(%yu) : (tensor<*xf32>) -> ()
  %lu = tensor.cast %last : tensor<?xf32> to tensor<*xf32>
  call @printMemrefF32(%lu) : (tensor<*xf32>) -> ()
  return
}

func.func private @one_token(%x: tensor<1x1x2xf32>, %i: tensor<1x2xf32>) {
  %y, %last = weir.shift %x init(%i : tensor<1x2xf32>)
      : tensor<1x1x2xf32> -> tensor<1x2xf32>
  %yu = tensor.cast %y : tensor<1x1x2xf32> to tensor<*xf32>
  call @printMemrefF32(%yu) : (tensor<*xf32>) -> ()
  %lu = tensor.cast %last : tensor<1x2xf32> to tensor<*xf32>
  call @printMemrefF32(%lu) : (tensor<*xf32>) -> ()
  return
}

func.func @main() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %x = arith.constant dense<[[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]]>
      : tensor<1x3x2xf32>
  %xd = tensor.cast %x : tensor<1x3x2xf32> to tensor<?x?x2xf32>
  // CHECK: sizes = [1, 3, 2]
  // CHECK-NEXT: {{\[+}}0, 0],
  // CHECK-NEXT: [1, 2],
  // CHECK-NEXT: [3, 4]
  // CHECK: sizes = [1, 2]
  // CHECK-NEXT: {{\[+}}5, 6]
  call @begin(%xd) : (tensor<?x?x2xf32>) -> ()
  %none = tensor.extract_slice %xd[0, 0, 0] [%c1, %c0, 2] [1, 1, 1]
      : tensor<?x?x2xf32> to tensor<?x?x2xf32>
  // CHECK: sizes = [1, 0, 2]
  // CHECK: sizes = [1, 2]
  // CHECK-NEXT: {{\[+}}0, 0]
  call @begin(%none) : (tensor<?x?x2xf32>) -> ()

  // Rows of three tokens, one and none.
  %r = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0],
                             [7.0, 8.0, 9.0]]> : tensor<3x3xf32>
  %rd = tensor.cast %r : tensor<3x3xf32> to tensor<?x?xf32>
  %i = arith.constant dense<[-1.0, -2.0, -3.0]> : tensor<3xf32>
  %id = tensor.cast %i : tensor<3xf32> to tensor<?xf32>
  %n = arith.constant dense<[3, 1, 0]> : tensor<3xi32>
  %nd = tensor.cast %n : tensor<3xi32> to tensor<?xi32>
  // CHECK: sizes = [3, 3]
  // CHECK-NEXT: {{\[+}}-1, 1, 2],
  // CHECK-NEXT: [-2, 4, 5],
  // CHECK-NEXT: [-3, 7, 8]
  // CHECK: sizes = [3]
  // CHECK-NEXT: [3, 4, -3]
  call @go_on(%rd, %id, %nd)
      : (tensor<?x?xf32>, tensor<?xf32>, tensor<?xi32>) -> ()

  %one = arith.constant dense<[[[5.0, 6.0]]]> : tensor<1x1x2xf32>
  %before = arith.constant dense<[[3.0, 4.0]]> : tensor<1x2xf32>
  // CHECK: sizes = [1, 1, 2]
  // CHECK-NEXT: {{\[+}}3, 4]
  // CHECK: sizes = [1, 2]
  // CHECK-NEXT: {{\[+}}5, 6]
  call @one_token(%one, %before) : (tensor<1x1x2xf32>, tensor<1x2xf32>) -> ()
  return
}
