// RUN: weir-opt %s --weir-specialize-time=time=1 -split-input-file \
// RUN:   | FileCheck %s
// RUN: weir-opt %s --weir-specialize-time='time=4 batch=2' -split-input-file \
// RUN:   | FileCheck %s --check-prefix=BOTH

weir.slot @position position : tensor<?xi32>
weir.slot @history history stacked : tensor<3x?x?x2x4xf32>

// The block's time is cut, the capacity of a history is not.

// CHECK: func.func @extend(
// CHECK: func.func @extend_t1(
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x1x8xf32> {weir.name = "x"}
// CHECK-SAME: %[[H:[^:]*]]: tensor<3x?x?x2x4xf32> {weir.slot = @history}
// CHECK-SAME: -> (tensor<?x1x8xf32> {weir.name = "y"},
// CHECK-SAME: weir.method = "extend"
// CHECK: %[[B:.*]] = tensor.dim %[[X]], %{{.*}} : tensor<?x1x8xf32>
// CHECK: %[[Q:.*]] = tensor.expand_shape %[[X]] {{.*}} output_shape [%[[B]], 1, 2, 4]
// CHECK: %[[A:.*]] = weir.append %[[Q]] into %[[H]]{{.*}} : tensor<?x1x2x4xf32>, tensor<3x?x?x2x4xf32>
// CHECK: %[[Y:.*]] = tensor.collapse_shape %[[Q]]
// CHECK: return %[[Y]], %{{.*}}, %[[A]] : tensor<?x1x8xf32>, tensor<?xi32>, tensor<3x?x?x2x4xf32>

// BOTH: func.func @extend_b2_t4(
// BOTH-SAME: tensor<2x4x8xf32> {weir.name = "x"}
// BOTH-SAME: tensor<2xi32> {weir.name = "lengths", weir.role = "lengths"}
// BOTH-SAME: tensor<2xi32> {weir.slot = @position}
// BOTH-SAME: tensor<3x2x?x2x4xf32> {weir.slot = @history}
// BOTH-SAME: -> (tensor<2x4x8xf32> {weir.name = "y"},
// BOTH: weir.append {{.*}} : tensor<2x4x2x4xf32>, tensor<3x2x?x2x4xf32>, tensor<2xi32>
func.func @extend(
    %x: tensor<?x?x8xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"},
    %p: tensor<?xi32> {weir.slot = @position},
    %h: tensor<3x?x?x2x4xf32> {weir.slot = @history})
    -> (tensor<?x?x8xf32> {weir.name = "y"},
        tensor<?xi32> {weir.slot = @position},
        tensor<3x?x?x2x4xf32> {weir.slot = @history})
    attributes {weir.method = "extend"} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x8xf32>
  %t = tensor.dim %x, %c1 : tensor<?x?x8xf32>
  %q = tensor.expand_shape %x [[0], [1], [2, 3]] output_shape [%b, %t, 2, 4]
      : tensor<?x?x8xf32> into tensor<?x?x2x4xf32>
  %a = weir.append %q into %h[%c1] at %p lengths(%n : tensor<?xi32>)
      : tensor<?x?x2x4xf32>, tensor<3x?x?x2x4xf32>, tensor<?xi32>
  %y = tensor.collapse_shape %q [[0], [1], [2, 3]]
      : tensor<?x?x2x4xf32> into tensor<?x?x8xf32>
  return %y, %p, %a
      : tensor<?x?x8xf32>, tensor<?xi32>, tensor<3x?x?x2x4xf32>
}

// -----

// The last of one token is that token.

// CHECK: func.func @extend_last_t1(
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x1x8xf32>
// CHECK-SAME: weir.method = "extend_last"
// CHECK-NEXT: %[[Y:.*]] = weir.rms_norm %[[X]]
// CHECK-NEXT: return %[[Y]]

// BOTH: func.func @extend_last_b2_t4(
// BOTH: weir.select_last {{.*}} : tensor<2x4x8xf32>, tensor<2xi32> -> tensor<2x1x8xf32>
func.func @extend_last(
    %x: tensor<?x?x8xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x1x8xf32> {weir.name = "y"})
    attributes {weir.method = "extend_last"} {
  %l = weir.select_last %x, %n
      : tensor<?x?x8xf32>, tensor<?xi32> -> tensor<?x1x8xf32>
  %y = weir.rms_norm %l eps(1.0e-5) : tensor<?x1x8xf32>
  return %y : tensor<?x1x8xf32>
}

// -----

// A region may read what belongs to a row, however many rows there are.

// CHECK: func.func @extend(
// CHECK: func.func @extend_t1(
// BOTH: func.func @extend_b2_t4(
// BOTH-SAME: %[[N:[^:]*]]: tensor<2xi32>
// BOTH: weir.attention
// BOTH: tensor.extract %[[N]][%{{.*}}] : tensor<2xi32>
// BOTH: tensor<2x4x2x4xf32>, tensor<2x4x2x4xf32>, tensor<2x4x2x4xf32>
func.func @extend(
    %x: tensor<?x?x2x4xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x2x4xf32> {weir.name = "y"})
    attributes {weir.method = "extend"} {
  %y = weir.attention %x, %x, %x mask(<causal>) scale(0.5) where {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %length = tensor.extract %n[%b] : tensor<?xi32>
    %end = arith.index_cast %length : i32 to index
    %there = arith.cmpi slt, %i, %end : index
    weir.yield %there : i1
  } : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %y : tensor<?x?x2x4xf32>
}

// -----

// The whole-sequence function has no copy.

// CHECK: func.func @forward
// CHECK-NOT: func.func
func.func @forward(%x: tensor<?x?x8xf32> {weir.name = "x"})
    -> (tensor<?x?x8xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  return %x : tensor<?x?x8xf32>
}
