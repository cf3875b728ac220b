// RUN: weir-opt %s --weir-expand-math | FileCheck %s
// RUN: weir-opt %s --weir-expand-math=avx512 | FileCheck %s --check-prefix=AVX512

// The sum with 1.5 * 2^23 rounds x / ln 2 to a whole number in its low bits,
// which go to the exponent of the polynomial. What is too large becomes infinite
// by a sum, which keeps a NaN.
// CHECK-LABEL: func.func @scalar
// CHECK-SAME: (%[[X:.*]]: f32)
// CHECK: %[[MAGIC:.*]] = arith.constant 0x4B400000 : f32
// CHECK: %[[SHIFTED:.*]] = math.fma %[[X]], %{{.*}}, %[[MAGIC]] : f32
// CHECK: %[[N:.*]] = arith.subf %[[SHIFTED]], %[[MAGIC]]
// CHECK: math.fma %[[N]], %{{.*}}, %[[X]]
// CHECK: %[[BITS:.*]] = arith.bitcast %[[SHIFTED]] : f32 to i32
// CHECK: arith.shli %[[BITS]], %{{.*}} : i32
// CHECK: %[[SMALL:.*]] = arith.cmpf olt, %[[X]]
// CHECK: arith.select %[[SMALL]]
// CHECK: %[[END:.*]] = arith.addf %[[X]], %{{.*}} : f32
// CHECK: %[[LARGE:.*]] = arith.cmpf ugt, %[[X]]
// CHECK: %[[Y:.*]] = arith.select %[[LARGE]], %[[END]]
// CHECK-NOT: math.exp
// CHECK: return %[[Y]]
func.func @scalar(%x: f32) -> f32 {
  %y = math.exp %x : f32
  return %y : f32
}

// CHECK-LABEL: func.func @vector
// CHECK-NOT: math.exp
// CHECK: arith.constant dense<{{.*}}> : vector<16xf32>
// CHECK: arith.shli %{{.*}}, %{{.*}} : vector<16xi32>
// CHECK: return
func.func @vector(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.exp %x : vector<16xf32>
  return %y : vector<16xf32>
}

// Exponent and fraction come from the bits less those of sqrt(1/2), denormal
// numbers being made normal.
// CHECK-LABEL: func.func @log
// CHECK-SAME: (%[[X:.*]]: f32)
// CHECK: arith.mulf %[[X]]
// CHECK: %[[BITS:.*]] = arith.bitcast %{{.*}} : f32 to i32
// CHECK: %[[ROOT:.*]] = arith.constant 1060439283 : i32
// CHECK: arith.subi %[[BITS]], %[[ROOT]]
// CHECK: arith.sitofp
// CHECK: %[[POLE:.*]] = arith.cmpf oeq, %[[X]]
// CHECK: arith.select %[[POLE]]
// CHECK-NOT: math.log
// CHECK: return
func.func @log(%x: f32) -> f32 {
  %y = math.log %x : f32
  return %y : f32
}

// The fraction is found from the argument itself, in one rounding.
// CHECK-LABEL: func.func @log1p
// CHECK-SAME: (%[[X:.*]]: vector<16xf32>)
// CHECK: %[[SUM:.*]] = arith.addf %[[X]]
// CHECK: arith.bitcast %[[SUM]]
// CHECK: math.fma %[[X]], %{{.*}}, %{{.*}} : vector<16xf32>
// CHECK: math.copysign %{{.*}}, %[[X]]
// CHECK-NOT: math.log
// CHECK: return
func.func @log1p(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.log1p %x : vector<16xf32>
  return %y : vector<16xf32>
}

// A polynomial near 0, exp elsewhere.
// CHECK-LABEL: func.func @tanh_and_erf
// CHECK-SAME: (%[[X:.*]]: vector<8xf32>)
// CHECK-NOT: math.{{tanh|erf|exp}}
// CHECK: arith.shli
// CHECK: arith.divf
// CHECK: math.copysign %{{.*}}, %[[X]]
// CHECK-NOT: math.{{tanh|erf|exp}}
// CHECK: arith.shli
// CHECK: math.copysign %{{.*}}, %[[X]]
// CHECK-NOT: math.{{tanh|erf|exp}}
// CHECK: return
func.func @tanh_and_erf(%x: vector<8xf32>) -> (vector<8xf32>, vector<8xf32>) {
  %y = math.tanh %x : vector<8xf32>
  %z = math.erf %x : vector<8xf32>
  return %y, %z : vector<8xf32>, vector<8xf32>
}

// CHECK-LABEL: func.func @other_types_stay
// CHECK: math.exp {{.*}} : f64
// CHECK: math.erf {{.*}} : bf16
// CHECK: math.exp {{.*}} : tensor<4xf32>
func.func @other_types_stay(%x: f64, %b: bf16, %t: tensor<4xf32>)
    -> (f64, bf16, tensor<4xf32>) {
  %y = math.exp %x : f64
  %z = math.erf %b : bf16
  %u = math.exp %t : tensor<4xf32>
  return %y, %z, %u : f64, bf16, tensor<4xf32>
}

// AVX-512 multiplies by powers of two, but for what would be no normal number.
// AVX512-LABEL: func.func @vector
// AVX512-SAME: (%[[X:.*]]: vector<16xf32>)
// AVX512: %[[N:.*]] = arith.subf
// AVX512: %[[IN:.*]] = arith.cmpf uge, %[[X]]
// AVX512: %[[BITS:.*]] = vector.bitcast %[[IN]] : vector<16xi1> to vector<1xi16>
// AVX512: %[[MASK:.*]] = vector.extract %[[BITS]][0]
// AVX512: llvm.call_intrinsic "llvm.x86.avx512.mask.scalef.ps.512"(%{{.*}}, %[[N]], %{{.*}}, %[[MASK]], %{{.*}})
// AVX512-NOT: arith.shli
// AVX512: return
