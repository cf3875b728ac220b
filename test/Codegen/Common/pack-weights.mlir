// RUN: weir-opt %s --weir-pack-weights=panel=4 | FileCheck %s
// RUN: weir-opt %s --weir-pack-weights='panel=4 quantize=int8 group=8' \
// RUN:   | FileCheck %s --check-prefix=INT8
// RUN: weir-opt %s --weir-pack-weights='panel=4 quantize=int4 group=8 half-scales=false' \
// RUN:   | FileCheck %s --check-prefix=INT4
// RUN: weir-opt %s --weir-pack-weights='panel=4 quantize=bf16' \
// RUN:   | FileCheck %s --check-prefix=BF16
// RUN: weir-opt %s --weir-pack-weights='panel=4 quantize=stored group=8' \
// RUN:   | FileCheck %s --check-prefix=STORED

// Six output features are two panels of four.
// CHECK: weir.param @up_values : tensor<3x2x16x4xf32> = #weir.pack<@up, values, panel = 4, bits = 32, group = 32>
// INT8: weir.param @up_quants : tensor<3x2x4x4x4xi8> = #weir.pack<@up, quants, panel = 4, bits = 8, group = 8>
// INT8: weir.param @up_scales : tensor<3x2x2x4xf16> = #weir.pack<@up, scales, panel = 4, bits = 8, group = 8>
// INT8-NOT: @up_mins
// INT4-DAG: weir.param @up_quants : tensor<3x2x2x4x4xi8> = #weir.pack<@up, quants, panel = 4, bits = 4, group = 8>
// INT4-DAG: weir.param @up_scales : tensor<3x2x2x4xf32> = #weir.pack<@up, scales, panel = 4, bits = 4, group = 8>
// INT4-DAG: weir.param @up_mins : tensor<3x2x2x4xf32> = #weir.pack<@up, mins, panel = 4, bits = 4, group = 8>
// BF16: weir.param @up_values : tensor<3x2x16x4xbf16>
// STORED: weir.param @up_values : tensor<3x2x16x4xf32>
weir.param @up : tensor<3x6x16xf32> = #weir.checkpoint<"up.*", [0, 1, 2]>

// CHECK: weir.param @half_values : tensor<2x16x4xf16>
weir.param @half : tensor<6x16xf16> = #weir.checkpoint<"half">

// STORED: weir.param @q4_0_quants : tensor<2x2x4x4xi8> = #weir.pack<@q4_0, quants, panel = 4, bits = 4, group = 8>
// STORED-NOT: @q4_0_mins
weir.param @q4_0 : tensor<6x16xf32> = #weir.checkpoint<"q4_0"> {stored = "q4_0"}
// STORED-DAG: weir.param @q4_1_mins : tensor<2x2x4xf16>
weir.param @q4_1 : tensor<6x16xf32> = #weir.checkpoint<"q4_1"> {stored = "q4_1"}
// STORED: weir.param @q6_k_quants : tensor<2x4x4x4xi8> = #weir.pack<@q6_k, quants, panel = 4, bits = 8, group = 8>
weir.param @q6_k : tensor<6x16xf32> = #weir.checkpoint<"q6_k"> {stored = "q6_k"}

// Rows that are no multiple of the group keep floats.
// INT8: weir.param @odd_values : tensor<2x12x4xf32>
weir.param @odd : tensor<6x12xf32> = #weir.checkpoint<"odd">

// CHECK-LABEL: func.func @layer_of_a_stack
// CHECK-SAME: (%[[X:.*]]: tensor<?x?x16xf32>, %[[L:.*]]: index)
// CHECK: %[[W:.*]] = weir.weight @up_values[%[[L]]] : tensor<2x16x4xf32>
// CHECK: weir.packed_linear %[[X]], %[[W]] bits(32) group(32) : tensor<?x?x16xf32>, tensor<2x16x4xf32> -> tensor<?x?x6xf32>
// CHECK-NOT: weir.weight @up[
// INT4-LABEL: func.func @layer_of_a_stack
// INT4: %[[Q:.*]] = weir.weight @up_quants[
// INT4: %[[S:.*]] = weir.weight @up_scales[
// INT4: %[[M:.*]] = weir.weight @up_mins[
// INT4: weir.packed_linear %{{.*}}, %[[Q]] scales(%[[S]] : tensor<2x2x4xf32>) mins(%[[M]] : tensor<2x2x4xf32>) bits(4) group(8)
func.func @layer_of_a_stack(%x: tensor<?x?x16xf32>, %l: index)
    -> tensor<?x?x6xf32> {
  %w = weir.weight @up[%l] : tensor<6x16xf32>
  %y = weir.linear %x, %w
      : tensor<?x?x16xf32>, tensor<6x16xf32> -> tensor<?x?x6xf32>
  return %y : tensor<?x?x6xf32>
}

