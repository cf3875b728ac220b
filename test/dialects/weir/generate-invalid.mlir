// RUN: weir-opt %s -split-input-file -verify-diagnostics

func.func @sample_c1_logits_rank(%l: tensor<?x?x199xf32>) {
  // expected-error @below {{draws from 'tensor<?x?x199xf32>', expected [batch, vocabulary] of floats}}
  weir.sample %l : tensor<?x?x199xf32> -> tensor<?xi32>
  return
}

// -----

func.func @sample_c1_integer_logits(%l: tensor<?x199xi32>) {
  // expected-error @below {{draws from 'tensor<?x199xi32>', expected [batch, vocabulary] of floats}}
  weir.sample %l : tensor<?x199xi32> -> tensor<?xi32>
  return
}

// -----

func.func @sample_c1_result_type(%l: tensor<?x199xf32>) {
  // expected-error @below {{has result type 'tensor<?xi64>', expected 'tensor<?xi32>'}}
  weir.sample %l : tensor<?x199xf32> -> tensor<?xi64>
  return
}

// -----

func.func @sample_c2_no_uniform(%l: tensor<?x199xf32>) {
  // expected-error @below {{has no random number for a temperature above 0; give it with uniform(...)}}
  weir.sample %l temperature(1.0) : tensor<?x199xf32> -> tensor<?xi32>
  return
}

// -----

func.func @sample_c2_idle_uniform(%l: tensor<?x199xf32>, %u: tensor<?xf32>) {
  // expected-error @below {{has a random number and temperature 0, which leaves nothing to chance}}
  weir.sample %l uniform(%u : tensor<?xf32>) : tensor<?x199xf32> -> tensor<?xi32>
  return
}

// -----

func.func @sample_c2_uniform_type(%l: tensor<2x199xf32>, %u: tensor<3xf32>) {
  // expected-error @below {{has random numbers of type 'tensor<3xf32>', expected [batch] of floats as in 'tensor<2x199xf32>'}}
  weir.sample %l uniform(%u : tensor<3xf32>) temperature(1.0)
      : tensor<2x199xf32> -> tensor<2xi32>
  return
}

// -----

func.func @sample_c3_temperature(%l: tensor<?x199xf32>, %u: tensor<?xf32>) {
  // expected-error @below {{has temperature -1.000000e+00, expected 0 or more}}
  weir.sample %l uniform(%u : tensor<?xf32>) temperature(-1.0)
      : tensor<?x199xf32> -> tensor<?xi32>
  return
}

// -----

func.func @sample_c3_infinite_temperature(%l: tensor<?x199xf32>,
                                          %u: tensor<?xf32>) {
  // expected-error @below {{expected 0 or more}}
  weir.sample %l uniform(%u : tensor<?xf32>) temperature(0x7FF0000000000000)
      : tensor<?x199xf32> -> tensor<?xi32>
  return
}

// -----

func.func @sample_c3_top_k(%l: tensor<?x199xf32>, %u: tensor<?xf32>) {
  // expected-error @below {{keeps the top -2 tokens, expected 0 for all or more}}
  weir.sample %l uniform(%u : tensor<?xf32>) temperature(1.0) top_k(-2)
      : tensor<?x199xf32> -> tensor<?xi32>
  return
}

// -----

func.func @sample_c3_top_p(%l: tensor<?x199xf32>, %u: tensor<?xf32>) {
  // expected-error @below {{has top_p 0.000000e+00, expected more than 0 and at most 1}}
  weir.sample %l uniform(%u : tensor<?xf32>) temperature(1.0) top_p(0.0)
      : tensor<?x199xf32> -> tensor<?xi32>
  return
}

// -----

func.func private @forward(%ids: tensor<?x?xi32>,
    %n: tensor<?xi32> {weir.role = "lengths"}) -> tensor<?x?x199xf32>
    attributes {weir.method = "forward"}

func.func @generate_c1_ids_type(%ids: tensor<?x?xi64>, %n: tensor<?xi32>) {
  // expected-error @below {{continues 'tensor<?x?xi64>', expected [batch, time] of i32}}
  weir.generate @forward(%ids, %n) new(8)
      : tensor<?x?xi64>, tensor<?xi32> -> tensor<?x?xi32>
  return
}

// -----

func.func private @forward(%ids: tensor<?x?xi32>,
    %n: tensor<?xi32> {weir.role = "lengths"}) -> tensor<?x?x199xf32>
    attributes {weir.method = "forward"}

func.func @generate_c1_lengths_type(%ids: tensor<2x?xi32>, %n: tensor<3xi32>) {
  // expected-error @below {{has lengths of type 'tensor<3xi32>', expected [batch] of i32 as in 'tensor<2x?xi32>'}}
  weir.generate @forward(%ids, %n) new(8)
      : tensor<2x?xi32>, tensor<3xi32> -> tensor<2x?xi32>
  return
}

