// RUN: weir-opt %s --weir-tile-block-maps -canonicalize -cse | FileCheck %s

// A band is as long as the keys visited: no block asks whether it is empty, and
// each asks whether it is full.
// CHECK-LABEL: func.func @band
// CHECK: scf.for
// CHECK-NOT: scf.if
// CHECK: linalg.generic
// CHECK: scf.if
// CHECK-NOT: scf.if
// CHECK: return
func.func @band(%q: tensor<?x?x2x16xf32>) -> tensor<?x?x2x16xf32> {
  %0 = weir.attention %q, %q, %q mask(<causal and window<8>>) scale(0.25)
      schedule(<form = "flash", tiles = [64, 96]>)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x2x16xf32>
  return %0 : tensor<?x?x2x16xf32>
}

// Elsewhere blocks inside the reach may be empty: their carry passes by. Here a
// block is of use if its first key is a first one, or its last is near the
// first query.
// CHECK-LABEL: func.func @sinks_and_window
// CHECK-DAG: %[[FOUR:.*]] = arith.constant 4 : index
// CHECK: scf.for {{.*}} iter_args(%[[A:.*]] = %{{.*}}, %[[B:.*]] = %{{.*}}, %[[C:.*]] = %{{.*}})
// CHECK: %[[FIRST:.*]] = arith.cmpi slt, %[[KEY:.*]], %[[FOUR]]
// CHECK: %[[SOME:.*]] = arith.ori %{{.*}}, %[[FIRST]]
// CHECK: %[[ANY:.*]] = arith.andi %{{.*}}, %[[SOME]]
// CHECK: scf.if %[[ANY]]
// CHECK: scf.yield {{.*}} : tensor<64xf32>, tensor<64xf32>, tensor<16x64xf32>
// CHECK-NEXT: } else {
// CHECK-NEXT: scf.yield %[[A]], %[[B]], %[[C]]
func.func @sinks_and_window(%q: tensor<?x?x2x16xf32>) -> tensor<?x?x2x16xf32> {
  %0 = weir.attention %q, %q, %q
      mask(<causal and (window<256> or first<4>)>) scale(0.25)
      schedule(<form = "flash", tiles = [64, 96]>)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x2x16xf32>
  return %0 : tensor<?x?x2x16xf32>
}

// What each key has is looked through, once for a block.
// CHECK-LABEL: func.func @of_keys
// CHECK: scf.for
// CHECK: %[[EXTREMES:.*]]:2 = scf.for %[[K:.*]] = %{{.*}} to %{{.*}} step
// CHECK: tensor.extract %{{.*}}[%{{.*}}, %[[K]]] : tensor<?x?xi32>
// CHECK: arith.minsi
// CHECK: arith.maxsi
// CHECK: scf.if
func.func @of_keys(%q: tensor<?x?x2x16xf32>, %numbers: tensor<?x?xi32>)
    -> tensor<?x?x2x16xf32> {
  %0 = weir.attention %q, %q, %q mask(<full>) scale(0.25)
      schedule(<form = "flash", tiles = [64, 96]>) where {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %two = arith.constant 2 : i32
    %number = tensor.extract %numbers[%b, %j] : tensor<?x?xi32>
    %c = arith.cmpi sgt, %number, %two : i32
    weir.yield %c : i1
  } : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
      -> tensor<?x?x2x16xf32>
  return %0 : tensor<?x?x2x16xf32>
}

// What is read by query and key may be anything: every block is visited.
// CHECK-LABEL: func.func @of_a_tensor
// CHECK: scf.for
// CHECK-NOT: scf.if
// CHECK: tensor.extract
// CHECK: return
func.func @of_a_tensor(%q: tensor<?x?x2x16xf32>, %shown: tensor<?x?xi1>)
    -> tensor<?x?x2x16xf32> {
  %0 = weir.attention %q, %q, %q mask(<full>) scale(0.25)
      schedule(<form = "flash", tiles = [64, 96]>) where {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %c = tensor.extract %shown[%i, %j] : tensor<?x?xi1>
    weir.yield %c : i1
  } : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x2x16xf32>
  return %0 : tensor<?x?x2x16xf32>
}

// A predicate of numbers has the class that the same mask of the algebra has.
// CHECK-LABEL: func.func @causal_where
// CHECK: scf.for
// CHECK: arith.cmpi sle, %[[LAST:.*]], %[[QUERY:.*]] : index
// CHECK: scf.if
func.func @causal_where(%q: tensor<?x?x2x16xf32>) -> tensor<?x?x2x16xf32> {
  %0 = weir.attention %q, %q, %q mask(<full>) scale(0.25)
      schedule(<form = "flash", tiles = [64, 96]>) where {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %c = arith.cmpi sle, %j, %i : index
    weir.yield %c : i1
  } : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x2x16xf32>
  return %0 : tensor<?x?x2x16xf32>
}
