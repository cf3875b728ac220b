// Functions that a module written by hand calls, in a stack too, become part of
// their callers; a stream is derived through them.

// RUN: weirc %s --stop-after=formed | FileCheck %s --check-prefix=FORMED
// RUN: weirc %s --quiet -o %t
// RUN: %t --tokens 1 -n 3 --print-tokens | FileCheck %s --check-prefix=TOKENS

// FORMED-NOT: @twice
// FORMED-NOT: call
// FORMED: func.func @extend
// TOKENS: {{^}}2,0,1

module attributes {weir.model = {vocab_size = 3 : i64}} {
func.func private @twice(%layer: index, %x: tensor<?x?x3xf32>)
    -> tensor<?x?x3xf32> {
  %w = weir.weight @weights[%layer] : tensor<3xf32>
  %n = weir.rms_norm %x weight(%w : tensor<3xf32>) eps(0.0)
      : tensor<?x?x3xf32>
  %y = arith.addf %x, %n : tensor<?x?x3xf32>
  return %y : tensor<?x?x3xf32>
}

weir.param @weights : tensor<2x3xf32> = dense<1.0> : tensor<2x3xf32>

// The token after a token is the next one.
func.func @forward(%ids: tensor<?x?xi32> {weir.name = "input_ids"},
                   %n: tensor<?xi32> {weir.name = "lengths",
                                      weir.role = "lengths"})
    -> (tensor<?x?x3xf32> {weir.name = "logits"})
    attributes {weir.method = "forward"} {
  %table = arith.constant dense<[[0.0, 1.0, 0.0], [0.0, 0.0, 1.0],
                                 [1.0, 0.0, 0.0]]> : tensor<3x3xf32>
  %x = weir.embedding %ids, %table
      : tensor<?x?xi32>, tensor<3x3xf32> -> tensor<?x?x3xf32>
  %y = weir.stack (%x) order [0, 0] : tensor<?x?x3xf32> {
  ^bb0(%layer: index, %a: tensor<?x?x3xf32>):
    %b = func.call @twice(%layer, %a)
        : (index, tensor<?x?x3xf32>) -> tensor<?x?x3xf32>
    weir.yield %b : tensor<?x?x3xf32>
  }
  return %y : tensor<?x?x3xf32>
}
}
