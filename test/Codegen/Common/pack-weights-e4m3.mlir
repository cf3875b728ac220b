// Numbers of e4m3 stay what they are, in groups as large as blocks and rows
// allow; rows that are no multiple of 32 become floats, and so does what other
// quants are asked of.
// RUN: weir-opt %s --weir-pack-weights='panel=4 quantize=stored' | FileCheck %s
// RUN: weir-opt %s --weir-pack-weights='panel=4 quantize=none' \
// RUN:   | FileCheck %s --check-prefix=NONE
// RUN: weir-opt %s --weir-pack-weights='panel=4 quantize=int8' \
// RUN:   | FileCheck %s --check-prefix=INT8

// CHECK: weir.param @up_quants : tensor<2x64x4x4xi8> = #weir.pack<@up, quants, panel = 4, bits = 8, group = 128, code = e4m3>
// CHECK: weir.param @up_scales : tensor<2x2x4xf32> = #weir.pack<@up, scales, panel = 4, bits = 8, group = 128, code = e4m3>
// NONE: weir.param @up_values : tensor<2x256x4xf32>
// INT8: weir.param @up_quants : tensor<2x64x4x4xi8> = #weir.pack<@up, quants, panel = 4, bits = 8, group = 32>
weir.param @up : tensor<6x256xf32> = #weir.checkpoint<"up"> {stored = "f8_e4m3"}
// CHECK: weir.param @cut_scales : tensor<2x5x4xf32> = {{.*}}group = 32, code = e4m3>
weir.param @cut : tensor<6x160xf32> = #weir.checkpoint<"cut"> {stored = "f8_e4m3"}
// CHECK: weir.param @odd_values : tensor<2x72x4xf32>
weir.param @odd : tensor<6x72xf32> = #weir.checkpoint<"odd"> {stored = "f8_e4m3"}

// CHECK-LABEL: func.func @products
// CHECK: weir.packed_linear %{{.*}}, %{{.*}} scales(%{{.*}} : tensor<2x2x4xf32>) bits(8) group(128) code(e4m3)
// CHECK: weir.packed_linear %{{.*}}, %{{.*}} scales(%{{.*}} : tensor<2x5x4xf32>) bits(8) group(32) code(e4m3)
// CHECK: weir.packed_linear %{{.*}}, %{{.*}} bits(32)
func.func @products(%x: tensor<?x256xf32>, %y: tensor<?x160xf32>,
                    %z: tensor<?x72xf32>)
    -> (tensor<?x6xf32>, tensor<?x6xf32>, tensor<?x6xf32>) {
  %u = weir.weight @up : tensor<6x256xf32>
  %c = weir.weight @cut : tensor<6x160xf32>
  %o = weir.weight @odd : tensor<6x72xf32>
  %0 = weir.linear %x, %u
      : tensor<?x256xf32>, tensor<6x256xf32> -> tensor<?x6xf32>
  %1 = weir.linear %y, %c
      : tensor<?x160xf32>, tensor<6x160xf32> -> tensor<?x6xf32>
  %2 = weir.linear %z, %o
      : tensor<?x72xf32>, tensor<6x72xf32> -> tensor<?x6xf32>
  return %0, %1, %2 : tensor<?x6xf32>, tensor<?x6xf32>, tensor<?x6xf32>
}