// CHECK-LABEL: func.func @bias_and_schedule_stay
// CHECK: weir.packed_linear {{.*}} bias(%{{.*}} : tensor<6xf32>) bits(16) group(32) schedule(<form = "panel", tiles = [], parallel = true>)
func.func @bias_and_schedule_stay(%x: tensor<?x16xf32>, %b: tensor<6xf32>)
    -> tensor<?x6xf32> {
  %w = weir.weight @half : tensor<6x16xf16>
  %y = weir.linear %x, %w bias(%b : tensor<6xf32>)
      schedule(<form = "panel", tiles = [], parallel = true>)
      : tensor<?x16xf32>, tensor<6x16xf16> -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

func.func @stored_types(%x: tensor<?x16xf32>, %z: tensor<?x12xf32>)
    -> (tensor<?x6xf32>, tensor<?x6xf32>, tensor<?x6xf32>, tensor<?x6xf32>) {
  %w0 = weir.weight @q4_0 : tensor<6x16xf32>
  %w1 = weir.weight @q4_1 : tensor<6x16xf32>
  %w2 = weir.weight @q6_k : tensor<6x16xf32>
  %w3 = weir.weight @odd : tensor<6x12xf32>
  %0 = weir.linear %x, %w0
      : tensor<?x16xf32>, tensor<6x16xf32> -> tensor<?x6xf32>
  %1 = weir.linear %x, %w1
      : tensor<?x16xf32>, tensor<6x16xf32> -> tensor<?x6xf32>
  %2 = weir.linear %x, %w2
      : tensor<?x16xf32>, tensor<6x16xf32> -> tensor<?x6xf32>
  %3 = weir.linear %z, %w3
      : tensor<?x12xf32>, tensor<6x12xf32> -> tensor<?x6xf32>
  return %0, %1, %2, %3
      : tensor<?x6xf32>, tensor<?x6xf32>, tensor<?x6xf32>, tensor<?x6xf32>
}

// Other readers of the parameter keep the plain form.
// CHECK-LABEL: func.func @tied_embedding
// CHECK: %[[TABLE:.*]] = weir.weight @odd : tensor<6x12xf32>
// CHECK: weir.embedding %{{.*}}, %[[TABLE]]
// CHECK: weir.packed_linear
func.func @tied_embedding(%ids: tensor<?x?xi32>) -> tensor<?x?x6xf32> {
  %w = weir.weight @odd : tensor<6x12xf32>
  %x = weir.embedding %ids, %w
      : tensor<?x?xi32>, tensor<6x12xf32> -> tensor<?x?x12xf32>
  %y = weir.linear %x, %w
      : tensor<?x?x12xf32>, tensor<6x12xf32> -> tensor<?x?x6xf32>
  return %y : tensor<?x?x6xf32>
}

// A matrix that is computed is no weight.
// CHECK-LABEL: func.func @computed_matrix
// CHECK: weir.linear
func.func @computed_matrix(%x: tensor<?x16xf32>, %w: tensor<6x16xf32>)
    -> tensor<?x6xf32> {
  %y = weir.linear %x, %w
      : tensor<?x16xf32>, tensor<6x16xf32> -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}

// Experts of two layers: their matrices are packed behind layers and experts,
// and are params of the experts in place of what they pack.
// CHECK: weir.param @stacked_values : tensor<2x3x2x16x4xf32>
// INT8-DAG: weir.param @stacked_quants : tensor<2x3x2x4x4x4xi8>
weir.param @stacked : tensor<2x3x6x16xf32>
  = #weir.checkpoint<"experts.*.*", [0, 1], experts = 3>

// CHECK-LABEL: func.func @experts
// CHECK: %[[W:.*]] = weir.weight @stacked_values[%{{.*}}] : tensor<3x2x16x4xf32>
// CHECK: weir.experts {{.*}} params(%[[W]] : tensor<3x2x16x4xf32>)
// CHECK: ^bb0(%[[ROWS:.*]]: tensor<?x16xf32>, %[[SLICE:.*]]: tensor<2x16x4xf32>):
// CHECK: weir.packed_linear %[[ROWS]], %[[SLICE]]
// INT8-LABEL: func.func @experts
// INT8: weir.experts {{.*}} params(%{{.*}}, %{{.*}} : tensor<3x2x4x4x4xi8>, tensor<3x2x2x4xf16>)
func.func @experts(%layer: index, %x: tensor<?x?x16xf32>,
    %i: tensor<?x?x2xi32>, %w: tensor<?x?x2xf32>) -> tensor<?x?x6xf32> {
  %m = weir.weight @stacked[%layer] : tensor<3x6x16xf32>
  %y = weir.experts %x, %i, %w params(%m : tensor<3x6x16xf32>)
      : tensor<?x?x16xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32>
      -> tensor<?x?x6xf32> {
  ^bb0(%rows: tensor<?x16xf32>, %s: tensor<6x16xf32>):
    %z = weir.linear %rows, %s
        : tensor<?x16xf32>, tensor<6x16xf32> -> tensor<?x6xf32>
    weir.yield %z : tensor<?x6xf32>
  }
  return %y : tensor<?x?x6xf32>
}
