// RUN: weir-opt %s -split-input-file -verify-diagnostics

// slot_c1_element_type
// expected-error @below {{holds positions in 'tensor<?xi64>', expected [batch] of i32}}
weir.slot @s position : tensor<?xi64>

// -----

// slot_c1_stacked
// expected-error @below {{holds positions in 'tensor<?xi32>', expected [batch] of i32}}
weir.slot @s position stacked : tensor<?xi32>

// -----

// slot_c2_static_batch
// expected-error @below {{has type 'tensor<3x4xf32>', expected dynamic extents for the batch}}
weir.slot @s carry : tensor<3x4xf32>

// -----

// slot_c2_static_capacity
// expected-error @below {{has type 'tensor<?x16x4xf32>', expected dynamic extents for the batch and the capacity}}
weir.slot @s history : tensor<?x16x4xf32>

// -----

// slot_c3_lookback
// expected-error @below {{looks back 0 positions, expected a positive number}}
weir.slot @s history lookback(0) : tensor<?x?x4xf32>

// -----

// slot_c3_negative_lookback
// expected-error @below {{looks back -3 positions, expected a positive number}}
weir.slot @s history lookback(-3) : tensor<?x?x4xf32>

// -----

// slot_c4_memory
// expected-error @below {{has type 'tensor<?x?x?x8xf32>', expected static extents but for the batch and positions}}
weir.slot @s memory : tensor<?x?x?x8xf32>

// -----

// slot_c4_history
// expected-error @below {{has type 'tensor<?x?x?xf32>', expected static extents but for the batch and the capacity}}
weir.slot @s history : tensor<?x?x?xf32>

// -----

// slot_c4_layers
// expected-error @below {{has type 'tensor<?x?x?x8xf32>', expected static extents but for the batch and positions}}
weir.slot @s memory stacked : tensor<?x?x?x8xf32>

// -----

func.func @append_c1_rank(%b: tensor<?x?x4xf32>, %s: tensor<3x?x?x4xf32>,
                          %o: tensor<?xi32>) {
  // expected-error @below {{writes a block of type 'tensor<?x?x4xf32>' into a history of type 'tensor<3x?x?x4xf32>'}}
  weir.append %b into %s at %o
      : tensor<?x?x4xf32>, tensor<3x?x?x4xf32>, tensor<?xi32>
  return
}

// -----

func.func @append_c1_features(%b: tensor<?x?x4xf32>, %s: tensor<?x?x5xf32>,
                              %o: tensor<?xi32>) {
  // expected-error @below {{writes a block of type 'tensor<?x?x4xf32>' into a history of type 'tensor<?x?x5xf32>'}}
  weir.append %b into %s at %o
      : tensor<?x?x4xf32>, tensor<?x?x5xf32>, tensor<?xi32>
  return
}

// -----

func.func @append_c2_capacity(%b: tensor<?x9x4xf32>, %s: tensor<?x8x4xf32>,
                              %o: tensor<?xi32>) {
  // expected-error @below {{writes 9 positions into a history that holds 8}}
  weir.append %b into %s at %o
      : tensor<?x9x4xf32>, tensor<?x8x4xf32>, tensor<?xi32>
  return
}

// -----

func.func @append_c3_offset_type(%b: tensor<?x?x4xf32>, %s: tensor<?x?x4xf32>,
                                 %o: tensor<?xindex>) {
  // expected-error @below {{has an offset or lengths of type 'tensor<?xindex>', expected [batch] of i32}}
  weir.append %b into %s at %o
      : tensor<?x?x4xf32>, tensor<?x?x4xf32>, tensor<?xindex>
  return
}

// -----

func.func @append_c3_lengths_rank(%b: tensor<?x?x4xf32>, %s: tensor<?x?x4xf32>,
                                  %o: tensor<?xi32>, %n: tensor<?x1xi32>) {
  // expected-error @below {{has an offset or lengths of type 'tensor<?x1xi32>', expected [batch] of i32}}
  weir.append %b into %s at %o lengths(%n : tensor<?x1xi32>)
      : tensor<?x?x4xf32>, tensor<?x?x4xf32>, tensor<?xi32>
  return
}

// -----

func.func @select_last_c1_input_rank(%x: tensor<?xf32>, %n: tensor<?xi32>) {
  // expected-error @below {{reads 'tensor<?xf32>', expected [batch, time, ...]}}
  weir.select_last %x, %n : tensor<?xf32>, tensor<?xi32> -> tensor<?xf32>
  return
}

// -----

func.func @select_last_c1_result_time(%x: tensor<?x?x4xf32>,
                                      %n: tensor<?xi32>) {
  // expected-error @below {{has result type 'tensor<?x?x4xf32>' when the input is 'tensor<?x?x4xf32>'}}
  weir.select_last %x, %n
      : tensor<?x?x4xf32>, tensor<?xi32> -> tensor<?x?x4xf32>
  return
}

// -----

func.func @select_last_c2_lengths_type(%x: tensor<?x?x4xf32>,
                                       %n: tensor<?xi64>) {
  // expected-error @below {{has lengths of type 'tensor<?xi64>', expected [batch] of i32}}
  weir.select_last %x, %n
      : tensor<?x?x4xf32>, tensor<?xi64> -> tensor<?x1x4xf32>
  return
}
