// RUN: weir-opt %s -split-input-file -verify-diagnostics

func.func @route_c1_rank(%l: tensor<8xf32>) {
  // expected-error @below {{has logits of type 'tensor<8xf32>', expected floats [..., E] with a static E}}
  %i, %w = weir.route %l top_k(2) score(softmax) weighting(scores)
      : tensor<8xf32> -> tensor<2xi32>, tensor<2xf32>
  return
}

// -----

func.func @route_c1_extent(%l: tensor<?x?xf32>) {
  // expected-error @below {{has logits of type 'tensor<?x?xf32>'}}
  %i, %w = weir.route %l top_k(2) score(softmax) weighting(scores)
      : tensor<?x?xf32> -> tensor<?x2xi32>, tensor<?x2xf32>
  return
}

// -----

func.func @route_c1_element(%l: tensor<?x8xi32>) {
  // expected-error @below {{has logits of type 'tensor<?x8xi32>'}}
  %i, %w = weir.route %l top_k(2) score(softmax) weighting(scores)
      : tensor<?x8xi32> -> tensor<?x2xi32>, tensor<?x2xi32>
  return
}

// -----

func.func @route_c2_count(%l: tensor<?x?x8xf32>) {
  // expected-error @below {{chooses 9 experts, expected 1 to 8}}
  %i, %w = weir.route %l top_k(9) score(softmax) weighting(scores)
      : tensor<?x?x8xf32> -> tensor<?x?x2xi32>, tensor<?x?x2xf32>
  return
}

// -----

func.func @route_c2_none(%l: tensor<?x?x8xf32>) {
  // expected-error @below {{chooses 0 experts, expected 1 to 8}}
  %i, %w = weir.route %l top_k(0) score(softmax) weighting(scores)
      : tensor<?x?x8xf32> -> tensor<?x?x2xi32>, tensor<?x?x2xf32>
  return
}

// -----

func.func @route_c2_indices(%l: tensor<?x?x8xf32>) {
  // expected-error @below {{has a result of type 'tensor<?x?x3xi32>', expected 'tensor<?x?x2xi32>'}}
  %i, %w = weir.route %l top_k(2) score(softmax) weighting(scores)
      : tensor<?x?x8xf32> -> tensor<?x?x3xi32>, tensor<?x?x2xf32>
  return
}

// -----

func.func @route_c2_weights(%l: tensor<?x?x8xf32>) {
  // expected-error @below {{has a result of type 'tensor<?x?x2xf64>', expected 'tensor<?x?x2xf32>'}}
  %i, %w = weir.route %l top_k(2) score(softmax) weighting(scores)
      : tensor<?x?x8xf32> -> tensor<?x?x2xi32>, tensor<?x?x2xf64>
  return
}

// -----

func.func @route_c3(%l: tensor<?x?x8xf32>, %b: tensor<7xf32>) {
  // expected-error @below {{has bias of type 'tensor<7xf32>', expected 'tensor<8xf32>'}}
  %i, %w = weir.route %l bias(%b : tensor<7xf32>) top_k(2) score(softmax) weighting(scores)
      : tensor<?x?x8xf32> -> tensor<?x?x2xi32>, tensor<?x?x2xf32>
  return
}

// -----

func.func @route_c4_count(%l: tensor<?x?x8xf32>) {
  // expected-error @below {{has 3 groups, expected a count that divides the 8 experts}}
  %i, %w = weir.route %l top_k(2) score(softmax) weighting(scores) groups(<count = 3, chosen = 1, score = max>)
      : tensor<?x?x8xf32> -> tensor<?x?x2xi32>, tensor<?x?x2xf32>
  return
}

// -----

func.func @route_c4_chosen(%l: tensor<?x?x8xf32>) {
  // expected-error @below {{chooses 5 groups of 4, expected 1 to 4}}
  %i, %w = weir.route %l top_k(2) score(softmax) weighting(scores) groups(<count = 4, chosen = 5, score = max>)
      : tensor<?x?x8xf32> -> tensor<?x?x2xi32>, tensor<?x?x2xf32>
  return
}

