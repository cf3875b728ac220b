// A path between queries and keys. Features are multiples of ln 2 and values rows
// of an identity matrix, so that a result shows weights that are powers of two
// over their sum: position 1 turns the sign of the first feature, and position 2
// takes the second one away. Tiles of two queries and keys leave one.
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

func.func private @printMemrefF32(tensor<*xf32>)

func.func private @causal(%q: tensor<?x?x1x2xf32>, %k: tensor<?x?x1x2xf32>,
    %v: tensor<?x?x1x3xf32>, %w: tensor<?x?x1x2xf32>, %beta: tensor<?x?x1xf32>)
    -> tensor<?x?x1x3xf32> {
  %0 = weir.attention %q, %k, %v mask(<causal>) scale(0.5)
      path(%w, %beta : tensor<?x?x1x2xf32>, tensor<?x?x1xf32>)
      schedule(<form = "flash", tiles = [2, 2]>)
      : tensor<?x?x1x2xf32>, tensor<?x?x1x2xf32>, tensor<?x?x1x3xf32>
        -> tensor<?x?x1x3xf32>
  return %0 : tensor<?x?x1x3xf32>
}

func.func private @full(%q: tensor<?x?x1x2xf32>, %k: tensor<?x?x1x2xf32>,
    %v: tensor<?x?x1x3xf32>, %w: tensor<?x?x1x2xf32>, %beta: tensor<?x?x1xf32>)
    -> tensor<?x?x1x3xf32> {
  %0 = weir.attention %q, %k, %v mask(<full>) scale(0.5)
      path(%w, %beta : tensor<?x?x1x2xf32>, tensor<?x?x1xf32>)
      schedule(<form = "flash", tiles = [2, 2]>)
      : tensor<?x?x1x2xf32>, tensor<?x?x1x2xf32>, tensor<?x?x1x3xf32>
        -> tensor<?x?x1x3xf32>
  return %0 : tensor<?x?x1x3xf32>
}

func.func @main() {
  %q3 = arith.constant dense<[[[[2.0, 2.0]], [[2.0, 2.0]], [[2.0, 2.0]]]]>
      : tensor<1x3x1x2xf32>
  %k3 = arith.constant dense<[[[[0.693147181, 0.0]], [[0.0, 0.693147181]],
                               [[0.0, 0.0]]]]> : tensor<1x3x1x2xf32>
  %v3 = arith.constant dense<[[[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]],
                               [[0.0, 0.0, 1.0]]]]> : tensor<1x3x1x3xf32>
  // That of the first position is never between a query and a key.
  %w3 = arith.constant dense<[[[[0.6, 0.8]], [[1.0, 0.0]], [[0.0, 1.0]]]]>
      : tensor<1x3x1x2xf32>
  %b3 = arith.constant dense<[[[1.5], [2.0], [1.0]]]> : tensor<1x3x1xf32>
  %q = tensor.cast %q3 : tensor<1x3x1x2xf32> to tensor<?x?x1x2xf32>
  %k = tensor.cast %k3 : tensor<1x3x1x2xf32> to tensor<?x?x1x2xf32>
  %v = tensor.cast %v3 : tensor<1x3x1x3xf32> to tensor<?x?x1x3xf32>
  %w = tensor.cast %w3 : tensor<1x3x1x2xf32> to tensor<?x?x1x2xf32>
  %beta = tensor.cast %b3 : tensor<1x3x1xf32> to tensor<?x?x1xf32>

  // Keys weigh 2; 1/2 and 2; 1/2, 1 and 1.
  // CHECK: sizes = [1, 3, 1, 3]
  // CHECK-NEXT: {{\[}}1, 0, 0]
  // CHECK-NEXT: {{\[}}0.2, 0.8, 0]
  // CHECK-NEXT: {{\[}}0.2, 0.4, 0.4]
  %causal = call @causal(%q, %k, %v, %w, %beta)
      : (tensor<?x?x1x2xf32>, tensor<?x?x1x2xf32>, tensor<?x?x1x3xf32>,
         tensor<?x?x1x2xf32>, tensor<?x?x1xf32>) -> tensor<?x?x1x3xf32>
  %u0 = tensor.cast %causal : tensor<?x?x1x3xf32> to tensor<*xf32>
  call @printMemrefF32(%u0) : (tensor<*xf32>) -> ()

  // Keys behind the query have no factors: 2, 2 and 1; 1/2, 2 and 1.
  // CHECK: sizes = [1, 3, 1, 3]
  // CHECK-NEXT: {{\[}}0.4, 0.4, 0.2]
  // CHECK-NEXT: {{\[}}0.142857, 0.571429, 0.285714]
  // CHECK-NEXT: {{\[}}0.2, 0.4, 0.4]
  %full = call @full(%q, %k, %v, %w, %beta)
      : (tensor<?x?x1x2xf32>, tensor<?x?x1x2xf32>, tensor<?x?x1x3xf32>,
         tensor<?x?x1x2xf32>, tensor<?x?x1xf32>) -> tensor<?x?x1x3xf32>
  %u1 = tensor.cast %full : tensor<?x?x1x3xf32> to tensor<*xf32>
  call @printMemrefF32(%u1) : (tensor<*xf32>) -> ()
  return
}
