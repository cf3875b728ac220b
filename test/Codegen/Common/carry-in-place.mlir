// RUN: weir-opt %s --weir-carry-in-place | FileCheck %s

weir.slot @carry carry : tensor<?x4xf32>

// Element by element it may be written over what it is made of.
// CHECK-LABEL: func.func @fresh_value_is_written_back
// CHECK: scf.for {{.*}} iter_args(%[[X:.*]] = %{{.*}})
// CHECK: %[[Y:.*]] = linalg.exp ins(%[[X]] : {{.*}}) outs(%[[X]]
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

// Values that change places are no updates of their own; one is kept in a copy.
// CHECK-LABEL: func.func @swapped
// CHECK: iter_args(%[[A:.*]] = %{{.*}}, %[[B:.*]] = %{{.*}})
// CHECK-NEXT: %[[OLD:.*]] = bufferization.alloc_tensor() copy(%[[B]])
// CHECK-NEXT: bufferization.materialize_in_destination %[[A]] in %[[B]]
// CHECK-NEXT: bufferization.materialize_in_destination %[[OLD]] in %[[A]]
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

// One that is handed on is written before its place is taken.
// CHECK-LABEL: func.func @handed_on
// CHECK: iter_args(%[[NOW:.*]] = %{{.*}}, %[[BEFORE:.*]] = %{{.*}})
// CHECK: %[[NEXT:.*]] = linalg.add
// CHECK-NEXT: bufferization.materialize_in_destination %[[NOW]] in %[[BEFORE]]
// CHECK-NEXT: bufferization.materialize_in_destination %[[NEXT]] in %[[NOW]]
func.func @handed_on(%a0: tensor<4xf32>, %b0: tensor<4xf32>, %n: index)
    -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %a0, %b = %b0)
      -> (tensor<4xf32>, tensor<4xf32>) {
    %init = tensor.empty() : tensor<4xf32>
    %next = linalg.add ins(%a, %b : tensor<4xf32>, tensor<4xf32>)
        outs(%init : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %next, %a : tensor<4xf32>, tensor<4xf32>
  }
  return %r#0, %r#1 : tensor<4xf32>, tensor<4xf32>
}

// What is written in parts while others are read is made apart.
// CHECK-LABEL: func.func @made_of_parts_of_itself
// CHECK: iter_args(%[[X:.*]] = %{{.*}})
// CHECK: %[[E:.*]] = tensor.empty
// CHECK: %[[Y:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %[[E]])
// CHECK: bufferization.materialize_in_destination %[[Y]] in %[[X]]
func.func @made_of_parts_of_itself(%x0: tensor<4xf32>, %n: index)
    -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%x = %x0) -> tensor<4xf32> {
    %init = tensor.empty() : tensor<4xf32>
    %y = scf.for %j = %c0 to %c4 step %c1 iter_args(%o = %init)
        -> tensor<4xf32> {
      %a = tensor.extract %x[%j] : tensor<4xf32>
      %b = tensor.extract %x[%c0] : tensor<4xf32>
      %c = arith.addf %a, %b : f32
      %p = tensor.insert %c into %o[%j] : tensor<4xf32>
      scf.yield %p : tensor<4xf32>
    }
    scf.yield %y : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// An update that may not be in place, as the old value is read behind it.
// CHECK-LABEL: func.func @read_behind_update
// CHECK: iter_args(%[[X:.*]] = %{{.*}})
// CHECK: %[[Y:.*]] = tensor.insert
// CHECK: %[[Z:.*]] = tensor.insert %{{.*}} into %[[Y]]
// CHECK: bufferization.materialize_in_destination %[[Z]] in %[[X]]
func.func @read_behind_update(%x0: tensor<4xf32>, %s: f32, %n: index)
    -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%x = %x0) -> tensor<4xf32> {
    %y = tensor.insert %s into %x[%i] : tensor<4xf32>
    %old = tensor.extract %x[%i] : tensor<4xf32>
    %z = tensor.insert %old into %y[%c0] : tensor<4xf32>
    scf.yield %z : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// A branch reads the tensor first and is done with it when it makes the next.
// CHECK-LABEL: func.func @branches
// CHECK: iter_args(%[[X:.*]] = %{{.*}})
// CHECK: case 0
// CHECK: linalg.fill {{.*}} outs(%[[X]]
// CHECK: default
// CHECK: linalg.fill {{.*}} outs(%[[X]]
// CHECK: materialize_in_destination %{{.*}} in %[[X]]
func.func @branches(%x0: tensor<4xf32>, %n: index) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%x = %x0) -> tensor<4xf32> {
    %y = scf.index_switch %i -> tensor<4xf32>
    case 0 {
      %s = tensor.extract %x[%c0] : tensor<4xf32>
      %e = tensor.empty() : tensor<4xf32>
      %f = linalg.fill ins(%s : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
      scf.yield %f : tensor<4xf32>
    }
    default {
      %s = tensor.extract %x[%c1] : tensor<4xf32>
      %e = tensor.empty() : tensor<4xf32>
      %f = linalg.fill ins(%s : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
      scf.yield %f : tensor<4xf32>
    }
    scf.yield %y : tensor<4xf32>
  }
  return %r : tensor<4xf32>
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

// A loop whose result is the next value begins in the carried tensor; a write
// of the result to where it lies already would count as one more read.
// CHECK-LABEL: func.func @loop_ends_where_it_began
// CHECK: scf.for {{.*}} iter_args(%[[X:.*]] = %{{.*}})
// CHECK: %[[Y:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %[[X]])
// CHECK-NOT: materialize_in_destination
// CHECK: scf.yield %[[Y]]
func.func @loop_ends_where_it_began(%x0: tensor<4xf32>, %s: f32, %n: index)
    -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%x = %x0) -> tensor<4xf32> {
    %init = tensor.empty() : tensor<4xf32>
    %y = scf.for %j = %c0 to %n step %c1 iter_args(%a = %init)
        -> tensor<4xf32> {
      %b = tensor.insert %s into %a[%j] : tensor<4xf32>
      scf.yield %b : tensor<4xf32>
    }
    scf.yield %y : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// Nothing is computed in place of what an encoder gave.
weir.slot @cross memory : tensor<?x4xf32>

// CHECK-LABEL: func.func @memory_is_only_read
// CHECK-SAME: tensor<?x4xf32> {bufferization.writable = false, weir.slot = @cross}
func.func @memory_is_only_read(%m: tensor<?x4xf32> {weir.slot = @cross})
    -> (tensor<?x4xf32> {weir.name = "y"}) {
  %y = linalg.exp ins(%m : tensor<?x4xf32>) outs(%m : tensor<?x4xf32>)
      -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
