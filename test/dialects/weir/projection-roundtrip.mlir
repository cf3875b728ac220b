// RUN: weir-opt %s | weir-opt | FileCheck %s

// CHECK-LABEL: func.func @linear
// CHECK: weir.linear %{{.*}}, %{{.*}} bias(%{{.*}} : tensor<5xf32>) : tensor<?x?x8xf32>, tensor<5x8xf32> -> tensor<?x?x5xf32>
// CHECK: weir.linear %{{.*}}, %{{.*}} schedule(<form = "panel", tiles = [12, 32], parallel = true>) : tensor<?x?x8xf32>
func.func @linear(%x: tensor<?x?x8xf32>, %w: tensor<5x8xf32>, %b: tensor<5xf32>)
    -> (tensor<?x?x5xf32>, tensor<?x?x5xf32>) {
  %0 = weir.linear %x, %w bias(%b : tensor<5xf32>)
      : tensor<?x?x8xf32>, tensor<5x8xf32> -> tensor<?x?x5xf32>
  %1 = weir.linear %x, %w
      schedule(<form = "panel", tiles = [12, 32], parallel = true>)
      : tensor<?x?x8xf32>, tensor<5x8xf32> -> tensor<?x?x5xf32>
  return %0, %1 : tensor<?x?x5xf32>, tensor<?x?x5xf32>
}

// CHECK-LABEL: func.func @packed_linear_float
// CHECK: weir.packed_linear %{{.*}}, %{{.*}} bias(%{{.*}} : tensor<5xf32>) bits(16) group(0) : tensor<?x8xf32>, tensor<2x8x4xbf16> -> tensor<?x5xf32>
func.func @packed_linear_float(%x: tensor<?x8xf32>, %w: tensor<2x8x4xbf16>,
                               %b: tensor<5xf32>) -> tensor<?x5xf32> {
  %0 = weir.packed_linear %x, %w bias(%b : tensor<5xf32>) bits(16) group(0)
      : tensor<?x8xf32>, tensor<2x8x4xbf16> -> tensor<?x5xf32>
  return %0 : tensor<?x5xf32>
}

// CHECK-LABEL: func.func @packed_linear_quantized
// CHECK: weir.packed_linear %{{.*}}, %{{.*}} scales(%{{.*}} : tensor<2x2x4xf16>) mins(%{{.*}} : tensor<2x2x4xf16>) bits(4) group(8)
func.func @packed_linear_quantized(%x: tensor<?x16xf32>, %w: tensor<2x2x4x4xi8>,
    %s: tensor<2x2x4xf16>, %m: tensor<2x2x4xf16>) -> tensor<?x5xf32> {
  %0 = weir.packed_linear %x, %w scales(%s : tensor<2x2x4xf16>)
      mins(%m : tensor<2x2x4xf16>) bits(4) group(8)
      : tensor<?x16xf32>, tensor<2x2x4x4xi8> -> tensor<?x5xf32>
  return %0 : tensor<?x5xf32>
}

// CHECK-LABEL: func.func @packed_linear_of_e2m1
// CHECK: weir.packed_linear %{{.*}}, %{{.*}} scales(%{{.*}} : tensor<2x1x4xi8>) bits(4) group(32) code(e2m1) : tensor<?x32xf32>, tensor<2x4x4x4xi8> -> tensor<?x5xf32>
func.func @packed_linear_of_e2m1(%x: tensor<?x32xf32>, %w: tensor<2x4x4x4xi8>,
                                 %s: tensor<2x1x4xi8>) -> tensor<?x5xf32> {
  %0 = weir.packed_linear %x, %w scales(%s : tensor<2x1x4xi8>)
      bits(4) group(32) code(e2m1)
      : tensor<?x32xf32>, tensor<2x4x4x4xi8> -> tensor<?x5xf32>
  return %0 : tensor<?x5xf32>
}

