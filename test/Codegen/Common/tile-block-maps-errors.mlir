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
  // expected-error @below {{has a schedule of form 'panel', expected flash, row, split, list, list_flash or list_sorted}}
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

// -----

func.func @form(%q: tensor<1x8x2x16xf32>)
    -> (tensor<1x8x2x16xf32>, tensor<1x2x16x16xf32>) {
  // expected-error @below {{'weir.recurrence' op has a schedule of form 'flash', expected recurrent, chunkwise or parallel}}
  %0, %1 = weir.recurrence %q, %q, %q
      schedule(<form = "flash", tiles = [8, 16], parallel = true>)
      : tensor<1x8x2x16xf32>, tensor<1x8x2x16xf32>, tensor<1x8x2x16xf32>
        -> tensor<1x8x2x16xf32>, tensor<1x2x16x16xf32>
  return %0, %1 : tensor<1x8x2x16xf32>, tensor<1x2x16x16xf32>
}

// -----

func.func @features(%q: tensor<1x8x2x16xf32>)
    -> (tensor<1x8x2x16xf32>, tensor<1x2x16x16xf32>) {
  // expected-error @below {{has schedule tiles [8, 12], expected [tokens, value features, heads] where the latter divide 16 and 2, or are left out for one head}}
  %0, %1 = weir.recurrence %q, %q, %q
      schedule(<form = "chunkwise", tiles = [8, 12], parallel = true>)
      : tensor<1x8x2x16xf32>, tensor<1x8x2x16xf32>, tensor<1x8x2x16xf32>
        -> tensor<1x8x2x16xf32>, tensor<1x2x16x16xf32>
  return %0, %1 : tensor<1x8x2x16xf32>, tensor<1x2x16x16xf32>
}

// -----

func.func @recurrent(%q: tensor<1x8x2x16xf32>)
    -> (tensor<1x8x2x16xf32>, tensor<1x2x16x16xf32>) {
  // expected-error @below {{has the form recurrent with 2 tokens a block, expected 1}}
  %0, %1 = weir.recurrence %q, %q, %q
      schedule(<form = "recurrent", tiles = [2, 16], parallel = true>)
      : tensor<1x8x2x16xf32>, tensor<1x8x2x16xf32>, tensor<1x8x2x16xf32>
        -> tensor<1x8x2x16xf32>, tensor<1x2x16x16xf32>
  return %0, %1 : tensor<1x8x2x16xf32>, tensor<1x2x16x16xf32>
}

// -----

func.func @scan_form(%x: tensor<?x?x8xf32>, %s: tensor<8xf32>)
    -> tensor<?x?x8xf32> {
  // expected-error @below {{has a schedule of form "flash", expected "scan" or "parallel"}}
  %y, %l = weir.scan (%x) states(%s) schedule(<form = "flash", tiles = [8]>)
      : (tensor<?x?x8xf32>), (tensor<8xf32>)
      -> (tensor<?x?x8xf32>), (tensor<?x8xf32>) {
  ^bb0(%a: tensor<8xf32>, %h: tensor<8xf32>):
    %u = arith.addf %a, %h : tensor<8xf32>
    weir.yield %u, %u : tensor<8xf32>, tensor<8xf32>
  }
  return %y : tensor<?x?x8xf32>
}

// -----

func.func @scan_tiles(%x: tensor<?x?x8xf32>, %s: tensor<8xf32>)
    -> tensor<?x?x8xf32> {
  // expected-error @below {{has a schedule of 2 tiles, expected one for each of 1 element-wise axes}}
  %y, %l = weir.scan (%x) states(%s) schedule(<form = "scan", tiles = [8, 8]>)
      : (tensor<?x?x8xf32>), (tensor<8xf32>)
      -> (tensor<?x?x8xf32>), (tensor<?x8xf32>) {
  ^bb0(%a: tensor<8xf32>, %h: tensor<8xf32>):
    %u = arith.addf %a, %h : tensor<8xf32>
    weir.yield %u, %u : tensor<8xf32>, tensor<8xf32>
  }
  return %y : tensor<?x?x8xf32>
}

// -----

func.func @scan_divisor(%x: tensor<?x?x8xf32>, %s: tensor<8xf32>)
    -> tensor<?x?x8xf32> {
  // expected-error @below {{has a schedule with a tile of 3, expected a divisor of 8}}
  %y, %l = weir.scan (%x) states(%s) schedule(<form = "scan", tiles = [3]>)
      : (tensor<?x?x8xf32>), (tensor<8xf32>)
      -> (tensor<?x?x8xf32>), (tensor<?x8xf32>) {
  ^bb0(%a: tensor<8xf32>, %h: tensor<8xf32>):
    %u = arith.addf %a, %h : tensor<8xf32>
    weir.yield %u, %u : tensor<8xf32>, tensor<8xf32>
  }
  return %y : tensor<?x?x8xf32>
}

// -----

func.func @one_range(%q: tensor<1x8x2x16xf32>)
    -> (tensor<1x8x2x16xf32>, tensor<1x2x16x16xf32>) {
  // expected-error @below {{has schedule tiles [8, 16, 1], expected [tokens, value features, heads, ranges] with at least two ranges of time for the form parallel}}
  %0, %1 = weir.recurrence %q, %q, %q
      schedule(<form = "parallel", tiles = [8, 16, 1], parallel = true>)
      : tensor<1x8x2x16xf32>, tensor<1x8x2x16xf32>, tensor<1x8x2x16xf32>
        -> tensor<1x8x2x16xf32>, tensor<1x2x16x16xf32>
  return %0, %1 : tensor<1x8x2x16xf32>, tensor<1x2x16x16xf32>
}

// -----

