// RUN: weir-opt %s --weir-merge-projections -split-input-file | FileCheck %s

weir.param @q : tensor<3x8x8xf32> = #weir.checkpoint<"q.*", [0, 1, 2]>
weir.param @k : tensor<3x4x8xf32> = #weir.checkpoint<"k.*", [0, 1, 2]>
weir.param @v : tensor<3x4x8xf32> = #weir.checkpoint<"v.*", [0, 1, 2]>

// CHECK: weir.param @q_k_v : tensor<3x16x8xf32> = #weir.concat<[@q, @k, @v], axis = 1>
// CHECK-LABEL: func.func @same_input_and_layer
// CHECK-SAME: (%[[X:.*]]: tensor<?x?x8xf32>, %[[L:.*]]: index)
// CHECK: %[[W:.*]] = weir.weight @q_k_v[%[[L]]] : tensor<16x8xf32>
// CHECK: %[[Y:.*]] = weir.linear %[[X]], %[[W]] : {{.*}} -> tensor<?x?x16xf32>
// CHECK: %[[Q:.*]] = tensor.extract_slice %[[Y]][0, 0, 0] [%{{.*}}, %{{.*}}, 8]
// CHECK: %[[K:.*]] = tensor.extract_slice %[[Y]][0, 0, 8] [%{{.*}}, %{{.*}}, 4]
// CHECK: %[[V:.*]] = tensor.extract_slice %[[Y]][0, 0, 12] [%{{.*}}, %{{.*}}, 4]
// CHECK-NOT: weir.weight
// CHECK: return %[[Q]], %[[K]], %[[V]]
func.func @same_input_and_layer(%x: tensor<?x?x8xf32>, %l: index)
    -> (tensor<?x?x8xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>) {
  %wq = weir.weight @q[%l] : tensor<8x8xf32>
  %q = weir.linear %x, %wq
      : tensor<?x?x8xf32>, tensor<8x8xf32> -> tensor<?x?x8xf32>
  %wk = weir.weight @k[%l] : tensor<4x8xf32>
  %k = weir.linear %x, %wk
      : tensor<?x?x8xf32>, tensor<4x8xf32> -> tensor<?x?x4xf32>
  %wv = weir.weight @v[%l] : tensor<4x8xf32>
  %v = weir.linear %x, %wv
      : tensor<?x?x8xf32>, tensor<4x8xf32> -> tensor<?x?x4xf32>
  return %q, %k, %v : tensor<?x?x8xf32>, tensor<?x?x4xf32>, tensor<?x?x4xf32>
}

// A second function finds the joined parameter again.
// CHECK-NOT: weir.param
// CHECK-LABEL: func.func @shares_the_parameter
// CHECK: weir.weight @q_k_v[
func.func @shares_the_parameter(%x: tensor<?x1x8xf32>, %l: index)
    -> (tensor<?x1x8xf32>, tensor<?x1x4xf32>, tensor<?x1x4xf32>) {
  %wq = weir.weight @q[%l] : tensor<8x8xf32>
  %wk = weir.weight @k[%l] : tensor<4x8xf32>
  %wv = weir.weight @v[%l] : tensor<4x8xf32>
  %q = weir.linear %x, %wq
      : tensor<?x1x8xf32>, tensor<8x8xf32> -> tensor<?x1x8xf32>
  %k = weir.linear %x, %wk
      : tensor<?x1x8xf32>, tensor<4x8xf32> -> tensor<?x1x4xf32>
  %v = weir.linear %x, %wv
      : tensor<?x1x8xf32>, tensor<4x8xf32> -> tensor<?x1x4xf32>
  return %q, %k, %v : tensor<?x1x8xf32>, tensor<?x1x4xf32>, tensor<?x1x4xf32>
}

// -----

weir.param @a : tensor<8x8xf32> = #weir.checkpoint<"a">
weir.param @b : tensor<4x8xf32> = #weir.checkpoint<"b">
weir.param @a_bias : tensor<8xf32> = #weir.checkpoint<"a.bias">

