// RUN: weir-opt %s -split-input-file -verify-diagnostics

func.func @attention_c1_query_rank(%q: tensor<?x?x16xf32>,
                                   %k: tensor<?x?x2x16xf32>) {
  // expected-error @below {{has a query of type 'tensor<?x?x16xf32>', expected [batch, time, heads, dim] with static heads and dim}}
  weir.attention %q, %k, %k mask(<full>) scale(1.0)
      : tensor<?x?x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c1_element_type(%q: tensor<?x?x4x16xf32>,
                                     %k: tensor<?x?x2x16xf16>) {
  // expected-error @below {{has a key of type 'tensor<?x?x2x16xf16>' when the query is 'tensor<?x?x4x16xf32>'}}
  weir.attention %q, %k, %k mask(<full>) scale(1.0)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf16>, tensor<?x?x2x16xf16>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c1_key_features(%q: tensor<?x?x4x16xf32>,
                                     %k: tensor<?x?x2x8xf32>) {
  // expected-error @below {{has query heads of 16 features and key heads of 8}}
  weir.attention %q, %k, %k mask(<full>) scale(1.0)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x8xf32>, tensor<?x?x2x8xf32>
        -> tensor<?x?x4x8xf32>
  return
}

// -----

func.func @attention_c1_value_heads(%q: tensor<?x?x4x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x4x16xf32>) {
  // expected-error @below {{which differ in heads or time}}
  weir.attention %q, %k, %v mask(<full>) scale(1.0)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x4x16xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c1_batches(%q: tensor<2x?x4x16xf32>,
                                %k: tensor<3x?x2x16xf32>) {
  // expected-error @below {{has batches of 2 queries and 3 keys}}
  weir.attention %q, %k, %k mask(<full>) scale(1.0)
      : tensor<2x?x4x16xf32>, tensor<3x?x2x16xf32>, tensor<3x?x2x16xf32>
        -> tensor<2x?x4x16xf32>
  return
}

// -----

func.func @attention_c1_result_type(%q: tensor<?x?x4x16xf32>,
    %k: tensor<?x?x2x16xf32>, %v: tensor<?x?x2x8xf32>) {
  // expected-error @below {{has result type 'tensor<?x?x4x16xf32>', expected 'tensor<?x?x4x8xf32>'}}
  weir.attention %q, %k, %v mask(<full>) scale(1.0)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x8xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c2_group(%q: tensor<?x?x4x16xf32>,
                              %k: tensor<?x?x3x16xf32>) {
  // expected-error @below {{has 4 query heads, expected a multiple of the 3 key heads}}
  weir.attention %q, %k, %k mask(<full>) scale(1.0)
      : tensor<?x?x4x16xf32>, tensor<?x?x3x16xf32>, tensor<?x?x3x16xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c2_no_key_heads(%q: tensor<?x?x4x16xf32>,
                                     %k: tensor<?x?x0x16xf32>) {
  // expected-error @below {{has 4 query heads, expected a multiple of the 0 key heads}}
  weir.attention %q, %k, %k mask(<full>) scale(1.0)
      : tensor<?x?x4x16xf32>, tensor<?x?x0x16xf32>, tensor<?x?x0x16xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c3_offset_type(%q: tensor<?x?x4x16xf32>,
    %k: tensor<?x?x2x16xf32>, %o: tensor<?xi64>) {
  // expected-error @below {{has an offset or key lengths of type 'tensor<?xi64>', expected [batch] of i32}}
  weir.attention %q, %k, %k mask(<full>) scale(1.0)
      offset(%o : tensor<?xi64>)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c3_key_lengths_batch(%q: tensor<2x?x4x16xf32>,
    %k: tensor<2x?x2x16xf32>, %n: tensor<3xi32>) {
  // expected-error @below {{has an offset or key lengths of type 'tensor<3xi32>', expected [batch] of i32}}
  weir.attention %q, %k, %k mask(<full>) scale(1.0)
      key_lengths(%n : tensor<3xi32>)
      : tensor<2x?x4x16xf32>, tensor<2x?x2x16xf32>, tensor<2x?x2x16xf32>
        -> tensor<2x?x4x16xf32>
  return
}

// -----

func.func @attention_c7_arguments(%q: tensor<?x?x4x16xf32>,
                                  %k: tensor<?x?x2x16xf32>) {
  // expected-error @below {{expected ('f32', index, index, index, index)}}
  weir.attention %q, %k, %k mask(<full>) scale(1.0) score {
  ^bb0(%s: f32, %b: index):
    weir.yield %s : f32
  } : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
      -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c7_yield(%q: tensor<?x?x4x16xf32>,
                              %k: tensor<?x?x2x16xf32>) {
  // expected-error @below {{has a score region that does not yield one 'f32'}}
  weir.attention %q, %k, %k mask(<full>) scale(1.0) score {
  ^bb0(%s: f32, %b: index, %h: index, %i: index, %j: index):
    weir.yield %b : index
  } : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
      -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c8_heads(%q: tensor<?x?x4x16xf32>,
                              %k: tensor<?x?x2x16xf32>, %s: tensor<2xf32>) {
  // expected-error @below {{has sinks of type 'tensor<2xf32>', expected 'tensor<4xf32>'}}
  weir.attention %q, %k, %k mask(<full>) scale(1.0) sinks(%s : tensor<2xf32>)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c8_element(%q: tensor<?x?x4x16xf32>,
                                %k: tensor<?x?x2x16xf32>, %s: tensor<4xf64>) {
  // expected-error @below {{has sinks of type 'tensor<4xf64>', expected 'tensor<4xf32>'}}
  weir.attention %q, %k, %k mask(<full>) scale(1.0) sinks(%s : tensor<4xf64>)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c9_heads(%q: tensor<?x?x4x16xf32>,
                              %k: tensor<?x?x2x16xf32>,
                              %b: tensor<?x?x2xf32>) {
  // expected-error @below {{has a key bias of type 'tensor<?x?x2xf32>', expected [batch, key time, 4 query heads] of 'f32' or f32}}
  weir.attention %q, %k, %k mask(<full>) scale(1.0)
      key_bias(%b : tensor<?x?x2xf32>)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c9_time(%q: tensor<?x?x4x16xf32>,
                             %k: tensor<?x8x2x16xf32>,
                             %b: tensor<?x9x4xf32>) {
  // expected-error @below {{has a key bias of type 'tensor<?x9x4xf32>'}}
  weir.attention %q, %k, %k mask(<full>) scale(1.0)
      key_bias(%b : tensor<?x9x4xf32>)
      : tensor<?x?x4x16xf32>, tensor<?x8x2x16xf32>, tensor<?x8x2x16xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c10_arguments(%q: tensor<?x?x4x16xf32>) {
  // expected-error @below {{has a region where with arguments ('index', 'index'), expected (index, index, index, index)}}
  weir.attention %q, %q, %q mask(<full>) scale(1.0) where {
  ^bb0(%i: index, %j: index):
    %c = arith.cmpi ne, %i, %j : index
    weir.yield %c : i1
  } : tensor<?x?x4x16xf32>, tensor<?x?x4x16xf32>, tensor<?x?x4x16xf32>
      -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c10_yield(%q: tensor<?x?x4x16xf32>) {
  // expected-error @below {{has a region where that does not yield one i1}}
  weir.attention %q, %q, %q mask(<full>) scale(1.0) where {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    weir.yield %i : index
  } : tensor<?x?x4x16xf32>, tensor<?x?x4x16xf32>, tensor<?x?x4x16xf32>
      -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c11_sinks(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>,
                %l: tensor<4xf32>) {
  // expected-error @below {{has sinks with normalize(sigmoid), expected softmax}}
  weir.attention %q, %k, %k mask(<causal>) scale(1.0)
      sinks(%l : tensor<4xf32>) normalize(sigmoid)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c11_list(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>,
                %l: tensor<?x?x2x3xi32>) {
  // expected-error @below {{has a block list with normalize(stick_breaking), expected another normalization}}
  weir.attention %q, %k, %k mask(<causal>) scale(1.0)
      block_list(%l : tensor<?x?x2x3xi32>) normalize(stick_breaking)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c12_type(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>,
                %l: tensor<?x?x2xi32>) {
  // expected-error @below {{has a block list of type 'tensor<?x?x2xi32>', expected [batch, rows of queries, lists, entries] of i32 with static lists and entries}}
  weir.attention %q, %k, %k mask(<causal>) scale(1.0)
      block_list(%l : tensor<?x?x2xi32>)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c12_lists(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>,
                %l: tensor<?x?x3x5xi32>) {
  // expected-error @below {{has 3 lists for 4 query heads and 2 key heads, expected a divisor of the former, and a divisor or a multiple of the latter}}
  weir.attention %q, %k, %k mask(<causal>) scale(1.0)
      block_list(%l : tensor<?x?x3x5xi32>)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c14_sizes(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>,
                %l: tensor<?x?x2x5xi32>) {
  // expected-error @below {{has blocks of 0 keys and 1 queries, expected positive ones}}
  weir.attention %q, %k, %k mask(<causal>) scale(1.0)
      block_list(%l : tensor<?x?x2x5xi32>) block_size(0)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c14_alone(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>) {
  // expected-error @below {{has blocks of 8 keys and 1 queries without a block list}}
  weir.attention %q, %k, %k mask(<causal>) scale(1.0)
      block_size(8)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c15_type(%q: tensor<?x?x4x16xbf16>, %k: tensor<?x?x2x16xbf16>) {
  // expected-error @below {{has logarithms of sums of type 'tensor<?x?x4xbf16>', expected 'tensor<?x?x4xf32>'}}
  %0, %1 = weir.attention %q, %k, %k mask(<causal>) scale(1.0)
      : tensor<?x?x4x16xbf16>, tensor<?x?x2x16xbf16>, tensor<?x?x2x16xbf16>
        -> tensor<?x?x4x16xbf16>, tensor<?x?x4xbf16>
  return
}

// -----

func.func @attention_c15_softmax(%q: tensor<?x?x4x16xf32>, %k: tensor<?x?x2x16xf32>) {
  // expected-error @below {{has logarithms of sums with normalize(sigmoid), expected softmax}}
  %0, %1 = weir.attention %q, %k, %k mask(<causal>) scale(1.0)
      normalize(sigmoid)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>, tensor<?x?x4xf32>
  return
}

// -----

func.func @attention_c16_rows(%q: tensor<?x?x4x16xf32>,
    %k: tensor<?x?x2x16xf32>, %w: tensor<?x?x4x16xf32>,
    %beta: tensor<?x?x2xf32>) {
  // expected-error @below {{has a path of type 'tensor<?x?x4x16xf32>', expected that of the key, 'tensor<?x?x2x16xf32>'}}
  weir.attention %q, %k, %k mask(<causal>) scale(1.0)
      path(%w, %beta : tensor<?x?x4x16xf32>, tensor<?x?x2xf32>)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c16_factors(%q: tensor<?x?x4x16xf32>,
    %k: tensor<?x?x2x16xf32>, %beta: tensor<?x?x4xf32>) {
  // expected-error @below {{has factors of its path of type 'tensor<?x?x4xf32>', expected [batch, key time, 2 key heads] of 'f32' or f32}}
  weir.attention %q, %k, %k mask(<causal>) scale(1.0)
      path(%k, %beta : tensor<?x?x2x16xf32>, tensor<?x?x4xf32>)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c17_key_lengths(%q: tensor<?x?x4x16xf32>,
    %k: tensor<?x?x2x16xf32>, %beta: tensor<?x?x2xf32>, %n: tensor<?xi32>) {
  // expected-error @below {{has a path with key lengths, expected none}}
  weir.attention %q, %k, %k mask(<causal>) scale(1.0)
      key_lengths(%n : tensor<?xi32>)
      path(%k, %beta : tensor<?x?x2x16xf32>, tensor<?x?x2xf32>)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c17_list(%q: tensor<?x?x4x16xf32>,
    %k: tensor<?x?x2x16xf32>, %beta: tensor<?x?x2xf32>,
    %l: tensor<?x?x2x3xi32>) {
  // expected-error @below {{has a path with a block list, expected none}}
  weir.attention %q, %k, %k mask(<causal>) scale(1.0)
      block_list(%l : tensor<?x?x2x3xi32>)
      path(%k, %beta : tensor<?x?x2x16xf32>, tensor<?x?x2xf32>)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func @attention_c17_sticks(%q: tensor<?x?x4x16xf32>,
    %k: tensor<?x?x2x16xf32>, %beta: tensor<?x?x2xf32>) {
  // expected-error @below {{has a path with normalize(stick_breaking), expected none}}
  weir.attention %q, %k, %k mask(<causal>) scale(1.0)
      path(%k, %beta : tensor<?x?x2x16xf32>, tensor<?x?x2xf32>)
      normalize(stick_breaking)
      : tensor<?x?x4x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
        -> tensor<?x?x4x16xf32>
  return
}

// -----

func.func private @mask_no_step() attributes {
  // expected-error @below {{dilated takes a number from 1, found dilated<0>}}
  m = #weir.mask<dilated<0>>
}

// -----

func.func private @mask_unknown_leaf() attributes {
  // expected-error @below {{unknown mask 'diagonal', expected full, causal, window, first, dilated or chunk}}
  m = #weir.mask<diagonal>
}

// -----

func.func private @mask_empty_window() attributes {
  // expected-error @below {{a window shows at least one key, found window<0>}}
  m = #weir.mask<window<0>>
}
