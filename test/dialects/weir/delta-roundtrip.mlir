// RUN: weir-opt %s | weir-opt | FileCheck %s

// CHECK-LABEL: func.func @plain
// CHECK: weir.delta_values %{{.+}}, %{{.+}}, %{{.+}}, %{{.+}} scale(2.500000e-01)
// CHECK-SAME: : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32>, tensor<?x?x4xf32> -> tensor<?x?x4x8xf32>
func.func @plain(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>,
    %v: tensor<?x?x4x8xf32>, %beta: tensor<?x?x4xf32>)
    -> tensor<?x?x4x8xf32> {
  %0 = weir.delta_values %q, %k, %v, %beta scale(0.25)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32>,
        tensor<?x?x4xf32> -> tensor<?x?x4x8xf32>
  return %0 : tensor<?x?x4x8xf32>
}

// CHECK-LABEL: func.func @with_past
// CHECK: weir.delta_values
// CHECK-SAME: past(%{{.+}} : tensor<?x?x4x8xbf16>) offset(%{{.+}} : tensor<?xi32>) schedule(<form = "flash", tiles = [32, 64]>)
func.func @with_past(%q: tensor<?x?x4x16xbf16>, %k: tensor<?x?x2x16xbf16>,
    %v: tensor<?x?x4x8xbf16>, %beta: tensor<?x?x4xf32>,
    %past: tensor<?x?x4x8xbf16>, %n: tensor<?xi32>) -> tensor<?x?x4x8xbf16> {
  %0 = weir.delta_values %q, %k, %v, %beta scale(0.25)
      past(%past : tensor<?x?x4x8xbf16>) offset(%n : tensor<?xi32>)
      schedule(<form = "flash", tiles = [32, 64]>)
      : tensor<?x?x4x16xbf16>, tensor<?x?x2x16xbf16>, tensor<?x?x4x8xbf16>,
        tensor<?x?x4xf32> -> tensor<?x?x4x8xbf16>
  return %0 : tensor<?x?x4x8xbf16>
}
