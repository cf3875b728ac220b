// Ties, keys that are no numbers, biases that choose and do not weigh, groups.
//
// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference --weir-carry-in-place \
// RUN:     %lower_plainly | %run_main | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)
func.func private @printMemrefI32(tensor<*xi32>)

// In functions of their own, so that nothing is folded.
func.func private @ties(%l: tensor<?x4xf32>) {
  %i, %w = weir.route %l top_k(3) score(raw) weighting(scores)
      : tensor<?x4xf32> -> tensor<?x3xi32>, tensor<?x3xf32>
  %iu = tensor.cast %i : tensor<?x3xi32> to tensor<*xi32>
  call @printMemrefI32(%iu) : (tensor<*xi32>) -> ()
  %wu = tensor.cast %w : tensor<?x3xf32> to tensor<*xf32>
  call @printMemrefF32(%wu) : (tensor<*xf32>) -> ()
  return
}

func.func private @bias(%l: tensor<?x4xf32>, %b: tensor<4xf32>) {
  %i, %w = weir.route %l bias(%b : tensor<4xf32>) top_k(2) score(raw)
      weighting(normalized) eps(1.0) scale(2.0)
      : tensor<?x4xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  %iu = tensor.cast %i : tensor<?x2xi32> to tensor<*xi32>
  call @printMemrefI32(%iu) : (tensor<*xi32>) -> ()
  %wu = tensor.cast %w : tensor<?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%wu) : (tensor<*xf32>) -> ()
  return
}

func.func private @groups(%l: tensor<?x6xf32>) {
  %i, %w = weir.route %l top_k(2) score(raw) weighting(scores)
      groups(<count = 3, chosen = 1, score = max>)
      : tensor<?x6xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  %iu = tensor.cast %i : tensor<?x2xi32> to tensor<*xi32>
  call @printMemrefI32(%iu) : (tensor<*xi32>) -> ()
  %j, %v = weir.route %l top_k(2) score(raw) weighting(scores)
      groups(<count = 3, chosen = 1, score = top_two>)
      : tensor<?x6xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  %ju = tensor.cast %j : tensor<?x2xi32> to tensor<*xi32>
  call @printMemrefI32(%ju) : (tensor<*xi32>) -> ()
  return
}

func.func private @softmax(%l: tensor<?x4xf32>) {
  %i, %w = weir.route %l top_k(4) score(softmax) weighting(scores)
      : tensor<?x4xf32> -> tensor<?x4xi32>, tensor<?x4xf32>
  %wu = tensor.cast %w : tensor<?x4xf32> to tensor<*xf32>
  call @printMemrefF32(%wu) : (tensor<*xf32>) -> ()
  %j, %v = weir.route %l top_k(2) score(raw) weighting(softmax)
      : tensor<?x4xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  %vu = tensor.cast %v : tensor<?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%vu) : (tensor<*xf32>) -> ()
  return
}

func.func private @threshold(%l: tensor<?x3xf32>) {
  %i, %w = weir.route %l top_k(2) score(raw) weighting(scores) scale(2.0)
      threshold(0.5) : tensor<?x3xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  %iu = tensor.cast %i : tensor<?x2xi32> to tensor<*xi32>
  call @printMemrefI32(%iu) : (tensor<*xi32>) -> ()
  %wu = tensor.cast %w : tensor<?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%wu) : (tensor<*xf32>) -> ()
  return
}

func.func @main() {
  // Four tokens: all alike, some alike, one key that is no number, and nothing
  // but such and minus infinity.
  // CHECK: sizes = [4, 3]
  // CHECK-NEXT: {{\[}}0, 1, 2],
  // CHECK-NEXT: [1, 3, 0],
  // CHECK-NEXT: [3, 1, 2],
  // CHECK-NEXT: [0, 1, 2]]
  // CHECK: {{\[}}5, 5, 5],
  // CHECK-NEXT: [2, 2, 1],
  // CHECK-NEXT: [3, 2, 1],
  %t = arith.constant dense<[[5.0, 5.0, 5.0, 5.0], [1.0, 2.0, 0.0, 2.0],
    [0x7FC00000, 2.0, 1.0, 3.0],
    [0x7FC00000, 0xFF800000, 0x7FC00000, 0x7FC00000]]> : tensor<4x4xf32>
  %td = tensor.cast %t : tensor<4x4xf32> to tensor<?x4xf32>
  call @ties(%td) : (tensor<?x4xf32>) -> ()

  // The bias makes experts 0 and 3 the best; they weigh 2 w / (sum + 1).
  // CHECK: sizes = [1, 2]
  // CHECK-NEXT: {{\[}}3, 0]]
  // CHECK: {{\[}}1.25, 0.25]]
  %three = arith.constant dense<[[0.5, 6.0, 5.0, 2.5]]> : tensor<1x4xf32>
  %threed = tensor.cast %three : tensor<1x4xf32> to tensor<?x4xf32>
  %b = arith.constant dense<[9.0, 0.0, 0.0, 9.0]> : tensor<4xf32>
  call @bias(%threed, %b) : (tensor<?x4xf32>, tensor<4xf32>) -> ()

  // Group 0 has the largest key, group 1 the largest sum of two; groups 1 and
  // 2 are alike, and the lower one is taken.
  // CHECK: {{\[}}0, 1]]
  // CHECK: {{\[}}2, 3]]
  %g = arith.constant dense<[[9.0, 1.0, 8.0, 7.0, 8.0, 7.0]]> : tensor<1x6xf32>
  %gd = tensor.cast %g : tensor<1x6xf32> to tensor<?x6xf32>
  call @groups(%gd) : (tensor<?x6xf32>) -> ()

  // Of logits 0 and log 3, softmax over all and over the chosen.
  // CHECK: {{\[}}0.375, 0.375, 0.125, 0.125]]
  // CHECK: {{\[}}0.5, 0.5]]
  %s = arith.constant dense<[[0.0, 1.0986123, 0.0, 1.0986123]]> : tensor<1x4xf32>
  %sd = tensor.cast %s : tensor<1x4xf32> to tensor<?x4xf32>
  call @softmax(%sd) : (tensor<?x4xf32>) -> ()

  // Keys at the threshold stay; what is below, or no number, has no expert.
  // CHECK: {{\[}}1, 2],
  // CHECK-NEXT: [0, -1],
  // CHECK-NEXT: [-1, -1]]
  // CHECK: {{\[}}1.5, 1],
  // CHECK-NEXT: [2, 0],
  // CHECK-NEXT: [0, 0]]
  %h = arith.constant dense<[[0.25, 0.75, 0.5], [1.0, 0.25, 0x7FC00000],
    [0x7FC00000, 0.25, 0xFF800000]]> : tensor<3x3xf32>
  %hd = tensor.cast %h : tensor<3x3xf32> to tensor<?x3xf32>
  call @threshold(%hd) : (tensor<?x3xf32>) -> ()
  return
}
