// RUN: weir-opt %s -split-input-file -verify-diagnostics

func.func @delta_values_c1_rank(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x16xf32>,
    %v: tensor<?x?x4x8xf32>, %beta: tensor<?x?x4xf32>) {
  // expected-error @below {{has a key of type 'tensor<?x?x16xf32>', expected [batch, time, heads, dim] of one float type with static heads and dim}}
  weir.delta_values %q, %k, %v, %beta scale(1.0)
      : tensor<?x?x4x16xf32>, tensor<?x?x16xf32>, tensor<?x?x4x8xf32>, tensor<?x?x4xf32>
        -> tensor<?x?x4x8xf32>
  return
}

// -----

func.func @delta_values_c1_integers(%q: tensor<?x?x4x16xi32>, %k: tensor<?x?x2x16xf32>,
    %v: tensor<?x?x4x8xf32>, %beta: tensor<?x?x4xf32>) {
  // expected-error @below {{has a query of type 'tensor<?x?x4x16xi32>', expected [batch, time, heads, dim] of one float type}}
  weir.delta_values %q, %k, %v, %beta scale(1.0)
      : tensor<?x?x4x16xi32>, tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32>, tensor<?x?x4xf32>
        -> tensor<?x?x4x8xf32>
  return
}

// -----

func.func @delta_values_c1_features(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x8xf32>,
    %v: tensor<?x?x4x8xf32>, %beta: tensor<?x?x4xf32>) {
  // expected-error @below {{has a query of type 'tensor<?x?x4x16xf32>' and a key of type 'tensor<?x?x2x8xf32>', which differ in batch or features}}
  weir.delta_values %q, %k, %v, %beta scale(1.0)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x8xf32>, tensor<?x?x4x8xf32>, tensor<?x?x4xf32>
        -> tensor<?x?x4x8xf32>
  return
}

// -----

func.func @delta_values_c1_value_heads(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>,
    %v: tensor<?x?x2x8xf32>, %beta: tensor<?x?x4xf32>) {
  // expected-error @below {{has a query of type 'tensor<?x?x4x16xf32>' and a value of type 'tensor<?x?x2x8xf32>', which differ in batch, time or heads}}
  weir.delta_values %q, %k, %v, %beta scale(1.0)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x8xf32>, tensor<?x?x4xf32>
        -> tensor<?x?x2x8xf32>
  return
}

// -----

func.func @delta_values_c1_result(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>,
    %v: tensor<?x?x4x8xf32>, %beta: tensor<?x?x4xf32>) {
  // expected-error @below {{has result type 'tensor<?x?x4x16xf32>', expected that of the value, 'tensor<?x?x4x8xf32>'}}
  weir.delta_values %q, %k, %v, %beta scale(1.0)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32>, tensor<?x?x4xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @delta_values_c2(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x3x16xf32>,
    %v: tensor<?x?x4x8xf32>, %beta: tensor<?x?x4xf32>) {
  // expected-error @below {{has 4 query heads, expected a multiple of the 3 key heads}}
  weir.delta_values %q, %k, %v, %beta scale(1.0)
      : tensor<?x?x4x16xf32>, tensor<?x?x3x16xf32>, tensor<?x?x4x8xf32>, tensor<?x?x4xf32>
        -> tensor<?x?x4x8xf32>
  return
}

// -----

func.func @delta_values_c3(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>,
    %v: tensor<?x?x4x8xf32>, %beta: tensor<?x?x2xf32>) {
  // expected-error @below {{has a beta of type 'tensor<?x?x2xf32>', expected [batch, time, 4 heads] of 'f32' or f32}}
  weir.delta_values %q, %k, %v, %beta scale(1.0)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32>, tensor<?x?x2xf32>
        -> tensor<?x?x4x8xf32>
  return
}

// -----

func.func @delta_values_c4_alone(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>,
    %v: tensor<?x?x4x8xf32>, %beta: tensor<?x?x4xf32>, %u: tensor<?x?x4x8xf32>) {
  // expected-error @below {{has a past without an offset, expected both or neither}}
  weir.delta_values %q, %k, %v, %beta scale(1.0)
      past(%u : tensor<?x?x4x8xf32>) : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32>, tensor<?x?x4xf32>
        -> tensor<?x?x4x8xf32>
  return
}

// -----

func.func @delta_values_c4_no_past(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>,
    %v: tensor<?x?x4x8xf32>, %beta: tensor<?x?x4xf32>, %n: tensor<?xi32>) {
  // expected-error @below {{has an offset without a past, expected both or neither}}
  weir.delta_values %q, %k, %v, %beta scale(1.0)
      offset(%n : tensor<?xi32>) : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32>, tensor<?x?x4xf32>
        -> tensor<?x?x4x8xf32>
  return
}

// -----

func.func @delta_values_c4_past(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>,
    %v: tensor<?x?x4x8xf32>, %beta: tensor<?x?x4xf32>, %u: tensor<?x?x4x16xf32>, %n: tensor<?xi32>) {
  // expected-error @below {{has a past of type 'tensor<?x?x4x16xf32>', expected [batch, key time, 4, 8] of 'f32'}}
  weir.delta_values %q, %k, %v, %beta scale(1.0)
      past(%u : tensor<?x?x4x16xf32>) offset(%n : tensor<?xi32>) : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32>, tensor<?x?x4xf32>
        -> tensor<?x?x4x8xf32>
  return
}

// -----

func.func @delta_values_c4_offset(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>,
    %v: tensor<?x?x4x8xf32>, %beta: tensor<?x?x4xf32>, %u: tensor<?x?x4x8xf32>, %n: tensor<?xi64>) {
  // expected-error @below {{has an offset of type 'tensor<?xi64>', expected [batch] of i32}}
  weir.delta_values %q, %k, %v, %beta scale(1.0)
      past(%u : tensor<?x?x4x8xf32>) offset(%n : tensor<?xi64>) : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32>, tensor<?x?x4xf32>
        -> tensor<?x?x4x8xf32>
  return
}

// -----

func.func @delta_values_c4_keys(%q: tensor<?x3x4x16xf32>, %k: tensor<?x5x2x16xf32>,
    %v: tensor<?x3x4x8xf32>, %beta: tensor<?x3x4xf32>) {
  // expected-error @below {{has 3 queries and 5 keys, expected as many without a past}}
  weir.delta_values %q, %k, %v, %beta scale(1.0)
      : tensor<?x3x4x16xf32>, tensor<?x5x2x16xf32>, tensor<?x3x4x8xf32>, tensor<?x3x4xf32>
        -> tensor<?x3x4x8xf32>
  return
}
