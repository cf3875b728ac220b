// The model counts how often each token stood in the row so far and prefers the
// rarest, of equals the lowest: what it says depends on the whole past.
// generate_c7: the whole-sequence function and the step derived from it give
// the same tokens.
//
// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference --weir-carry-in-place \
// RUN:     %lower_plainly | %run_main | FileCheck %s
// RUN: weir-opt %s --weir-derive-streaming --weir-lower-to-reference \
// RUN:     --weir-carry-in-place %lower_plainly | grep -v '^ *weir.slot @' \
// RUN:   | %run_main | FileCheck %s
// RUN: weir-opt %s --weir-derive-streaming | FileCheck %s --check-prefix=STEP
// RUN: weir-opt %s --weir-lower-to-reference \
// RUN:   | FileCheck %s --check-prefix=ROUND

// Behind the end of all rows nothing is computed.
// ROUND-LABEL: func.func @main
// ROUND: scf.for {{.*}} iter_args(%{{[^ ]+}} = %{{[^ ]+}}, %{{[^ ]+}} = %{{[^ ]+}}, %[[LIVE:[^ ]+]] = %{{[^ )]+}})
// ROUND: %[[COUNT:.*]] = scf.for
// ROUND-NEXT: tensor.extract %[[LIVE]][
// ROUND: scf.index_switch %[[COUNT]]
// ROUND-NEXT: case 0 {
// ROUND-NEXT: scf.yield
// ROUND: default {
// ROUND-NEXT: call @forward(

// STEP-LABEL: func.func @main
// STEP: weir.generate @extend_last(
// STEP: weir.generate @extend_last(

func.func private @printMemrefI32(tensor<*xi32>)

func.func @forward(%ids: tensor<?x?xi32> {weir.name = "input_ids"},
                   %n: tensor<?xi32> {weir.name = "lengths",
                                      weir.role = "lengths"})
    -> (tensor<?x?x4xf32> {weir.name = "logits"})
    attributes {weir.method = "forward"} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %ids, %c0 : tensor<?x?xi32>
  %t = tensor.dim %ids, %c1 : tensor<?x?xi32>
  %table = arith.constant dense<[[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0],
                                 [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]]>
      : tensor<4x4xf32>
  %x = weir.embedding %ids, %table
      : tensor<?x?xi32>, tensor<4x4xf32> -> tensor<?x?x4xf32>
  %h = tensor.expand_shape %x [[0], [1], [2, 3]] output_shape [%b, %t, 1, 4]
      : tensor<?x?x4xf32> into tensor<?x?x1x4xf32>
  %y = weir.attention %h, %h, %h mask(<causal>) scale(0.0)
      : tensor<?x?x1x4xf32>, tensor<?x?x1x4xf32>, tensor<?x?x1x4xf32>
        -> tensor<?x?x1x4xf32>
  %z = tensor.collapse_shape %y [[0], [1], [2, 3]]
      : tensor<?x?x1x4xf32> into tensor<?x?x4xf32>
  %minus = arith.constant dense<[[-1.0, 0.0, 0.0, 0.0], [0.0, -1.0, 0.0, 0.0],
                                 [0.0, 0.0, -1.0, 0.0], [0.0, 0.0, 0.0, -1.0]]>
      : tensor<4x4xf32>
  %logits = weir.linear %z, %minus
      : tensor<?x?x4xf32>, tensor<4x4xf32> -> tensor<?x?x4xf32>
  return %logits : tensor<?x?x4xf32>
}

