// Of a function of two sequences, what depends on the first alone is computed
// once, in @encode: the keys and values of each layer, and the rows' lengths.
// RUN: weir-opt %s --weir-derive-streaming -split-input-file | FileCheck %s

weir.param @wq : tensor<3x8x8xf32> = #weir.checkpoint<"q.*", [0, 1, 2]>
weir.param @wk : tensor<3x8x8xf32> = #weir.checkpoint<"k.*", [0, 1, 2]>

// CHECK: weir.slot @memory0 memory stacked : tensor<3x?x?x2x4xf32>
// CHECK: weir.slot @memory1 memory : tensor<?xi32>
// CHECK: weir.slot @position position : tensor<?xi32>
// CHECK: weir.slot @history0 history stacked : tensor<3x?x?x2x4xf32>
// CHECK-LABEL: func.func @cross_attention_in_layers
func.func @cross_attention_in_layers(
    %x: tensor<?x?x8xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths",
                       weir.limit = 7 : i64},
    %y: tensor<?x?x8xf32> {weir.name = "y", weir.sequence = 1 : i64},
    %m: tensor<?xi32> {weir.name = "y_lengths", weir.role = "lengths",
                       weir.sequence = 1 : i64})
    -> (tensor<?x?x8xf32> {weir.name = "z", weir.sequence = 1 : i64})
    attributes {weir.method = "forward"} {
  %read = weir.rms_norm %x eps(1.0e-5) : tensor<?x?x8xf32>
  %z = weir.stack (%y) order [0, 0, 0] : tensor<?x?x8xf32> {
  ^bb0(%layer: index, %h: tensor<?x?x8xf32>):
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %wq = weir.weight @wq[%layer] : tensor<8x8xf32>
    %wk = weir.weight @wk[%layer] : tensor<8x8xf32>
    %b = tensor.dim %h, %c0 : tensor<?x?x8xf32>
    %t = tensor.dim %h, %c1 : tensor<?x?x8xf32>
    %qs = weir.linear %h, %wq
        : tensor<?x?x8xf32>, tensor<8x8xf32> -> tensor<?x?x8xf32>
    %q = tensor.expand_shape %qs [[0], [1], [2, 3]] output_shape [%b, %t, 2, 4]
        : tensor<?x?x8xf32> into tensor<?x?x2x4xf32>
    %own = weir.attention %q, %q, %q mask(<causal>) scale(0.5)
        : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
          -> tensor<?x?x2x4xf32>
    %ks = weir.linear %read, %wk
        : tensor<?x?x8xf32>, tensor<8x8xf32> -> tensor<?x?x8xf32>
    %s = tensor.dim %ks, %c1 : tensor<?x?x8xf32>
    %d = tensor.dim %ks, %c0 : tensor<?x?x8xf32>
    %k = tensor.expand_shape %ks [[0], [1], [2, 3]] output_shape [%d, %s, 2, 4]
        : tensor<?x?x8xf32> into tensor<?x?x2x4xf32>
    %seen = weir.attention %own, %k, %k mask(<full>) scale(0.5)
        key_lengths(%n : tensor<?xi32>)
        : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
          -> tensor<?x?x2x4xf32>
    %joined = tensor.collapse_shape %seen [[0], [1], [2, 3]]
        : tensor<?x?x2x4xf32> into tensor<?x?x8xf32>
    weir.yield %joined : tensor<?x?x8xf32>
  }
  return %z : tensor<?x?x8xf32>
}

