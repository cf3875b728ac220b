// RUN: weir-opt %s | weir-opt | FileCheck %s

// CHECK-LABEL: func.func @plain
// CHECK: weir.attention %{{.*}}, %{{.*}}, %{{.*}} mask(<causal>) scale(2.500000e-01) : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x8xf32> -> tensor<?x?x4x8xf32>
func.func @plain(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>,
                 %v: tensor<?x?x2x8xf32>) -> tensor<?x?x4x8xf32> {
  %0 = weir.attention %q, %k, %v mask(<causal>) scale(0.25)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x8xf32>
        -> tensor<?x?x4x8xf32>
  return %0 : tensor<?x?x4x8xf32>
}

// CHECK-LABEL: func.func @all_parts
// CHECK: weir.attention
// CHECK-SAME: offset(%{{[^ ]+}} : tensor<?xi32>)
// CHECK-SAME: key_lengths(%{{[^ ]+}} : tensor<?xi32>)
// CHECK-SAME: schedule(<form = "flash", tiles = [32, 64]>)
// CHECK-SAME: score {
// CHECK-NEXT: ^bb0(%[[SCORE:[^:]+]]: f32, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index):
// CHECK: weir.yield %{{.*}} : f32
func.func @all_parts(%q: tensor<?x1x4x16xf32>, %k: tensor<?x?x4x16xf32>,
                     %v: tensor<?x?x4x16xf32>, %o: tensor<?xi32>,
                     %l: tensor<?xi32>) -> tensor<?x1x4x16xf32> {
  %0 = weir.attention %q, %k, %v mask(<causal and window<3>>) scale(0.25)
      offset(%o : tensor<?xi32>) key_lengths(%l : tensor<?xi32>)
      schedule(<form = "flash", tiles = [32, 64]>) score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    %t = math.tanh %s : f32
    weir.yield %t : f32
  } : tensor<?x1x4x16xf32>, tensor<?x?x4x16xf32>, tensor<?x?x4x16xf32>
      -> tensor<?x1x4x16xf32>
  return %0 : tensor<?x1x4x16xf32>
}

// CHECK-LABEL: func.func @sinks
// CHECK: weir.attention
// CHECK-SAME: sinks(%{{[^ ]+}} : tensor<4xf32>)
func.func @sinks(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>,
                 %s: tensor<4xf32>) -> tensor<?x?x4x16xf32> {
  %0 = weir.attention %q, %k, %k mask(<causal>) scale(0.25)
      sinks(%s : tensor<4xf32>)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
  return %0 : tensor<?x?x4x16xf32>
}

// CHECK-LABEL: func.func @key_bias_and_where
// CHECK: weir.attention
// CHECK-SAME: mask(<causal>)
// CHECK-SAME: key_bias(%{{[^ ]+}} : tensor<?x?x4xf32>)
// CHECK-SAME: where {
// CHECK-NEXT: ^bb0(%{{.*}}: index, %{{.*}}: index, %[[Q:[^:]+]]: index, %[[K:[^:]+]]: index):
// CHECK-NEXT: %[[C:.*]] = arith.cmpi ne, %[[Q]], %[[K]] : index
// CHECK-NEXT: weir.yield %[[C]] : i1
// CHECK-NEXT: } score {
func.func @key_bias_and_where(%q: tensor<?x?x4x16xbf16>,
    %k: tensor<?x?x2x16xbf16>, %bias: tensor<?x?x4xf32>)
    -> tensor<?x?x4x16xbf16> {
  %0 = weir.attention %q, %k, %k mask(<causal>) scale(0.25)
      key_bias(%bias : tensor<?x?x4xf32>) where {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %c = arith.cmpi ne, %i, %j : index
    weir.yield %c : i1
  } score {
  ^bb0(%s: bf16, %b: index, %h: index, %i: index, %j: index):
    weir.yield %s : bf16
  } : tensor<?x?x4x16xbf16>, tensor<?x?x2x16xbf16>, tensor<?x?x2x16xbf16>
      -> tensor<?x?x4x16xbf16>
  return %0 : tensor<?x?x4x16xbf16>
}

