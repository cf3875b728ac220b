// RUN: weir-opt %s --weir-carry-in-place | FileCheck %s

weir.slot @carry carry : tensor<?x4xf32>

// CHECK-LABEL: func.func @fresh_value_is_written_back
// CHECK: scf.for {{.*}} iter_args(%[[X:.*]] = %{{.*}})
// CHECK: %[[Y:.*]] = linalg.exp ins(%[[X]]
// CHECK: %[[Z:.*]] = bufferization.materialize_in_destination %[[Y]] in %[[X]]
// CHECK: scf.yield %[[Z]]
func.func @fresh_value_is_written_back(%x0: tensor<4xf32>, %n: index)
    -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%x = %x0) -> tensor<4xf32> {
    %init = tensor.empty() : tensor<4xf32>
    %y = linalg.exp ins(%x : tensor<4xf32>) outs(%init : tensor<4xf32>)
        -> tensor<4xf32>
    scf.yield %y : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @updates_are_left_alone
// CHECK-NOT: materialize_in_destination
// CHECK: return
func.func @updates_are_left_alone(%x0: tensor<4xf32>, %s: f32, %n: index)
    -> (tensor<4xf32>, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%x = %x0, %k = %c0)
      -> (tensor<4xf32>, index) {
    %y = tensor.insert %s into %x[%i] : tensor<4xf32>
    %z = scf.for %j = %c0 to %n step %c1 iter_args(%a = %y) -> tensor<4xf32> {
      %b = linalg.fill ins(%s : f32) outs(%a : tensor<4xf32>) -> tensor<4xf32>
      scf.yield %b : tensor<4xf32>
    }
    scf.yield %z, %i : tensor<4xf32>, index
  }
  return %r#0, %r#1 : tensor<4xf32>, index
}

// Values that change places are no updates of their own.
// CHECK-LABEL: func.func @swapped
// CHECK: iter_args(%[[A:.*]] = %{{.*}}, %[[B:.*]] = %{{.*}})
// CHECK-DAG: bufferization.materialize_in_destination %[[B]] in %[[A]]
// CHECK-DAG: bufferization.materialize_in_destination %[[A]] in %[[B]]
func.func @swapped(%a0: tensor<4xf32>, %b0: tensor<4xf32>, %n: index)
    -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %a0, %b = %b0)
      -> (tensor<4xf32>, tensor<4xf32>) {
    scf.yield %b, %a : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @slot_is_written_back
// CHECK-SAME: (%[[S:.*]]: tensor<?x4xf32> {weir.slot = @carry}, %[[X:.*]]: tensor<?x4xf32>)
// CHECK: %[[R:.*]] = bufferization.materialize_in_destination %[[X]] in %[[S]]
// CHECK: return %[[X]], %[[R]]
func.func @slot_is_written_back(%s: tensor<?x4xf32> {weir.slot = @carry},
                                %x: tensor<?x4xf32>)
    -> (tensor<?x4xf32>, tensor<?x4xf32> {weir.slot = @carry}) {
  return %x, %x : tensor<?x4xf32>, tensor<?x4xf32>
}