//       CHECK: func.func @encode(
//  CHECK-SAME:   %[[X:[^:]+]]: tensor<?x?x8xf32> {weir.name = "x"}
//  CHECK-SAME:   %[[N:[^:]+]]: tensor<?xi32> {weir.limit = 7 : i64, weir.name = "lengths", weir.role = "lengths"}
//  CHECK-SAME:   -> (tensor<3x?x?x2x4xf32> {weir.slot = @memory0}, tensor<?xi32> {weir.slot = @memory1})
//  CHECK-SAME:   weir.method = "encode"
//       CHECK:   %[[READ:.+]] = weir.rms_norm %[[X]]
//       CHECK:   %[[ROWS:.+]] = tensor.dim %[[READ]], %{{.*}}
//       CHECK:   %[[POSITIONS:.+]] = tensor.dim %[[READ]], %{{.*}}
//       CHECK:   %[[EMPTY:.+]] = tensor.empty(%[[ROWS]], %[[POSITIONS]])
//       CHECK:   %[[MEMORY:.+]] = weir.stack(%[[EMPTY]]) order [0, 0, 0]
//  CHECK-NEXT:   ^bb0(%[[LAYER:[^:]+]]: index, %[[INTO:[^:]+]]: tensor<3x?x?x2x4xf32>):
//   CHECK-NOT:     weir.attention
//       CHECK:     %[[KS:.+]] = weir.linear %[[READ]]
//       CHECK:     %[[K:.+]] = tensor.expand_shape %[[KS]]
//       CHECK:     tensor.insert_slice %[[K]] into %[[INTO]][%[[LAYER]], 0, 0, 0, 0]
//       CHECK:   return %[[MEMORY]], %[[N]]

//       CHECK: func.func @extend(
//  CHECK-SAME:   %[[Y:[^:]+]]: tensor<?x?x8xf32> {weir.name = "y"}
//  CHECK-SAME:   tensor<?xi32> {weir.name = "y_lengths", weir.role = "lengths"}
//  CHECK-SAME:   %[[KEYS:[^:]+]]: tensor<3x?x?x2x4xf32> {weir.slot = @memory0}
//  CHECK-SAME:   %[[LENGTHS:[^:]+]]: tensor<?xi32> {weir.slot = @memory1}
//  CHECK-SAME:   -> (tensor<?x?x8xf32> {weir.name = "z"}, tensor<?xi32> {weir.slot = @position}, tensor<3x?x?x2x4xf32> {weir.slot = @history0})
//   CHECK-NOT:   weir.rms_norm
//       CHECK:   weir.stack
//       CHECK:     %[[KEY:.+]] = tensor.extract_slice %[[KEYS]]
//       CHECK:     weir.attention {{.*}} mask(<causal>) {{.*}} offset
//       CHECK:     weir.attention %{{[^,]+}}, %[[KEY]], %[[KEY]] mask(<full>) scale(5.000000e-01) key_lengths(%[[LENGTHS]] : tensor<?xi32>)

// -----

// What no layer computes is a memory by itself, and a function that reads
// nothing of another sequence has none.

// CHECK: weir.slot @memory0 memory : tensor<?x?x2x4xf32>
// CHECK-LABEL: func.func @cross_attention_alone
func.func @cross_attention_alone(
    %x: tensor<?x?x2x4xf32> {weir.name = "x"},
    %y: tensor<?x?x2x4xf32> {weir.name = "y", weir.sequence = 1 : i64},
    %m: tensor<?xi32> {weir.name = "y_lengths", weir.role = "lengths",
                       weir.sequence = 1 : i64})
    -> (tensor<?x?x2x4xf32> {weir.name = "z", weir.sequence = 1 : i64})
    attributes {weir.method = "forward"} {
  %z = weir.attention %y, %x, %x mask(<full>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %z : tensor<?x?x2x4xf32>
}
//       CHECK: func.func @encode(%[[X:[^:]+]]: tensor<?x?x2x4xf32>
//       CHECK:   return %[[X]]
//       CHECK: func.func @extend(
//  CHECK-SAME:   %[[M:[^:]+]]: tensor<?x?x2x4xf32> {weir.slot = @memory0}
//       CHECK:   weir.attention %{{.+}}, %[[M]], %[[M]] mask(<full>)

// -----

// CHECK-LABEL: func.func @reads_nothing_else
//   CHECK-NOT: @encode
//       CHECK: func.func @extend(
func.func @reads_nothing_else(
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %y: tensor<?x?x4xf32> {weir.name = "y", weir.sequence = 1 : i64},
    %m: tensor<?xi32> {weir.name = "y_lengths", weir.role = "lengths",
                       weir.sequence = 1 : i64})
    -> (tensor<?x?x4xf32> {weir.name = "z", weir.sequence = 1 : i64})
    attributes {weir.method = "forward"} {
  %z = weir.rms_norm %y eps(1.0e-5) : tensor<?x?x4xf32>
  return %z : tensor<?x?x4xf32>
}
