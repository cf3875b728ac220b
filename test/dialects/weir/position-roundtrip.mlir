// RUN: weir-opt %s | weir-opt | FileCheck %s

// CHECK-LABEL: func.func @positions
// CHECK: weir.positions %{{[^ ]*}} : tensor<?x?xi32> -> tensor<?x?xi32>
// CHECK: weir.positions %{{.*}} offset(%{{.*}} : tensor<?xi32>) : tensor<?x?x4xf32> -> tensor<?x?xi32>
func.func @positions(%ids: tensor<?x?xi32>, %x: tensor<?x?x4xf32>,
                     %offset: tensor<?xi32>)
    -> (tensor<?x?xi32>, tensor<?x?xi32>) {
  %0 = weir.positions %ids : tensor<?x?xi32> -> tensor<?x?xi32>
  %1 = weir.positions %x offset(%offset : tensor<?xi32>)
      : tensor<?x?x4xf32> -> tensor<?x?xi32>
  return %0, %1 : tensor<?x?xi32>, tensor<?x?xi32>
}

// CHECK-LABEL: func.func @longest
// CHECK: weir.longest %{{.*}} : tensor<?xi32> -> tensor<i32>
func.func @longest(%n: tensor<?xi32>) -> tensor<i32> {
  %0 = weir.longest %n : tensor<?xi32> -> tensor<i32>
  return %0 : tensor<i32>
}

// CHECK-LABEL: func.func @rope_frequencies
// CHECK: weir.rope_frequencies base(1.000000e+04) dims(8) : tensor<4xf32>
// CHECK: scaling(<kind = linear, factor = 2.000000e+00 : f64>)
// CHECK: scaling(<kind = llama3, factor = 8.000000e+00 : f64, original = 8192 : i64, low = 1.000000e+00 : f64, high = 4.000000e+00 : f64>)
// CHECK: scaling(<kind = yarn, factor = 4.000000e+00 : f64, original = 64 : i64, truncate = false>)
// CHECK: scaling(<kind = longrope, divisors = {{.*}}>)
func.func @rope_frequencies() -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>,
                                  tensor<4xf32>, tensor<4xf32>) {
  %0 = weir.rope_frequencies base(1.0e4) dims(8) : tensor<4xf32>
  %1 = weir.rope_frequencies base(1.0e4) dims(8)
      scaling(<kind = linear, factor = 2.0>) : tensor<4xf32>
  %2 = weir.rope_frequencies base(1.0e4) dims(8)
      scaling(<kind = llama3, factor = 8.0, original = 8192 : i64, low = 1.0,
               high = 4.0>) : tensor<4xf32>
  %3 = weir.rope_frequencies base(1.0e4) dims(8)
      scaling(<kind = yarn, factor = 4.0, original = 64, truncate = false>)
      : tensor<4xf32>
  %4 = weir.rope_frequencies base(1.0e4) dims(8)
      scaling(<kind = longrope, divisors = [1.0, 2.0, 3.0, 4.0]>)
      : tensor<4xf32>
  return %0, %1, %2, %3, %4 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>,
                              tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func.func @rotary
// CHECK: weir.rotary %{{.*}}, %{{.*}}, %{{.*}} layout(half) : tensor<?x?x3x8xf32>, tensor<?x?xi32>, tensor<4xf32>
// CHECK: layout(interleaved) scale(1.5{{.*}}) :
func.func @rotary(%x: tensor<?x?x3x8xf32>, %p: tensor<?x?xi32>,
                  %f: tensor<4xf32>) -> tensor<?x?x3x8xf32> {
  %0 = weir.rotary %x, %p, %f layout(half)
      : tensor<?x?x3x8xf32>, tensor<?x?xi32>, tensor<4xf32>
  %1 = weir.rotary %0, %p, %f layout(interleaved) scale(1.5)
      : tensor<?x?x3x8xf32>, tensor<?x?xi32>, tensor<4xf32>
  return %1 : tensor<?x?x3x8xf32>
}
