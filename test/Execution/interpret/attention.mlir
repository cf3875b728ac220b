// Keys are multiples of ln 2 and values rows of an identity matrix, so that a
// result shows its softmax weights: powers of two over their sum. Two queries
// and two keys a tile leave tails of one.
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
// Two parts of the keys, with a block each or one with two and one with one;
// and four, some of which have none.
// RUN: sed 's/form = "flash", tiles = .2, 2/form = "split", tiles = [2, 2, 2/' \
// RUN:   %s | weir-opt --weir-tile-block-maps --weir-lower-to-reference \
// RUN:       -one-shot-bufferize=bufferize-function-boundaries \
// RUN:       -scf-forall-to-for %lower_plainly | %run_main | FileCheck %s
// RUN: sed 's/form = "flash", tiles = .2, 2/form = "split", tiles = [2, 1, 4/' \
// RUN:   %s | weir-opt --weir-tile-block-maps --weir-lower-to-reference \
// RUN:       -one-shot-bufferize=bufferize-function-boundaries \
// RUN:       -scf-forall-to-for %lower_plainly | %run_main | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)

func.func private @causal(%q: tensor<?x?x1x2xf32>, %k: tensor<?x?x1x2xf32>,
                          %v: tensor<?x?x1x3xf32>) -> tensor<?x?x1x3xf32> {
  %0 = weir.attention %q, %k, %v mask(<causal>) scale(0.5)
      schedule(<form = "flash", tiles = [2, 2]>)
      : tensor<?x?x1x2xf32>, tensor<?x?x1x2xf32>, tensor<?x?x1x3xf32>
        -> tensor<?x?x1x3xf32>
  return %0 : tensor<?x?x1x3xf32>
}

func.func private @window(%q: tensor<?x?x1x2xf32>, %k: tensor<?x?x1x2xf32>,
                          %v: tensor<?x?x1x3xf32>) -> tensor<?x?x1x3xf32> {
  %0 = weir.attention %q, %k, %v mask(<causal and window<2>>) scale(0.5)
      schedule(<form = "flash", tiles = [2, 2]>)
      : tensor<?x?x1x2xf32>, tensor<?x?x1x2xf32>, tensor<?x?x1x3xf32>
        -> tensor<?x?x1x3xf32>
  return %0 : tensor<?x?x1x3xf32>
}

func.func private @later_keys(%q: tensor<?x?x1x2xf32>, %k: tensor<?x?x1x2xf32>,
                              %v: tensor<?x?x1x3xf32>)
    -> tensor<?x?x1x3xf32> {
  %0 = weir.attention %q, %k, %v mask(<not causal>) scale(0.5)
      schedule(<form = "flash", tiles = [2, 2]>)
      : tensor<?x?x1x2xf32>, tensor<?x?x1x2xf32>, tensor<?x?x1x3xf32>
        -> tensor<?x?x1x3xf32>
  return %0 : tensor<?x?x1x3xf32>
}

func.func private @key_lengths(%q: tensor<?x?x1x2xf32>, %k: tensor<?x?x1x2xf32>,
                               %v: tensor<?x?x1x3xf32>, %n: tensor<?xi32>)
    -> tensor<?x?x1x3xf32> {
  %0 = weir.attention %q, %k, %v mask(<full>) scale(0.5)
      key_lengths(%n : tensor<?xi32>)
      schedule(<form = "flash", tiles = [2, 2]>)
      : tensor<?x?x1x2xf32>, tensor<?x?x1x2xf32>, tensor<?x?x1x3xf32>
        -> tensor<?x?x1x3xf32>
  return %0 : tensor<?x?x1x3xf32>
}

func.func private @score(%q: tensor<?x?x1x2xf32>, %k: tensor<?x?x1x2xf32>,
                         %v: tensor<?x?x1x3xf32>) -> tensor<?x?x1x3xf32> {
  %ln2 = arith.constant 0.693147181 : f32
  %0 = weir.attention %q, %k, %v mask(<causal>) scale(0.0)
      schedule(<form = "flash", tiles = [2, 2]>) score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    %behind = arith.subi %i, %j : index
    %cast = arith.index_cast %behind : index to i32
    %distance = arith.sitofp %cast : i32 to f32
    %slope = arith.mulf %distance, %ln2 : f32
    %biased = arith.subf %s, %slope : f32
    weir.yield %biased : f32
  } : tensor<?x?x1x2xf32>, tensor<?x?x1x2xf32>, tensor<?x?x1x3xf32>
      -> tensor<?x?x1x3xf32>
  return %0 : tensor<?x?x1x3xf32>
}