// -----

func.func @route_c4_experts(%l: tensor<?x?x8xf32>) {
  // expected-error @below {{chooses 3 experts of 1 groups of 2, expected no more than these have}}
  %i, %w = weir.route %l top_k(3) score(softmax) weighting(scores) groups(<count = 4, chosen = 1, score = max>)
      : tensor<?x?x8xf32> -> tensor<?x?x3xi32>, tensor<?x?x3xf32>
  return
}

// -----

func.func @route_c4_top_two(%l: tensor<?x?x8xf32>) {
  // expected-error @below {{ranks groups of one expert by the sum of two keys, expected the score max or larger groups}}
  %i, %w = weir.route %l top_k(2) score(softmax) weighting(scores) groups(<count = 8, chosen = 4, score = top_two>)
      : tensor<?x?x8xf32> -> tensor<?x?x2xi32>, tensor<?x?x2xf32>
  return
}

// -----

func.func @route_c7(%l: tensor<?x?x8xf32>) {
  // expected-error @below {{has eps -1.000000e+00, expected no negative number}}
  %i, %w = weir.route %l top_k(2) score(softmax) weighting(scores) eps(-1.0)
      : tensor<?x?x8xf32> -> tensor<?x?x2xi32>, tensor<?x?x2xf32>
  return
}

// -----

func.func @experts_c1_input(%x: tensor<?x?x?xf32>, %i: tensor<?x?x2xi32>, %w: tensor<?x?x2xf32>, %p: tensor<8x6x4xf32>, %z: tensor<?x6xf32>) {
  // expected-error @below {{has an input of type 'tensor<?x?x?xf32>', expected floats [..., D] with a static D}}
  %y = weir.experts %x, %i, %w params(%p : tensor<8x6x4xf32>)
      : tensor<?x?x?xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32> -> tensor<?x?x6xf32> {
  ^bb0(%rows: tensor<?x4xf32>, %m: tensor<6x4xf32>):
    weir.yield %z : tensor<?x6xf32>
  }
  return
}

// -----

func.func @experts_c1_indices_rank(%x: tensor<?x?x4xf32>, %i: tensor<?x2xi32>, %w: tensor<?x?x2xf32>, %p: tensor<8x6x4xf32>, %z: tensor<?x6xf32>) {
  // expected-error @below {{has indices of type 'tensor<?x2xi32>' for an input of type 'tensor<?x?x4xf32>', expected [..., k] of i32 with a static k}}
  %y = weir.experts %x, %i, %w params(%p : tensor<8x6x4xf32>)
      : tensor<?x?x4xf32>, tensor<?x2xi32>, tensor<?x?x2xf32> -> tensor<?x?x6xf32> {
  ^bb0(%rows: tensor<?x4xf32>, %m: tensor<6x4xf32>):
    weir.yield %z : tensor<?x6xf32>
  }
  return
}

// -----

func.func @experts_c1_slots(%x: tensor<?x?x4xf32>, %i: tensor<?x?x?xi32>, %w: tensor<?x?x2xf32>, %p: tensor<8x6x4xf32>, %z: tensor<?x6xf32>) {
  // expected-error @below {{has indices of type 'tensor<?x?x?xi32>'}}
  %y = weir.experts %x, %i, %w params(%p : tensor<8x6x4xf32>)
      : tensor<?x?x4xf32>, tensor<?x?x?xi32>, tensor<?x?x2xf32> -> tensor<?x?x6xf32> {
  ^bb0(%rows: tensor<?x4xf32>, %m: tensor<6x4xf32>):
    weir.yield %z : tensor<?x6xf32>
  }
  return
}

// -----

