// RUN: weir-opt %s --weir-tile-block-maps -split-input-file -verify-diagnostics

func.func @no_schedule(%q: tensor<?x?x2x4xf32>) -> tensor<?x?x2x4xf32> {
  // expected-error @below {{has no schedule; run weir-select-schedule first or write one by hand}}
  %0 = weir.attention %q, %q, %q mask(<causal>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %0 : tensor<?x?x2x4xf32>
}

// -----

func.func @unknown_form(%q: tensor<?x?x2x4xf32>) -> tensor<?x?x2x4xf32> {
  // expected-error @below {{has a schedule of form 'panel', expected flash, row or split}}
  %0 = weir.attention %q, %q, %q mask(<causal>) scale(0.5)
      schedule(<form = "panel", tiles = [4, 4]>)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %0 : tensor<?x?x2x4xf32>
}

// -----

func.func @one_tile_extent(%q: tensor<?x?x2x4xf32>) -> tensor<?x?x2x4xf32> {
  // expected-error @below {{has schedule tiles [4], expected [queries, keys] of positive extents}}
  %0 = weir.attention %q, %q, %q mask(<causal>) scale(0.5)
      schedule(<form = "flash", tiles = [4]>)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %0 : tensor<?x?x2x4xf32>
}

// -----

func.func @split_without_parts(%q: tensor<?x?x2x4xf32>)
    -> tensor<?x?x2x4xf32> {
  // expected-error @below {{has schedule tiles [4, 4], expected [queries, keys, parts] of positive extents}}
  %0 = weir.attention %q, %q, %q mask(<causal>) scale(0.5)
      schedule(<form = "split", tiles = [4, 4]>)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %0 : tensor<?x?x2x4xf32>
}
