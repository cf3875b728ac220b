// RUN: weir-opt %s | weir-opt | FileCheck %s

// CHECK-LABEL: func.func @plain
// CHECK: weir.recurrence %{{[^ ]+}}, %{{[^ ]+}}, %{{[^ ]+}} : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x24xf32> -> tensor<?x?x4x24xf32>, tensor<?x4x16x24xf32>
func.func @plain(%q: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x24xf32>) {
  %0, %1 = weir.recurrence %q, %q, %v
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x24xf32>
        -> tensor<?x?x4x24xf32>, tensor<?x4x16x24xf32>
  return
}

// What is left out has its default, and defaults are not printed.
// CHECK-LABEL: func.func @defaults
// CHECK: weir.recurrence %{{[^ ]+}}, %{{[^ ]+}}, %{{[^ ]+}} delta(%{{[^ ]+}} : tensor<?x?x2xf32>) :
func.func @defaults(%q: tensor<?x?x2x16xf32>, %beta: tensor<?x?x2xf32>) {
  %0, %1 = weir.recurrence %q, %q, %q delta(%beta : tensor<?x?x2xf32>)
      scale(1.0) reads(decayed)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x2x16xf32>, tensor<?x2x16x16xf32>
  return
}

// CHECK-LABEL: func.func @delta
// CHECK: weir.recurrence
// CHECK-SAME: decay(%{{[^ ]+}} : tensor<?x?x2x16xf32>)
// CHECK-SAME: delta(%{{[^ ]+}} : tensor<?x?x2xf32>)
// CHECK-SAME: read_key(%{{[^ ]+}} : tensor<?x?x2x16xf32>)
// CHECK-SAME: init(%{{[^ ]+}} : tensor<?x2x16x16xf32>)
// CHECK-SAME: lengths(%{{[^ ]+}} : tensor<?xi32>)
// CHECK-SAME: scale(2.500000e-01) reads(previous)
// CHECK-SAME: schedule(<form = "chunkwise", tiles = [32, 16]>)
func.func @delta(%q: tensor<?x?x2x16xf32>, %beta: tensor<?x?x2xf32>,
                 %s: tensor<?x2x16x16xf32>, %l: tensor<?xi32>) {
  // The order of the operands in the text does not matter.
  %0, %1 = weir.recurrence %q, %q, %q lengths(%l : tensor<?xi32>)
      init(%s : tensor<?x2x16x16xf32>) read_key(%q : tensor<?x?x2x16xf32>)
      delta(%beta : tensor<?x?x2xf32>) decay(%q : tensor<?x?x2x16xf32>)
      scale(0.25) reads(previous)
      schedule(<form = "chunkwise", tiles = [32, 16]>)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x2x16xf32>, tensor<?x2x16x16xf32>
  return
}

// CHECK-LABEL: func.func @rank_one
// CHECK: weir.recurrence
// CHECK-SAME: decay(%{{[^ ]+}} : tensor<2xf32>)
// CHECK-SAME: read_key(%{{[^ ]+}} : tensor<?x?x2x16xf32>)
// CHECK-SAME: write_key(%{{[^ ]+}} : tensor<?x?x2x16xf32>)
func.func @rank_one(%q: tensor<?x?x2x16xf32>, %decay: tensor<2xf32>) {
  %0, %1 = weir.recurrence %q, %q, %q decay(%decay : tensor<2xf32>)
      read_key(%q : tensor<?x?x2x16xf32>) write_key(%q : tensor<?x?x2x16xf32>)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x2x16xf32>, tensor<?x2x16x16xf32>
  return
}

// CHECK-LABEL: func.func @bonus
// CHECK: weir.recurrence
// CHECK-SAME: decay(%{{[^ ]+}} : tensor<2x16xf32>)
// CHECK-SAME: bonus(%{{[^ ]+}} : tensor<2x16xf32>)
func.func @bonus(%q: tensor<?x?x2x16xf32>, %u: tensor<2x16xf32>) {
  %0, %1 = weir.recurrence %q, %q, %q decay(%u : tensor<2x16xf32>)
      bonus(%u : tensor<2x16xf32>)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x2x16xf32>, tensor<?x2x16x16xf32>
  return
}

// Keys and values of several updates a token, of 16-bit floats, whose state and
// decay are wider.
// CHECK-LABEL: func.func @updates_bf16
// CHECK: weir.recurrence
// CHECK-SAME: decay(%{{[^ ]+}} : tensor<?x?x2xf32>)
// CHECK-SAME: delta(%{{[^ ]+}} : tensor<?x?x3x2xbf16>)
// CHECK-SAME: tensor<?x?x3x2x16xbf16>, tensor<?x?x3x2x8xbf16> -> tensor<?x?x2x8xbf16>, tensor<?x2x16x8xf32>
func.func @updates_bf16(%q: tensor<?x?x2x16xbf16>,
    %k: tensor<?x?x3x2x16xbf16>, %v: tensor<?x?x3x2x8xbf16>,
    %beta: tensor<?x?x3x2xbf16>, %decay: tensor<?x?x2xf32>) {
  %0, %1 = weir.recurrence %q, %k, %v decay(%decay : tensor<?x?x2xf32>)
      delta(%beta : tensor<?x?x3x2xbf16>)
      : tensor<?x?x2x16xbf16>, tensor<?x?x3x2x16xbf16>,
        tensor<?x?x3x2x8xbf16>
        -> tensor<?x?x2x8xbf16>, tensor<?x2x16x8xf32>
  return
}

// CHECK-LABEL: func.func @f64
// CHECK: -> tensor<?x?x2x16xf64>, tensor<?x2x16x16xf64>
func.func @f64(%q: tensor<?x?x2x16xf64>) {
  %0, %1 = weir.recurrence %q, %q, %q
      : tensor<?x?x2x16xf64>, tensor<?x?x2x16xf64>, tensor<?x?x2x16xf64>
        -> tensor<?x?x2x16xf64>, tensor<?x2x16x16xf64>
  return
}
