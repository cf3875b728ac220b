// RUN: weir-opt %s -split-input-file -verify-diagnostics

func.func @select_blocks_c1_query(%q: tensor<?x?x16xf32>, %k: tensor<?x?x2x16xf32>) {
  // expected-error @below {{has a query of type 'tensor<?x?x16xf32>', expected [batch, time, heads, dim] of floats with static heads and dim}}
  weir.select_blocks %q, %k block_size(8) scale(1.0) score(raw)
      : tensor<?x?x16xf32>, tensor<?x?x2x16xf32> -> tensor<?x?x2x3xi32>
  return
}

// -----

func.func @select_blocks_c1_features(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x8xf32>) {
  // expected-error @below {{which differ in batch, features or element type}}
  weir.select_blocks %q, %k block_size(8) scale(1.0) score(raw)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x8xf32> -> tensor<?x?x2x3xi32>
  return
}

// -----

func.func @select_blocks_c1_result(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>) {
  // expected-error @below {{has result type 'tensor<?x?x2x?xi32>', expected [batch, time, lists, entries] of i32 with static lists and entries}}
  weir.select_blocks %q, %k block_size(8) scale(1.0) score(raw)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32> -> tensor<?x?x2x?xi32>
  return
}

// -----

func.func @select_blocks_c2_lists(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>) {
  // expected-error @below {{makes 3 lists from 4 query heads and 2 key heads, expected a divisor of the former that is a multiple of the latter}}
  weir.select_blocks %q, %k block_size(8) scale(1.0) score(raw)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32> -> tensor<?x?x3x3xi32>
  return
}

// -----

func.func @select_blocks_c3_weights(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>,
    %w: tensor<?x?x2xf32>) {
  // expected-error @below {{has weights of type 'tensor<?x?x2xf32>', expected [batch, time, 4 query heads] of 'f32'}}
  weir.select_blocks %q, %k block_size(8) scale(1.0) score(raw)
      weights(%w : tensor<?x?x2xf32>)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32> -> tensor<?x?x2x3xi32>
  return
}

// -----

func.func @select_blocks_c4_offset(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>,
    %w: tensor<?x1xi32>) {
  // expected-error @below {{has an offset of type 'tensor<?x1xi32>', expected [batch] of i32}}
  weir.select_blocks %q, %k block_size(8) scale(1.0) score(raw)
      offset(%w : tensor<?x1xi32>)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32> -> tensor<?x?x2x3xi32>
  return
}

// -----

func.func @select_blocks_c5_size(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>) {
  // expected-error @below {{chooses 3 blocks of 0 keys, expected positive numbers}}
  weir.select_blocks %q, %k block_size(0) scale(1.0) score(raw)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32> -> tensor<?x?x2x3xi32>
  return
}

// -----

func.func @select_blocks_c6_arguments(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>) {
  // expected-error @below {{has a region adjust with arguments ('f32', 'index'), expected ('f32', index, index, index, index)}}
  weir.select_blocks %q, %k block_size(8) scale(1.0) score(raw) adjust {
  ^bb0(%s: f32, %c: index):
    weir.yield %s : f32
  }
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32> -> tensor<?x?x2x3xi32>
  return
}

// -----

func.func @select_blocks_c6_yield(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>) {
  // expected-error @below {{has a region adjust that does not yield one 'f32'}}
  weir.select_blocks %q, %k block_size(8) scale(1.0) score(raw) adjust {
  ^bb0(%s: f32, %b: index, %l: index, %i: index, %c: index):
    weir.yield %c : index
  }
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32> -> tensor<?x?x2x3xi32>
  return
}