// CHECK-LABEL: func.func @packed_linear_of_e4m3
// CHECK: weir.packed_linear %{{.*}}, %{{.*}} scales(%{{.*}} : tensor<2x1x4xf32>) bits(8) group(32) code(e4m3) : tensor<?x32xf32>, tensor<2x8x4x4xi8> -> tensor<?x5xf32>
func.func @packed_linear_of_e4m3(%x: tensor<?x32xf32>, %w: tensor<2x8x4x4xi8>,
                                 %s: tensor<2x1x4xf32>) -> tensor<?x5xf32> {
  %0 = weir.packed_linear %x, %w scales(%s : tensor<2x1x4xf32>)
      bits(8) group(32) code(e4m3)
      : tensor<?x32xf32>, tensor<2x8x4x4xi8> -> tensor<?x5xf32>
  return %0 : tensor<?x5xf32>
}

// CHECK-LABEL: func.func @embedding
// CHECK: weir.embedding %{{.*}}, %{{.*}} : tensor<?x?xi32>, tensor<7x4xbf16> -> tensor<?x?x4xf32>
func.func @embedding(%ids: tensor<?x?xi32>, %table: tensor<7x4xbf16>)
    -> tensor<?x?x4xf32> {
  %0 = weir.embedding %ids, %table
      : tensor<?x?xi32>, tensor<7x4xbf16> -> tensor<?x?x4xf32>
  return %0 : tensor<?x?x4xf32>
}

// CHECK-LABEL: func.func @packed_linear_of_quants
// CHECK: weir.packed_linear %{{.*}}, %{{.*}} scales(%{{.*}} : tensor<2x2x4xf16>) input_scales(%{{.*}} : tensor<?x2xf32>) input_sums(%{{.*}} : tensor<?x2xi32>) outs(%{{.*}} : tensor<?x?xf32>) bits(4) group(8)
func.func @packed_linear_of_quants(
    %x: tensor<?x16xi8>, %xs: tensor<?x2xf32>, %xt: tensor<?x2xi32>,
    %w: tensor<2x2x4x4xi8>, %s: tensor<2x2x4xf16>, %o: tensor<?x?xf32>)
    -> tensor<?x?xf32> {
  %0 = weir.packed_linear %x, %w scales(%s : tensor<2x2x4xf16>)
      input_scales(%xs : tensor<?x2xf32>) input_sums(%xt : tensor<?x2xi32>)
      outs(%o : tensor<?x?xf32>) bits(4) group(8)
      : tensor<?x16xi8>, tensor<2x2x4x4xi8> -> tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}

// CHECK-LABEL: func.func @quantize
// CHECK: weir.quantize %{{.*}} group(8) : tensor<?x?x16xf32> -> tensor<?x?x16xi8>, tensor<?x?x2xf32>, tensor<?x?x2xi32>
func.func @quantize(%x: tensor<?x?x16xf32>)
    -> (tensor<?x?x16xi8>, tensor<?x?x2xf32>, tensor<?x?x2xi32>) {
  %q, %s, %t = weir.quantize %x group(8)
      : tensor<?x?x16xf32> -> tensor<?x?x16xi8>, tensor<?x?x2xf32>,
        tensor<?x?x2xi32>
  return %q, %s, %t
      : tensor<?x?x16xi8>, tensor<?x?x2xf32>, tensor<?x?x2xi32>
}

// CHECK-LABEL: func.func @packed_linear_of_pairs
// CHECK: weir.packed_linear %{{.*}}, %{{.*}} bits(16) group(32) : tensor<?x8xbf16>, tensor<2x4x4x2xbf16> -> tensor<?x5xf32>
func.func @packed_linear_of_pairs(%x: tensor<?x8xbf16>,
                                  %w: tensor<2x4x4x2xbf16>) -> tensor<?x5xf32> {
  %0 = weir.packed_linear %x, %w bits(16) group(32)
      : tensor<?x8xbf16>, tensor<2x4x4x2xbf16> -> tensor<?x5xf32>
  return %0 : tensor<?x5xf32>
}