func.func @main() {
  %ids3 = arith.constant dense<[[0, 1, 1], [2, 9, 9], [9, 9, 9], [3, 3, 9]]>
      : tensor<4x3xi32>
  %n3 = arith.constant dense<[3, 1, 0, 2]> : tensor<4xi32>
  %ids = tensor.cast %ids3 : tensor<4x3xi32> to tensor<?x?xi32>
  %n = tensor.cast %n3 : tensor<4xi32> to tensor<?xi32>

  // generate_c5: the row without prompt gets nothing.
  // CHECK: sizes = [4, 8]
  // CHECK-NEXT: {{\[}}0, 1, 1, 2, 3, 0, 2, 3]
  // CHECK-NEXT: {{\[}}2, 0, 1, 3, 0, 1, 7, 7]
  // CHECK-NEXT: {{\[}}7, 7, 7, 7, 7, 7, 7, 7]
  // CHECK-NEXT: {{\[}}3, 3, 0, 1, 2, 0, 1, 7]
  // CHECK: sizes = [4]
  // CHECK-NEXT: [8, 6, 0, 7]
  %tokens, %counts = weir.generate @forward(%ids, %n) new(5) pad(7)
      : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
  %u0 = tensor.cast %tokens : tensor<?x?xi32> to tensor<*xi32>
  call @printMemrefI32(%u0) : (tensor<*xi32>) -> ()
  %u1 = tensor.cast %counts : tensor<?xi32> to tensor<*xi32>
  call @printMemrefI32(%u1) : (tensor<*xi32>) -> ()

  // generate_c6: tokens 2 and 3 end a row that makes them, wherever they stood before. Rows
  // of static extents give such results.
  // CHECK: sizes = [4, 8]
  // CHECK-NEXT: {{\[}}0, 1, 1, 2, 0, 0, 0, 0]
  // CHECK-NEXT: {{\[}}2, 0, 1, 3, 0, 0, 0, 0]
  // CHECK-NEXT: {{\[}}0, 0, 0, 0, 0, 0, 0, 0]
  // CHECK-NEXT: {{\[}}3, 3, 0, 1, 2, 0, 0, 0]
  // CHECK: sizes = [4]
  // CHECK-NEXT: [4, 4, 0, 5]
  %ended, %ends = weir.generate @forward(%ids3, %n3) new(5) eos [2, 3]
      : tensor<4x3xi32>, tensor<4xi32> -> tensor<4x8xi32>
  %u2 = tensor.cast %ended : tensor<4x8xi32> to tensor<*xi32>
  call @printMemrefI32(%u2) : (tensor<*xi32>) -> ()
  %u3 = tensor.cast %ends : tensor<4xi32> to tensor<*xi32>
  call @printMemrefI32(%u3) : (tensor<*xi32>) -> ()

  // Two tokens are kept, and the random numbers of a round choose: the rarest
  // in round 0, the next in round 1.
  // CHECK: sizes = [4, 5]
  // CHECK-NEXT: {{\[}}0, 1, 1, 2, 0]
  // CHECK-NEXT: {{\[}}2, 0, 3, 0, 0]
  // CHECK-NEXT: {{\[}}0, 0, 0, 0, 0]
  // CHECK-NEXT: {{\[}}3, 3, 0, 2, 0]
  %uniform = arith.constant dense<[[0.1, 0.9], [0.1, 0.9], [0.1, 0.9],
                                   [0.1, 0.9]]> : tensor<4x2xf32>
  %drawn, %some = weir.generate @forward(%ids, %n) new(2) choose {
  ^bb0(%logits: tensor<?x4xf32>, %round: index):
    %u = tensor.extract_slice %uniform[0, %round] [4, 1] [1, 1]
        : tensor<4x2xf32> to tensor<4xf32>
    %ud = tensor.cast %u : tensor<4xf32> to tensor<?xf32>
    %next = weir.sample %logits uniform(%ud : tensor<?xf32>) temperature(1.0)
        top_k(2) : tensor<?x4xf32> -> tensor<?xi32>
    weir.yield %next : tensor<?xi32>
  } : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
  %u4 = tensor.cast %drawn : tensor<?x?xi32> to tensor<*xi32>
  call @printMemrefI32(%u4) : (tensor<*xi32>) -> ()
  return
}