func.func @experts_c1_indices(%x: tensor<?x?x4xf32>, %i: tensor<?x?x2xi64>, %w: tensor<?x?x2xf32>, %p: tensor<8x6x4xf32>, %z: tensor<?x6xf32>) {
  // expected-error @below {{has indices of type 'tensor<?x?x2xi64>', expected 'tensor<?x?x2xi32>'}}
  %y = weir.experts %x, %i, %w params(%p : tensor<8x6x4xf32>)
      : tensor<?x?x4xf32>, tensor<?x?x2xi64>, tensor<?x?x2xf32> -> tensor<?x?x6xf32> {
  ^bb0(%rows: tensor<?x4xf32>, %m: tensor<6x4xf32>):
    weir.yield %z : tensor<?x6xf32>
  }
  return
}

// -----

func.func @experts_c1_weights(%x: tensor<?x?x4xf32>, %i: tensor<?x?x2xi32>, %w: tensor<?x?x3xf32>, %p: tensor<8x6x4xf32>, %z: tensor<?x6xf32>) {
  // expected-error @below {{has weights of type 'tensor<?x?x3xf32>', expected 'tensor<?x?x2xf32>'}}
  %y = weir.experts %x, %i, %w params(%p : tensor<8x6x4xf32>)
      : tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x3xf32> -> tensor<?x?x6xf32> {
  ^bb0(%rows: tensor<?x4xf32>, %m: tensor<6x4xf32>):
    weir.yield %z : tensor<?x6xf32>
  }
  return
}

// -----

func.func @experts_c2(%x: tensor<?x?x4xf32>, %i: tensor<?x?x2xi32>, %w: tensor<?x?x2xf32>, %p: tensor<8x6x4xf32>, %z: tensor<?x6xf32>) {
  // expected-error @below {{has result type 'tensor<?x6xf32>' for an input of type 'tensor<?x?x4xf32>', expected this but for the last extent}}
  %y = weir.experts %x, %i, %w params(%p : tensor<8x6x4xf32>)
      : tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32> -> tensor<?x6xf32> {
  ^bb0(%rows: tensor<?x4xf32>, %m: tensor<6x4xf32>):
    weir.yield %z : tensor<?x6xf32>
  }
  return
}

// -----

func.func @experts_c3(%x: tensor<?x?x4xf32>, %i: tensor<?x?x2xi32>, %w: tensor<?x?x2xf32>, %p: tensor<?x6x4xf32>, %z: tensor<?x6xf32>) {
  // expected-error @below {{has a param of type 'tensor<?x6x4xf32>', expected a static shape with one number of experts in front of all params}}
  %y = weir.experts %x, %i, %w params(%p : tensor<?x6x4xf32>)
      : tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32> -> tensor<?x?x6xf32> {
  ^bb0(%rows: tensor<?x4xf32>, %m: tensor<6x4xf32>):
    weir.yield %z : tensor<?x6xf32>
  }
  return
}

// -----

func.func @experts_c4_rows(%x: tensor<?x?x4xf32>, %i: tensor<?x?x2xi32>, %w: tensor<?x?x2xf32>, %p: tensor<8x6x4xf32>, %z: tensor<?x6xf32>) {
  // expected-error @below {{has a region with arguments ('tensor<2x4xf32>', 'tensor<6x4xf32>'), expected ('tensor<?x4xf32>', 'tensor<6x4xf32>')}}
  %y = weir.experts %x, %i, %w params(%p : tensor<8x6x4xf32>)
      : tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32> -> tensor<?x?x6xf32> {
  ^bb0(%rows: tensor<2x4xf32>, %m: tensor<6x4xf32>):
    weir.yield %z : tensor<?x6xf32>
  }
  return
}

// -----

func.func @experts_c4_slice(%x: tensor<?x?x4xf32>, %i: tensor<?x?x2xi32>, %w: tensor<?x?x2xf32>, %p: tensor<8x6x4xf32>, %z: tensor<?x6xf32>) {
  // expected-error @below {{has a region with arguments ('tensor<?x4xf32>', 'tensor<4x6xf32>'), expected}}
  %y = weir.experts %x, %i, %w params(%p : tensor<8x6x4xf32>)
      : tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32> -> tensor<?x?x6xf32> {
  ^bb0(%rows: tensor<?x4xf32>, %m: tensor<4x6xf32>):
    weir.yield %z : tensor<?x6xf32>
  }
  return
}

