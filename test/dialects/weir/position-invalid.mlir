// RUN: weir-opt %s -split-input-file -verify-diagnostics

func.func @positions_c1_like_rank(%x: tensor<?xi32>) {
  // expected-error @below {{has result type 'tensor<?x?xi32>', expected [batch, time] of i32 as in 'tensor<?xi32>'}}
  weir.positions %x : tensor<?xi32> -> tensor<?x?xi32>
  return
}

// -----

func.func @positions_c1_result_type(%x: tensor<?x?xi32>) {
  // expected-error @below {{has result type 'tensor<?x?xi64>', expected [batch, time] of i32 as in 'tensor<?x?xi32>'}}
  weir.positions %x : tensor<?x?xi32> -> tensor<?x?xi64>
  return
}

// -----

func.func @positions_c2_offset_type(%x: tensor<?x?xi32>, %o: tensor<?xi64>) {
  // expected-error @below {{has an offset of type 'tensor<?xi64>', expected [batch] of i32}}
  weir.positions %x offset(%o : tensor<?xi64>)
      : tensor<?x?xi32> -> tensor<?x?xi32>
  return
}

// -----

func.func @longest_c1_lengths_type(%n: tensor<?xi64>) {
  // expected-error @below {{has lengths of type 'tensor<?xi64>', expected [batch] of i32}}
  weir.longest %n : tensor<?xi64> -> tensor<i32>
  return
}

// -----

func.func @longest_c1_result_type(%n: tensor<?xi32>) {
  // expected-error @below {{has result type 'tensor<1xi32>', expected one i32}}
  weir.longest %n : tensor<?xi32> -> tensor<1xi32>
  return
}

// -----

func.func @rope_frequencies_c1_odd_dims() {
  // expected-error @below {{rotates 7 features, expected an even count}}
  weir.rope_frequencies base(1.0e4) dims(7) : tensor<3xf32>
  return
}

// -----

func.func @rope_frequencies_c1_base() {
  // expected-error @below {{has base -1.000000e+00, expected a positive one}}
  weir.rope_frequencies base(-1.0) dims(8) : tensor<4xf32>
  return
}

// -----

func.func @rope_frequencies_c1_result_type() {
  // expected-error @below {{has result type 'tensor<8xf32>', expected [4] of floats}}
  weir.rope_frequencies base(1.0e4) dims(8) : tensor<8xf32>
  return
}

// -----

func.func @rope_frequencies_c2_no_factor() {
  // expected-error @below {{lacks the scaling parameter factor that linear scaling needs}}
  weir.rope_frequencies base(1.0e4) dims(8) scaling(<kind = linear>)
      : tensor<4xf32>
  return
}

// -----

func.func @rope_frequencies_c2_no_original() {
  // expected-error @below {{lacks the scaling parameter original that yarn scaling needs}}
  weir.rope_frequencies base(1.0e4) dims(8)
      scaling(<kind = yarn, factor = 2.0>) : tensor<4xf32>
  return
}

// -----

func.func @rope_frequencies_c2_no_length() {
  // expected-error @below {{lacks the scaling parameter length that dynamic scaling needs}}
  weir.rope_frequencies base(1.0e4) dims(8)
      scaling(<kind = dynamic, factor = 2.0, original = 64>) : tensor<4xf32>
  return
}

// -----

func.func @rope_frequencies_c2_no_low() {
  // expected-error @below {{lacks the scaling parameter low and high that llama3 scaling needs}}
  weir.rope_frequencies base(1.0e4) dims(8)
      scaling(<kind = llama3, factor = 2.0, original = 64>) : tensor<4xf32>
  return
}

// -----

func.func @rope_frequencies_c2_no_divisors() {
  // expected-error @below {{lacks the scaling parameter divisors that longrope scaling needs}}
  weir.rope_frequencies base(1.0e4) dims(8) scaling(<kind = longrope>)
      : tensor<4xf32>
  return
}

// -----

func.func @rope_frequencies_c2_divisor_count() {
  // expected-error @below {{has 3 divisors for 4 frequencies}}
  weir.rope_frequencies base(1.0e4) dims(8)
      scaling(<kind = longrope, divisors = [1.0, 2.0, 3.0]>) : tensor<4xf32>
  return
}

// -----

func.func @rotary_c1_result_type(%x: tensor<?x?x3x8xf32>, %p: tensor<?x?xi32>,
                                 %f: tensor<4xf32>) {
  // expected-error @below {{failed to verify that all of {input, result} have same type}}
  "weir.rotary"(%x, %p, %f) {layout = 0 : i32}
      : (tensor<?x?x3x8xf32>, tensor<?x?xi32>, tensor<4xf32>)
        -> tensor<?x?x3x4xf32>
  return
}

// -----

func.func @rotary_c2_input_rank(%x: tensor<?x?x8xf32>, %p: tensor<?x?xi32>,
                                %f: tensor<4xf32>) {
  // expected-error @below {{rotates 'tensor<?x?x8xf32>', expected [batch, time, heads, dim]}}
  weir.rotary %x, %p, %f layout(half)
      : tensor<?x?x8xf32>, tensor<?x?xi32>, tensor<4xf32>
  return
}

// -----

func.func @rotary_c2_positions_type(%x: tensor<?x?x3x8xf32>, %p: tensor<?xi32>,
                                    %f: tensor<4xf32>) {
  // expected-error @below {{has positions of type 'tensor<?xi32>', expected [batch, time] of i32 as in 'tensor<?x?x3x8xf32>'}}
  weir.rotary %x, %p, %f layout(half)
      : tensor<?x?x3x8xf32>, tensor<?xi32>, tensor<4xf32>
  return
}

// -----

func.func @rotary_c3_too_many_pairs(%x: tensor<?x?x3x8xf32>,
    %p: tensor<?x?xi32>, %f: tensor<5xf32>) {
  // expected-error @below {{has frequencies of type 'tensor<5xf32>' for heads of 8 features}}
  weir.rotary %x, %p, %f layout(half)
      : tensor<?x?x3x8xf32>, tensor<?x?xi32>, tensor<5xf32>
  return
}
