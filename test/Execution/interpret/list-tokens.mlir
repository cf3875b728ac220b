// Chosen tokens in order, there and back: rows with several, all, none, and more
// than there are places for; lengths, and positions that are none.
//
// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference --weir-carry-in-place \
// RUN:     %lower_plainly | %run_main | FileCheck %s
// RUN: weir-opt %s --weir-lower-pointwise --weir-carry-in-place \
// RUN:     %lower_plainly | %run_main | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)
func.func private @printMemrefI32(tensor<*xi32>)

func.func private @print(%i: tensor<?x?xi32>) {
  %u = tensor.cast %i : tensor<?x?xi32> to tensor<*xi32>
  call @printMemrefI32(%u) : (tensor<*xi32>) -> ()
  return
}

func.func private @printNumbers(%x: tensor<?x?xf32>) {
  %u = tensor.cast %x : tensor<?x?xf32> to tensor<*xf32>
  call @printMemrefF32(%u) : (tensor<*xf32>) -> ()
  return
}

// In functions of their own, so that nothing is folded.
func.func private @all(%i: tensor<?x?x1xi32>, %x: tensor<?x?xf32>,
                       %n: tensor<?xi32>) {
  %p, %r, %c = weir.list_tokens %i lengths(%n : tensor<?xi32>)
      : tensor<?x?x1xi32> -> tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>
  call @print(%p) : (tensor<?x?xi32>) -> ()
  call @print(%r) : (tensor<?x?xi32>) -> ()
  %cu = tensor.cast %c : tensor<?xi32> to tensor<*xi32>
  call @printMemrefI32(%cu) : (tensor<*xi32>) -> ()
  %s = weir.gather_tokens %x, %p
      : tensor<?x?xf32>, tensor<?x?xi32> -> tensor<?x?xf32>
  call @printNumbers(%s) : (tensor<?x?xf32>) -> ()
  %y = weir.gather_tokens %s, %r
      : tensor<?x?xf32>, tensor<?x?xi32> -> tensor<?x?xf32>
  call @printNumbers(%y) : (tensor<?x?xf32>) -> ()
  return
}

func.func private @some(%i: tensor<?x?x1xi32>) {
  %p, %r, %c = weir.list_tokens %i take(2 of 5)
      : tensor<?x?x1xi32> -> tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>
  call @print(%p) : (tensor<?x?xi32>) -> ()
  call @print(%r) : (tensor<?x?xi32>) -> ()
  %cu = tensor.cast %c : tensor<?xi32> to tensor<*xi32>
  call @printMemrefI32(%cu) : (tensor<*xi32>) -> ()
  return
}

// A single token, as in decoding.
func.func private @one(%i: tensor<?x1x1xi32>) {
  %p, %r, %c = weir.list_tokens %i
      : tensor<?x1x1xi32> -> tensor<?x1xi32>, tensor<?x1xi32>, tensor<?xi32>
  %pd = tensor.cast %p : tensor<?x1xi32> to tensor<?x?xi32>
  call @print(%pd) : (tensor<?x?xi32>) -> ()
  %rd = tensor.cast %r : tensor<?x1xi32> to tensor<?x?xi32>
  call @print(%rd) : (tensor<?x?xi32>) -> ()
  %cu = tensor.cast %c : tensor<?xi32> to tensor<*xi32>
  call @printMemrefI32(%cu) : (tensor<*xi32>) -> ()
  return
}

func.func private @outside(%x: tensor<?x?x2xi32>, %p: tensor<?x?xi32>) {
  %y = weir.gather_tokens %x, %p
      : tensor<?x?x2xi32>, tensor<?x?xi32> -> tensor<?x?x2xi32>
  %yu = tensor.cast %y : tensor<?x?x2xi32> to tensor<*xi32>
  call @printMemrefI32(%yu) : (tensor<*xi32>) -> ()
  return
}