func.func @scan_in_no_ranges(%x: tensor<?x?x8xf32>, %s: tensor<8xf32>)
    -> tensor<?x?x8xf32> {
  // expected-error @below {{has a schedule of form "parallel" with tiles [8, 1], expected at least two ranges of time at the end}}
  %y, %l = weir.scan (%x) states(%s)
      schedule(<form = "parallel", tiles = [8, 1], parallel = true>)
      : (tensor<?x?x8xf32>), (tensor<8xf32>)
      -> (tensor<?x?x8xf32>), (tensor<?x8xf32>) {
  ^bb0(%a: tensor<8xf32>, %h: tensor<8xf32>):
    %u = arith.addf %a, %h : tensor<8xf32>
    weir.yield %u, %u : tensor<8xf32>, tensor<8xf32>
  }
  return %y : tensor<?x?x8xf32>
}

// -----

func.func @scan_not_affine(%x: tensor<?x?x8xf32>, %s: tensor<8xf32>)
    -> tensor<?x?x8xf32> {
  // expected-error @below {{has a schedule of form "parallel", expected "scan": state 0 is not affine: arith.maximumf is no linear function of the states}}
  %y, %l = weir.scan (%x) states(%s)
      schedule(<form = "parallel", tiles = [8, 3], parallel = true>)
      : (tensor<?x?x8xf32>), (tensor<8xf32>)
      -> (tensor<?x?x8xf32>), (tensor<?x8xf32>) {
  ^bb0(%a: tensor<8xf32>, %h: tensor<8xf32>):
    %u = arith.maximumf %a, %h : tensor<8xf32>
    weir.yield %u, %u : tensor<8xf32>, tensor<8xf32>
  }
  return %y : tensor<?x?x8xf32>
}

// -----

func.func @scan_of_halves(%x: tensor<?x?x8xbf16>, %s: tensor<8xbf16>)
    -> tensor<?x?x8xbf16> {
  // expected-error @below {{has a schedule of form "parallel", expected "scan": state 0 is of bf16, expected f32 or f64}}
  %y, %l = weir.scan (%x) states(%s)
      schedule(<form = "parallel", tiles = [8, 3], parallel = true>)
      : (tensor<?x?x8xbf16>), (tensor<8xbf16>)
      -> (tensor<?x?x8xbf16>), (tensor<?x8xbf16>) {
  ^bb0(%a: tensor<8xbf16>, %h: tensor<8xbf16>):
    %u = arith.addf %a, %h : tensor<8xbf16>
    weir.yield %u, %u : tensor<8xbf16>, tensor<8xbf16>
  }
  return %y : tensor<?x?x8xbf16>
}

// -----

func.func @no_list(%q: tensor<?x?x2x4xf32>) -> tensor<?x?x2x4xf32> {
  // expected-error @below {{has a schedule of form 'list' without a block list}}
  %0 = weir.attention %q, %q, %q mask(<causal>) scale(0.5)
      schedule(<form = "list", tiles = [1, 8]>)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
      -> tensor<?x?x2x4xf32>
  return %0 : tensor<?x?x2x4xf32>
}

// -----

func.func @queries(%q: tensor<?x?x2x4xf32>, %l: tensor<?x?x1x3xi32>)
    -> tensor<?x?x2x4xf32> {
  // expected-error @below {{has schedule tiles of 3 queries, expected a part of the 4 that share a list}}
  %0 = weir.attention %q, %q, %q mask(<causal>) scale(0.5)
      block_list(%l : tensor<?x?x1x3xi32>) query_block(4)
      schedule(<form = "list", tiles = [3, 8]>)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
      -> tensor<?x?x2x4xf32>
  return %0 : tensor<?x?x2x4xf32>
}

// -----

func.func @select(%q: tensor<?x?x2x4xf32>) -> tensor<?x?x2x3xi32> {
  // expected-error @below {{has a schedule of form 'flash', expected row}}
  %0 = weir.select_blocks %q, %q block_size(2) scale(0.5) score(raw)
      schedule(<form = "flash", tiles = [8]>)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32> -> tensor<?x?x2x3xi32>
  return %0 : tensor<?x?x2x3xi32>
}

// -----

func.func @split_path(%q: tensor<?x?x2x4xf32>, %b: tensor<?x?x2xf32>)
    -> tensor<?x?x2x4xf32> {
  // expected-error @below {{has a schedule of form 'split', but its keys are visited from the last one on, expected flash or row}}
  %0 = weir.attention %q, %q, %q mask(<causal>) scale(0.5)
      path(%q, %b : tensor<?x?x2x4xf32>, tensor<?x?x2xf32>)
      schedule(<form = "split", tiles = [1, 4, 2]>)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %0 : tensor<?x?x2x4xf32>
}

// -----

func.func @delta_values_form(%q: tensor<?x?x2x4xf32>, %b: tensor<?x?x2xf32>)
    -> tensor<?x?x2x4xf32> {
  // expected-error @below {{has a schedule of form 'split', expected flash or row}}
  %0 = weir.delta_values %q, %q, %q, %b scale(0.5)
      schedule(<form = "split", tiles = [1, 4, 2]>)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>,
        tensor<?x?x2xf32> -> tensor<?x?x2x4xf32>
  return %0 : tensor<?x?x2x4xf32>
}

// -----

func.func @delta_values_tiles(%q: tensor<?x?x2x4xf32>, %b: tensor<?x?x2xf32>)
    -> tensor<?x?x2x4xf32> {
  // expected-error @below {{has schedule tiles [0, 4], expected [tokens, keys] of positive extents}}
  %0 = weir.delta_values %q, %q, %q, %b scale(0.5)
      schedule(<form = "flash", tiles = [0, 4]>)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>,
        tensor<?x?x2xf32> -> tensor<?x?x2x4xf32>
  return %0 : tensor<?x?x2x4xf32>
}