// -----

func.func @experts_c4_yield(%x: tensor<?x?x4xf32>, %i: tensor<?x?x2xi32>, %w: tensor<?x?x2xf32>, %p: tensor<8x6x4xf32>, %z: tensor<?x5xf32>) {
  // expected-error @below {{has a region that yields ('tensor<?x5xf32>'), expected ('tensor<?x6xf32>')}}
  %y = weir.experts %x, %i, %w params(%p : tensor<8x6x4xf32>)
      : tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32> -> tensor<?x?x6xf32> {
  ^bb0(%rows: tensor<?x4xf32>, %m: tensor<6x4xf32>):
    weir.yield %z : tensor<?x5xf32>
  }
  return
}

// -----

func.func @experts_c7_form(%x: tensor<?x?x4xf32>, %i: tensor<?x?x2xi32>, %w: tensor<?x?x2xf32>, %p: tensor<8x6x4xf32>, %z: tensor<?x6xf32>) {
  // expected-error @below {{has the schedule #weir.schedule<form = "flash", tiles = [1]>, expected the form grouped with tiles [rows, parts], grid with tiles [rows], or slots or columns for one token}}
  %y = weir.experts %x, %i, %w params(%p : tensor<8x6x4xf32>)
      schedule(<form = "flash", tiles = [1]>)
      : tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32> -> tensor<?x?x6xf32> {
  ^bb0(%rows: tensor<?x4xf32>, %m: tensor<6x4xf32>):
    weir.yield %z : tensor<?x6xf32>
  }
  return
}

// -----

func.func @experts_c7_grid(%x: tensor<?x?x4xf32>, %i: tensor<?x?x2xi32>, %w: tensor<?x?x2xf32>, %p: tensor<8x6x4xf32>, %z: tensor<?x6xf32>) {
  // expected-error @below {{has the schedule #weir.schedule<form = "grid", tiles = [0]>, expected the form}}
  %y = weir.experts %x, %i, %w params(%p : tensor<8x6x4xf32>)
      schedule(<form = "grid", tiles = [0]>)
      : tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32> -> tensor<?x?x6xf32> {
  ^bb0(%rows: tensor<?x4xf32>, %m: tensor<6x4xf32>):
    weir.yield %z : tensor<?x6xf32>
  }
  return
}

// -----

func.func @experts_c7_token(%x: tensor<?x?x4xf32>, %i: tensor<?x?x2xi32>, %w: tensor<?x?x2xf32>, %p: tensor<8x6x4xf32>, %z: tensor<?x6xf32>) {
  // expected-error @below {{expected the form grouped with tiles [rows, parts]}}
  %y = weir.experts %x, %i, %w params(%p : tensor<8x6x4xf32>)
      schedule(<form = "slots", tiles = []>)
      : tensor<?x?x4xf32>, tensor<?x?x2xi32>, tensor<?x?x2xf32> -> tensor<?x?x6xf32> {
  ^bb0(%rows: tensor<?x4xf32>, %m: tensor<6x4xf32>):
    weir.yield %z : tensor<?x6xf32>
  }
  return
}

// -----

