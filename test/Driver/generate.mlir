// A decode loop over a model, compiled to an executable: it remembers by the
// state that was derived for it.

// RUN: weirc %s --entry=complete --reference --quiet -o %t
// RUN: %python %S/Inputs/tensors.py write %t.in.safetensors \
// RUN:   prompt=i32:2x3:0,1,1,2,9,9 prompt_lengths=i32:2:3,1
// RUN: %t --inputs %t.in.safetensors --outputs %t.out.safetensors
// RUN: %python %S/Inputs/tensors.py print %t.out.safetensors | FileCheck %s
// RUN: weirc %s --entry=complete --reference=f64 --quiet -o %t
// RUN: %t --inputs %t.in.safetensors --outputs %t.out.safetensors
// RUN: %python %S/Inputs/tensors.py print %t.out.safetensors | FileCheck %s
// RUN: weirc %s --stop-after=formed | FileCheck %s --check-prefix=FORMED

// CHECK: counts 2: 5 4
// CHECK: tokens 2x8: 0 1 1 2 3 5 5 5 2 0 1 3 5 5 5 5
// FORMED: weir.generate @extend_last(

// The model prefers the token that stood least often in the row.
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

func.func @complete(%ids: tensor<?x?xi32> {weir.name = "prompt"},
                    %n: tensor<?xi32> {weir.name = "prompt_lengths"})
    -> (tensor<?x?xi32> {weir.name = "tokens"},
        tensor<?xi32> {weir.name = "counts"}) {
  %tokens, %counts = weir.generate @forward(%ids, %n) new(5) eos [3] pad(5)
      choose {
  ^bb0(%logits: tensor<?x4xf32>, %round: index):
    %next = weir.sample %logits : tensor<?x4xf32> -> tensor<?xi32>
    weir.yield %next : tensor<?xi32>
  } : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
  return %tokens, %counts : tensor<?x?xi32>, tensor<?xi32>
}
