// RUN: weir-opt %s --weir-stage-transposes --canonicalize --cse | FileCheck %s

// Rows of channels, of which steps read one number each, and a result that is
// turned back: a block of 16 steps goes through tiles.
// CHECK-LABEL: func.func @both_ways
// CHECK-SAME: (%[[X:.*]]: tensor<1x64x96xf32>, %[[S:.*]]: tensor<32xf32>)
// CHECK: %[[Y:.*]] = scf.forall (%[[I:.*]]) in (2) shared_outs(%[[OUT:.*]] = %{{.*}}) -> (tensor<1x64x96xf32>)
// CHECK: %[[C:.*]] = arith.muli %[[I]], %c32
// CHECK: %[[OWN:.*]] = tensor.extract_slice %[[OUT]][0, %[[C]], 0] [1, 32, 96] [1, 1, 1]
// CHECK: %[[BLOCKS:.*]]:2 = scf.for %[[B:.*]] = %c0 to %c96 step %c16 iter_args(%[[O:.*]] = %[[OWN]], %[[H:.*]] = %[[S]])
// CHECK: %[[PART:.*]] = tensor.extract_slice %[[X]][0, %[[C]], %[[B]]] [1, 32, 16] [1, 1, 1]
// CHECK: %[[EMPTY:.*]] = tensor.empty() : tensor<1x16x32xf32>
// CHECK: %[[TILE:.*]] = linalg.transpose ins(%[[PART]] : {{.*}}) outs(%[[EMPTY]] : {{.*}}) permutation = [0, 2, 1]
// CHECK: %[[STEPS:.*]]:2 = scf.for %[[T:.*]] = %c0 to %c16 step %c1 iter_args(%[[ROWS:.*]] = %{{.*}}, %[[G:.*]] = %[[H]]) -> (tensor<1x16x32xf32>, tensor<32xf32>)
// CHECK: %[[ROW:.*]] = tensor.extract_slice %[[TILE]][0, %[[T]], 0] [1, 1, 32] [1, 1, 1] : tensor<1x16x32xf32> to tensor<32xf32>
// CHECK: %[[NEXT:.*]] = arith.addf %[[ROW]], %[[G]]
// CHECK: %[[WRITTEN:.*]] = tensor.insert_slice %[[NEXT]] into %[[ROWS]][0, %[[T]], 0] [1, 1, 32] [1, 1, 1]
// CHECK: scf.yield %[[WRITTEN]], %[[NEXT]]
// CHECK: %[[INTO:.*]] = tensor.extract_slice %[[O]][0, 0, %[[B]]] [1, 32, 16] [1, 1, 1]
// CHECK: %[[BACK:.*]] = linalg.transpose ins(%[[STEPS]]#0 : {{.*}}) outs(%[[INTO]] : {{.*}}) permutation = [0, 2, 1]
// CHECK: %[[ALL:.*]] = tensor.insert_slice %[[BACK]] into %[[O]][0, 0, %[[B]]] [1, 32, 16] [1, 1, 1]
// CHECK: scf.yield %[[ALL]], %[[STEPS]]#1
// CHECK: tensor.parallel_insert_slice %[[BLOCKS]]#0 into %[[OUT]][0, %[[C]], 0] [1, 32, 96] [1, 1, 1]
// CHECK: return %[[Y]]
func.func @both_ways(%x: tensor<1x64x96xf32>, %start: tensor<32xf32>)
    -> tensor<1x64x96xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c96 = arith.constant 96 : index
  %e = tensor.empty() : tensor<1x96x64xf32>
  %u = linalg.transpose ins(%x : tensor<1x64x96xf32>)
      outs(%e : tensor<1x96x64xf32>) permutation = [0, 2, 1]
  %y = scf.forall (%i) in (2) shared_outs(%out = %e) -> (tensor<1x96x64xf32>) {
    %c32 = arith.constant 32 : index
    %c = arith.muli %i, %c32 : index
    %o = tensor.extract_slice %out[0, 0, %c] [1, 96, 32] [1, 1, 1]
        : tensor<1x96x64xf32> to tensor<1x96x32xf32>
    %r:2 = scf.for %t = %c0 to %c96 step %c1 iter_args(%p = %o, %h = %start)
        -> (tensor<1x96x32xf32>, tensor<32xf32>) {
      %d = arith.muli %i, %c32 : index
      %row = tensor.extract_slice %u[0, %t, %d] [1, 1, 32] [1, 1, 1]
          : tensor<1x96x64xf32> to tensor<32xf32>
      %next = arith.addf %row, %h : tensor<32xf32>
      %w = tensor.insert_slice %next into %p[0, %t, 0] [1, 1, 32] [1, 1, 1]
          : tensor<32xf32> into tensor<1x96x32xf32>
      scf.yield %w, %next : tensor<1x96x32xf32>, tensor<32xf32>
    }
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %r#0 into %out[0, 0, %c] [1, 96, 32] [1, 1, 1]
          : tensor<1x96x32xf32> into tensor<1x96x64xf32>
    }
  }
  %f = tensor.empty() : tensor<1x64x96xf32>
  %z = linalg.transpose ins(%y : tensor<1x96x64xf32>)
      outs(%f : tensor<1x64x96xf32>) permutation = [0, 2, 1]
  return %z : tensor<1x64x96xf32>
}