func.func @experts_c3_none(%x: tensor<?x4xf32>, %i: tensor<?x2xi32>,
    %w: tensor<?x2xf32>) {
  // expected-error @below {{has no param, expected one or more}}
  %y = "weir.experts"(%x, %i, %w) ({
  ^bb0(%rows: tensor<?x4xf32>):
    weir.yield %rows : tensor<?x4xf32>
  }) : (tensor<?x4xf32>, tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @route_c8_weighting(%l: tensor<?x?x8xf32>) {
  // expected-error @below {{has a threshold and the weighting normalized, expected scores}}
  %i, %w = weir.route %l top_k(2) score(softmax) weighting(normalized)
      threshold(0.5)
      : tensor<?x?x8xf32> -> tensor<?x?x2xi32>, tensor<?x?x2xf32>
  return
}

// -----

func.func @route_c8_number(%l: tensor<?x?x8xf32>) {
  // expected-error @below {{has a threshold that is no number}}
  %i, %w = weir.route %l top_k(2) score(softmax) weighting(scores)
      threshold(0x7FF8000000000000)
      : tensor<?x?x8xf32> -> tensor<?x?x2xi32>, tensor<?x?x2xf32>
  return
}

// -----

func.func @choose_tokens_c1_rank(%l: tensor<?x8xf32>) {
  // expected-error @below {{has logits of type 'tensor<?x8xf32>', expected floats [B, T, E] with a static E}}
  %i, %w = weir.choose_tokens %l take(1 of 2) score(raw)
      : tensor<?x8xf32> -> tensor<?x8xi32>, tensor<?x8xf32>
  return
}

// -----

func.func @choose_tokens_c1_extent(%l: tensor<?x8x?xf32>) {
  // expected-error @below {{has logits of type 'tensor<?x8x?xf32>'}}
  %i, %w = weir.choose_tokens %l take(1 of 2) score(raw)
      : tensor<?x8x?xf32> -> tensor<?x8x?xi32>, tensor<?x8x?xf32>
  return
}

// -----

func.func @choose_tokens_c2_indices(%l: tensor<?x?x8xf32>) {
  // expected-error @below {{has a result of type 'tensor<?x?x1xi32>', expected 'tensor<?x?x8xi32>'}}
  %i, %w = weir.choose_tokens %l take(1 of 2) score(raw)
      : tensor<?x?x8xf32> -> tensor<?x?x1xi32>, tensor<?x?x8xf32>
  return
}

// -----

func.func @choose_tokens_c2_weights(%l: tensor<?x?x8xf32>) {
  // expected-error @below {{has a result of type 'tensor<?x?x8xf16>', expected 'tensor<?x?x8xf32>'}}
  %i, %w = weir.choose_tokens %l take(1 of 2) score(raw)
      : tensor<?x?x8xf32> -> tensor<?x?x8xi32>, tensor<?x?x8xf16>
  return
}

// -----

func.func @choose_tokens_c3_lengths(%l: tensor<?x?x8xf32>, %n: tensor<?xf32>) {
  // expected-error @below {{has lengths of type 'tensor<?xf32>'}}
  %i, %w = weir.choose_tokens %l lengths(%n : tensor<?xf32>)
      take(1 of 2) score(raw)
      : tensor<?x?x8xf32> -> tensor<?x?x8xi32>, tensor<?x?x8xf32>
  return
}

// -----

func.func @choose_tokens_c4_none(%l: tensor<?x?x8xf32>) {
  // expected-error @below {{takes 0 of 2 tokens, expected 1 to 2}}
  %i, %w = weir.choose_tokens %l take(0 of 2) score(raw)
      : tensor<?x?x8xf32> -> tensor<?x?x8xi32>, tensor<?x?x8xf32>
  return
}

// -----

func.func @choose_tokens_c4_more(%l: tensor<?x?x8xf32>) {
  // expected-error @below {{takes 3 of 2 tokens, expected 1 to 2}}
  %i, %w = weir.choose_tokens %l take(3 of 2) score(raw)
      : tensor<?x?x8xf32> -> tensor<?x?x8xi32>, tensor<?x?x8xf32>
  return
}

// -----

func.func @list_tokens_c1_experts(%i: tensor<?x?x2xi32>) {
  // expected-error @below {{has indices of type 'tensor<?x?x2xi32>', expected [B, T, 1] of i32}}
  %p, %r, %c = weir.list_tokens %i
      : tensor<?x?x2xi32> -> tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>
  return
}

// -----

func.func @list_tokens_c1_element(%i: tensor<?x?x1xi64>) {
  // expected-error @below {{has indices of type 'tensor<?x?x1xi64>', expected [B, T, 1] of i32}}
  %p, %r, %c = weir.list_tokens %i
      : tensor<?x?x1xi64> -> tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>
  return
}

// -----

func.func @list_tokens_c2_lengths(%i: tensor<2x7x1xi32>, %n: tensor<3xi32>) {
  // expected-error @below {{has lengths of type 'tensor<3xi32>'}}
  %p, %r, %c = weir.list_tokens %i lengths(%n : tensor<3xi32>)
      : tensor<2x7x1xi32> -> tensor<2x7xi32>, tensor<2x7xi32>, tensor<2xi32>
  return
}

// -----

func.func @list_tokens_c3_places(%i: tensor<2x7x1xi32>) {
  // Half of seven tokens are four.
  // expected-error @below {{has places of type 'tensor<2x3xi32>'}}
  %q, %s, %d = weir.list_tokens %i take(1 of 2)
      : tensor<2x7x1xi32> -> tensor<2x3xi32>, tensor<2x7xi32>, tensor<2xi32>
  return
}

// -----

func.func @list_tokens_c3_ranks(%i: tensor<2x7x1xi32>) {
  // expected-error @below {{has ranks of type 'tensor<2x4xi32>'}}
  %p, %r, %c = weir.list_tokens %i take(1 of 2)
      : tensor<2x7x1xi32> -> tensor<2x4xi32>, tensor<2x4xi32>, tensor<2xi32>
  return
}

// -----

func.func @list_tokens_c3_counts(%i: tensor<?x?x1xi32>) {
  // expected-error @below {{has counts of type 'tensor<?xi64>'}}
  %p, %r, %c = weir.list_tokens %i
      : tensor<?x?x1xi32> -> tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi64>
  return
}

// -----

func.func @list_tokens_c4_more(%i: tensor<?x?x1xi32>) {
  // expected-error @below {{takes 3 of 2 tokens, expected 1 to 2}}
  %p, %r, %c = weir.list_tokens %i take(3 of 2)
      : tensor<?x?x1xi32> -> tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>
  return
}

// -----

func.func @list_tokens_c4_one_of_both(%i: tensor<?x?x1xi32>) {
  // expected-error @below {{has one of taken and of, expected both or none}}
  %p, %r, %c = "weir.list_tokens"(%i) <{taken = 1 : i64}>
      : (tensor<?x?x1xi32>)
        -> (tensor<?x?xi32>, tensor<?x?xi32>, tensor<?xi32>)
  return
}

// -----

func.func @gather_tokens_c1(%x: tensor<?xf32>, %p: tensor<?x?xi32>) {
  // expected-error @below {{has input of type 'tensor<?xf32>', expected [B, T, ...] of floats or integers}}
  %y = weir.gather_tokens %x, %p
      : tensor<?xf32>, tensor<?x?xi32> -> tensor<?xf32>
  return
}

// -----

func.func @gather_tokens_c2_rows(%x: tensor<2x?xf32>, %p: tensor<3x?xi32>) {
  // expected-error @below {{has places of type 'tensor<3x?xi32>', expected [B, K] of i32 for an input of 'tensor<2x?xf32>'}}
  %y = weir.gather_tokens %x, %p
      : tensor<2x?xf32>, tensor<3x?xi32> -> tensor<2x?xf32>
  return
}

// -----

func.func @gather_tokens_c2_element(%x: tensor<?x?xf32>, %p: tensor<?x?xf32>) {
  // expected-error @below {{has places of type 'tensor<?x?xf32>', expected [B, K] of i32}}
  %y = weir.gather_tokens %x, %p
      : tensor<?x?xf32>, tensor<?x?xf32> -> tensor<?x?xf32>
  return
}

// -----

func.func @gather_tokens_c3(%x: tensor<2x7x4xf32>, %p: tensor<2x3xi32>) {
  // expected-error @below {{has result of type 'tensor<2x7x4xf32>'}}
  %y = weir.gather_tokens %x, %p
      : tensor<2x7x4xf32>, tensor<2x3xi32> -> tensor<2x7x4xf32>
  return
}
