// The weights of the first feature tell taps apart as decimal places do; the
// second adds its two latest tokens and negates.
//
// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference %lower_plainly | %run_main \
// RUN:   | FileCheck %s
// RUN: weir-opt %s --weir-lower-pointwise --weir-lower-to-reference \
// RUN:     %lower_plainly | %run_main | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)

func.func private @print(%x: tensor<?x?x2xf32>) {
  %all = tensor.cast %x : tensor<?x?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%all) : (tensor<*xf32>) -> ()
  return
}

func.func private @begin(%x: tensor<?x?x2xf32>, %w: tensor<2x3xf32>) {
  %y, %tail = weir.causal_conv %x, %w
      : tensor<?x?x2xf32>, tensor<2x3xf32>
        -> tensor<?x?x2xf32>, tensor<?x3x2xf32>
  %t = tensor.cast %tail : tensor<?x3x2xf32> to tensor<?x?x2xf32>
  call @print(%y) : (tensor<?x?x2xf32>) -> ()
  call @print(%t) : (tensor<?x?x2xf32>) -> ()
  return
}

func.func private @go_on(%x: tensor<?x?x2xf32>, %w: tensor<2x3xf32>,
                         %b: tensor<2xf32>, %i: tensor<?x3x2xf32>,
                         %n: tensor<?xi32>) {
  %y, %tail = weir.causal_conv %x, %w bias(%b : tensor<2xf32>)
      init(%i : tensor<?x3x2xf32>) lengths(%n : tensor<?xi32>)
      : tensor<?x?x2xf32>, tensor<2x3xf32>
        -> tensor<?x?x2xf32>, tensor<?x3x2xf32>
  %t = tensor.cast %tail : tensor<?x3x2xf32> to tensor<?x?x2xf32>
  call @print(%y) : (tensor<?x?x2xf32>) -> ()
  call @print(%t) : (tensor<?x?x2xf32>) -> ()
  return
}

func.func private @silu(%x: tensor<?x?x2xf32>, %w: tensor<2x1xf32>) {
  %y, %tail = weir.causal_conv %x, %w activation(silu)
      : tensor<?x?x2xf32>, tensor<2x1xf32>
        -> tensor<?x?x2xf32>, tensor<?x1x2xf32>
  %t = tensor.cast %tail : tensor<?x1x2xf32> to tensor<?x?x2xf32>
  call @print(%y) : (tensor<?x?x2xf32>) -> ()
  call @print(%t) : (tensor<?x?x2xf32>) -> ()
  return
}

// Blocks of up to two tokens have no token that all taps read.
func.func private @one_token(%x: tensor<1x1x2xf32>, %w: tensor<2x3xf32>,
                             %i: tensor<1x2x2xf32>) {
  %y, %tail = weir.causal_conv %x, %w init(%i : tensor<1x2x2xf32>)
      : tensor<1x1x2xf32>, tensor<2x3xf32>
        -> tensor<1x1x2xf32>, tensor<1x2x2xf32>
  %d = tensor.cast %y : tensor<1x1x2xf32> to tensor<?x?x2xf32>
  %t = tensor.cast %tail : tensor<1x2x2xf32> to tensor<?x?x2xf32>
  call @print(%d) : (tensor<?x?x2xf32>) -> ()
  call @print(%t) : (tensor<?x?x2xf32>) -> ()
  return
}