// -----

func.func private @forward(%ids: tensor<?x?xi32>,
    %n: tensor<?xi32> {weir.role = "lengths"}) -> tensor<?x?x199xf32>
    attributes {weir.method = "forward"}

func.func @generate_c1_result_time(%ids: tensor<1x5xi32>, %n: tensor<1xi32>) {
  // expected-error @below {{has result type 'tensor<1x8xi32>', expected 'tensor<1x13xi32>'}}
  weir.generate @forward(%ids, %n) new(8)
      : tensor<1x5xi32>, tensor<1xi32> -> tensor<1x8xi32>
  return
}

// -----

func.func private @forward(%ids: tensor<?x?xi32>,
    %n: tensor<?xi32> {weir.role = "lengths"}) -> tensor<?x?x199xf32>
    attributes {weir.method = "forward"}

func.func @generate_c1_counts_type(%ids: tensor<?x?xi32>, %n: tensor<?xi32>) {
  // expected-error @below {{failed to verify that all of {lengths, counts} have same type}}
  "weir.generate"(%ids, %n) <{callee = @forward, max_new = 8 : i64}> ({})
      : (tensor<?x?xi32>, tensor<?xi32>) -> (tensor<?x?xi32>, tensor<?xi64>)
  return
}

// -----

func.func private @forward(%ids: tensor<?x?xi32>,
    %n: tensor<?xi32> {weir.role = "lengths"}) -> tensor<?x?x199xf32>
    attributes {weir.method = "forward"}

func.func @generate_c2_no_tokens(%ids: tensor<?x?xi32>, %n: tensor<?xi32>) {
  // expected-error @below {{makes -1 new tokens, expected a positive number}}
  weir.generate @forward(%ids, %n) new(-1)
      : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
  return
}

// -----

func.func @generate_c3_no_callee(%ids: tensor<?x?xi32>, %n: tensor<?xi32>) {
  // expected-error @below {{cannot ask @forward for tokens: there is no such function}}
  weir.generate @forward(%ids, %n) new(8)
      : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
  return
}

// -----

// expected-note @below {{declared here}}
func.func private @plain(%ids: tensor<?x?xi32>,
    %n: tensor<?xi32> {weir.role = "lengths"}) -> tensor<?x?x199xf32>

func.func @generate_c3_no_method(%ids: tensor<?x?xi32>, %n: tensor<?xi32>) {
  // expected-error @below {{cannot ask @plain for tokens: it has no weir.method}}
  weir.generate @plain(%ids, %n) new(8)
      : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
  return
}

// -----

// expected-note @below {{declared here}}
func.func private @forward(%ids: tensor<?x?xi32>) -> tensor<?x?x199xf32>
    attributes {weir.method = "forward"}

func.func @generate_c3_no_lengths(%ids: tensor<?x?xi32>, %n: tensor<?xi32>) {
  // expected-error @below {{cannot ask @forward for tokens: it lacks an argument for lengths (weir.role = "lengths")}}
  weir.generate @forward(%ids, %n) new(8)
      : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
  return
}

// -----

// expected-note @below {{declared here}}
func.func private @forward(%ids: tensor<?x?xi32>, %image: tensor<?x8xf32>,
    %n: tensor<?xi32> {weir.role = "lengths"}) -> tensor<?x?x199xf32>
    attributes {weir.method = "forward"}

func.func @generate_c3_more_arguments(%ids: tensor<?x?xi32>,
                                      %n: tensor<?xi32>) {
  // expected-error @below {{cannot ask @forward for tokens: argument 1 is neither its tokens nor its lengths nor a slot}}
  weir.generate @forward(%ids, %n) new(8)
      : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
  return
}

// -----

// expected-note @below {{declared here}}
func.func private @forward(%ids: tensor<?x1xi32>,
    %n: tensor<?xi32> {weir.role = "lengths"}) -> tensor<?x1x199xf32>
    attributes {weir.method = "forward"}

func.func @generate_c3_static_time(%ids: tensor<?x?xi32>, %n: tensor<?xi32>) {
  // expected-error @below {{cannot ask @forward for tokens: its tokens are no dynamic [batch, time] of i32}}
  weir.generate @forward(%ids, %n) new(8)
      : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
  return
}

// -----

// expected-note @below {{declared here}}
func.func private @forward(%ids: tensor<?x?xi32>,
    %n: tensor<2xi32> {weir.role = "lengths"}) -> tensor<?x?x199xf32>
    attributes {weir.method = "forward"}

