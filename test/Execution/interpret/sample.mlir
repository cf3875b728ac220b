// Logits are multiples of ln 2, so that weights are powers of two.
//
// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference %lower_plainly | %run_main \
// RUN:   | FileCheck %s

func.func private @printMemrefI32(tensor<*xi32>)

func.func private @print(%x: tensor<?xi32>) {
  %u = tensor.cast %x : tensor<?xi32> to tensor<*xi32>
  call @printMemrefI32(%u) : (tensor<*xi32>) -> ()
  return
}

func.func @main() {
  // sample_c4, sample_c5: equal logits are ranked by id; what is no number or minus infinity is never
  // chosen, and a row of nothing else has no token.
  // CHECK: sizes = [5]
  // CHECK-NEXT: [1, 2, 1, 0, -1]
  %mixed = arith.constant dense<[
      [0.0, 3.0, 3.0], [0xFF800000, -5.0, -4.0], [0x7FC00000, 1.0, 0xFF800000],
      [0x7F800000, 0.0, 0x7F800000], [0x7FC00000, 0xFF800000, 0xFF800000]]>
      : tensor<5x3xf32>
  %best = weir.sample %mixed : tensor<5x3xf32> -> tensor<5xi32>
  %best_ = tensor.cast %best : tensor<5xi32> to tensor<?xi32>
  call @print(%best_) : (tensor<?xi32>) -> ()

  // The same at a temperature.
  // CHECK: sizes = [5]
  // CHECK-NEXT: [2, 1, 1, 0, -1]
  %high = arith.constant dense<[0.52, 0.99, 0.9, 0.9, 0.9]> : tensor<5xf32>
  %drawn = weir.sample %mixed uniform(%high : tensor<5xf32>) temperature(1.0)
      : tensor<5x3xf32> -> tensor<5xi32>
  %drawn_ = tensor.cast %drawn : tensor<5xi32> to tensor<?xi32>
  call @print(%drawn_) : (tensor<?xi32>) -> ()

  // sample_c6: token 2 weighs 4, 0 weighs 2, 3 weighs 1 and 1 weighs 1, of 8.
  %row = arith.constant
      dense<[0.693147181, 0.0, 1.386294361, 0.0]> : tensor<4xf32>
  %empty = tensor.empty() : tensor<9x4xf32>
  %rows = linalg.broadcast ins(%row : tensor<4xf32>)
      outs(%empty : tensor<9x4xf32>) dimensions = [0]
  %u = arith.constant dense<[0.0, 0.49, 0.51, 0.74, 0.76, 0.86, 0.88, 0.99,
                             0.999999]> : tensor<9xf32>
  // CHECK: sizes = [9]
  // CHECK-NEXT: [2, 2, 0, 0, 1, 1, 3, 3, 3]
  %all = weir.sample %rows uniform(%u : tensor<9xf32>) temperature(1.0)
      : tensor<9x4xf32> -> tensor<9xi32>
  %all_ = tensor.cast %all : tensor<9xi32> to tensor<?xi32>
  call @print(%all_) : (tensor<?xi32>) -> ()

  // Two are kept: 4 and 2 of 6.
  // CHECK: sizes = [9]
  // CHECK-NEXT: [2, 2, 2, 0, 0, 0, 0, 0, 0]
  %top2 = weir.sample %rows uniform(%u : tensor<9xf32>) temperature(1.0)
      top_k(2) : tensor<9x4xf32> -> tensor<9xi32>
  %top2_ = tensor.cast %top2 : tensor<9xi32> to tensor<?xi32>
  call @print(%top2_) : (tensor<?xi32>) -> ()

  // Weights sum to 4, 6, 7, 8: 0.8 of 8 takes three.
  // CHECK: sizes = [9]
  // CHECK-NEXT: [2, 2, 2, 0, 0, 1, 1, 1, 1]
  %nucleus = weir.sample %rows uniform(%u : tensor<9xf32>) temperature(1.0)
      top_p(0.8) : tensor<9x4xf32> -> tensor<9xi32>
  %nucleus_ = tensor.cast %nucleus : tensor<9xi32> to tensor<?xi32>
  call @print(%nucleus_) : (tensor<?xi32>) -> ()

  // Of three kept, 4, 2 and 1 of 7, half is the first alone.
  // CHECK: sizes = [9]
  // CHECK-NEXT: [2, 2, 2, 2, 2, 2, 2, 2, 2]
  %both = weir.sample %rows uniform(%u : tensor<9xf32>) temperature(1.0)
      top_k(3) top_p(0.5) : tensor<9x4xf32> -> tensor<9xi32>
  %both_ = tensor.cast %both : tensor<9xi32> to tensor<?xi32>
  call @print(%both_) : (tensor<?xi32>) -> ()

  // At half the temperature the weights are squared: 16, 4, 1, 1 of 22.
  // CHECK: sizes = [9]
  // CHECK-NEXT: [2, 2, 2, 0, 0, 0, 0, 3, 3]
  %cold = weir.sample %rows uniform(%u : tensor<9xf32>) temperature(0.5)
      : tensor<9x4xf32> -> tensor<9xi32>
  %cold_ = tensor.cast %cold : tensor<9xi32> to tensor<?xi32>
  call @print(%cold_) : (tensor<?xi32>) -> ()
  return
}
