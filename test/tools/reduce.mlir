// Of a module whose lowering fails, what fails is left: the ops of the dialect
// around it go.
//
// RUN: weir-reduce %s \
// RUN:   -reduction-tree='traversal-mode=0 test=%S/Inputs/lacks-schedule.sh' \
// RUN:   | FileCheck %s

// CHECK-NOT: weir.param
// CHECK-NOT: @innocent
// CHECK: func.func @guilty
// CHECK-NOT: weir.rms_norm
// CHECK: weir.attention
// CHECK-NOT: @innocent

weir.param @w : tensor<4xf32> = #weir.checkpoint<"w">

func.func @innocent_norm(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %w = weir.weight @w : tensor<4xf32>
  %0 = weir.rms_norm %x weight(%w : tensor<4xf32>) eps(1.0e-5)
      : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

func.func @guilty(%q: tensor<?x?x2x4xf32>) -> tensor<?x?x2x4xf32> {
  %n = weir.rms_norm %q eps(1.0e-5) : tensor<?x?x2x4xf32>
  %0 = weir.attention %q, %q, %q mask(<causal>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %0 : tensor<?x?x2x4xf32>
}

func.func @innocent_attention(%q: tensor<?x?x2x4xf32>) -> tensor<?x?x2x4xf32> {
  %0 = weir.attention %q, %q, %q mask(<causal>) scale(0.5)
      schedule(<form = "flash", tiles = [4, 4]>)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %0 : tensor<?x?x2x4xf32>
}
