// RUN: weir-opt %s | weir-opt | FileCheck %s

// CHECK: weir.param @norm : tensor<8xf32> = #weir.checkpoint<"model.norm.weight">
weir.param @norm : tensor<8xf32> = #weir.checkpoint<"model.norm.weight">
// CHECK: weir.param @up : tensor<3x16x8xf32> = #weir.checkpoint<"layers.*.up", [0, 1, 2]>
weir.param @up : tensor<3x16x8xf32> = #weir.checkpoint<"layers.*.up", [0, 1, 2]>
// CHECK: weir.param @both : tensor<3x32x8xf32> = #weir.concat<[@up, @up], axis = 1>
weir.param @both : tensor<3x32x8xf32> = #weir.concat<[@up, @up], axis = 1>
// CHECK: weir.param @turned : tensor<3x8x16xf32> = #weir.transpose<@up, [0, 2, 1]>
weir.param @turned : tensor<3x8x16xf32> = #weir.transpose<@up, [0, 2, 1]>
// CHECK: weir.param @part : tensor<3x4x8xf32> = #weir.slice<@up, axis = 1, offset = 4, size = 4>
weir.param @part : tensor<3x4x8xf32>
  = #weir.slice<@up, axis = 1, offset = 4, size = 4>
// CHECK: weir.param @flat : tensor<3x128xf32> = #weir.reshape<@up>
weir.param @flat : tensor<3x128xf32> = #weir.reshape<@up>
// CHECK: weir.param @packed : tensor<3x2x1x8x4xi8> = #weir.pack<@up, quants, panel = 8, bits = 4, group = 8>
weir.param @packed : tensor<3x2x1x8x4xi8>
  = #weir.pack<@up, quants, panel = 8, bits = 4, group = 8>
// CHECK: weir.param @ones : tensor<8xf32> = dense<1.0{{.*}}> : tensor<8xf32>
weir.param @ones : tensor<8xf32> = dense<1.0> : tensor<8xf32>

// CHECK-LABEL: func.func @weight
// CHECK: weir.weight @norm : tensor<8xf32>
// CHECK: weir.weight @up[%{{.*}}] : tensor<16x8xf32>
func.func @weight(%layer: index) -> (tensor<8xf32>, tensor<16x8xf32>) {
  %0 = weir.weight @norm : tensor<8xf32>
  %1 = weir.weight @up[%layer] : tensor<16x8xf32>
  return %0, %1 : tensor<8xf32>, tensor<16x8xf32>
}
