// RUN: weir-opt %s --weir-derive-streaming -split-input-file \
// RUN:   -verify-diagnostics -allow-unregistered-dialect

func.func @bidirectional_attention(
    %x: tensor<?x?x2x4xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x2x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  // expected-error @below {{cannot derive a streaming step: this attention sees later positions (mask: full)}}
  %y = weir.attention %x, %x, %x mask(<full>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %y : tensor<?x?x2x4xf32>
}

// -----

func.func @no_decoded_sequence(
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"},
    %y: tensor<?x?x4xf32> {weir.name = "y", weir.sequence = 1 : i64},
    %m: tensor<?xi32> {weir.name = "y_lengths", weir.role = "lengths",
                       weir.sequence = 1 : i64})
    -> (tensor<?x?x4xf32> {weir.name = "z", weir.sequence = 1 : i64})
    attributes {weir.method = "forward"} {
  // expected-error @below {{cannot derive a streaming step: result 0 does not depend on the decoded sequence}}
  %z = weir.rms_norm %x eps(1.0e-5) : tensor<?x?x4xf32>
  return %z : tensor<?x?x4xf32>
}

// -----

// expected-error @below {{cannot derive a streaming step: results belong to several sequences}}
func.func @two_decoded_sequences(
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"},
    %y: tensor<?x?x4xf32> {weir.name = "y", weir.sequence = 1 : i64},
    %m: tensor<?xi32> {weir.name = "y_lengths", weir.role = "lengths",
                       weir.sequence = 1 : i64})
    -> (tensor<?x?x4xf32> {weir.name = "u"},
        tensor<?x?x4xf32> {weir.name = "v", weir.sequence = 1 : i64})
    attributes {weir.method = "forward"} {
  return %x, %y : tensor<?x?x4xf32>, tensor<?x?x4xf32>
}

// -----

func.func @extent_of_another_sequence(
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"},
    %y: tensor<?x?x4xf32> {weir.name = "y", weir.sequence = 1 : i64},
    %m: tensor<?xi32> {weir.name = "y_lengths", weir.role = "lengths",
                       weir.sequence = 1 : i64})
    -> (tensor<?x?x4xf32> {weir.name = "z", weir.sequence = 1 : i64})
    attributes {weir.method = "forward"} {
  %c1 = arith.constant 1 : index
  // expected-error @below {{cannot derive a streaming step: decoding reads a value of type index of another sequence, expected [batch, ...] or [batch, positions, ...]}}
  %t = tensor.dim %x, %c1 : tensor<?x?x4xf32>
  %b = tensor.dim %y, %c1 : tensor<?x?x4xf32>
  %init = tensor.empty(%t, %b) : tensor<?x?x4xf32>
  %z = linalg.add ins(%y, %y : tensor<?x?x4xf32>, tensor<?x?x4xf32>)
      outs(%init : tensor<?x?x4xf32>) -> tensor<?x?x4xf32>
  return %z : tensor<?x?x4xf32>
}

// -----

func.func @positions_of_both(
    %x: tensor<?x?x2x4xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"},
    // expected-note @below {{the axis comes from this argument}}
    %y: tensor<?x?x2x4xf32> {weir.name = "y", weir.sequence = 1 : i64},
    %m: tensor<?xi32> {weir.name = "y_lengths", weir.role = "lengths",
                       weir.sequence = 1 : i64})
    -> (tensor<?x?x2x4xf32> {weir.name = "z", weir.sequence = 1 : i64})
    attributes {weir.method = "forward"} {
  // expected-error @below {{cannot derive a streaming step: this reads the past of operand 1, which has no time axis}}
  %z = weir.attention %y, %x, %x mask(<causal>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %z : tensor<?x?x2x4xf32>
}

// -----

func.func @window_ahead(
    %x: tensor<?x?x2x4xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x2x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  // expected-error @below {{this attention sees later positions (mask: window<4, 1>)}}
  %y = weir.attention %x, %x, %x mask(<window<4, 1>>) scale(0.5)
      : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %y : tensor<?x?x2x4xf32>
}

// -----

func.func @where_ahead(
    %x: tensor<?x?x2x4xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x2x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  // expected-error @below {{this attention sees later positions (mask: full, where a region holds)}}
  %y = weir.attention %x, %x, %x mask(<full>) scale(0.5) where {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %one = arith.constant 1 : index
    %limit = arith.addi %i, %one : index
    %c = arith.cmpi sle, %j, %limit : index
    weir.yield %c : i1
  } : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %y : tensor<?x?x2x4xf32>
}

// -----

func.func @where_reads_time(
    // expected-note @below {{the axis comes from this argument}}
    %x: tensor<?x?x2x4xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x2x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  // expected-error @below {{the region of this op reads a value with time from above}}
  %y = weir.attention %x, %x, %x mask(<causal>) scale(0.5) where {
  ^bb0(%b: index, %h: index, %i: index, %j: index):
    %zero = arith.constant 0 : index
    %number = tensor.extract %x[%b, %j, %h, %zero] : tensor<?x?x2x4xf32>
    %none = arith.constant 0.0 : f32
    %c = arith.cmpf ogt, %number, %none : f32
    weir.yield %c : i1
  } : tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>, tensor<?x?x2x4xf32>
        -> tensor<?x?x2x4xf32>
  return %y : tensor<?x?x2x4xf32>
}

// -----

func.func @reduction_over_time(
    // expected-note @below {{the axis comes from this argument}}
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %c0 = arith.constant 0 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x4xf32>
  %init = tensor.empty(%b) : tensor<?x4xf32>
  // expected-error @below {{cannot derive a streaming step: this reduces over time}}
  %y = linalg.reduce { arith.addf }
      ins(%x : tensor<?x?x4xf32>) outs(%init : tensor<?x4xf32>) dimensions = [1]
  return %y : tensor<?x4xf32>
}

// -----

func.func @shifted_access(
    // expected-note @below {{the axis comes from this argument}}
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x4xf32>
  %t = tensor.dim %x, %c1 : tensor<?x?x4xf32>
  %init = tensor.empty(%b, %t) : tensor<?x?x4xf32>
  // expected-error @below {{this reads time at a shifted or scaled index}}
  %y = linalg.generic {
      indexing_maps = [affine_map<(b, t, d) -> (b, t + 1, d)>,
                       affine_map<(b, t, d) -> (b, t, d)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x : tensor<?x?x4xf32>) outs(%init : tensor<?x?x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    linalg.yield %in : f32
  } -> tensor<?x?x4xf32>
  return %y : tensor<?x?x4xf32>
}

// -----

func.func @index_along_time(
    // expected-note @below {{the axis comes from this argument}}
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  // expected-error @below {{this computes with its index along time, which starts anew in each step; weir.positions gives positions}}
  %y = linalg.generic {
      indexing_maps = [affine_map<(b, t, d) -> (b, t, d)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      outs(%x : tensor<?x?x4xf32>) {
  ^bb0(%out: f32):
    %i = linalg.index 1 : index
    %j = arith.index_cast %i : index to i32
    %f = arith.sitofp %j : i32 to f32
    linalg.yield %f : f32
  } -> tensor<?x?x4xf32>
  return %y : tensor<?x?x4xf32>
}

// -----

func.func @part_of_time(
    // expected-note @below {{the axis comes from this argument}}
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x1x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %c0 = arith.constant 0 : index
  %b = tensor.dim %x, %c0 : tensor<?x?x4xf32>
  // expected-error @below {{this takes a part of the time axis}}
  %y = tensor.extract_slice %x[0, 0, 0] [%b, 1, 4] [1, 1, 1]
      : tensor<?x?x4xf32> to tensor<?x1x4xf32>
  return %y : tensor<?x1x4xf32>
}

// -----

func.func @unknown_op(
    // expected-note @below {{the axis comes from this argument}}
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  // expected-error @below {{time runs through 'test.mix', which does not say how it streams}}
  %y = "test.mix"(%x) : (tensor<?x?x4xf32>) -> tensor<?x?x4xf32>
  return %y : tensor<?x?x4xf32>
}

// -----

// expected-error @below {{@no_lengths has no argument with weir.role = "lengths", the valid tokens of each row}}
func.func @no_lengths(%x: tensor<?x?x4xf32> {weir.name = "x"})
    -> (tensor<?x?x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  return %x : tensor<?x?x4xf32>
}

// -----

func.func @convolution_with_lengths(
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %w = arith.constant dense<1.0> : tensor<4x2xf32>
  // expected-error @below {{cannot derive a streaming step: this convolution has a past or lengths already}}
  %y, %tail = weir.causal_conv %x, %w lengths(%n : tensor<?xi32>)
      : tensor<?x?x4xf32>, tensor<4x2xf32>
        -> tensor<?x?x4xf32>, tensor<?x1x4xf32>
  return %y : tensor<?x?x4xf32>
}

// -----

func.func @shift_with_past(
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %i: tensor<?x4xf32>,
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  // expected-error @below {{cannot derive a streaming step: this shift has a past or lengths already}}
  %y, %last = weir.shift %x init(%i : tensor<?x4xf32>)
      : tensor<?x?x4xf32> -> tensor<?x4xf32>
  return %y : tensor<?x?x4xf32>
}

// -----

func.func @scan_backward(
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %s = arith.constant dense<0.0> : tensor<4xf32>
  // expected-error @below {{cannot derive a streaming step: this scan goes from the last token to the first}}
  %y, %last = weir.scan (%x) states(%s) reverse
      : (tensor<?x?x4xf32>), (tensor<4xf32>)
      -> (tensor<?x?x4xf32>), (tensor<?x4xf32>) {
  ^bb0(%a: tensor<4xf32>, %h: tensor<4xf32>):
    weir.yield %a, %h : tensor<4xf32>, tensor<4xf32>
  }
  return %y : tensor<?x?x4xf32>
}

// -----

func.func @scan_with_lengths(
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %s = arith.constant dense<0.0> : tensor<4xf32>
  // expected-error @below {{cannot derive a streaming step: this scan has lengths already}}
  %y, %last = weir.scan (%x) states(%s) lengths(%n : tensor<?xi32>)
      : (tensor<?x?x4xf32>), (tensor<4xf32>)
      -> (tensor<?x?x4xf32>), (tensor<?x4xf32>) {
  ^bb0(%a: tensor<4xf32>, %h: tensor<4xf32>):
    weir.yield %a, %h : tensor<4xf32>, tensor<4xf32>
  }
  return %y : tensor<?x?x4xf32>
}

// -----

func.func @experts_choose_tokens(
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  // expected-error @below {{cannot derive a streaming step: experts choose among all tokens of a sequence, later ones included; to decode, route each token by itself (weir.route with a threshold)}}
  %i, %y = weir.choose_tokens %x lengths(%n : tensor<?xi32>) take(1 of 4)
      score(softmax)
      : tensor<?x?x4xf32> -> tensor<?x?x4xi32>, tensor<?x?x4xf32>
  return %y : tensor<?x?x4xf32>
}

// -----

func.func @list_of_a_number(
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %i: tensor<?x?x1xi32> {weir.name = "i"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  // expected-error @below {{cannot derive a streaming step: this lists 1 of 8 tokens of a whole sequence; to decode, let each token decide by itself (weir.route with a threshold) and list all that are chosen}}
  %p, %r, %c = weir.list_tokens %i take(1 of 8)
      : tensor<?x?x1xi32> -> tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>
  %s = weir.gather_tokens %x, %p
      : tensor<?x?x4xf32>, tensor<?x?xi32> -> tensor<?x?x4xf32>
  %y = weir.gather_tokens %s, %r
      : tensor<?x?x4xf32>, tensor<?x?xi32> -> tensor<?x?x4xf32>
  return %y : tensor<?x?x4xf32>
}

// -----

func.func @gather_by_other_positions(
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %p: tensor<?x?xi32> {weir.name = "p"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  // expected-error @below {{tokens are gathered by positions that are no result of weir.list_tokens}}
  %y = weir.gather_tokens %x, %p
      : tensor<?x?x4xf32>, tensor<?x?xi32> -> tensor<?x?x4xf32>
  return %y : tensor<?x?x4xf32>
}

// -----

func.func @listed_tokens_with_others(
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %i: tensor<?x?x1xi32> {weir.name = "i"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %p, %r, %c = weir.list_tokens %i
      : tensor<?x?x1xi32> -> tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>
  %s = weir.gather_tokens %x, %p
      : tensor<?x?x4xf32>, tensor<?x?xi32> -> tensor<?x?x4xf32>
  // expected-error @below {{this mixes listed tokens with others; bring them to one sequence by weir.gather_tokens}}
  %y = arith.addf %x, %s : tensor<?x?x4xf32>
  return %y : tensor<?x?x4xf32>
}

// -----

func.func @listed_tokens_as_result(
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %i: tensor<?x?x1xi32> {weir.name = "i"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %p, %r, %c = weir.list_tokens %i
      : tensor<?x?x1xi32> -> tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>
  %s = weir.gather_tokens %x, %p
      : tensor<?x?x4xf32>, tensor<?x?xi32> -> tensor<?x?x4xf32>
  // expected-error @below {{a result has listed tokens alone; weir.gather_tokens by ranks brings them back to where they stand}}
  return %s : tensor<?x?x4xf32>
}

// -----

func.func @places_of_another_sequence(
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %i: tensor<?x?x1xi32> {weir.name = "i"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %p, %r, %c = weir.list_tokens %i
      : tensor<?x?x1xi32> -> tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>
  %s = weir.gather_tokens %x, %p
      : tensor<?x?x4xf32>, tensor<?x?xi32> -> tensor<?x?x4xf32>
  // expected-error @below {{tokens are gathered by places of another sequence}}
  %y = weir.gather_tokens %s, %p
      : tensor<?x?x4xf32>, tensor<?x?xi32> -> tensor<?x?x4xf32>
  return %y : tensor<?x?x4xf32>
}

// -----

func.func @ranks_of_another_sequence(
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %i: tensor<?x?x1xi32> {weir.name = "i"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %p, %r, %c = weir.list_tokens %i
      : tensor<?x?x1xi32> -> tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>
  // expected-error @below {{tokens are gathered by ranks that are not those of the list}}
  %y = weir.gather_tokens %x, %r
      : tensor<?x?x4xf32>, tensor<?x?xi32> -> tensor<?x?x4xf32>
  return %y : tensor<?x?x4xf32>
}

// -----

func.func @stack_changes_sequence(
    %x: tensor<?x?x4xf32> {weir.name = "x"},
    %i: tensor<?x?x1xi32> {weir.name = "i"},
    %n: tensor<?xi32> {weir.name = "lengths", weir.role = "lengths"})
    -> (tensor<?x?x4xf32> {weir.name = "y"})
    attributes {weir.method = "forward"} {
  %y = weir.stack (%x) order [0, 0] : tensor<?x?x4xf32> {
  ^bb0(%layer: index, %a: tensor<?x?x4xf32>):
    %p, %r, %c = weir.list_tokens %i
        : tensor<?x?x1xi32> -> tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>
    %s = weir.gather_tokens %a, %p
        : tensor<?x?x4xf32>, tensor<?x?xi32> -> tensor<?x?x4xf32>
    // expected-error @below {{the stack carries tokens of one sequence in and of another one out}}
    weir.yield %s : tensor<?x?x4xf32>
  }
  return %y : tensor<?x?x4xf32>
}
