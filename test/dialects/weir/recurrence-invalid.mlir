// RUN: weir-opt %s -split-input-file -verify-diagnostics

func.func @recurrence_c1_query_rank(%q: tensor<?x?x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>) {
  // expected-error @below {{has a query of type 'tensor<?x?x16xf32>', expected floats [batch, time, heads, dim] with static heads and dim}}
  %0, %1 = weir.recurrence %q, %k, %v : tensor<?x?x16xf32>,
      tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32> -> tensor<?x?x4x8xf32>,
      tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c1_query_heads(%q: tensor<?x?x?x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>) {
  // expected-error @below {{has a query of type 'tensor<?x?x?x16xf32>', expected floats [batch, time, heads, dim] with static heads and dim}}
  %0, %1 = weir.recurrence %q, %k, %v : tensor<?x?x?x16xf32>,
      tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32> -> tensor<?x?x4x8xf32>,
      tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c1_query_integers(%q: tensor<?x?x2x16xi32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>) {
  // expected-error @below {{has a query of type 'tensor<?x?x2x16xi32>', expected floats}}
  %0, %1 = weir.recurrence %q, %k, %v : tensor<?x?x2x16xi32>,
      tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32> -> tensor<?x?x4x8xf32>,
      tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c1_key_rank(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x16xf32>, %v: tensor<?x?x4x8xf32>) {
  // expected-error @below {{has a key of type 'tensor<?x?x16xf32>', expected [batch, time, heads, dim] or [batch, time, updates, heads, dim] with a static number of updates}}
  %0, %1 = weir.recurrence %q, %k, %v : tensor<?x?x2x16xf32>,
      tensor<?x?x16xf32>, tensor<?x?x4x8xf32> -> tensor<?x?x4x8xf32>,
      tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c1_key_updates(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>) {
  // expected-error @below {{has a key of type 'tensor<?x?x?x2x16xf32>', expected [batch, time, heads, dim] or}}
  %0, %1 = weir.recurrence %q, %k, %v : tensor<?x?x2x16xf32>,
      tensor<?x?x?x2x16xf32>, tensor<?x?x4x8xf32> -> tensor<?x?x4x8xf32>,
      tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c1_key_features(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x12xf32>, %v: tensor<?x?x4x8xf32>) {
  // expected-error @below {{has a key of type 'tensor<?x?x2x12xf32>', expected 'tensor<?x?x2x16xf32>'}}
  %0, %1 = weir.recurrence %q, %k, %v : tensor<?x?x2x16xf32>,
      tensor<?x?x2x12xf32>, tensor<?x?x4x8xf32> -> tensor<?x?x4x8xf32>,
      tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c1_key_element_type(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x16xbf16>, %v: tensor<?x?x4x8xf32>) {
  // expected-error @below {{has a key of type 'tensor<?x?x2x16xbf16>', expected 'tensor<?x?x2x16xf32>'}}
  %0, %1 = weir.recurrence %q, %k, %v : tensor<?x?x2x16xf32>,
      tensor<?x?x2x16xbf16>, tensor<?x?x4x8xf32> -> tensor<?x?x4x8xf32>,
      tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c1_value_rank(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x3x2x16xf32>, %v: tensor<?x?x4x8xf32>) {
  // expected-error @below {{has a value of type 'tensor<?x?x4x8xf32>', expected the rank of the key, 5, with static heads and dim}}
  %0, %1 = weir.recurrence %q, %k, %v : tensor<?x?x2x16xf32>,
      tensor<?x?x3x2x16xf32>, tensor<?x?x4x8xf32> -> tensor<?x?x4x8xf32>,
      tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c1_value_features(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x?xf32>) {
  // expected-error @below {{has a value of type 'tensor<?x?x4x?xf32>', expected the rank of the key, 4, with static heads and dim}}
  %0, %1 = weir.recurrence %q, %k, %v : tensor<?x?x2x16xf32>,
      tensor<?x?x2x16xf32>, tensor<?x?x4x?xf32> -> tensor<?x?x4x8xf32>,
      tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c1_value_updates(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x3x2x16xf32>, %v: tensor<?x?x2x4x8xf32>) {
  // expected-error @below {{has a value of type 'tensor<?x?x2x4x8xf32>', expected 'tensor<?x?x3x4x8xf32>'}}
  %0, %1 = weir.recurrence %q, %k, %v : tensor<?x?x2x16xf32>,
      tensor<?x?x3x2x16xf32>, tensor<?x?x2x4x8xf32> -> tensor<?x?x4x8xf32>,
      tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c1_value_batch(%q: tensor<2x?x2x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<3x?x4x8xf32>) {
  // expected-error @below {{has a value of type 'tensor<3x?x4x8xf32>', expected 'tensor<2x?x4x8xf32>'}}
  %0, %1 = weir.recurrence %q, %k, %v : tensor<2x?x2x16xf32>,
      tensor<?x?x2x16xf32>, tensor<3x?x4x8xf32> -> tensor<?x?x4x8xf32>,
      tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c1_result_features(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>) {
  // expected-error @below {{has a result of type 'tensor<?x?x4x16xf32>', expected 'tensor<?x?x4x8xf32>'}}
  %0, %1 = weir.recurrence %q, %k, %v : tensor<?x?x2x16xf32>,
      tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32> -> tensor<?x?x4x16xf32>,
      tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c2_groups(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x3x8xf32>) {
  // expected-error @below {{has 3 value heads, expected a multiple of the 2 key heads}}
  %0, %1 = weir.recurrence %q, %k, %v : tensor<?x?x2x16xf32>,
      tensor<?x?x2x16xf32>, tensor<?x?x3x8xf32> -> tensor<?x?x3x8xf32>,
      tensor<?x3x16x8xf32>
  return
}

// -----

func.func @recurrence_c3_heads(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>, %d: tensor<?x?x2xf32>) {
  // expected-error @below {{has a decay of type 'tensor<?x?x2xf32>', expected floats [batch, time, 4] or [batch, time, 4, 16], or these without batch and time}}
  %0, %1 = weir.recurrence %q, %k, %v decay(%d : tensor<?x?x2xf32>)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32>
      -> tensor<?x?x4x8xf32>, tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c3_features(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>,
    %d: tensor<?x?x4x8xf32>) {
  // expected-error @below {{has a decay of type 'tensor<?x?x4x8xf32>', expected floats [batch, time, 4] or [batch, time, 4, 16], or these without batch and time}}
  %0, %1 = weir.recurrence %q, %k, %v decay(%d : tensor<?x?x4x8xf32>)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32>
      -> tensor<?x?x4x8xf32>, tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c3_integers(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>, %d: tensor<4xi32>) {
  // expected-error @below {{has a decay of type 'tensor<4xi32>', expected floats [batch, time, 4] or [batch, time, 4, 16], or these without batch and time}}
  %0, %1 = weir.recurrence %q, %k, %v decay(%d : tensor<4xi32>)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32>
      -> tensor<?x?x4x8xf32>, tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c3_fixed_features(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>, %d: tensor<4x8xf32>) {
  // expected-error @below {{has a decay of type 'tensor<4x8xf32>', expected floats [batch, time, 4] or [batch, time, 4, 16], or these without batch and time}}
  %0, %1 = weir.recurrence %q, %k, %v decay(%d : tensor<4x8xf32>)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32>
      -> tensor<?x?x4x8xf32>, tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c4_beta(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>, %d: tensor<?x?x2xf32>) {
  // expected-error @below {{has a beta of type 'tensor<?x?x2xf32>', expected 'tensor<?x?x4xf32>'}}
  %0, %1 = weir.recurrence %q, %k, %v delta(%d : tensor<?x?x2xf32>)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32>
      -> tensor<?x?x4x8xf32>, tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c4_beta_updates(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x3x2x16xf32>, %v: tensor<?x?x3x4x8xf32>,
    %d: tensor<?x?x4xf32>) {
  // expected-error @below {{has a beta of type 'tensor<?x?x4xf32>', expected 'tensor<?x?x3x4xf32>'}}
  %0, %1 = weir.recurrence %q, %k, %v delta(%d : tensor<?x?x4xf32>)
      : tensor<?x?x2x16xf32>, tensor<?x?x3x2x16xf32>, tensor<?x?x3x4x8xf32>
      -> tensor<?x?x4x8xf32>, tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c4_read_key(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>, %d: tensor<?x?x4xf32>,
    %a: tensor<?x?x4x16xf32>) {
  // expected-error @below {{has a read key of type 'tensor<?x?x4x16xf32>', expected 'tensor<?x?x2x16xf32>'}}
  %0, %1 = weir.recurrence %q, %k, %v delta(%d : tensor<?x?x4xf32>)
      read_key(%a : tensor<?x?x4x16xf32>) : tensor<?x?x2x16xf32>,
      tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32> -> tensor<?x?x4x8xf32>,
      tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c4_write_key(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>,
    %a: tensor<?x?x2x16xf32>, %w: tensor<?x?x2x8xf32>) {
  // expected-error @below {{has a write key of type 'tensor<?x?x2x8xf32>', expected 'tensor<?x?x2x16xf32>'}}
  %0, %1 = weir.recurrence %q, %k, %v read_key(%a : tensor<?x?x2x16xf32>)
      write_key(%w : tensor<?x?x2x8xf32>) : tensor<?x?x2x16xf32>,
      tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32> -> tensor<?x?x4x8xf32>,
      tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c4_write_key_with_beta(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>, %d: tensor<?x?x4xf32>,
    %a: tensor<?x?x2x16xf32>) {
  // expected-error @below {{has a write key, expected a read key beside it and no beta}}
  %0, %1 = weir.recurrence %q, %k, %v delta(%d : tensor<?x?x4xf32>)
      read_key(%a : tensor<?x?x2x16xf32>) write_key(%a : tensor<?x?x2x16xf32>)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32>
      -> tensor<?x?x4x8xf32>, tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c4_write_key_alone(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>,
    %a: tensor<?x?x2x16xf32>) {
  // expected-error @below {{has a write key, expected a read key beside it and no beta}}
  %0, %1 = weir.recurrence %q, %k, %v write_key(%a : tensor<?x?x2x16xf32>)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32>
      -> tensor<?x?x4x8xf32>, tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c4_read_key_alone(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>,
    %a: tensor<?x?x2x16xf32>) {
  // expected-error @below {{has a read key, expected a beta or a write key beside it}}
  %0, %1 = weir.recurrence %q, %k, %v read_key(%a : tensor<?x?x2x16xf32>)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32>
      -> tensor<?x?x4x8xf32>, tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c5_bonus(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>, %u: tensor<2x16xf32>) {
  // expected-error @below {{has a bonus of type 'tensor<2x16xf32>', expected 'tensor<4x16xf32>'}}
  %0, %1 = weir.recurrence %q, %k, %v bonus(%u : tensor<2x16xf32>)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32>
      -> tensor<?x?x4x8xf32>, tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c5_bonus_with_correction(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>, %d: tensor<?x?x4xf32>,
    %u: tensor<4x16xf32>) {
  // expected-error @below {{has a bonus, expected no correction and one update a token beside it}}
  %0, %1 = weir.recurrence %q, %k, %v delta(%d : tensor<?x?x4xf32>)
      bonus(%u : tensor<4x16xf32>) : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>,
      tensor<?x?x4x8xf32> -> tensor<?x?x4x8xf32>, tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c5_bonus_with_updates(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x3x2x16xf32>, %v: tensor<?x?x3x4x8xf32>,
    %u: tensor<4x16xf32>) {
  // expected-error @below {{has a bonus, expected no correction and one update a token beside it}}
  %0, %1 = weir.recurrence %q, %k, %v bonus(%u : tensor<4x16xf32>)
      : tensor<?x?x2x16xf32>, tensor<?x?x3x2x16xf32>, tensor<?x?x3x4x8xf32>
      -> tensor<?x?x4x8xf32>, tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c6_init(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>,
    %s: tensor<?x4x8x16xf32>) {
  // expected-error @below {{has a state to begin with of type 'tensor<?x4x8x16xf32>', expected 'tensor<?x4x16x8xf32>'}}
  %0, %1 = weir.recurrence %q, %k, %v init(%s : tensor<?x4x8x16xf32>)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32>
      -> tensor<?x?x4x8xf32>, tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c6_final_state(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>) {
  // expected-error @below {{has a final state of type 'tensor<?x2x16x8xf32>', expected 'tensor<?x4x16x8xf32>'}}
  %0, %1 = weir.recurrence %q, %k, %v : tensor<?x?x2x16xf32>,
      tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32> -> tensor<?x?x4x8xf32>,
      tensor<?x2x16x8xf32>
  return
}

// -----

// Sums of 16-bit floats are wider.
func.func @recurrence_c6_accumulator(%q: tensor<?x?x2x16xbf16>,
    %k: tensor<?x?x2x16xbf16>, %v: tensor<?x?x4x8xbf16>) {
  // expected-error @below {{has a final state of type 'tensor<?x4x16x8xbf16>', expected 'tensor<?x4x16x8xf32>'}}
  %0, %1 = weir.recurrence %q, %k, %v : tensor<?x?x2x16xbf16>,
      tensor<?x?x2x16xbf16>, tensor<?x?x4x8xbf16> -> tensor<?x?x4x8xbf16>,
      tensor<?x4x16x8xbf16>
  return
}

// -----

func.func @recurrence_c7_previous_without_correction(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>) {
  // expected-error @below {{reads the previous state, expected a correction and one update a token}}
  %0, %1 = weir.recurrence %q, %k, %v reads(previous) : tensor<?x?x2x16xf32>,
      tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32> -> tensor<?x?x4x8xf32>,
      tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c7_previous_with_updates(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x3x2x16xf32>, %v: tensor<?x?x3x4x8xf32>,
    %d: tensor<?x?x3x4xf32>) {
  // expected-error @below {{reads the previous state, expected a correction and one update a token}}
  %0, %1 = weir.recurrence %q, %k, %v delta(%d : tensor<?x?x3x4xf32>)
      reads(previous) : tensor<?x?x2x16xf32>, tensor<?x?x3x2x16xf32>,
      tensor<?x?x3x4x8xf32> -> tensor<?x?x4x8xf32>, tensor<?x4x16x8xf32>
  return
}

// -----

func.func @recurrence_c8_lengths(%q: tensor<?x?x2x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x8xf32>, %l: tensor<?xi64>) {
  // expected-error @below {{has a vector of lengths of type 'tensor<?xi64>', expected 'tensor<?xi32>'}}
  %0, %1 = weir.recurrence %q, %k, %v lengths(%l : tensor<?xi64>)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x8xf32>
      -> tensor<?x?x4x8xf32>, tensor<?x4x16x8xf32>
  return
}