// The last block of any number of steps is shorter; its tile is as large.
// CHECK-LABEL: func.func @any_length
// CHECK-SAME: (%[[X:.*]]: tensor<16x?xf32>, %{{.*}}: tensor<16xf32>, %[[N:.*]]: index)
// CHECK: scf.for %[[B:.*]] = %c0 to %[[N]] step %c16
// CHECK: %[[REST:.*]] = arith.subi %[[N]], %[[B]]
// CHECK: %[[COUNT:.*]] = arith.minsi %[[REST]], %c16
// CHECK: %[[PART:.*]] = tensor.extract_slice %[[X]][0, %[[B]]] [16, %[[COUNT]]] [1, 1]
// CHECK: %[[EMPTY:.*]] = tensor.empty() : tensor<16x16xf32>
// CHECK: %[[ROWS:.*]] = tensor.extract_slice %[[EMPTY]][0, 0] [%[[COUNT]], 16] [1, 1]
// CHECK: %[[TILE:.*]] = linalg.transpose ins(%[[PART]] : {{.*}}) outs(%[[ROWS]] : {{.*}}) permutation = [1, 0]
// CHECK: scf.for %[[T:.*]] = %c0 to %[[COUNT]] step %c1
// CHECK: tensor.extract_slice %[[TILE]][%[[T]], 0] [1, 16] [1, 1]
func.func @any_length(%x: tensor<16x?xf32>, %start: tensor<16xf32>, %n: index)
    -> tensor<16xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %e = tensor.empty(%n) : tensor<?x16xf32>
  %u = linalg.transpose ins(%x : tensor<16x?xf32>) outs(%e : tensor<?x16xf32>)
      permutation = [1, 0]
  %y = scf.forall (%i) in (1) shared_outs(%out = %start) -> (tensor<16xf32>) {
    %r = scf.for %t = %c0 to %n step %c1 iter_args(%h = %out) -> (tensor<16xf32>) {
      %row = tensor.extract_slice %u[%t, 0] [1, 16] [1, 1]
          : tensor<?x16xf32> to tensor<16xf32>
      %next = arith.addf %row, %h : tensor<16xf32>
      scf.yield %next : tensor<16xf32>
    }
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %r into %out[0] [16] [1]
          : tensor<16xf32> into tensor<16xf32>
    }
  }
  return %y : tensor<16xf32>
}

// Every point reads all rows: they are transposed once.
// CHECK-LABEL: func.func @shared
// CHECK: linalg.transpose
// CHECK: scf.forall
// CHECK-NOT: linalg.transpose
// CHECK: return
func.func @shared(%x: tensor<16x32xf32>, %start: tensor<4x16xf32>)
    -> tensor<4x16xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c32 = arith.constant 32 : index
  %e = tensor.empty() : tensor<32x16xf32>
  %u = linalg.transpose ins(%x : tensor<16x32xf32>) outs(%e : tensor<32x16xf32>)
      permutation = [1, 0]
  %y = scf.forall (%i) in (4) shared_outs(%out = %start) -> (tensor<4x16xf32>) {
    %o = tensor.extract_slice %out[%i, 0] [1, 16] [1, 1]
        : tensor<4x16xf32> to tensor<16xf32>
    %r = scf.for %t = %c0 to %c32 step %c1 iter_args(%h = %o) -> (tensor<16xf32>) {
      %row = tensor.extract_slice %u[%t, 0] [1, 16] [1, 1]
          : tensor<32x16xf32> to tensor<16xf32>
      %next = arith.addf %row, %h : tensor<16xf32>
      scf.yield %next : tensor<16xf32>
    }
    scf.forall.in_parallel {
      tensor.parallel_insert_slice %r into %out[%i, 0] [1, 16] [1, 1]
          : tensor<16xf32> into tensor<4x16xf32>
    }
  }
  return %y : tensor<4x16xf32>
}
