// RUN: weir-opt %s -canonicalize | FileCheck %s

// Bands of positions merge into the shortest text; what is no band stays behind
// them. Extents are dynamic, so that only the masks themselves count.

// CHECK-LABEL: func.func @masks
// CHECK: mask(<causal>)
// CHECK: mask(<causal>)
// CHECK: mask(<full>)
// CHECK: mask(<causal>)
// CHECK: mask(<causal and window<4>>)
// CHECK: mask(<causal and window<4>>)
// CHECK: mask(<causal and window<3>>)
// CHECK: mask(<window<4>>)
// CHECK: mask(<window<2, 5>>)
// CHECK: mask(<causal or window<0, 4>>)
// CHECK: mask(<causal and window<4> and not window<2, 2>>)
// CHECK: mask(<not full>)
// CHECK: mask(<full>)
// CHECK: mask(<not (causal or window<0, 3>)>)
func.func @masks(%q: tensor<?x?x2x4xf32>)
    -> (tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>,
        tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>,
        tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>,
        tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>,
        tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>) {
  %0 = weir.attention %q, %q, %q mask(<full and causal>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  %1 = weir.attention %q, %q, %q mask(<causal and causal>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  %2 = weir.attention %q, %q, %q mask(<full or window<3>>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  %3 = weir.attention %q, %q, %q mask(<not not causal>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  %4 = weir.attention %q, %q, %q mask(<window<4> and causal>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  %5 = weir.attention %q, %q, %q mask(<window<3, 0>>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  %6 = weir.attention %q, %q, %q mask(<causal and window<5, 5> and window<3>>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  %7 = weir.attention %q, %q, %q mask(<window<4> or window<2, 9>>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  %8 = weir.attention %q, %q, %q mask(<window<2, 3> or window<1, 5>>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  %9 = weir.attention %q, %q, %q mask(<causal or window<4, 4>>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  %10 = weir.attention %q, %q, %q mask(<not window<2, 2> and (window<4> and causal)>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  %11 = weir.attention %q, %q, %q mask(<causal and not causal>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  %12 = weir.attention %q, %q, %q mask(<window<3> or not window<3>>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  %13 = weir.attention %q, %q, %q mask(<not (causal or window<7, 3>)>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>,
        tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>,
        tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>,
        tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>,
        tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
}

// Windows no narrower than the tensors hide nothing, and one less wide does.

// CHECK-LABEL: func.func @static_extents
// CHECK: mask(<causal>)
// CHECK: mask(<causal and window<4>>)
// CHECK: mask(<full>)
// CHECK: mask(<window<4>>)
func.func @static_extents(%q: tensor<?x5x2x4xf32>, %k: tensor<?x7x2x4xf32>)
    -> (tensor<?x5x2x4xf32>, tensor<?x5x2x4xf32>, tensor<?x5x2x4xf32>,
        tensor<?x5x2x4xf32>) {
  %0 = weir.attention %q, %k, %k mask(<causal and window<5>>) scale(0.5)
      : tensor<?x5x2x4xf32>, tensor<?x7x2x4xf32>, tensor<?x7x2x4xf32>
        -> tensor<?x5x2x4xf32>
  %1 = weir.attention %q, %k, %k mask(<causal and window<4>>) scale(0.5)
      : tensor<?x5x2x4xf32>, tensor<?x7x2x4xf32>, tensor<?x7x2x4xf32>
        -> tensor<?x5x2x4xf32>
  %2 = weir.attention %q, %k, %k mask(<window<4, 6>>) scale(0.5)
      : tensor<?x5x2x4xf32>, tensor<?x7x2x4xf32>, tensor<?x7x2x4xf32>
        -> tensor<?x5x2x4xf32>
  %3 = weir.attention %q, %k, %k mask(<window<3, 6>>) scale(0.5)
      : tensor<?x5x2x4xf32>, tensor<?x7x2x4xf32>, tensor<?x7x2x4xf32>
        -> tensor<?x5x2x4xf32>
  return %0, %1, %2, %3 : tensor<?x5x2x4xf32>, tensor<?x5x2x4xf32>,
      tensor<?x5x2x4xf32>, tensor<?x5x2x4xf32>
}

// The newest key of a buffer is the last query's own: a single query sees no
// later one, and several do.

// CHECK-LABEL: func.func @offset_one_query
// CHECK: mask(<full>)
// CHECK: mask(<window<8>>)
func.func @offset_one_query(%q: tensor<?x1x2x4xf32>, %k: tensor<?x?x2x4xf32>,
                            %o: tensor<?xi32>)
    -> (tensor<?x1x2x4xf32>, tensor<?x1x2x4xf32>) {
  %0 = weir.attention %q, %k, %k mask(<causal>) scale(0.5)
      offset(%o : tensor<?xi32>)
      : tensor<?x1x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x1x2x4xf32>
  %1 = weir.attention %q, %k, %k mask(<causal and window<8>>) scale(0.5)
      offset(%o : tensor<?xi32>)
      : tensor<?x1x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x1x2x4xf32>
  return %0, %1 : tensor<?x1x2x4xf32>, tensor<?x1x2x4xf32>
}

// CHECK-LABEL: func.func @offset_two_queries
// CHECK: mask(<causal>)
func.func @offset_two_queries(%q: tensor<?x2x2x4xf32>, %k: tensor<?x?x2x4xf32>,
                              %o: tensor<?xi32>) -> tensor<?x2x2x4xf32> {
  %0 = weir.attention %q, %k, %k mask(<causal>) scale(0.5)
      offset(%o : tensor<?xi32>)
      : tensor<?x2x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x2x2x4xf32>
  return %0 : tensor<?x2x2x4xf32>
}

// A region that changes no score goes; of narrow floats it rounds them.

// CHECK-LABEL: func.func @score_idle_f32
// CHECK-NOT: score
// CHECK-LABEL: func.func @score_rounds_bf16
// CHECK: score
func.func @score_idle_f32(%q: tensor<?x?x2x4xf32>) -> tensor<?x?x2x4xf32> {
  %0 = weir.attention %q, %q, %q mask(<full>) scale(0.5) score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    weir.yield %s : f32
  } : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
      -> tensor<?x?x2x4xf32>
  return %0 : tensor<?x?x2x4xf32>
}
func.func @score_rounds_bf16(%q: tensor<?x?x2x4xbf16>)
    -> tensor<?x?x2x4xbf16> {
  %0 = weir.attention %q, %q, %q mask(<full>) scale(0.5) score {
  ^bb0(%s: bf16, %b: index, %h: index, %i: index, %j: index):
    weir.yield %s : bf16
  } : tensor<?x?x2x4xbf16>, tensor<?x?x2x4xbf16>, tensor<?x?x2x4xbf16>
      -> tensor<?x?x2x4xbf16>
  return %0 : tensor<?x?x2x4xbf16>
}

// Row by row: an offset of 0 into a buffer as long as the block, the same into
// a longer one; lengths that hide nothing, and that hide the last key.

// CHECK-LABEL: func.func @constant_rows
// CHECK: weir.attention
// CHECK-NOT: offset
// CHECK: weir.attention {{.*}} offset(
// CHECK: weir.attention
// CHECK-NOT: key_lengths
// CHECK: weir.attention {{.*}} key_lengths(
func.func @constant_rows(%q: tensor<2x3x2x4xf32>, %k: tensor<2x4x2x4xf32>)
    -> (tensor<2x3x2x4xf32>, tensor<2x3x2x4xf32>, tensor<2x3x2x4xf32>,
        tensor<2x3x2x4xf32>) {
  %zero = arith.constant dense<0> : tensor<2xi32>
  %long = arith.constant dense<[4, 9]> : tensor<2xi32>
  %short = arith.constant dense<[4, 3]> : tensor<2xi32>
  %0 = weir.attention %q, %q, %q mask(<causal>) scale(0.5)
      offset(%zero : tensor<2xi32>)
      : tensor<2x3x2x4xf32>, tensor<2x3x2x4xf32>, tensor<2x3x2x4xf32>
        -> tensor<2x3x2x4xf32>
  %1 = weir.attention %q, %k, %k mask(<causal>) scale(0.5)
      offset(%zero : tensor<2xi32>)
      : tensor<2x3x2x4xf32>, tensor<2x4x2x4xf32>, tensor<2x4x2x4xf32>
        -> tensor<2x3x2x4xf32>
  %2 = weir.attention %q, %k, %k mask(<causal>) scale(0.5)
      key_lengths(%long : tensor<2xi32>)
      : tensor<2x3x2x4xf32>, tensor<2x4x2x4xf32>, tensor<2x4x2x4xf32>
        -> tensor<2x3x2x4xf32>
  %3 = weir.attention %q, %k, %k mask(<causal>) scale(0.5)
      key_lengths(%short : tensor<2xi32>)
      : tensor<2x3x2x4xf32>, tensor<2x4x2x4xf32>, tensor<2x4x2x4xf32>
        -> tensor<2x3x2x4xf32>
  return %0, %1, %2, %3 : tensor<2x3x2x4xf32>, tensor<2x3x2x4xf32>,
      tensor<2x3x2x4xf32>, tensor<2x3x2x4xf32>
}

// A condition that always holds is none.
// CHECK-LABEL: func.func @idle_where
// CHECK: weir.attention
// CHECK-NOT: where
// CHECK: return
func.func @idle_where(%q: tensor<?x?x2x4xf32>) -> tensor<?x?x2x4xf32> {
  %0 = weir.attention %q, %q, %q mask(<causal>) scale(0.5) where {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %yes = arith.constant true
    weir.yield %yes : i1
  } : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
      -> tensor<?x?x2x4xf32>
  return %0 : tensor<?x?x2x4xf32>
}

// Bands beside other leaves merge, and these stay.
// CHECK-LABEL: func.func @leaves
// CHECK: mask(<causal and window<8> and chunk<4>>)
func.func @leaves(%q: tensor<?x?x2x4xf32>) -> tensor<?x?x2x4xf32> {
  %0 = weir.attention %q, %q, %q
      mask(<window<8> and (chunk<4> and chunk<4> and causal)>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %0 : tensor<?x?x2x4xf32>
}
