// RUN: weir-opt %s -canonicalize | FileCheck %s

// CHECK-LABEL: func.func @plain
// CHECK-NEXT: arith.constant dense<[1.000000e+00, 1.000000e-01, 0.00999999977, 1.000000e-03]> : tensor<4xf32>
// CHECK-NEXT: return
func.func @plain() -> tensor<4xf32> {
  %0 = weir.rope_frequencies base(1.0e4) dims(8) : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: func.func @linear
// CHECK: arith.constant dense<[5.000000e-01, 5.000000e-02]> : tensor<2xf64>
func.func @linear() -> tensor<2xf64> {
  %0 = weir.rope_frequencies base(1.0e2) dims(4)
      scaling(<kind = linear, factor = 2.0>) : tensor<2xf64>
  return %0 : tensor<2xf64>
}

// Up to the trained length nothing is stretched; at three times of it with a
// factor of one, base becomes 100 * (3 - 0)^2 = 900.
// CHECK-LABEL: func.func @dynamic
// CHECK-DAG: arith.constant dense<[1.000000e+00, 0.0333333{{.*}}]> : tensor<2xf64>
// CHECK-DAG: arith.constant dense<[1.000000e+00, 1.000000e-01]> : tensor<2xf64>
func.func @dynamic() -> (tensor<2xf64>, tensor<2xf64>) {
  %0 = weir.rope_frequencies base(1.0e2) dims(4)
      scaling(<kind = dynamic, factor = 1.0, original = 64, length = 192>)
      : tensor<2xf64>
  %1 = weir.rope_frequencies base(1.0e2) dims(4)
      scaling(<kind = dynamic, factor = 1.0, original = 64, length = 32>)
      : tensor<2xf64>
  return %0, %1 : tensor<2xf64>, tensor<2xf64>
}

// Wavelengths are 2 pi and 200 pi; the first is below 64 / 4, the second above
// 64 / 1.
// CHECK-LABEL: func.func @llama3
// CHECK: arith.constant dense<[1.000000e+00, 1.250000e-03]> : tensor<2xf64>
func.func @llama3() -> tensor<2xf64> {
  %0 = weir.rope_frequencies base(1.0e4) dims(4)
      scaling(<kind = llama3, factor = 8.0, original = 64, low = 1.0,
               high = 4.0>) : tensor<2xf64>
  return %0 : tensor<2xf64>
}

// CHECK-LABEL: func.func @longrope
// CHECK: arith.constant dense<[5.000000e-01, 2.500000e-03]> : tensor<2xf64>
func.func @longrope() -> tensor<2xf64> {
  %0 = weir.rope_frequencies base(1.0e4) dims(4)
      scaling(<kind = longrope, divisors = [2.0, 4.0]>) : tensor<2xf64>
  return %0 : tensor<2xf64>
}
