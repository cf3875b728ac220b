// Experts that multiply rows by powers of ten, which show the terms of a sum:
// dropped tokens, experts without tokens, all tokens at one expert, every
// expert chosen, and weights in front of the body. Sorted rows in blocks of
// two, cut into three parts, give what the definition does, and so do blocks of
// two rows of one expert on a grid.
//
// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference --weir-carry-in-place \
// RUN:     %lower_plainly | %run_main | FileCheck %s
// RUN: weir-opt %s --weir-lower-pointwise --weir-carry-in-place \
// RUN:     -one-shot-bufferize=bufferize-function-boundaries \
// RUN:     -scf-forall-to-for %lower_plainly | %run_main | FileCheck %s
// RUN: sed 's/"grouped", tiles = \[2, 3\]/"grid", tiles = [2]/' %s \
// RUN:   | weir-opt --weir-lower-pointwise --weir-carry-in-place \
// RUN:     -one-shot-bufferize=bufferize-function-boundaries \
// RUN:     -scf-forall-to-for %lower_plainly | %run_main | FileCheck %s

#rows = affine_map<(n, d) -> (n, d)>
#one = affine_map<(n, d) -> (d)>

func.func private @printMemrefF32(tensor<*xf32>)

func.func private @run(%x: tensor<?x?x2xf32>, %i: tensor<?x?x3xi32>,
    %w: tensor<?x?x3xf32>, %p: tensor<3x2xf32>) {
  %y = weir.experts %x, %i, %w params(%p : tensor<3x2xf32>)
      schedule(<form = "grouped", tiles = [2, 3]>)
      : tensor<?x?x2xf32>, tensor<?x?x3xi32>, tensor<?x?x3xf32>
      -> tensor<?x?x2xf32> {
  ^bb0(%rows: tensor<?x2xf32>, %s: tensor<2xf32>):
    %c0 = arith.constant 0 : index
    %n = tensor.dim %rows, %c0 : tensor<?x2xf32>
    %e = tensor.empty(%n) : tensor<?x2xf32>
    %z = linalg.generic {indexing_maps = [#rows, #one, #rows],
        iterator_types = ["parallel", "parallel"]}
        ins(%rows, %s : tensor<?x2xf32>, tensor<2xf32>)
        outs(%e : tensor<?x2xf32>) {
    ^bb1(%a: f32, %b: f32, %o: f32):
      %m = arith.mulf %a, %b : f32
      linalg.yield %m : f32
    } -> tensor<?x2xf32>
    weir.yield %z : tensor<?x2xf32>
  }
  %yu = tensor.cast %y : tensor<?x?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%yu) : (tensor<*xf32>) -> ()
  return
}