func.func @main() {
  // CHECK: sizes = [4, 5]
  // CHECK-NEXT: {{\[}}[1,   2,   4,   -1,   -1],
  // CHECK-NEXT: [0,   1,   2,   3,   4],
  // CHECK-NEXT: [-1,   -1,   -1,   -1,   -1],
  // CHECK-NEXT: [0,   2,   -1,   -1,   -1]]
  // CHECK: {{\[}}[-1,   0,   1,   -1,   2],
  // CHECK-NEXT: [0,   1,   2,   3,   4],
  // CHECK-NEXT: [-1,   -1,   -1,   -1,   -1],
  // CHECK-NEXT: [0,   -1,   1,   -1,   -1]]
  // CHECK: [3,  5,  0,  2]
  // CHECK: {{\[}}[2,   3,   5,   0,   0],
  // CHECK-NEXT: [6,   7,   8,   9,   10],
  // CHECK-NEXT: [0,   0,   0,   0,   0],
  // CHECK-NEXT: [16,   18,   0,   0,   0]]
  // CHECK: {{\[}}[0,   2,   3,   0,   5],
  // CHECK-NEXT: [6,   7,   8,   9,   10],
  // CHECK-NEXT: [0,   0,   0,   0,   0],
  // CHECK-NEXT: [16,   0,   18,   0,   0]]
  %i = arith.constant dense<[
    [[-1], [0], [0], [-1], [0]], [[0], [3], [0], [0], [0]],
    [[-1], [-1], [-7], [-1], [-1]], [[0], [-1], [0], [0], [0]]]>
      : tensor<4x5x1xi32>
  %x = arith.constant dense<[
    [1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0],
    [11.0, 12.0, 13.0, 14.0, 15.0], [16.0, 17.0, 18.0, 19.0, 20.0]]>
      : tensor<4x5xf32>
  %n = arith.constant dense<[5, 9, 5, 3]> : tensor<4xi32>
  %id = tensor.cast %i : tensor<4x5x1xi32> to tensor<?x?x1xi32>
  %xd = tensor.cast %x : tensor<4x5xf32> to tensor<?x?xf32>
  %nd = tensor.cast %n : tensor<4xi32> to tensor<?xi32>
  call @all(%id, %xd, %nd)
      : (tensor<?x?x1xi32>, tensor<?x?xf32>, tensor<?xi32>) -> ()

  // Two of five, of which there may be one.
  // CHECK: sizes = [4, 2]
  // CHECK-NEXT: {{\[}}[1,   2],
  // CHECK-NEXT: [0,   1],
  // CHECK-NEXT: [-1,   -1],
  // CHECK-NEXT: [0,   2]]
  // CHECK: {{\[}}[-1,   0,   1,   -1,   -1],
  // CHECK-NEXT: [0,   1,   -1,   -1,   -1],
  // CHECK-NEXT: [-1,   -1,   -1,   -1,   -1],
  // CHECK-NEXT: [0,   -1,   1,   -1,   -1]]
  // CHECK: [2,  2,  0,  2]
  call @some(%id) : (tensor<?x?x1xi32>) -> ()

  // CHECK: sizes = [2, 1]
  // CHECK-NEXT: {{\[}}[-1],
  // CHECK-NEXT: [0]]
  // CHECK: {{\[}}[-1],
  // CHECK-NEXT: [0]]
  // CHECK: [0,  1]
  %t = arith.constant dense<[[[-1]], [[0]]]> : tensor<2x1x1xi32>
  %td = tensor.cast %t : tensor<2x1x1xi32> to tensor<?x1x1xi32>
  call @one(%td) : (tensor<?x1x1xi32>) -> ()

  // CHECK: sizes = [1, 4, 2]
  // CHECK-NEXT: {{\[}}{{\[}}[3,    4],
  // CHECK-NEXT: [0,    0],
  // CHECK-NEXT: [1,    2],
  // CHECK-NEXT: [0,    0]]]
  %z = arith.constant dense<[[[1, 2], [3, 4]]]> : tensor<1x2x2xi32>
  %p = arith.constant dense<[[1, 2, 0, -3]]> : tensor<1x4xi32>
  %zd = tensor.cast %z : tensor<1x2x2xi32> to tensor<?x?x2xi32>
  %pd = tensor.cast %p : tensor<1x4xi32> to tensor<?x?xi32>
  call @outside(%zd, %pd) : (tensor<?x?x2xi32>, tensor<?x?xi32>) -> ()
  return
}
