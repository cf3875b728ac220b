// RUN: weir-opt %s | weir-opt | FileCheck %s

// CHECK-LABEL: func.func @route_plain
// CHECK: weir.route %{{.*}} top_k(2) score(softmax) weighting(scores) : tensor<?x?x8xf32> -> tensor<?x?x2xi32>, tensor<?x?x2xf32>
func.func @route_plain(%l: tensor<?x?x8xf32>) -> tensor<?x?x2xi32> {
  %i, %w = weir.route %l top_k(2) score(softmax) weighting(scores)
      : tensor<?x?x8xf32> -> tensor<?x?x2xi32>, tensor<?x?x2xf32>
  return %i : tensor<?x?x2xi32>
}

// CHECK-LABEL: func.func @route_all_parts
// CHECK: weir.route %{{.*}} bias(%{{.*}} : tensor<8xf32>) top_k(3) score(sigmoid) weighting(normalized)
// CHECK-SAME: groups(<count = 4, chosen = 2, score = top_two>) eps(1.000000e-03) scale(2.500000e+00)
func.func @route_all_parts(%l: tensor<?x8xf32>, %b: tensor<8xf32>)
    -> tensor<?x3xf32> {
  %i, %w = weir.route %l bias(%b : tensor<8xf32>) top_k(3) score(sigmoid)
      weighting(normalized) groups(<count = 4, chosen = 2, score = top_two>)
      eps(1.0e-3) scale(2.5)
      : tensor<?x8xf32> -> tensor<?x3xi32>, tensor<?x3xf32>
  return %w : tensor<?x3xf32>
}

// CHECK-LABEL: func.func @route_threshold
// CHECK: weir.route %{{.*}} top_k(1) score(sigmoid) weighting(scores) threshold(5.000000e-01) :
func.func @route_threshold(%l: tensor<?x?x1xf32>) -> tensor<?x?x1xi32> {
  %i, %w = weir.route %l top_k(1) score(sigmoid) weighting(scores)
      threshold(0.5)
      : tensor<?x?x1xf32> -> tensor<?x?x1xi32>, tensor<?x?x1xf32>
  return %i : tensor<?x?x1xi32>
}

// CHECK-LABEL: func.func @choose_tokens_plain
// CHECK: weir.choose_tokens %{{.*}} take(2 of 8) score(softmax) : tensor<?x?x8xf32> -> tensor<?x?x8xi32>, tensor<?x?x8xf32>
func.func @choose_tokens_plain(%l: tensor<?x?x8xf32>) -> tensor<?x?x8xi32> {
  %i, %w = weir.choose_tokens %l take(2 of 8) score(softmax)
      : tensor<?x?x8xf32> -> tensor<?x?x8xi32>, tensor<?x?x8xf32>
  return %i : tensor<?x?x8xi32>
}

// CHECK-LABEL: func.func @choose_tokens_of_lengths
// CHECK: weir.choose_tokens %{{.*}} lengths(%{{.*}} : tensor<3xi32>) take(1 of 1) score(raw)
func.func @choose_tokens_of_lengths(%l: tensor<3x7x1xf16>, %n: tensor<3xi32>)
    -> tensor<3x7x1xf16> {
  %i, %w = weir.choose_tokens %l lengths(%n : tensor<3xi32>) take(1 of 1)
      score(raw) : tensor<3x7x1xf16> -> tensor<3x7x1xi32>, tensor<3x7x1xf16>
  return %w : tensor<3x7x1xf16>
}

// CHECK-LABEL: func.func @experts_plain
// CHECK: weir.experts %{{.*}}, %{{.*}}, %{{.*}} params(%{{.*}} : tensor<8x6x4xf32>) : tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32> -> tensor<?x?x6xf32> {
// CHECK-NEXT: ^bb0(%[[ROWS:.*]]: tensor<?x4xf32>, %[[W:.*]]: tensor<6x4xf32>):
// CHECK-NEXT: weir.linear %[[ROWS]], %[[W]]
// CHECK-NEXT: weir.yield
func.func @experts_plain(%x: tensor<?x?x4xf32>, %i: tensor<?x?x2xi32>,
    %w: tensor<?x?x2xf32>, %p: tensor<8x6x4xf32>) -> tensor<?x?x6xf32> {
  %y = weir.experts %x, %i, %w params(%p : tensor<8x6x4xf32>)
      : tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32>
      -> tensor<?x?x6xf32> {
  ^bb0(%rows: tensor<?x4xf32>, %m: tensor<6x4xf32>):
    %z = weir.linear %rows, %m
        : tensor<?x4xf32>, tensor<6x4xf32> -> tensor<?x6xf32>
    weir.yield %z : tensor<?x6xf32>
  }
  return %y : tensor<?x?x6xf32>
}

