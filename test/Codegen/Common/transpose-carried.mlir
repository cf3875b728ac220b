// RUN: weir-opt %s --weir-transpose-carried | FileCheck %s

#d = affine_map<(d, n) -> (d)>
#n = affine_map<(d, n) -> (n)>
#dn = affine_map<(d, n) -> (d, n)>

// CHECK-DAG: #[[TURNED:.*]] = affine_map<(d0, d1) -> (d1, d0)>

// The state, and the rates from in front of the loop that go with it.
// CHECK-LABEL: func.func @update_and_read
// CHECK-SAME: (%[[START:.*]]: tensor<32x4xf32>, %[[RATE:.*]]: tensor<32x4xf32>
// CHECK: %[[RATES:.*]] = linalg.transpose ins(%[[RATE]] : tensor<32x4xf32>) outs(%{{.*}} : tensor<4x32xf32>) permutation = [1, 0]
// CHECK: %[[INIT:.*]] = linalg.transpose ins(%[[START]]
// CHECK: %[[LOOP:.*]]:2 = scf.for {{.*}} iter_args(%[[S:.*]] = %[[INIT]], %{{.*}})
// CHECK: linalg.generic {indexing_maps = [#[[TURNED]], #[[TURNED]], #{{.*}}], iterator_types = ["parallel", "reduction"]}
// CHECK-SAME: ins(%[[RATES]] : tensor<4x32xf32>) outs(%[[S]], %{{.*}} : tensor<4x32xf32>, tensor<32xf32>)
// CHECK: %[[BACK:.*]] = linalg.transpose ins(%[[LOOP]]#0 : tensor<4x32xf32>) outs(%[[START]] : tensor<32x4xf32>) permutation = [1, 0]
// CHECK: return %[[BACK]], %[[LOOP]]#1
func.func @update_and_read(%start: tensor<32x4xf32>, %rate: tensor<32x4xf32>,
                           %y: tensor<32xf32>, %end: index)
    -> (tensor<32x4xf32>, tensor<32xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %end step %c1 iter_args(%s = %start, %t = %y)
      -> (tensor<32x4xf32>, tensor<32xf32>) {
    %next:2 = linalg.generic {indexing_maps = [#dn, #dn, #d],
        iterator_types = ["parallel", "reduction"]}
        ins(%rate : tensor<32x4xf32>)
        outs(%s, %t : tensor<32x4xf32>, tensor<32xf32>) {
    ^bb0(%a: f32, %h: f32, %sum: f32):
      %0 = arith.mulf %a, %h : f32
      %1 = arith.addf %sum, %0 : f32
      linalg.yield %0, %1 : f32, f32
    } -> (tensor<32x4xf32>, tensor<32xf32>)
    scf.yield %next#0, %next#1 : tensor<32x4xf32>, tensor<32xf32>
  }
  return %r#0, %r#1 : tensor<32x4xf32>, tensor<32xf32>
}

// The matrix between two operations is one of its kind.
// CHECK-LABEL: func.func @two_operations
// CHECK: scf.for {{.*}} -> (tensor<4x32xf32>, tensor<32xf32>)
// CHECK: tensor.empty() : tensor<4x32xf32>
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : tensor<4x32xf32>)
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<4x32xf32>) outs(%{{.*}} : tensor<32xf32>)
func.func @two_operations(%start: tensor<32x4xf32>, %f: tensor<4xf32>,
                          %y: tensor<32xf32>, %end: index)
    -> (tensor<32x4xf32>, tensor<32xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:2 = scf.for %i = %c0 to %end step %c1 iter_args(%s = %start, %t = %y)
      -> (tensor<32x4xf32>, tensor<32xf32>) {
    %e = tensor.empty() : tensor<32x4xf32>
    %next = linalg.generic {indexing_maps = [#dn, #n, #dn],
        iterator_types = ["parallel", "parallel"]}
        ins(%s, %f : tensor<32x4xf32>, tensor<4xf32>)
        outs(%e : tensor<32x4xf32>) {
    ^bb0(%h: f32, %a: f32, %o: f32):
      %0 = arith.mulf %a, %h : f32
      linalg.yield %0 : f32
    } -> tensor<32x4xf32>
    %sum = linalg.generic {indexing_maps = [#dn, #d],
        iterator_types = ["parallel", "reduction"]}
        ins(%next : tensor<32x4xf32>) outs(%t : tensor<32xf32>) {
    ^bb0(%h: f32, %o: f32):
      %0 = arith.addf %o, %h : f32
      linalg.yield %0 : f32
    } -> tensor<32xf32>
    scf.yield %next, %sum : tensor<32x4xf32>, tensor<32xf32>
  }
  return %r#0, %r#1 : tensor<32x4xf32>, tensor<32xf32>
}

// What else writes to the same place keeps its shape.
// CHECK-LABEL: func.func @shared_place
// CHECK: scf.for {{.*}} -> (tensor<4x32xf32>, tensor<32x4xf32>, tensor<32xf32>)
// CHECK: %[[PLACE:.*]] = tensor.empty() : tensor<32x4xf32>
// CHECK: tensor.empty() : tensor<4x32xf32>
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<4xf32>) outs(%[[PLACE]] : tensor<32x4xf32>)
func.func @shared_place(%start: tensor<32x4xf32>, %f: tensor<4xf32>,
                        %y: tensor<32xf32>, %end: index)
    -> (tensor<32x4xf32>, tensor<32x4xf32>, tensor<32xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r:3 = scf.for %i = %c0 to %end step %c1
      iter_args(%s = %start, %u = %start, %t = %y)
      -> (tensor<32x4xf32>, tensor<32x4xf32>, tensor<32xf32>) {
    %e = tensor.empty() : tensor<32x4xf32>
    %next = linalg.generic {indexing_maps = [#dn, #dn],
        iterator_types = ["parallel", "parallel"]}
        ins(%s : tensor<32x4xf32>) outs(%e : tensor<32x4xf32>) {
    ^bb0(%h: f32, %o: f32):
      %0 = arith.negf %h : f32
      linalg.yield %0 : f32
    } -> tensor<32x4xf32>
    %other = linalg.generic {indexing_maps = [#n, #dn],
        iterator_types = ["parallel", "parallel"]}
        ins(%f : tensor<4xf32>) outs(%e : tensor<32x4xf32>) {
    ^bb0(%a: f32, %o: f32):
      linalg.yield %a : f32
    } -> tensor<32x4xf32>
    %sum = linalg.generic {indexing_maps = [#dn, #d],
        iterator_types = ["parallel", "reduction"]}
        ins(%next : tensor<32x4xf32>) outs(%t : tensor<32xf32>) {
    ^bb0(%h: f32, %o: f32):
      %0 = arith.addf %o, %h : f32
      linalg.yield %0 : f32
    } -> tensor<32xf32>
    scf.yield %next, %other, %sum
        : tensor<32x4xf32>, tensor<32x4xf32>, tensor<32xf32>
  }
  return %r#0, %r#1, %r#2
      : tensor<32x4xf32>, tensor<32x4xf32>, tensor<32xf32>
}

// Nothing is won where no row is added up, and a slice keeps the matrix as it
// is.
// CHECK-LABEL: func.func @stays
// CHECK-NOT: linalg.transpose
func.func @stays(%start: tensor<32x4xf32>, %y: tensor<32xf32>, %end: index)
    -> (tensor<32x4xf32>, tensor<32x4xf32>, tensor<32xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a = scf.for %i = %c0 to %end step %c1 iter_args(%s = %start)
      -> (tensor<32x4xf32>) {
    %next = linalg.generic {indexing_maps = [#dn],
        iterator_types = ["parallel", "parallel"]}
        outs(%s : tensor<32x4xf32>) {
    ^bb0(%h: f32):
      %0 = arith.negf %h : f32
      linalg.yield %0 : f32
    } -> tensor<32x4xf32>
    scf.yield %next : tensor<32x4xf32>
  }
  %b:2 = scf.for %i = %c0 to %end step %c1 iter_args(%s = %start, %t = %y)
      -> (tensor<32x4xf32>, tensor<32xf32>) {
    %sum = linalg.generic {indexing_maps = [#dn, #d],
        iterator_types = ["parallel", "reduction"]}
        ins(%s : tensor<32x4xf32>) outs(%t : tensor<32xf32>) {
    ^bb0(%h: f32, %o: f32):
      %0 = arith.addf %o, %h : f32
      linalg.yield %0 : f32
    } -> tensor<32xf32>
    %first = tensor.extract_slice %s[0, 0] [1, 4] [1, 1]
        : tensor<32x4xf32> to tensor<1x4xf32>
    %next = tensor.insert_slice %first into %s[%i, 0] [1, 4] [1, 1]
        : tensor<1x4xf32> into tensor<32x4xf32>
    scf.yield %next, %sum : tensor<32x4xf32>, tensor<32xf32>
  }
  return %a, %b#0, %b#1 : tensor<32x4xf32>, tensor<32x4xf32>, tensor<32xf32>
}