func.func private @grouped_heads(%q: tensor<?x?x4x1xf32>,
                                 %k: tensor<?x?x2x1xf32>,
                                 %v: tensor<?x?x2x2xf32>)
    -> tensor<?x?x4x2xf32> {
  %0 = weir.attention %q, %k, %v mask(<full>) scale(1.0)
      schedule(<form = "flash", tiles = [2, 2]>)
      : tensor<?x?x4x1xf32>, tensor<?x?x2x1xf32>, tensor<?x?x2x2xf32>
        -> tensor<?x?x4x2xf32>
  return %0 : tensor<?x?x4x2xf32>
}

func.func private @offset(%q: tensor<?x?x1x1xf32>, %k: tensor<?x?x1x1xf32>,
                          %v: tensor<?x?x1x4xf32>, %o: tensor<?xi32>)
    -> tensor<?x?x1x4xf32> {
  %0 = weir.attention %q, %k, %v mask(<causal and window<3>>) scale(1.0)
      offset(%o : tensor<?xi32>) schedule(<form = "flash", tiles = [2, 2]>)
      : tensor<?x?x1x1xf32>, tensor<?x?x1x1xf32>, tensor<?x?x1x4xf32>
        -> tensor<?x?x1x4xf32>
  return %0 : tensor<?x?x1x4xf32>
}

func.func private @sinks(%q: tensor<?x?x4x1xf32>, %k: tensor<?x?x2x1xf32>,
                         %v: tensor<?x?x2x2xf32>, %s: tensor<4xf32>)
    -> tensor<?x?x4x2xf32> {
  %0 = weir.attention %q, %k, %v mask(<full>) scale(1.0)
      sinks(%s : tensor<4xf32>) schedule(<form = "flash", tiles = [2, 2]>)
      : tensor<?x?x4x1xf32>, tensor<?x?x2x1xf32>, tensor<?x?x2x2xf32>
        -> tensor<?x?x4x2xf32>
  return %0 : tensor<?x?x4x2xf32>
}

func.func private @sink_of_later_keys(%q: tensor<?x?x1x2xf32>,
    %k: tensor<?x?x1x2xf32>, %v: tensor<?x?x1x3xf32>, %s: tensor<1xf32>)
    -> tensor<?x?x1x3xf32> {
  %0 = weir.attention %q, %k, %v mask(<not causal>) scale(0.5)
      sinks(%s : tensor<1xf32>) schedule(<form = "flash", tiles = [2, 2]>)
      : tensor<?x?x1x2xf32>, tensor<?x?x1x2xf32>, tensor<?x?x1x3xf32>
        -> tensor<?x?x1x3xf32>
  return %0 : tensor<?x?x1x3xf32>
}