func.func @main() {
  %w = arith.constant dense<[[100.0, 10.0, 1.0], [0.0, -1.0, -1.0]]>
      : tensor<2x3xf32>
  %x = arith.constant dense<[[[1.0, 1.0], [2.0, 2.0], [3.0, 4.0], [4.0, 8.0]]]>
      : tensor<1x4x2xf32>
  %xd = tensor.cast %x : tensor<1x4x2xf32> to tensor<?x?x2xf32>
  // CHECK: sizes = [1, 4, 2]
  // CHECK-NEXT: {{\[+}}1, -1],
  // CHECK-NEXT: [12, -3],
  // CHECK-NEXT: [123, -6],
  // CHECK-NEXT: [234, -12]
  // CHECK: sizes = [1, 3, 2]
  // CHECK-NEXT: {{\[+}}2, 2],
  // CHECK-NEXT: [3, 4],
  // CHECK-NEXT: [4, 8]
  call @begin(%xd, %w) : (tensor<?x?x2xf32>, tensor<2x3xf32>) -> ()

  // Fewer tokens than the convolution is wide, and none.
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %first = tensor.extract_slice %xd[0, 0, 0] [%c1, %c1, 2] [1, 1, 1]
      : tensor<?x?x2xf32> to tensor<?x?x2xf32>
  // CHECK: sizes = [1, 1, 2]
  // CHECK-NEXT: {{\[+}}1, -1]
  // CHECK: sizes = [1, 3, 2]
  // CHECK-NEXT: {{\[+}}0, 0],
  // CHECK-NEXT: [0, 0],
  // CHECK-NEXT: [1, 1]
  call @begin(%first, %w) : (tensor<?x?x2xf32>, tensor<2x3xf32>) -> ()
  %none = tensor.extract_slice %xd[0, 0, 0] [%c1, %c0, 2] [1, 1, 1]
      : tensor<?x?x2xf32> to tensor<?x?x2xf32>
  // CHECK: sizes = [1, 0, 2]
  // CHECK: sizes = [1, 3, 2]
  // CHECK-NEXT: {{\[+}}0, 0],
  // CHECK-NEXT: [0, 0],
  // CHECK-NEXT: [0, 0]
  call @begin(%none, %w) : (tensor<?x?x2xf32>, tensor<2x3xf32>) -> ()

  // Rows of three tokens, one and none, behind three others. The oldest of
  // these is out of reach.
  %rows = arith.constant dense<[[[4.0, 4.0], [5.0, 5.0], [6.0, 6.0]],
                                [[7.0, 7.0], [8.0, 8.0], [9.0, 9.0]],
                                [[7.0, 7.0], [8.0, 8.0], [9.0, 9.0]]]>
      : tensor<3x3x2xf32>
  %rd = tensor.cast %rows : tensor<3x3x2xf32> to tensor<?x?x2xf32>
  %past = arith.constant dense<[[[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]],
                                [[4.0, 4.0], [5.0, 5.0], [6.0, 6.0]],
                                [[4.0, 4.0], [5.0, 5.0], [6.0, 6.0]]]>
      : tensor<3x3x2xf32>
  %pd = tensor.cast %past : tensor<3x3x2xf32> to tensor<?x3x2xf32>
  %b = arith.constant dense<[0.5, -0.5]> : tensor<2xf32>
  %n = arith.constant dense<[3, 1, 0]> : tensor<3xi32>
  %nd = tensor.cast %n : tensor<3xi32> to tensor<?xi32>
  // CHECK: sizes = [3, 3, 2]
  // CHECK-NEXT: {{\[+}}234.5, -7.5],
  // CHECK-NEXT: [345.5, -9.5],
  // CHECK-NEXT: [456.5, -11.5]
  // CHECK-NEXT: {{\[+}}567.5, -13.5],
  // CHECK-NEXT: [0, 0],
  // CHECK-NEXT: [0, 0]
  // CHECK-NEXT: {{\[+}}0, 0],
  // CHECK-NEXT: [0, 0],
  // CHECK-NEXT: [0, 0]
  // CHECK: sizes = [3, 3, 2]
  // CHECK-NEXT: {{\[+}}4, 4],
  // CHECK-NEXT: [5, 5],
  // CHECK-NEXT: [6, 6]
  // CHECK-NEXT: {{\[+}}5, 5],
  // CHECK-NEXT: [6, 6],
  // CHECK-NEXT: [7, 7]
  // CHECK-NEXT: {{\[+}}4, 4],
  // CHECK-NEXT: [5, 5],
  // CHECK-NEXT: [6, 6]
  call @go_on(%rd, %w, %b, %pd, %nd)
      : (tensor<?x?x2xf32>, tensor<2x3xf32>, tensor<2xf32>, tensor<?x3x2xf32>,
         tensor<?xi32>) -> ()

  // x / (1 + exp(-x)) at 0, 1, 2 and 4, one token wide.
  %unit = arith.constant dense<1.0> : tensor<2x1xf32>
  %s = arith.constant dense<[[[0.0, 1.0], [2.0, 4.0]]]> : tensor<1x2x2xf32>
  %sd = tensor.cast %s : tensor<1x2x2xf32> to tensor<?x?x2xf32>
  // CHECK: sizes = [1, 2, 2]
  // CHECK-NEXT: {{\[+}}0, 0.731059],
  // CHECK-NEXT: [1.76159, 3.92806]
  // CHECK: sizes = [1, 1, 2]
  // CHECK-NEXT: {{\[+}}2, 4]
  call @silu(%sd, %unit) : (tensor<?x?x2xf32>, tensor<2x1xf32>) -> ()

  %one = arith.constant dense<[[[5.0, 5.0]]]> : tensor<1x1x2xf32>
  %before = arith.constant dense<[[[3.0, 3.0], [4.0, 4.0]]]>
      : tensor<1x2x2xf32>
  // CHECK: sizes = [1, 1, 2]
  // CHECK-NEXT: {{\[+}}345, -9]
  // CHECK: sizes = [1, 2, 2]
  // CHECK-NEXT: {{\[+}}4, 4],
  // CHECK-NEXT: [5, 5]
  call @one_token(%one, %w, %before)
      : (tensor<1x1x2xf32>, tensor<2x3xf32>, tensor<1x2x2xf32>) -> ()
  return
}