// The mask algebra prints with the brackets it needs and no others.
// CHECK-LABEL: func.func private @masks
// CHECK-SAME: m0 = #weir.mask<full>
// CHECK-SAME: m1 = #weir.mask<window<4, 4> or causal and not window<2>>
// CHECK-SAME: m2 = #weir.mask<(causal or full) and window<8>>
// CHECK-SAME: m3 = #weir.mask<not (causal or window<4, 0>)>
// CHECK-SAME: m4 = #weir.mask<not not causal>
// CHECK-SAME: m5 = #weir.mask<causal and (window<256> or first<4>)>
// CHECK-SAME: m6 = #weir.mask<causal and chunk<8192> or dilated<64>>
func.func private @masks() attributes {
  m0 = #weir.mask<full>,
  m1 = #weir.mask<window<4, 4> or (causal and (not window<2>))>,
  m2 = #weir.mask<(causal or full) and window<8>>,
  m3 = #weir.mask<not (causal or window<4, 0>)>,
  m4 = #weir.mask<not not causal>,
  m5 = #weir.mask<causal and (window<256> or first<4>)>,
  m6 = #weir.mask<causal and chunk<8192> or dilated<64>>
}

// CHECK-LABEL: func.func @listed
// CHECK: weir.attention
// CHECK-SAME: block_list(%{{[^ ]+}} : tensor<?x?x2x3xi32>) block_size(16) query_block(4) normalize(sigmoid)
func.func @listed(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>,
                  %l: tensor<?x?x2x3xi32>) -> tensor<?x?x4x16xf32> {
  %0 = weir.attention %q, %k, %k mask(<causal>) scale(0.25)
      block_list(%l : tensor<?x?x2x3xi32>) block_size(16) query_block(4)
      normalize(sigmoid)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
  return %0 : tensor<?x?x4x16xf32>
}

// CHECK-LABEL: func.func @log_sums
// CHECK: %[[RESULT:.*]], %[[SUMS:.*]] = weir.attention
// CHECK-SAME: -> tensor<?x?x4x16xbf16>, tensor<?x?x4xf32>
// CHECK: return %[[RESULT]], %[[SUMS]]
func.func @log_sums(%q: tensor<?x?x4x16xbf16>, %k: tensor<?x?x2x16xbf16>)
    -> (tensor<?x?x4x16xbf16>, tensor<?x?x4xf32>) {
  %0, %1 = weir.attention %q, %k, %k mask(<causal>) scale(0.25)
      : tensor<?x?x4x16xbf16>, tensor<?x?x2x16xbf16>, tensor<?x?x2x16xbf16>
        -> tensor<?x?x4x16xbf16>, tensor<?x?x4xf32>
  return %0, %1 : tensor<?x?x4x16xbf16>, tensor<?x?x4xf32>
}

// CHECK-LABEL: func.func @path
// CHECK: weir.attention
// CHECK-SAME: path(%{{[^ ]+}}, %{{[^ ]+}} : tensor<?x?x2x16xbf16>, tensor<?x?x2xf32>)
func.func @path(%q: tensor<?x?x4x16xbf16>, %k: tensor<?x?x2x16xbf16>,
                %beta: tensor<?x?x2xf32>) -> tensor<?x?x4x16xbf16> {
  %0 = weir.attention %q, %k, %k mask(<causal>) scale(0.25)
      path(%k, %beta : tensor<?x?x2x16xbf16>, tensor<?x?x2xf32>)
      : tensor<?x?x4x16xbf16>, tensor<?x?x2x16xbf16>, tensor<?x?x2x16xbf16>
        -> tensor<?x?x4x16xbf16>
  return %0 : tensor<?x?x4x16xbf16>
}
