// Blocks of MXFP4 stay what they are: numbers of e2m1 and exponents of a byte.
// RUN: weir-opt %s --weir-pack-weights='panel=4 quantize=stored' | FileCheck %s
// RUN: weir-opt %s --weir-pack-weights='panel=4 quantize=int4' | FileCheck %s
// RUN: weir-opt %s --weir-pack-weights='panel=4 quantize=int8' \
// RUN:   | FileCheck %s --check-prefix=INT8
// RUN: weir-opt %s --weir-pack-weights='panel=4 quantize=stored group=64' \
// RUN:   | FileCheck %s --check-prefix=INT8

// CHECK: weir.param @up_quants : tensor<2x8x4x4xi8> = #weir.pack<@up, quants, panel = 4, bits = 4, group = 32, code = e2m1>
// CHECK: weir.param @up_scales : tensor<2x2x4xi8> = #weir.pack<@up, scales, panel = 4, bits = 4, group = 32, code = e2m1>
// INT8: weir.param @up_quants : tensor<2x16x4x4xi8> = #weir.pack<@up, quants, panel = 4, bits = 8, group = {{[0-9]+}}>
// INT8: weir.param @up_scales : tensor<2x{{[12]}}x4xf16>
weir.param @up : tensor<6x64xf32> = #weir.checkpoint<"up"> {stored = "mxfp4"}

// CHECK-LABEL: func.func @product
// CHECK: weir.packed_linear %{{.*}}, %{{.*}} scales(%{{.*}} : tensor<2x2x4xi8>) bits(4) group(32) code(e2m1)
func.func @product(%x: tensor<?x64xf32>) -> tensor<?x6xf32> {
  %w = weir.weight @up : tensor<6x64xf32>
  %y = weir.linear %x, %w
      : tensor<?x64xf32>, tensor<6x64xf32> -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}
