// RUN: weir-opt %s --weir-verify-scheduled -split-input-file -verify-diagnostics
// RUN: weir-opt %s --weir-verify-scheduled=require=false -split-input-file

func.func @attention_with_schedule(%x: tensor<?x?x2x4xf32>)
    -> tensor<?x?x2x4xf32> {
  %y = weir.attention %x, %x, %x mask(<causal>) scale(0.5)
      schedule(<form = "flash", tiles = [32, 64]>)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %y : tensor<?x?x2x4xf32>
}

// -----

func.func @attention_without_schedule(%x: tensor<?x?x2x4xf32>)
    -> tensor<?x?x2x4xf32> {
  // expected-error @below {{'weir.attention' op has no schedule behind the stage scheduled, expected the one that weir-select-schedule writes, or schedule(<form = ..., tiles = [...]>) by hand}}
  %y = weir.attention %x, %x, %x mask(<causal>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %y : tensor<?x?x2x4xf32>
}