func.func @main() {
  %q3 = arith.constant dense<[[[[2.0, 0.0]], [[2.0, 0.0]], [[2.0, 0.0]]]]>
      : tensor<1x3x1x2xf32>
  %k3 = arith.constant dense<[[[[0.0, 9.0]], [[0.693147181, 9.0]],
                               [[1.386294361, 9.0]]]]> : tensor<1x3x1x2xf32>
  %v3 = arith.constant dense<[[[[1.0, 0.0, 0.0]], [[0.0, 1.0, 0.0]],
                               [[0.0, 0.0, 1.0]]]]> : tensor<1x3x1x3xf32>
  %q = tensor.cast %q3 : tensor<1x3x1x2xf32> to tensor<?x?x1x2xf32>
  %k = tensor.cast %k3 : tensor<1x3x1x2xf32> to tensor<?x?x1x2xf32>
  %v = tensor.cast %v3 : tensor<1x3x1x3xf32> to tensor<?x?x1x3xf32>

  // Keys weigh 1, 2 and 4.
  // CHECK: sizes = [1, 3, 1, 3]
  // CHECK-NEXT: {{\[}}1, 0, 0]
  // CHECK-NEXT: {{\[}}0.333333, 0.666667, 0]
  // CHECK-NEXT: {{\[}}0.142857, 0.285714, 0.571429]
  %causal = call @causal(%q, %k, %v)
      : (tensor<?x?x1x2xf32>, tensor<?x?x1x2xf32>, tensor<?x?x1x3xf32>)
        -> tensor<?x?x1x3xf32>
  %u0 = tensor.cast %causal : tensor<?x?x1x3xf32> to tensor<*xf32>
  call @printMemrefF32(%u0) : (tensor<*xf32>) -> ()

  // CHECK: sizes = [1, 3, 1, 3]
  // CHECK-NEXT: {{\[}}1, 0, 0]
  // CHECK-NEXT: {{\[}}0.333333, 0.666667, 0]
  // CHECK-NEXT: {{\[}}0, 0.333333, 0.666667]
  %window = call @window(%q, %k, %v)
      : (tensor<?x?x1x2xf32>, tensor<?x?x1x2xf32>, tensor<?x?x1x3xf32>)
        -> tensor<?x?x1x3xf32>
  %u1 = tensor.cast %window : tensor<?x?x1x3xf32> to tensor<*xf32>
  call @printMemrefF32(%u1) : (tensor<*xf32>) -> ()

  // attention_c5: the last query sees no key.
  // CHECK: sizes = [1, 3, 1, 3]
  // CHECK-NEXT: {{\[}}0, 0.333333, 0.666667]
  // CHECK-NEXT: {{\[}}0, 0, 1]
  // CHECK-NEXT: {{\[}}0, 0, 0]
  %later = call @later_keys(%q, %k, %v)
      : (tensor<?x?x1x2xf32>, tensor<?x?x1x2xf32>, tensor<?x?x1x3xf32>)
        -> tensor<?x?x1x3xf32>
  %u2 = tensor.cast %later : tensor<?x?x1x3xf32> to tensor<*xf32>
  call @printMemrefF32(%u2) : (tensor<*xf32>) -> ()

  // attention_c4: two keys, then none.
  // CHECK: sizes = [1, 3, 1, 3]
  // CHECK-COUNT-3: {{\[}}0.333333, 0.666667, 0]
  // CHECK: sizes = [1, 3, 1, 3]
  // CHECK-COUNT-3: {{\[}}0, 0, 0]
  %two = arith.constant dense<[2]> : tensor<1xi32>
  %n2 = tensor.cast %two : tensor<1xi32> to tensor<?xi32>
  %some = call @key_lengths(%q, %k, %v, %n2)
      : (tensor<?x?x1x2xf32>, tensor<?x?x1x2xf32>, tensor<?x?x1x3xf32>,
         tensor<?xi32>) -> tensor<?x?x1x3xf32>
  %u3 = tensor.cast %some : tensor<?x?x1x3xf32> to tensor<*xf32>
  call @printMemrefF32(%u3) : (tensor<*xf32>) -> ()
  %zero = arith.constant dense<[0]> : tensor<1xi32>
  %n0 = tensor.cast %zero : tensor<1xi32> to tensor<?xi32>
  %none = call @key_lengths(%q, %k, %v, %n0)
      : (tensor<?x?x1x2xf32>, tensor<?x?x1x2xf32>, tensor<?x?x1x3xf32>,
         tensor<?xi32>) -> tensor<?x?x1x3xf32>
  %u4 = tensor.cast %none : tensor<?x?x1x3xf32> to tensor<*xf32>
  call @printMemrefF32(%u4) : (tensor<*xf32>) -> ()

  // Each position behind halves the weight.
  // CHECK: sizes = [1, 3, 1, 3]
  // CHECK-NEXT: {{\[}}1, 0, 0]
  // CHECK-NEXT: {{\[}}0.333333, 0.666667, 0]
  // CHECK-NEXT: {{\[}}0.142857, 0.285714, 0.571429]
  %score = call @score(%q, %k, %v)
      : (tensor<?x?x1x2xf32>, tensor<?x?x1x2xf32>, tensor<?x?x1x3xf32>)
        -> tensor<?x?x1x3xf32>
  %u5 = tensor.cast %score : tensor<?x?x1x3xf32> to tensor<*xf32>
  call @printMemrefF32(%u5) : (tensor<*xf32>) -> ()

  // Key head 0 has keys 0 and ln 2, key head 1 has 0 and 2 ln 2; queries are 1
  // and -1 in turn.
  // CHECK: sizes = [1, 1, 4, 2]
  // CHECK-NEXT: {{\[}}0.333333, 0.666667]
  // CHECK-NEXT: {{\[}}0.666667, 0.333333]
  // CHECK-NEXT: {{\[}}0.2, 0.8]
  // CHECK-NEXT: {{\[}}0.8, 0.2]
  %qh = arith.constant dense<[[[[1.0], [-1.0], [1.0], [-1.0]]]]>
      : tensor<1x1x4x1xf32>
  %kh = arith.constant dense<[[[[0.0], [0.0]], [[0.693147181], [1.386294361]]]]>
      : tensor<1x2x2x1xf32>
  %vh = arith.constant dense<[[[[1.0, 0.0], [1.0, 0.0]],
                               [[0.0, 1.0], [0.0, 1.0]]]]>
      : tensor<1x2x2x2xf32>
  %qg = tensor.cast %qh : tensor<1x1x4x1xf32> to tensor<?x?x4x1xf32>
  %kg = tensor.cast %kh : tensor<1x2x2x1xf32> to tensor<?x?x2x1xf32>
  %vg = tensor.cast %vh : tensor<1x2x2x2xf32> to tensor<?x?x2x2xf32>
  %grouped = call @grouped_heads(%qg, %kg, %vg)
      : (tensor<?x?x4x1xf32>, tensor<?x?x2x1xf32>, tensor<?x?x2x2xf32>)
        -> tensor<?x?x4x2xf32>
  %u6 = tensor.cast %grouped : tensor<?x?x4x2xf32> to tensor<*xf32>
  call @printMemrefF32(%u6) : (tensor<*xf32>) -> ()

  // The same with sinks of weight 1, 1/2, 5 and 3/4; the third is above all
  // keys.
  // CHECK: sizes = [1, 1, 4, 2]
  // CHECK-NEXT: {{\[}}0.25, 0.5]
  // CHECK-NEXT: {{\[}}0.5, 0.25]
  // CHECK-NEXT: {{\[}}0.1, 0.4]
  // CHECK-NEXT: {{\[}}0.5, 0.125]
  %s4 = arith.constant dense<[0.0, -0.693147181, 1.609437912, -0.287682072]>
      : tensor<4xf32>
  %sunk = call @sinks(%qg, %kg, %vg, %s4)
      : (tensor<?x?x4x1xf32>, tensor<?x?x2x1xf32>, tensor<?x?x2x2xf32>,
         tensor<4xf32>) -> tensor<?x?x4x2xf32>
  %u8 = tensor.cast %sunk : tensor<?x?x4x2xf32> to tensor<*xf32>
  call @printMemrefF32(%u8) : (tensor<*xf32>) -> ()

  // A sink of weight 2 beside later keys, of which the last query has none.
  // CHECK: sizes = [1, 3, 1, 3]
  // CHECK-NEXT: {{\[}}0, 0.25, 0.5]
  // CHECK-NEXT: {{\[}}0, 0, 0.666667]
  // CHECK-NEXT: {{\[}}0, 0, 0]
  %s1 = arith.constant dense<[0.693147181]> : tensor<1xf32>
  %late = call @sink_of_later_keys(%q, %k, %v, %s1)
      : (tensor<?x?x1x2xf32>, tensor<?x?x1x2xf32>, tensor<?x?x1x3xf32>,
         tensor<1xf32>) -> tensor<?x?x1x3xf32>
  %u9 = tensor.cast %late : tensor<?x?x1x3xf32> to tensor<*xf32>
  call @printMemrefF32(%u9) : (tensor<*xf32>) -> ()

  // A buffer of four places, two queries a row, windows of three positions.
  // Row 0 has seen one position: places 0 to 2 hold 0 to 2, place 3 nothing.
  // Row 1 has seen five and gone round: places hold 4, 5, 6, 3, and the query
  // at 5 sees 3 to 5, the one at 6 sees 4 to 6.
  // CHECK: sizes = [2, 2, 1, 4]
  // CHECK-NEXT: {{\[}}0.333333, 0.666667, 0, 0]
  // CHECK-NEXT: {{\[}}0.142857, 0.285714, 0.571429, 0]
  // CHECK: {{\[}}0.0909091, 0.181818, 0, 0.727273]
  // CHECK-NEXT: {{\[}}0.142857, 0.285714, 0.571429, 0]
  %qr = arith.constant dense<1.0> : tensor<2x2x1x1xf32>
  %kr = arith.constant dense<[
      [[[0.0]], [[0.693147181]], [[1.386294361]], [[2.079441542]]],
      [[[0.0]], [[0.693147181]], [[1.386294361]], [[2.079441542]]]]>
      : tensor<2x4x1x1xf32>
  %vr = arith.constant dense<[
      [[[1.0, 0.0, 0.0, 0.0]], [[0.0, 1.0, 0.0, 0.0]],
       [[0.0, 0.0, 1.0, 0.0]], [[0.0, 0.0, 0.0, 1.0]]],
      [[[1.0, 0.0, 0.0, 0.0]], [[0.0, 1.0, 0.0, 0.0]],
       [[0.0, 0.0, 1.0, 0.0]], [[0.0, 0.0, 0.0, 1.0]]]]>
      : tensor<2x4x1x4xf32>
  %or = arith.constant dense<[1, 5]> : tensor<2xi32>
  %qo = tensor.cast %qr : tensor<2x2x1x1xf32> to tensor<?x?x1x1xf32>
  %ko = tensor.cast %kr : tensor<2x4x1x1xf32> to tensor<?x?x1x1xf32>
  %vo = tensor.cast %vr : tensor<2x4x1x4xf32> to tensor<?x?x1x4xf32>
  %oo = tensor.cast %or : tensor<2xi32> to tensor<?xi32>
  %offset = call @offset(%qo, %ko, %vo, %oo)
      : (tensor<?x?x1x1xf32>, tensor<?x?x1x1xf32>, tensor<?x?x1x4xf32>,
         tensor<?xi32>) -> tensor<?x?x1x4xf32>
  %u7 = tensor.cast %offset : tensor<?x?x1x4xf32> to tensor<*xf32>
  call @printMemrefF32(%u7) : (tensor<*xf32>) -> ()
  return
}