// One token, weighed in front of its experts, with a schedule by hand.
// CHECK-LABEL: func.func @experts_all_parts
// CHECK: weir.experts
// CHECK-SAME: weigh_input schedule(<form = "columns", tiles = [], parallel = true>)
func.func @experts_all_parts(%x: tensor<1x1x4xf32>, %i: tensor<1x1x2xi32>,
    %w: tensor<1x1x2xf32>, %p: tensor<8x4xf32>) -> tensor<1x1x4xf32> {
  %y = weir.experts %x, %i, %w params(%p : tensor<8x4xf32>) weigh_input
      schedule(<form = "columns", tiles = [], parallel = true>)
      : tensor<1x1x4xf32>, tensor<1x1x2xi32>, tensor<1x1x2xf32>
      -> tensor<1x1x4xf32> {
  ^bb0(%rows: tensor<?x4xf32>, %s: tensor<4xf32>):
    weir.yield %rows : tensor<?x4xf32>
  }
  return %y : tensor<1x1x4xf32>
}

// CHECK-LABEL: func.func @list_tokens_plain
// CHECK: weir.list_tokens %{{[^ ]*}} : tensor<?x?x1xi32> -> tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>
func.func @list_tokens_plain(%i: tensor<?x?x1xi32>) -> tensor<?xi32> {
  %p, %r, %c = weir.list_tokens %i
      : tensor<?x?x1xi32> -> tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>
  return %c : tensor<?xi32>
}

// One token of three, rounded up, of rows of lengths of their own.
// CHECK-LABEL: func.func @list_tokens_all_parts
// CHECK: weir.list_tokens %{{.*}} lengths(%{{.*}} : tensor<2xi32>) take(1 of 3) : tensor<2x7x1xi32> -> tensor<2x3xi32>, tensor<2x7xi32>, tensor<2xi32>
func.func @list_tokens_all_parts(%i: tensor<2x7x1xi32>, %n: tensor<2xi32>)
    -> tensor<2x3xi32> {
  %p, %r, %c = weir.list_tokens %i lengths(%n : tensor<2xi32>) take(1 of 3)
      : tensor<2x7x1xi32> -> tensor<2x3xi32>, tensor<2x7xi32>, tensor<2xi32>
  return %p : tensor<2x3xi32>
}

// CHECK-LABEL: func.func @gather_tokens_heads
// CHECK: weir.gather_tokens %{{.*}}, %{{.*}} : tensor<?x?x2x4xf16>, tensor<?x?xi32> -> tensor<?x?x2x4xf16>
func.func @gather_tokens_heads(%x: tensor<?x?x2x4xf16>, %p: tensor<?x?xi32>)
    -> tensor<?x?x2x4xf16> {
  %y = weir.gather_tokens %x, %p
      : tensor<?x?x2x4xf16>, tensor<?x?xi32> -> tensor<?x?x2x4xf16>
  return %y : tensor<?x?x2x4xf16>
}

// CHECK-LABEL: func.func @gather_tokens_positions
// CHECK: weir.gather_tokens %{{.*}}, %{{.*}} : tensor<2x7xi32>, tensor<2x3xi32> -> tensor<2x3xi32>
func.func @gather_tokens_positions(%x: tensor<2x7xi32>, %p: tensor<2x3xi32>)
    -> tensor<2x3xi32> {
  %y = weir.gather_tokens %x, %p
      : tensor<2x7xi32>, tensor<2x3xi32> -> tensor<2x3xi32>
  return %y : tensor<2x3xi32>
}
