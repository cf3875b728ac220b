// RUN: weir-opt %s --weir-vectorize-generics=vector-bits=256 | FileCheck %s

#id = affine_map<(d0, d1) -> (d0, d1)>
#row = affine_map<(d0, d1) -> (d0)>
#column = affine_map<(d0, d1) -> (d1)>
#transposed = affine_map<(d0, d1) -> (d1, d0)>

// A static extent: whole vectors, then a shorter one. What does not run with
// the last loop is read as an element.
// CHECK-LABEL: func.func @static_extent
// CHECK-SAME: (%[[X:.*]]: tensor<4x20xf32>, %[[R:.*]]: tensor<4xf32>, %{{.*}}: tensor<20xf32>)
// CHECK: scf.for %[[I:[^ ]*]] =
// CHECK: scf.for {{.*}} step %c8
// CHECK: vector.transfer_read %[[X]]{{.*}} vector<8xf32>
// CHECK: tensor.extract %[[R]][%[[I]]]
// CHECK: vector.transfer_write {{.*}} vector<8xf32>
// CHECK: vector.transfer_read %[[X]]{{.*}} vector<4xf32>
// CHECK: vector.transfer_write {{.*}} vector<4xf32>
// CHECK-NOT: linalg.generic
func.func @static_extent(%x: tensor<4x20xf32>, %r: tensor<4xf32>,
                         %c: tensor<20xf32>) -> tensor<4x20xf32> {
  %e = tensor.empty() : tensor<4x20xf32>
  %y = linalg.generic {indexing_maps = [#id, #row, #column, #id],
      iterator_types = ["parallel", "parallel"]}
      ins(%x, %r, %c : tensor<4x20xf32>, tensor<4xf32>, tensor<20xf32>)
      outs(%e : tensor<4x20xf32>) {
  ^bb0(%a: f32, %s: f32, %t: f32, %o: f32):
    %0 = arith.mulf %a, %s : f32
    %1 = arith.addf %0, %t : f32
    linalg.yield %1 : f32
  } -> tensor<4x20xf32>
  return %y : tensor<4x20xf32>
}

// A sum over a dynamic extent runs in one vector, whose lanes behind the end
// are neutral.
// CHECK-LABEL: func.func @sum_of_dynamic_extent
// CHECK: %[[WHOLE:.*]] = scf.for {{.*}} -> (vector<8xf32>)
// CHECK: %[[ALL:.*]] = scf.for {{.*}} iter_args(%{{.*}} = %[[WHOLE]])
// CHECK: %[[MASK:.*]] = vector.create_mask
// CHECK: arith.select %[[MASK]]
// CHECK: %[[SUM:.*]] = vector.reduction <add>, %[[ALL]]
// CHECK: %[[BEFORE:.*]] = tensor.extract
// CHECK: arith.addf %[[BEFORE]], %[[SUM]]
// CHECK: tensor.insert
func.func @sum_of_dynamic_extent(%x: tensor<4x?xf32>, %s: tensor<4xf32>)
    -> tensor<4xf32> {
  %y = linalg.generic {indexing_maps = [#id, #row],
      iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x?xf32>) outs(%s : tensor<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.mulf %a, %a : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// The index of the last loop counts up across the lanes.
// CHECK-LABEL: func.func @index
// CHECK: vector.step : vector<8xindex>
// CHECK: arith.cmpi slt, %{{.*}} : vector<8xindex>
func.func @index(%x: tensor<8xf32>, %n: index) -> tensor<8xf32> {
  %zero = arith.constant 0.0 : f32
  %y = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>],
      iterator_types = ["parallel"]} outs(%x : tensor<8xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %in = arith.cmpi slt, %i, %n : index
    %0 = arith.select %in, %o, %zero : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  return %y : tensor<8xf32>
}

// Elements that lie apart stay as they are.
// CHECK-LABEL: func.func @transposed
// CHECK: linalg.generic
func.func @transposed(%x: tensor<8x4xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %y = linalg.generic {indexing_maps = [#transposed, #id],
      iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<8x4xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  } -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// A short sum down the columns runs inside, in a register; what it writes on
// the way is written there.
// CHECK-LABEL: func.func @sum_down_columns
// CHECK-SAME: (%[[X:.*]]: tensor<16x32xf32>, %[[C:.*]]: tensor<16xf32>, %[[SUM:.*]]: tensor<32xf32>)
// CHECK: scf.for %[[D:.*]] = {{.*}} step %c8{{.*}} iter_args(%{{.*}} = %{{.*}}, %[[TO:.*]] = %[[SUM]])
// CHECK: %[[FIRST:.*]] = vector.transfer_read %[[TO]][%[[D]]]
// CHECK: %[[LAST:.*]]:2 = scf.for %[[N:.*]] = %c0{{.*}} to %c16{{.*}} step %c1{{.*}} iter_args(%[[T:.*]] = %{{.*}}, %[[S:.*]] = %[[FIRST]])
// CHECK: vector.transfer_read %[[X]][%[[N]], %[[D]]]
// CHECK: tensor.extract %[[C]][%[[N]]]
// CHECK: arith.addf %[[S]]
// CHECK: vector.transfer_write %{{.*}}, %[[T]][%[[N]], %[[D]]]
// CHECK: vector.transfer_write %[[LAST]]#1, %[[TO]][%[[D]]]
// CHECK-NOT: vector.reduction
func.func @sum_down_columns(%x: tensor<16x32xf32>, %c: tensor<16xf32>,
                            %sum: tensor<32xf32>)
    -> (tensor<16x32xf32>, tensor<32xf32>) {
  %e = tensor.empty() : tensor<16x32xf32>
  %y:2 = linalg.generic {indexing_maps = [#transposed, #column, #transposed, #row],
      iterator_types = ["parallel", "reduction"]}
      ins(%x, %c : tensor<16x32xf32>, tensor<16xf32>)
      outs(%e, %sum : tensor<16x32xf32>, tensor<32xf32>) {
  ^bb0(%a: f32, %f: f32, %o: f32, %s: f32):
    %0 = arith.mulf %a, %f : f32
    %1 = arith.addf %s, %0 : f32
    linalg.yield %0, %1 : f32, f32
  } -> (tensor<16x32xf32>, tensor<32xf32>)
  return %y#0, %y#1 : tensor<16x32xf32>, tensor<32xf32>
}

// A long one takes row after row.
// CHECK-LABEL: func.func @long_sum_down_columns
// CHECK: scf.for {{.*}} to %c100{{.*}} step %c1
// CHECK: scf.for {{.*}} step %c8
func.func @long_sum_down_columns(%x: tensor<100x32xf32>, %sum: tensor<32xf32>)
    -> tensor<32xf32> {
  %y = linalg.generic {indexing_maps = [#id, #column],
      iterator_types = ["reduction", "parallel"]}
      ins(%x : tensor<100x32xf32>) outs(%sum : tensor<32xf32>) {
  ^bb0(%a: f32, %s: f32):
    %0 = arith.addf %s, %a : f32
    linalg.yield %0 : f32
  } -> tensor<32xf32>
  return %y : tensor<32xf32>
}
