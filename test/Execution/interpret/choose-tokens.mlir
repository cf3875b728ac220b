// Each of two experts takes two tokens of five, and of three where a row is
// shorter: ties, scores that are no numbers, both zeros.
//
// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference --weir-carry-in-place \
// RUN:     %lower_plainly | %run_main | FileCheck %s
// RUN: weir-opt %s --weir-lower-pointwise --weir-carry-in-place \
// RUN:     %lower_plainly | %run_main | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)
func.func private @printMemrefF64(tensor<*xf64>)
func.func private @printMemrefI32(tensor<*xi32>)

// In functions of their own, so that nothing is folded.
func.func private @choose(%l: tensor<?x?x2xf32>, %n: tensor<?xi32>) {
  %i, %w = weir.choose_tokens %l lengths(%n : tensor<?xi32>) take(2 of 5)
      score(raw) : tensor<?x?x2xf32> -> tensor<?x?x2xi32>, tensor<?x?x2xf32>
  %iu = tensor.cast %i : tensor<?x?x2xi32> to tensor<*xi32>
  call @printMemrefI32(%iu) : (tensor<*xi32>) -> ()
  %wu = tensor.cast %w : tensor<?x?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%wu) : (tensor<*xf32>) -> ()
  return
}

func.func private @sigmoids(%l: tensor<?x?x1xf64>) {
  %i, %w = weir.choose_tokens %l take(1 of 2) score(sigmoid)
      : tensor<?x?x1xf64> -> tensor<?x?x1xi32>, tensor<?x?x1xf64>
  %iu = tensor.cast %i : tensor<?x?x1xi32> to tensor<*xi32>
  call @printMemrefI32(%iu) : (tensor<*xi32>) -> ()
  %wu = tensor.cast %w : tensor<?x?x1xf64> to tensor<*xf64>
  call @printMemrefF64(%wu) : (tensor<*xf64>) -> ()
  return
}

func.func @main() {
  // Of the third row, no token is there; of the fourth, more than there are.
  // CHECK: sizes = [4, 5, 2]
  // CHECK-NEXT: {{\[}}{{\[}}[0,    -1],
  // CHECK-NEXT: [-1,    1],
  // CHECK-NEXT: [0,    -1],
  // CHECK-NEXT: [-1,    1],
  // CHECK-NEXT: [-1,    -1]],
  // CHECK-NEXT: {{\[}}[-1,    1],
  // CHECK-NEXT: [0,    1],
  // CHECK-NEXT: [0,    -1],
  // CHECK-NEXT: [-1,    -1],
  // CHECK-NEXT: [-1,    -1]],
  // CHECK-NEXT: {{\[}}[-1,    -1],
  // CHECK-NEXT: [-1,    -1],
  // CHECK-NEXT: [-1,    -1],
  // CHECK-NEXT: [-1,    -1],
  // CHECK-NEXT: [-1,    -1]],
  // CHECK-NEXT: {{\[}}[0,    1],
  // CHECK-NEXT: [-1,    1],
  // CHECK-NEXT: [0,    -1],
  // CHECK-NEXT: [-1,    -1],
  // CHECK-NEXT: [-1,    -1]]]
  // CHECK: sizes = [4, 5, 2]
  // CHECK-NEXT: {{\[}}{{\[}}[3,    0],
  // CHECK-NEXT: [0,    2],
  // CHECK-NEXT: [2,    0],
  // CHECK-NEXT: [0,    -1],
  // CHECK-NEXT: [0,    0]],
  %l = arith.constant dense<[
    [[3.0, -2.0], [1.0, 2.0], [2.0, -2.0], [2.0, -1.0], [0x7FC00000, -3.0]],
    [[1.0, 5.0], [2.0, 5.0], [2.0, 5.0], [9.0, 9.0], [9.0, 9.0]],
    [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]],
    [[0.0, 0x7FC00000], [-1.0, 0xFF800000], [-0.0, 0xFF800000],
     [-2.0, 0xFF800000], [-0.0, 0x7FC00000]]]> : tensor<4x5x2xf32>
  %n = arith.constant dense<[5, 3, 0, 9]> : tensor<4xi32>
  %ld = tensor.cast %l : tensor<4x5x2xf32> to tensor<?x?x2xf32>
  %nd = tensor.cast %n : tensor<4xi32> to tensor<?xi32>
  call @choose(%ld, %nd) : (tensor<?x?x2xf32>, tensor<?xi32>) -> ()

  // Half of three tokens are two.
  // CHECK: sizes = [1, 3, 1]
  // CHECK-NEXT: {{\[}}{{\[}}[-1],
  // CHECK-NEXT: [0],
  // CHECK-NEXT: [0]]]
  // CHECK: {{\[}}{{\[}}[0],
  // CHECK-NEXT: [0.5],
  // CHECK-NEXT: [0.75]]]
  %s = arith.constant dense<[[[-1.0], [0.0], [1.0986122886681098]]]>
      : tensor<1x3x1xf64>
  %sd = tensor.cast %s : tensor<1x3x1xf64> to tensor<?x?x1xf64>
  call @sigmoids(%sd) : (tensor<?x?x1xf64>) -> ()
  return
}