// The body is not linear, so that it matters what is weighed.
func.func private @weighed(%x: tensor<?x?x2xf32>, %i: tensor<?x?x3xi32>,
    %w: tensor<?x?x3xf32>, %p: tensor<3x2xf32>) {
  %y = weir.experts %x, %i, %w params(%p : tensor<3x2xf32>) weigh_input
      : tensor<?x?x2xf32>, tensor<?x?x3xi32>, tensor<?x?x3xf32>
      -> tensor<?x?x2xf32> {
  ^bb0(%rows: tensor<?x2xf32>, %s: tensor<2xf32>):
    %c0 = arith.constant 0 : index
    %n = tensor.dim %rows, %c0 : tensor<?x2xf32>
    %e = tensor.empty(%n) : tensor<?x2xf32>
    %z = linalg.generic {indexing_maps = [#rows, #one, #rows],
        iterator_types = ["parallel", "parallel"]}
        ins(%rows, %s : tensor<?x2xf32>, tensor<2xf32>)
        outs(%e : tensor<?x2xf32>) {
    ^bb1(%a: f32, %b: f32, %o: f32):
      %q = arith.mulf %a, %a : f32
      %m = arith.mulf %q, %b : f32
      linalg.yield %m : f32
    } -> tensor<?x2xf32>
    weir.yield %z : tensor<?x2xf32>
  }
  %yu = tensor.cast %y : tensor<?x?x2xf32> to tensor<*xf32>
  call @printMemrefF32(%yu) : (tensor<*xf32>) -> ()
  return
}

func.func @main() {
  %p = arith.constant dense<[[1.0, 1.0], [10.0, 10.0], [100.0, 100.0]]>
      : tensor<3x2xf32>
  %x = arith.constant dense<[[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]>
      : tensor<2x2x2xf32>
  %w = arith.constant dense<[[[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]],
      [[1.0, 1.0, 1.0], [0.5, 1.0, 1.0]]]> : tensor<2x2x3xf32>
  %xd = tensor.cast %x : tensor<2x2x2xf32> to tensor<?x?x2xf32>
  %wd = tensor.cast %w : tensor<2x2x3xf32> to tensor<?x?x3xf32>

  // Every expert in any order; an expert twice; no expert but one; none.
  // CHECK: sizes = [2, 2, 2]
  // CHECK: 321,   642
  // CHECK: 36,   48
  // CHECK: 50,   60
  // CHECK: 0,   0
  %i = arith.constant dense<[[[0, 1, 2], [1, 0, 0]], [[-1, 1, 3], [-1, 7, 3]]]>
      : tensor<2x2x3xi32>
  %id = tensor.cast %i : tensor<2x2x3xi32> to tensor<?x?x3xi32>
  call @run(%xd, %id, %wd, %p) : (tensor<?x?x2xf32>, tensor<?x?x3xi32>,
    tensor<?x?x3xf32>, tensor<3x2xf32>) -> ()

  // The rows of the batch in another order give rows in that order.
  // CHECK: sizes = [2, 2, 2]
  // CHECK: 50,   60
  // CHECK: 0,   0
  // CHECK: 321,   642
  // CHECK: 36,   48
  %xs = arith.constant dense<[[[5.0, 6.0], [7.0, 8.0]], [[1.0, 2.0], [3.0, 4.0]]]>
      : tensor<2x2x2xf32>
  %ws = arith.constant dense<[[[1.0, 1.0, 1.0], [0.5, 1.0, 1.0]],
      [[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]]]> : tensor<2x2x3xf32>
  %is = arith.constant dense<[[[-1, 1, 3], [-1, 7, 3]], [[0, 1, 2], [1, 0, 0]]]>
      : tensor<2x2x3xi32>
  %xsd = tensor.cast %xs : tensor<2x2x2xf32> to tensor<?x?x2xf32>
  %wsd = tensor.cast %ws : tensor<2x2x3xf32> to tensor<?x?x3xf32>
  %isd = tensor.cast %is : tensor<2x2x3xi32> to tensor<?x?x3xi32>
  call @run(%xsd, %isd, %wsd, %p) : (tensor<?x?x2xf32>, tensor<?x?x3xi32>,
    tensor<?x?x3xf32>, tensor<3x2xf32>) -> ()

  // All tokens to the middle expert, which has twelve rows.
  // CHECK: sizes = [2, 2, 2]
  // CHECK: 60,   120
  // CHECK: 90,   120
  // CHECK: 150,   180
  // CHECK: 175,   200
  %m = arith.constant dense<1> : tensor<2x2x3xi32>
  %md = tensor.cast %m : tensor<2x2x3xi32> to tensor<?x?x3xi32>
  call @run(%xd, %md, %wd, %p) : (tensor<?x?x2xf32>, tensor<?x?x3xi32>,
    tensor<?x?x3xf32>, tensor<3x2xf32>) -> ()

  // No tokens.
  // CHECK: sizes = [2, 0, 2]
  %none = tensor.empty() : tensor<2x0x2xf32>
  %noneI = tensor.empty() : tensor<2x0x3xi32>
  %noneW = tensor.empty() : tensor<2x0x3xf32>
  %noned = tensor.cast %none : tensor<2x0x2xf32> to tensor<?x?x2xf32>
  %noneId = tensor.cast %noneI : tensor<2x0x3xi32> to tensor<?x?x3xi32>
  %noneWd = tensor.cast %noneW : tensor<2x0x3xf32> to tensor<?x?x3xf32>
  call @run(%noned, %noneId, %noneWd, %p) : (tensor<?x?x2xf32>,
    tensor<?x?x3xi32>, tensor<?x?x3xf32>, tensor<3x2xf32>) -> ()

  // Squares of what is weighed: 1 + 10 * 4 + 100 * 9 times the square.
  // CHECK: sizes = [2, 2, 2]
  // CHECK: 941,   3764
  // CHECK: 108,   192
  // CHECK: 250,   360
  // CHECK: 0,   0
  call @weighed(%xd, %id, %wd, %p) : (tensor<?x?x2xf32>, tensor<?x?x3xi32>,
    tensor<?x?x3xf32>, tensor<3x2xf32>) -> ()
  return
}
