// RUN: weir-opt %s -split-input-file -verify-diagnostics

func.func @causal_conv_c1_rank(
    %x: tensor<?x?x2x4xf32>, %w: tensor<8x4xf32>) {
  // expected-error @below {{has an input of type 'tensor<?x?x2x4xf32>', expected floats [batch, time, features] with static features}}
  weir.causal_conv %x, %w
      : tensor<?x?x2x4xf32>, tensor<8x4xf32> -> tensor<?x?x8xf32>, tensor<?x3x8xf32>
  return
}

// -----

func.func @causal_conv_c1_features(
    %x: tensor<?x?x?xf32>, %w: tensor<8x4xf32>) {
  // expected-error @below {{has an input of type 'tensor<?x?x?xf32>', expected floats}}
  weir.causal_conv %x, %w
      : tensor<?x?x?xf32>, tensor<8x4xf32> -> tensor<?x?x8xf32>, tensor<?x3x8xf32>
  return
}

// -----

func.func @causal_conv_c1_floats(
    %x: tensor<?x?x8xi32>, %w: tensor<8x4xf32>) {
  // expected-error @below {{has an input of type 'tensor<?x?x8xi32>', expected floats}}
  weir.causal_conv %x, %w
      : tensor<?x?x8xi32>, tensor<8x4xf32> -> tensor<?x?x8xf32>, tensor<?x3x8xf32>
  return
}

// -----

func.func @causal_conv_c1_width(
    %x: tensor<?x?x8xf32>, %w: tensor<8x?xf32>) {
  // expected-error @below {{has a weight of type 'tensor<8x?xf32>', expected static [features, width] of one or more}}
  weir.causal_conv %x, %w
      : tensor<?x?x8xf32>, tensor<8x?xf32> -> tensor<?x?x8xf32>, tensor<?x3x8xf32>
  return
}

// -----

func.func @causal_conv_c1_no_width(
    %x: tensor<?x?x8xf32>, %w: tensor<8x0xf32>) {
  // expected-error @below {{has a weight of type 'tensor<8x0xf32>', expected static}}
  weir.causal_conv %x, %w
      : tensor<?x?x8xf32>, tensor<8x0xf32> -> tensor<?x?x8xf32>, tensor<?x3x8xf32>
  return
}

// -----

func.func @causal_conv_c1_weight(
    %x: tensor<?x?x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @below {{has a weight of type 'tensor<4x8xf32>', expected 'tensor<8x8xf32>'}}
  weir.causal_conv %x, %w
      : tensor<?x?x8xf32>, tensor<4x8xf32> -> tensor<?x?x8xf32>, tensor<?x3x8xf32>
  return
}

// -----

func.func @causal_conv_c1_bias(
    %x: tensor<?x?x8xf32>, %w: tensor<8x4xf32>, %b: tensor<4xf32>) {
  // expected-error @below {{has a bias of type 'tensor<4xf32>', expected 'tensor<8xf32>'}}
  weir.causal_conv %x, %w
      bias(%b : tensor<4xf32>)
      : tensor<?x?x8xf32>, tensor<8x4xf32> -> tensor<?x?x8xf32>, tensor<?x3x8xf32>
  return
}

// -----

func.func @causal_conv_c1_result(
    %x: tensor<?x?x8xf32>, %w: tensor<8x4xf32>) {
  // expected-error @below {{has a result of type 'tensor<?x?x8xf16>', expected 'tensor<?x?x8xf32>'}}
  weir.causal_conv %x, %w
      : tensor<?x?x8xf32>, tensor<8x4xf32> -> tensor<?x?x8xf16>, tensor<?x3x8xf32>
  return
}

// -----

func.func @causal_conv_c2_short_tail(
    %x: tensor<?x?x8xf32>, %w: tensor<8x4xf32>) {
  // expected-error @below {{has a tail of type 'tensor<?x2x8xf32>', expected [batch, length, features] with a static length of 3 or more}}
  weir.causal_conv %x, %w
      : tensor<?x?x8xf32>, tensor<8x4xf32> -> tensor<?x?x8xf32>, tensor<?x2x8xf32>
  return
}

// -----

func.func @causal_conv_c2_empty_tail(
    %x: tensor<?x?x8xf32>, %w: tensor<8x1xf32>) {
  // expected-error @below {{with a static length of 1 or more}}
  weir.causal_conv %x, %w
      : tensor<?x?x8xf32>, tensor<8x1xf32> -> tensor<?x?x8xf32>, tensor<?x0x8xf32>
  return
}

