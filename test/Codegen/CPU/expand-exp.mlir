// RUN: weir-opt %s --weir-expand-exp | FileCheck %s

// The sum with 1.5 * 2^23 rounds x / ln 2 to a whole number in its low bits,
// which go to the exponent of the polynomial.
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
// CHECK: %[[LARGE:.*]] = arith.cmpf ogt, %[[X]]
// CHECK: %[[Y:.*]] = arith.select %[[LARGE]]
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

// CHECK-LABEL: func.func @other_types_stay
// CHECK: math.exp {{.*}} : f64
// CHECK: math.exp {{.*}} : tensor<4xf32>
func.func @other_types_stay(%x: f64, %t: tensor<4xf32>)
    -> (f64, tensor<4xf32>) {
  %y = math.exp %x : f64
  %u = math.exp %t : tensor<4xf32>
  return %y, %u : f64, tensor<4xf32>
}
