// Keys are multiples of ln 2, so that earlier tokens weigh 1; 1 and 2; 1, 2 and
// 4 over their sums. Tiles of two tokens and three keys leave some; with a past,
// row 0 begins anew and row 1 goes on behind two positions.
//
// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference %lower_plainly | %run_main \
// RUN:   | FileCheck %s
// RUN: weir-opt %s --weir-tile-block-maps --weir-lower-to-reference \
// RUN:     -one-shot-bufferize=bufferize-function-boundaries \
// RUN:     -scf-forall-to-for %lower_plainly | %run_main | FileCheck %s
// RUN: sed 's/form = "flash"/form = "row"/' %s \
// RUN:   | weir-opt --weir-tile-block-maps --weir-lower-to-reference \
// RUN:       -one-shot-bufferize=bufferize-function-boundaries \
// RUN:       -scf-forall-to-for %lower_plainly | %run_main | FileCheck %s
// RUN: sed 's/form = "flash", tiles = .2, 3/form = "row", tiles = [1, 1/' %s \
// RUN:   | weir-opt --weir-tile-block-maps --weir-lower-to-reference \
// RUN:       -one-shot-bufferize=bufferize-function-boundaries \
// RUN:       -scf-forall-to-for %lower_plainly | %run_main | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)

func.func private @whole(%q: tensor<?x?x1x1xf32>, %k: tensor<?x?x1x1xf32>,
    %v: tensor<?x?x1x2xf32>, %beta: tensor<?x?x1xf32>)
    -> tensor<?x?x1x2xf32> {
  %0 = weir.delta_values %q, %k, %v, %beta scale(0.5)
      schedule(<form = "flash", tiles = [2, 3]>)
      : tensor<?x?x1x1xf32>, tensor<?x?x1x1xf32>, tensor<?x?x1x2xf32>,
        tensor<?x?x1xf32> -> tensor<?x?x1x2xf32>
  return %0 : tensor<?x?x1x2xf32>
}

func.func private @step(%q: tensor<?x?x1x1xf32>, %k: tensor<?x?x1x1xf32>,
    %v: tensor<?x?x1x2xf32>, %beta: tensor<?x?x1xf32>,
    %past: tensor<?x?x1x2xf32>, %offset: tensor<?xi32>)
    -> tensor<?x?x1x2xf32> {
  %0 = weir.delta_values %q, %k, %v, %beta scale(0.5)
      past(%past : tensor<?x?x1x2xf32>) offset(%offset : tensor<?xi32>)
      schedule(<form = "flash", tiles = [2, 3]>)
      : tensor<?x?x1x1xf32>, tensor<?x?x1x1xf32>, tensor<?x?x1x2xf32>,
        tensor<?x?x1xf32> -> tensor<?x?x1x2xf32>
  return %0 : tensor<?x?x1x2xf32>
}

func.func @main() {
  %q4 = arith.constant dense<2.0> : tensor<1x4x1x1xf32>
  %k4 = arith.constant dense<[[[[0.0]], [[0.693147181]], [[1.386294361]],
                               [[2.079441542]]]]> : tensor<1x4x1x1xf32>
  %v4 = arith.constant dense<[[[[3.0, 0.0]], [[0.0, 3.0]], [[1.0, 1.0]],
                               [[4.0, 5.0]]]]> : tensor<1x4x1x2xf32>
  %b4 = arith.constant dense<[[[9.0], [1.0], [0.5], [7.0]]]>
      : tensor<1x4x1xf32>
  %q = tensor.cast %q4 : tensor<1x4x1x1xf32> to tensor<?x?x1x1xf32>
  %k = tensor.cast %k4 : tensor<1x4x1x1xf32> to tensor<?x?x1x1xf32>
  %v = tensor.cast %v4 : tensor<1x4x1x2xf32> to tensor<?x?x1x2xf32>
  %beta = tensor.cast %b4 : tensor<1x4x1xf32> to tensor<?x?x1xf32>

  // delta_values_c5: the first token keeps its value. The others read (3, 0),
  // (-1, 2) and (3/7, 6/7).
  // CHECK: sizes = [1, 4, 1, 2]
  // CHECK-NEXT: {{\[}}3, 0]
  // CHECK-NEXT: {{\[}}-3, 3]
  // CHECK-NEXT: {{\[}}1.5, 0]
  // CHECK-NEXT: {{\[}}1, -1]
  %whole = call @whole(%q, %k, %v, %beta)
      : (tensor<?x?x1x1xf32>, tensor<?x?x1x1xf32>, tensor<?x?x1x2xf32>,
         tensor<?x?x1xf32>) -> tensor<?x?x1x2xf32>
  %u0 = tensor.cast %whole : tensor<?x?x1x2xf32> to tensor<*xf32>
  call @printMemrefF32(%u0) : (tensor<*xf32>) -> ()

  // The first two tokens, and the last two behind them. What the past has where
  // there is none is not read.
  // CHECK: sizes = [2, 2, 1, 2]
  // CHECK-NEXT: {{\[}}3, 0]
  // CHECK-NEXT: {{\[}}-3, 3]
  // CHECK: {{\[}}1.5, 0]
  // CHECK-NEXT: {{\[}}1, -1]
  %qs = arith.constant dense<2.0> : tensor<2x2x1x1xf32>
  %ks = arith.constant dense<[
      [[[0.0]], [[0.693147181]], [[1.386294361]], [[2.079441542]], [[99.0]]],
      [[[0.0]], [[0.693147181]], [[1.386294361]], [[2.079441542]], [[99.0]]]]>
      : tensor<2x5x1x1xf32>
  %vs = arith.constant dense<[[[[3.0, 0.0]], [[0.0, 3.0]]],
                              [[[1.0, 1.0]], [[4.0, 5.0]]]]>
      : tensor<2x2x1x2xf32>
  %bs = arith.constant dense<[[[9.0], [1.0]], [[0.5], [7.0]]]>
      : tensor<2x2x1xf32>
  %ps = arith.constant dense<[
      [[[77.0, 77.0]], [[77.0, 77.0]], [[77.0, 77.0]], [[77.0, 77.0]],
       [[77.0, 77.0]]],
      [[[3.0, 0.0]], [[-3.0, 3.0]], [[77.0, 77.0]], [[77.0, 77.0]],
       [[77.0, 77.0]]]]> : tensor<2x5x1x2xf32>
  %os = arith.constant dense<[0, 2]> : tensor<2xi32>
  %qd = tensor.cast %qs : tensor<2x2x1x1xf32> to tensor<?x?x1x1xf32>
  %kd = tensor.cast %ks : tensor<2x5x1x1xf32> to tensor<?x?x1x1xf32>
  %vd = tensor.cast %vs : tensor<2x2x1x2xf32> to tensor<?x?x1x2xf32>
  %bd = tensor.cast %bs : tensor<2x2x1xf32> to tensor<?x?x1xf32>
  %pd = tensor.cast %ps : tensor<2x5x1x2xf32> to tensor<?x?x1x2xf32>
  %od = tensor.cast %os : tensor<2xi32> to tensor<?xi32>
  %step = call @step(%qd, %kd, %vd, %bd, %pd, %od)
      : (tensor<?x?x1x1xf32>, tensor<?x?x1x1xf32>, tensor<?x?x1x2xf32>,
         tensor<?x?x1xf32>, tensor<?x?x1x2xf32>, tensor<?xi32>)
        -> tensor<?x?x1x2xf32>
  %u1 = tensor.cast %step : tensor<?x?x1x2xf32> to tensor<*xf32>
  call @printMemrefF32(%u1) : (tensor<*xf32>) -> ()
  return
}