// CHECK: weir.param @b_no_bias : tensor<4xf32> = dense<0.0
// CHECK: weir.param @[[BIAS:.*]] : tensor<12xf32> = #weir.concat<[@a_bias, @b_no_bias], axis = 0>
// CHECK-LABEL: func.func @missing_bias_is_zeros
// CHECK: %[[W:.*]] = weir.weight @a_b : tensor<12x8xf32>
// CHECK: %[[B:.*]] = weir.weight @[[BIAS]] : tensor<12xf32>
// CHECK: weir.linear %{{.*}}, %[[W]] bias(%[[B]] : tensor<12xf32>)
func.func @missing_bias_is_zeros(%x: tensor<?x8xf32>)
    -> (tensor<?x8xf32>, tensor<?x4xf32>) {
  %wa = weir.weight @a : tensor<8x8xf32>
  %ba = weir.weight @a_bias : tensor<8xf32>
  %wb = weir.weight @b : tensor<4x8xf32>
  %y = weir.linear %x, %wa bias(%ba : tensor<8xf32>)
      : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  %z = weir.linear %x, %wb
      : tensor<?x8xf32>, tensor<4x8xf32> -> tensor<?x4xf32>
  return %y, %z : tensor<?x8xf32>, tensor<?x4xf32>
}

// -----

weir.param @a : tensor<8x8xf32> = #weir.checkpoint<"a">
weir.param @b : tensor<8x8xf32> = #weir.checkpoint<"b">
weir.param @c : tensor<8x8xf32> = #weir.checkpoint<"c"> {stored = "q4_1"}

// Other inputs, other stored types and other readers stand in the way.
// CHECK-NOT: #weir.concat
// CHECK-LABEL: func.func @different_inputs
// CHECK-COUNT-2: weir.linear
func.func @different_inputs(%x: tensor<?x8xf32>, %u: tensor<?x8xf32>)
    -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %wa = weir.weight @a : tensor<8x8xf32>
  %wb = weir.weight @b : tensor<8x8xf32>
  %y = weir.linear %x, %wa
      : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  %z = weir.linear %u, %wb
      : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  return %y, %z : tensor<?x8xf32>, tensor<?x8xf32>
}

// CHECK-LABEL: func.func @different_stored_types
// CHECK-COUNT-2: weir.linear
func.func @different_stored_types(%x: tensor<?x8xf32>)
    -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %wa = weir.weight @a : tensor<8x8xf32>
  %wc = weir.weight @c : tensor<8x8xf32>
  %y = weir.linear %x, %wa
      : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  %z = weir.linear %x, %wc
      : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  return %y, %z : tensor<?x8xf32>, tensor<?x8xf32>
}

// -----

weir.param @tied : tensor<8x8xf32> = #weir.checkpoint<"tied">
weir.param @other : tensor<8x8xf32> = #weir.checkpoint<"other">

// CHECK-NOT: #weir.concat
// CHECK-LABEL: func.func @matrix_read_as_a_table_too
// CHECK-COUNT-2: weir.linear
func.func @matrix_read_as_a_table_too(%ids: tensor<?x?xi32>)
    -> (tensor<?x?x8xf32>, tensor<?x?x8xf32>) {
  %tied = weir.weight @tied : tensor<8x8xf32>
  %other = weir.weight @other : tensor<8x8xf32>
  %x = weir.embedding %ids, %tied
      : tensor<?x?xi32>, tensor<8x8xf32> -> tensor<?x?x8xf32>
  %y = weir.linear %x, %tied
      : tensor<?x?x8xf32>, tensor<8x8xf32> -> tensor<?x?x8xf32>
  %z = weir.linear %x, %other
      : tensor<?x?x8xf32>, tensor<8x8xf32> -> tensor<?x?x8xf32>
  return %y, %z : tensor<?x?x8xf32>, tensor<?x?x8xf32>
}