// -----

func.func @causal_conv_c2_dynamic_tail(
    %x: tensor<?x?x8xf32>, %w: tensor<8x4xf32>) {
  // expected-error @below {{has a tail of type 'tensor<?x?x8xf32>', expected}}
  weir.causal_conv %x, %w
      : tensor<?x?x8xf32>, tensor<8x4xf32> -> tensor<?x?x8xf32>, tensor<?x?x8xf32>
  return
}

// -----

func.func @causal_conv_c2_tail_features(
    %x: tensor<?x?x8xf32>, %w: tensor<8x4xf32>) {
  // expected-error @below {{has a tail of type 'tensor<?x3x4xf32>', expected 'tensor<?x3x8xf32>'}}
  weir.causal_conv %x, %w
      : tensor<?x?x8xf32>, tensor<8x4xf32> -> tensor<?x?x8xf32>, tensor<?x3x4xf32>
  return
}

// -----

func.func @causal_conv_c2_init(
    %x: tensor<?x?x8xf32>, %w: tensor<8x4xf32>, %i: tensor<?x4x8xf32>) {
  // expected-error @below {{has an init of type 'tensor<?x4x8xf32>', expected 'tensor<?x3x8xf32>'}}
  weir.causal_conv %x, %w
      init(%i : tensor<?x4x8xf32>)
      : tensor<?x?x8xf32>, tensor<8x4xf32> -> tensor<?x?x8xf32>, tensor<?x3x8xf32>
  return
}

// -----

func.func @causal_conv_c3_lengths(
    %x: tensor<?x?x8xf32>, %w: tensor<8x4xf32>, %n: tensor<?xi64>) {
  // expected-error @below {{has lengths of type 'tensor<?xi64>', expected 'tensor<?xi32>'}}
  weir.causal_conv %x, %w
      lengths(%n : tensor<?xi64>)
      : tensor<?x?x8xf32>, tensor<8x4xf32> -> tensor<?x?x8xf32>, tensor<?x3x8xf32>
  return
}

// -----

func.func @causal_conv_c3_batch(
    %x: tensor<2x?x8xf32>, %w: tensor<8x4xf32>, %n: tensor<3xi32>) {
  // expected-error @below {{has lengths of type 'tensor<3xi32>', expected 'tensor<2xi32>'}}
  weir.causal_conv %x, %w
      lengths(%n : tensor<3xi32>)
      : tensor<2x?x8xf32>, tensor<8x4xf32> -> tensor<?x?x8xf32>, tensor<?x3x8xf32>
  return
}

// -----

func.func @shift_c1_rank(%x: tensor<?xf32>) {
  // expected-error @below {{has an input of type 'tensor<?xf32>', expected floats [batch, time, ...] with static extents behind time}}
  weir.shift %x
      : tensor<?xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @shift_c1_extents(%x: tensor<?x?x?xf32>) {
  // expected-error @below {{has an input of type 'tensor<?x?x?xf32>', expected floats}}
  weir.shift %x
      : tensor<?x?x?xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @shift_c1_floats(%x: tensor<?x?x8xi32>) {
  // expected-error @below {{has an input of type 'tensor<?x?x8xi32>', expected floats}}
  weir.shift %x
      : tensor<?x?x8xi32> -> tensor<?x8xf32>
  return
}

// -----

func.func @shift_c2_last(%x: tensor<?x?x8xf32>) {
  // expected-error @below {{has a last token of type 'tensor<?x4xf32>', expected 'tensor<?x8xf32>'}}
  weir.shift %x
      : tensor<?x?x8xf32> -> tensor<?x4xf32>
  return
}

// -----

func.func @shift_c2_init(%x: tensor<?x?x8xf32>, %i: tensor<?x8xf16>) {
  // expected-error @below {{has an init of type 'tensor<?x8xf16>', expected 'tensor<?x8xf32>'}}
  weir.shift %x init(%i : tensor<?x8xf16>)
      : tensor<?x?x8xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @shift_c3_lengths(%x: tensor<?x?x8xf32>, %n: tensor<?xi64>) {
  // expected-error @below {{has lengths of type 'tensor<?xi64>', expected 'tensor<?xi32>'}}
  weir.shift %x lengths(%n : tensor<?xi64>)
      : tensor<?x?x8xf32> -> tensor<?x8xf32>
  return
}
