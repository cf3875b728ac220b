// RUN: weir-opt %s --weir-derive-streaming -split-input-file | FileCheck %s

// Each value whose past is read gets a history; positions start at the tokens
// seen, and the new ones are counted last.

// CHECK: weir.slot @position position : tensor<?xi32>
// CHECK: weir.slot @history0 history : tensor<?x?x2x4xf32>
// CHECK: weir.slot @history1 history : tensor<?x?x2x4xf32>
// CHECK: func.func @forward
// CHECK: func.func @extend(
// CHECK-SAME: %[[Q:[^:]*]]: tensor<?x?x2x4xf32> {weir.name = "q"},
// CHECK-SAME: %[[K:[^:]*]]: tensor<?x?x2x4xf32> {weir.name = "k"},
// CHECK-SAME: %[[V:[^:]*]]: tensor<?x?x2x4xf32> {weir.name = "v"},
// CHECK-SAME: %[[N:[^:]*]]: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"},
// CHECK-SAME: %[[P:[^:]*]]: tensor<?xi32> {weir.slot = @position},
// CHECK-SAME: %[[H0:[^:]*]]: tensor<?x?x2x4xf32> {weir.slot = @history0},
// CHECK-SAME: %[[H1:[^:]*]]: tensor<?x?x2x4xf32> {weir.slot = @history1})
// CHECK-SAME: -> (tensor<?x?x2x4xf32> {weir.name = "y"}, tensor<?xi32> {weir.slot = @position}, tensor<?x?x2x4xf32> {weir.slot = @history0}, tensor<?x?x2x4xf32> {weir.slot = @history1})
// CHECK-SAME: weir.method = "extend"
// CHECK-DAG: %[[A0:.*]] = weir.append %[[K]] into %[[H0]] at %[[P]] lengths(%[[N]] :
// CHECK-DAG: %[[A1:.*]] = weir.append %[[V]] into %[[H1]] at %[[P]] lengths(%[[N]] :
// CHECK: %[[Y:.*]] = weir.attention %[[Q]], %[[A0]], %[[A1]] mask(<causal>) {{.*}} offset(%[[P]] :
// CHECK: %[[NEXT:.*]] = linalg.generic {{.*}} ins(%[[N]] : {{.*}} outs(%[[P]] :
// CHECK: arith.addi
// CHECK: return %[[Y]], %[[NEXT]], %[[A0]], %[[A1]]
func.func @forward(
    %q: tensor<?x?x2x4xf32> {weir.name = "q"},
    %k: tensor<?x?x2x4xf32> {weir.name = "k"},
    %v: tensor<?x?x2x4xf32> {weir.name = "v"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x2x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %y = weir.attention %q, %k, %v mask(<causal>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %y : tensor<?x?x2x4xf32>
}

// -----

// Two readers of one value share its history, and the one that looks back
// further says how far.

// CHECK: weir.slot @history0 history lookback(8) : tensor<?x?x2x4xf32>
// CHECK-NOT: weir.slot
// CHECK: func.func @extend(
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x?x2x4xf32> {weir.name
// CHECK-SAME: %[[H:[^:]*]]: tensor<?x?x2x4xf32> {weir.slot = @history0}
// CHECK: %[[A:.*]] = weir.append %[[X]] into %[[H]]
// CHECK-NOT: weir.append
// CHECK: weir.attention %{{.*}}, %[[A]], %[[A]] mask(<causal and window<3>>)
// CHECK: weir.attention %{{.*}}, %[[A]], %[[A]] mask(<causal and window<8>>)
func.func @forward(
    %x: tensor<?x?x2x4xf32> {weir.name = "shared_windows"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x2x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %y = weir.attention %x, %x, %x mask(<causal and window<3>>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  %z = weir.attention %y, %x, %x mask(<causal and window<8>>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %z : tensor<?x?x2x4xf32>
}

// -----

// A window beside a plain causal reader bounds nothing.

// CHECK: weir.slot @history0 history : tensor<?x?x2x4xf32>
func.func @forward(
    %x: tensor<?x?x2x4xf32> {weir.name = "window_and_all"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x2x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %y = weir.attention %x, %x, %x mask(<causal>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  %z = weir.attention %y, %x, %x mask(<causal and window<8>>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %z : tensor<?x?x2x4xf32>
}

// -----

// Slots of a stack have an entry per layer of their kind and are threaded
// through both kinds, the one that does not use them included.

// CHECK: weir.slot @position position
// CHECK: weir.slot @history0 history stacked : tensor<2x?x?x2x4xf32>
// CHECK: weir.slot @history1 history stacked lookback(4) : tensor<1x?x?x2x4xf32>
// CHECK: func.func @extend(
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x?x2x4xf32> {weir.name = "two_kinds"}
// CHECK-SAME: %[[H0:[^:]*]]: tensor<2x?x?x2x4xf32> {weir.slot = @history0}
// CHECK-SAME: %[[H1:[^:]*]]: tensor<1x?x?x2x4xf32> {weir.slot = @history1}
// CHECK: %[[S:.*]]:3 = weir.stack(%[[X]], %[[H0]], %[[H1]]) order [0, 1, 0]
// CHECK-NEXT: ^bb0(%[[L:.*]]: index, %[[C:.*]]: tensor<?x?x2x4xf32>, %[[S0:.*]]: tensor<2x?x?x2x4xf32>, %[[S1:.*]]: tensor<1x?x?x2x4xf32>):
// CHECK: %[[A:.*]] = weir.append %[[C]] into %[[S0]][%[[L]]]
// CHECK: %[[LAYER:.*]] = tensor.extract_slice %[[A]][%[[L]], 0, 0, 0, 0] [1,
// CHECK: %[[Y:.*]] = weir.attention %[[C]], %[[LAYER]], %[[LAYER]]
// CHECK: weir.yield %[[Y]], %[[A]], %[[S1]]
// CHECK: ^bb0(%{{.*}}: index, %{{.*}}, %[[T0:[^:]*]]: tensor<2x?x?x2x4xf32>, %[[T1:[^:]*]]: tensor<1x?x?x2x4xf32>):
// CHECK: %[[B:.*]] = weir.append %{{.*}} into %[[T1]]
// CHECK: weir.yield %{{.*}}, %[[T0]], %[[B]]
// CHECK: return %[[S]]#0, %{{.*}}, %[[S]]#1, %[[S]]#2
func.func @forward(
    %x: tensor<?x?x2x4xf32> {weir.name = "two_kinds"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x2x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %y = weir.stack(%x) order [0, 1, 0] : tensor<?x?x2x4xf32> {
  ^bb0(%layer: index, %a: tensor<?x?x2x4xf32>):
    %b = weir.attention %a, %a, %a mask(<causal>) scale(0.5)
        : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
          -> tensor<?x?x2x4xf32>
    weir.yield %b : tensor<?x?x2x4xf32>
  }, {
  ^bb0(%layer: index, %a: tensor<?x?x2x4xf32>):
    %b = weir.attention %a, %a, %a mask(<causal and window<4>>) scale(0.5)
        : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
          -> tensor<?x?x2x4xf32>
    weir.yield %b : tensor<?x?x2x4xf32>
  }
  return %y : tensor<?x?x2x4xf32>
}

// -----

// @extend_last cuts to the last valid token where only it serves the result:
// in front of the last norm, behind the attention.

weir.param @head : tensor<7x4xf32> = #weir.checkpoint<"head">

// CHECK: func.func @extend(
// CHECK: weir.positions %{{.*}} offset(
// CHECK: func.func @extend_last(
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x?x4xf32> {weir.name = "narrowed"}
// CHECK-SAME: %[[N:[^:]*]]: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"}
// CHECK-SAME: -> (tensor<?x1x7xf32> {weir.name = "logits"}
// CHECK-SAME: weir.method = "extend_last"
// CHECK: weir.positions %[[X]] offset({{.*}} : tensor<?x?x4xf32> -> tensor<?x?xi32>
// CHECK: %[[Y:.*]] = weir.attention {{.*}} -> tensor<?x?x1x4xf32>
// CHECK: %[[LAST:.*]] = weir.select_last %[[Y]], %[[N]] : tensor<?x?x1x4xf32>, tensor<?xi32> -> tensor<?x1x1x4xf32>
// CHECK: %[[FLAT:.*]] = tensor.collapse_shape %[[LAST]]
// CHECK-SAME: into tensor<?x1x4xf32>
// CHECK: %[[NORM:.*]] = weir.rms_norm %[[FLAT]] {{.*}} : tensor<?x1x4xf32>
// CHECK: %[[LOGITS:.*]] = weir.linear %[[NORM]], {{.*}} -> tensor<?x1x7xf32>
// CHECK: return %[[LOGITS]],
func.func @forward(
    %x: tensor<?x?x4xf32> {weir.name = "narrowed"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x7xf32> {weir.name = "logits"})
    attributes {weir.method = "forward"} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x4xf32>
  %t = tensor.dim %x, %c1 : tensor<?x?x4xf32>
  %p = weir.positions %x : tensor<?x?x4xf32> -> tensor<?x?xi32>
  %f = weir.rope_frequencies base(1.0e4) dims(4) : tensor<2xf32>
  %h = tensor.expand_shape %x [[0], [1], [2, 3]] output_shape [%b, %t, 1, 4]
      : tensor<?x?x4xf32> into tensor<?x?x1x4xf32>
  %r = weir.rotary %h, %p, %f layout(half)
      : tensor<?x?x1x4xf32>, tensor<?x?xi32>, tensor<2xf32>
  %y = weir.attention %r, %r, %h mask(<causal>) scale(0.5)
      : tensor<?x?x1x4xf32>, tensor<?x?x1x4xf32>, tensor<?x?x1x4xf32>
        -> tensor<?x?x1x4xf32>
  %z = tensor.collapse_shape %y [[0], [1], [2, 3]]
      : tensor<?x?x1x4xf32> into tensor<?x?x4xf32>
  %norm = weir.rms_norm %z eps(1.0e-5) : tensor<?x?x4xf32>
  %w = weir.weight @head : tensor<7x4xf32>
  %logits = weir.linear %norm, %w
      : tensor<?x?x4xf32>, tensor<7x4xf32> -> tensor<?x?x7xf32>
  return %logits : tensor<?x?x7xf32>
}

// -----

// A decode loop over the function goes over to its step. The steps of a private
// function are private.

// CHECK: func.func private @extend(
// CHECK: func.func private @extend_last(
// CHECK: func.func @loop
// CHECK: weir.generate @extend_last(
func.func private @forward(
    %x: tensor<?x?xi32> {weir.name = "decoded"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %table = arith.constant dense<0.0> : tensor<9x4xf32>
  %y = weir.embedding %x, %table
      : tensor<?x?xi32>, tensor<9x4xf32> -> tensor<?x?x4xf32>
  return %y : tensor<?x?x4xf32>
}
func.func @loop(%x: tensor<?x?xi32>, %n: tensor<?xi32>) -> tensor<?x?xi32> {
  %0, %1 = weir.generate @forward(%x, %n) new(3)
      : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
  return %0 : tensor<?x?xi32>
}

// -----

// A function without time has no step.

// CHECK: func.func @forward
// CHECK-NOT: func.func
func.func @forward(%x: tensor<4xf32> {weir.name = "no_time"})
    -> (tensor<4xf32> {weir.name = "y"}) attributes {weir.method = "forward"} {
  %y = weir.rms_norm %x eps(1.0e-5) : tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// A bias of the keys is remembered as they are, and a predicate tells how far
// back.

// CHECK: weir.slot @history0 history lookback(4) : tensor<?x?x2x4xf32>
// CHECK: weir.slot @history1 history lookback(4) : tensor<?x?x2xf32>
// CHECK: func.func @extend(
// CHECK-DAG: %[[K:.*]] = weir.append %{{.*}} into %{{.*}} : {{.*}}tensor<?x?x2x4xf32>
// CHECK-DAG: %[[B:.*]] = weir.append %{{.*}} into %{{.*}} : {{.*}}tensor<?x?x2xf32>
// CHECK: weir.attention %{{.*}}, %[[K]], %[[K]] mask(<causal>)
// CHECK-SAME: offset(
// CHECK-SAME: key_bias(%[[B]] : tensor<?x?x2xf32>)
// CHECK-SAME: where {
// CHECK: arith.cmpi slt
func.func @forward(
    %x: tensor<?x?x2x4xf32> {weir.name = "biased"},
    %bias: tensor<?x?x2xf32> {weir.name = "bias"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x2x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %y = weir.attention %x, %x, %x mask(<causal>) scale(0.5)
      key_bias(%bias : tensor<?x?x2xf32>) where {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %four = arith.constant 4 : index
    %behind = arith.subi %i, %j : index
    %c = arith.cmpi slt, %behind, %four : index
    weir.yield %c : i1
  } : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %y : tensor<?x?x2x4xf32>
}

// -----

// An op that reads the past of its own result gets the history as it is before
// the block, which is appended behind the op for all other readers.

// CHECK: weir.slot @history0 history : tensor<?x?x2x4xf32>
// CHECK: weir.slot @history1 history : tensor<?x?x2x4xf32>
// CHECK-NOT: weir.slot @history2
// CHECK: func.func @extend(
// CHECK-SAME: %[[H0:[^:]*]]: tensor<?x?x2x4xf32> {weir.slot = @history0},
// CHECK-SAME: %[[H1:[^:]*]]: tensor<?x?x2x4xf32> {weir.slot = @history1})
// CHECK: %[[K:.*]] = weir.append %{{.*}} into %[[H0]]
// CHECK: %[[U:.*]] = weir.delta_values %{{.*}}, %[[K]], %{{.*}} past(%[[H1]] :
// CHECK: %[[PAST:.*]] = weir.append %[[U]] into %[[H1]]
// CHECK: %[[Y:.*]] = weir.attention %{{.*}}, %[[K]], %[[PAST]] mask
// CHECK: return %[[Y]], %{{.*}}, %[[K]], %[[PAST]]
func.func @forward(
    %q: tensor<?x?x2x4xf32> {weir.name = "q"},
    %k: tensor<?x?x2x4xf32> {weir.name = "k"},
    %b: tensor<?x?x2xf32> {weir.name = "b"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x2x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %u = weir.delta_values %q, %k, %q, %b scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>,
        tensor<?x?x2xf32> -> tensor<?x?x2x4xf32>
  %y = weir.attention %q, %k, %u mask(<causal>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %y : tensor<?x?x2x4xf32>
}

// -----

// Keys along a path are gone through in order: their buffers do not wrap, and
// sinks come along.

// CHECK: weir.slot @history0 history : tensor<?x?x2x4xf32>
// CHECK: weir.slot @history1 history : tensor<?x?x2x4xf32>
// CHECK: weir.slot @history2 history : tensor<?x?x2xf32>
// CHECK: func.func @extend(
// CHECK: %[[B:.*]] = weir.append %{{.*}} : tensor<?x?x2xf32>
// CHECK: weir.attention %{{.*}} mask(<causal and window<3>>) {{.*}} sinks(%{{.*}} : tensor<2xf32>) key_bias(%[[B]] : tensor<?x?x2xf32>) path(%{{.*}}, %[[B]] :
func.func @forward(
    %q: tensor<?x?x2x4xf32> {weir.name = "q"},
    %k: tensor<?x?x2x4xf32> {weir.name = "k"},
    %b: tensor<?x?x2xf32> {weir.name = "b"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x2x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %s = arith.constant dense<1.0> : tensor<2xf32>
  %y = weir.attention %q, %k, %q mask(<causal and window<3>>) scale(0.5)
      sinks(%s : tensor<2xf32>) key_bias(%b : tensor<?x?x2xf32>)
      path(%k, %b : tensor<?x?x2x4xf32>, tensor<?x?x2xf32>)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %y : tensor<?x?x2x4xf32>
}

// -----

// Listed tokens are a sequence of its own: its histories go on behind the tokens
// that were listed before, which are counted, and take those of the block alone.

// CHECK: weir.slot @position position : tensor<?xi32>
// CHECK: weir.slot @carry0 carry : tensor<?xi32>
// CHECK: weir.slot @history0 history : tensor<?x?x2x4xf32>
// CHECK: weir.slot @history1 history : tensor<?x?x2x4xf32>
// CHECK: func.func @extend(
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x?x2x4xf32> {weir.name = "x"}
// CHECK-SAME: %[[N:[^:]*]]: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"},
// CHECK-SAME: %[[P:[^:]*]]: tensor<?xi32> {weir.slot = @position},
// CHECK-SAME: %[[C:[^:]*]]: tensor<?xi32> {weir.slot = @carry0},
// CHECK-SAME: %[[H0:[^:]*]]: tensor<?x?x2x4xf32> {weir.slot = @history0},
// CHECK-SAME: %[[H1:[^:]*]]: tensor<?x?x2x4xf32> {weir.slot = @history1})
// CHECK: %[[PLACES:.*]], %[[RANKS:.*]], %[[COUNTS:.*]] = weir.list_tokens %{{.*}} lengths(%[[N]] : tensor<?xi32>) :
// CHECK: %[[TOTAL:.*]] = linalg.generic {{.*}} ins(%[[C]], %[[COUNTS]] :
// CHECK: arith.addi
// CHECK: %[[BEFORE:.*]] = linalg.generic {{.*}} ins(%[[TOTAL]], %[[COUNTS]] :
// CHECK: arith.subi
// CHECK: %[[S:.*]] = weir.gather_tokens %[[X]], %[[PLACES]]
// CHECK: %[[AT:.*]] = weir.positions %[[S]] offset(%[[BEFORE]] :
// CHECK: %[[R:.*]] = weir.rotary %[[S]], %[[AT]]
// CHECK: %[[K:.*]] = weir.append %[[R]] into %[[H0]] at %[[BEFORE]] lengths(%[[COUNTS]] :
// CHECK: weir.attention %[[R]], %[[K]], %[[K]] {{.*}} offset(%[[BEFORE]] :
// CHECK: tensor.extract %[[TOTAL]]
// CHECK: %[[B:.*]] = weir.gather_tokens %{{.*}}, %[[RANKS]]
// CHECK: %[[KB:.*]] = weir.append %[[B]] into %[[H1]] at %[[P]] lengths(%[[N]] :
// CHECK: weir.attention %[[B]], %[[KB]], %[[KB]] {{.*}} offset(%[[P]] :
// CHECK: return %{{.*}}, %{{.*}}, %[[TOTAL]], %[[K]], %[[KB]]
func.func @forward(
    %x: tensor<?x?x2x4xf32> {weir.name = "x"},
    %i: tensor<?x?x1xi32> {weir.name = "i"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x2x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %places, %ranks, %counts = weir.list_tokens %i
      : tensor<?x?x1xi32> -> tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>
  %s = weir.gather_tokens %x, %places
      : tensor<?x?x2x4xf32>, tensor<?x?xi32> -> tensor<?x?x2x4xf32>
  %at = weir.positions %s : tensor<?x?x2x4xf32> -> tensor<?x?xi32>
  %angles = arith.constant dense<[1.0, 0.1]> : tensor<2xf32>
  %r = weir.rotary %s, %at, %angles layout(half)
      : tensor<?x?x2x4xf32>, tensor<?x?xi32>, tensor<2xf32>
  %o = weir.attention %r, %r, %r mask(<causal>) scale(0.5) where {
  ^bb0(%b: index, %h: index, %q: index, %k: index):
    %count = tensor.extract %counts[%b] : tensor<?xi32>
    %end = arith.index_cast %count : i32 to index
    %there = arith.cmpi slt, %q, %end : index
    weir.yield %there : i1
  } : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
      -> tensor<?x?x2x4xf32>
  %b = weir.gather_tokens %o, %ranks
      : tensor<?x?x2x4xf32>, tensor<?x?xi32> -> tensor<?x?x2x4xf32>
  %y = weir.attention %b, %b, %b mask(<causal>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %y : tensor<?x?x2x4xf32>
}

// -----

// What a stack carries may begin as zeros, which tokens of no sequence are, and
// be filled with tokens by its layers.

// CHECK: func.func @extend(
// CHECK-SAME: weir.name = "begins_empty"
// CHECK: weir.stack(%{{.*}}, %[[ZEROS:[^,]*]], %{{.*}})
func.func @forward(
    %x: tensor<?x?x2x4xf32> {weir.name = "begins_empty"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x2x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x2x4xf32>
  %t = tensor.dim %x, %c1 : tensor<?x?x2x4xf32>
  %e = tensor.empty(%b, %t) : tensor<?x?x2x4xf32>
  %none = linalg.fill ins(%zero : f32) outs(%e : tensor<?x?x2x4xf32>)
      -> tensor<?x?x2x4xf32>
  %y:2 = weir.stack(%x, %none) order [0, 0] : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32> {
  ^bb0(%layer: index, %a: tensor<?x?x2x4xf32>, %sum: tensor<?x?x2x4xf32>):
    %o = weir.attention %a, %sum, %a mask(<causal>) scale(0.5)
        : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
          -> tensor<?x?x2x4xf32>
    weir.yield %o, %a : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
  }
  return %y#0 : tensor<?x?x2x4xf32>
}