func.func @generate_c3_static_batch(%ids: tensor<?x?xi32>, %n: tensor<?xi32>) {
  // expected-error @below {{cannot ask @forward for tokens: its lengths are no dynamic [batch] of i32}}
  weir.generate @forward(%ids, %n) new(8)
      : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
  return
}

// -----

// expected-note @below {{declared here}}
func.func private @forward(%ids: tensor<?x?xi32>,
    %n: tensor<?xi32> {weir.role = "lengths"},
    %s: tensor<?x?x?xf32> {weir.slot = @s}) -> tensor<?x?x199xf32>
    attributes {weir.method = "extend"}

func.func @generate_c3_slot_extents(%ids: tensor<?x?xi32>, %n: tensor<?xi32>) {
  // expected-error @below {{cannot ask @forward for tokens: argument 2 is no slot with dynamic extents for batch and capacity alone}}
  weir.generate @forward(%ids, %n) new(8)
      : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
  return
}

// -----

// expected-note @below {{declared here}}
func.func private @forward(%ids: tensor<?x?xi32>,
    %n: tensor<?xi32> {weir.role = "lengths"},
    %s: tensor<?x4xf32> {weir.slot = @s})
    -> (tensor<?x?x199xf32>, tensor<?x4xf32> {weir.slot = @t})
    attributes {weir.method = "extend"}

func.func @generate_c3_other_slot(%ids: tensor<?x?xi32>, %n: tensor<?xi32>) {
  // expected-error @below {{cannot ask @forward for tokens: result 1 is a slot that no argument of its type brings in}}
  weir.generate @forward(%ids, %n) new(8)
      : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
  return
}

// -----

// expected-note @below {{declared here}}
func.func private @forward(%ids: tensor<?x?xi32>,
    %n: tensor<?xi32> {weir.role = "lengths"},
    %s: tensor<?x4xf32> {weir.slot = @s}) -> tensor<?x?x199xf32>
    attributes {weir.method = "extend"}

func.func @generate_c3_memory(%ids: tensor<?x?xi32>, %n: tensor<?xi32>) {
  // expected-error @below {{cannot ask @forward for tokens: argument 2 is a slot that no result gives, the memory of an encoder, which a decode loop does not have}}
  weir.generate @forward(%ids, %n) new(8)
      : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
  return
}

// -----

// expected-note @below {{declared here}}
func.func private @forward(%ids: tensor<?x?xi32>,
    %n: tensor<?xi32> {weir.role = "lengths"}) -> tensor<?x199xf32>
    attributes {weir.method = "forward"}

func.func @generate_c3_logits_rank(%ids: tensor<?x?xi32>, %n: tensor<?xi32>) {
  // expected-error @below {{cannot ask @forward for tokens: result 0 is neither a slot nor the one [batch, time, vocabulary] of floats}}
  weir.generate @forward(%ids, %n) new(8)
      : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
  return
}

// -----

// expected-note @below {{declared here}}
func.func private @forward(%ids: tensor<?x?xi32>,
    %n: tensor<?xi32> {weir.role = "lengths"})
    attributes {weir.method = "forward"}

func.func @generate_c3_no_logits(%ids: tensor<?x?xi32>, %n: tensor<?xi32>) {
  // expected-error @below {{cannot ask @forward for tokens: it returns no logits}}
  weir.generate @forward(%ids, %n) new(8)
      : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
  return
}

// -----

func.func private @forward(%ids: tensor<?x?xi32>,
    %n: tensor<?xi32> {weir.role = "lengths"}) -> tensor<?x?x199xf32>
    attributes {weir.method = "forward"}

func.func @generate_c4_arguments(%ids: tensor<?x?xi32>, %n: tensor<?xi32>) {
  // expected-error @below {{has a region with arguments ('tensor<?x199xf32>'), expected ('tensor<?x199xf32>', index)}}
  weir.generate @forward(%ids, %n) new(8) choose {
  ^bb0(%logits: tensor<?x199xf32>):
    %next = weir.sample %logits : tensor<?x199xf32> -> tensor<?xi32>
    weir.yield %next : tensor<?xi32>
  } : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
  return
}

// -----

func.func private @forward(%ids: tensor<?x?xi32>,
    %n: tensor<?xi32> {weir.role = "lengths"}) -> tensor<?x?x199xf32>
    attributes {weir.method = "forward"}

func.func @generate_c4_yield(%ids: tensor<?x?xi32>, %n: tensor<?xi32>) {
  // expected-error @below {{has a region that does not yield one 'tensor<?xi32>'}}
  weir.generate @forward(%ids, %n) new(8) choose {
  ^bb0(%logits: tensor<?x199xf32>, %round: index):
    weir.yield %logits : tensor<?x199xf32>
  } : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
  return
}
