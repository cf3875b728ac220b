// RUN: weir-opt %s -split-input-file -verify-diagnostics

func.func @scan_c1_no_input(%x: tensor<?x?x4xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{has no input, expected one or more}}
  "weir.scan"(%s) ({
  ^bb0(%h: tensor<4xf32>):
    weir.yield %h, %h : tensor<4xf32>, tensor<4xf32>
  }) {operandSegmentSizes = array<i32: 0, 1, 0, 0>, resultSegmentSizes = array<i32: 1, 1>}
      : (tensor<4xf32>) -> (tensor<?x?x4xf32>, tensor<?x4xf32>)
  return
}

// -----

func.func @scan_c1_no_output(%x: tensor<?x?x4xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{has no output, expected one or more}}
  "weir.scan"(%x, %s) ({
  ^bb0(%a: tensor<4xf32>, %h: tensor<4xf32>):
    weir.yield %h : tensor<4xf32>
  }) {operandSegmentSizes = array<i32: 1, 1, 0, 0>, resultSegmentSizes = array<i32: 0, 1>}
      : (tensor<?x?x4xf32>, tensor<4xf32>) -> (tensor<?x4xf32>)
  return
}

// -----

func.func @scan_c2_no_state(%x: tensor<?x?x4xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{has no state, expected one or more}}
  "weir.scan"(%x) ({
  ^bb0(%a: tensor<4xf32>):
    weir.yield %a : tensor<4xf32>
  }) {operandSegmentSizes = array<i32: 1, 0, 0, 0>, resultSegmentSizes = array<i32: 1, 0>}
      : (tensor<?x?x4xf32>) -> (tensor<?x?x4xf32>)
  return
}

// -----

func.func @scan_c1_input(%x: tensor<?x?x?xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{has an input of type 'tensor<?x?x?xf32>', expected [batch, time, ...] with static extents behind}}
  weir.scan (%x) states(%s)
      : (tensor<?x?x?xf32>), (tensor<4xf32>)
      -> (tensor<?x?x4xf32>), (tensor<?x4xf32>) {
  ^bb0(%a: tensor<4xf32>, %h: tensor<4xf32>):
    weir.yield %a, %h : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c1_input_rank(%x: tensor<?xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{has an input of type 'tensor<?xf32>', expected [batch, time, ...]}}
  weir.scan (%x) states(%s)
      : (tensor<?xf32>), (tensor<4xf32>)
      -> (tensor<?x?x4xf32>), (tensor<?x4xf32>) {
  ^bb0(%a: tensor<4xf32>, %h: tensor<4xf32>):
    weir.yield %a, %h : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c1_output(%x: tensor<?x?x4xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{has an output of type 'tensor<?xf32>', expected [batch, time, ...]}}
  weir.scan (%x) states(%s)
      : (tensor<?x?x4xf32>), (tensor<4xf32>)
      -> (tensor<?xf32>), (tensor<?x4xf32>) {
  ^bb0(%a: tensor<4xf32>, %h: tensor<4xf32>):
    weir.yield %a, %h : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c1_time(%x: tensor<?x2x4xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{has an output of type 'tensor<?x3x4xf32>' beside others of 'tensor<?x2x4xf32>', expected the same batch and time}}
  weir.scan (%x) states(%s)
      : (tensor<?x2x4xf32>), (tensor<4xf32>)
      -> (tensor<?x3x4xf32>), (tensor<?x4xf32>) {
  ^bb0(%a: tensor<4xf32>, %h: tensor<4xf32>):
    weir.yield %a, %h : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c2_count(%x: tensor<?x?x4xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{has 1 states and 2 final ones, expected as many}}
  weir.scan (%x) states(%s)
      : (tensor<?x?x4xf32>), (tensor<4xf32>)
      -> (tensor<?x?x4xf32>), (tensor<?x4xf32>, tensor<?x4xf32>) {
  ^bb0(%a: tensor<4xf32>, %h: tensor<4xf32>):
    weir.yield %a, %h : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c2_final(%x: tensor<?x?x4xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{has a final state of type 'tensor<?x?xf32>', expected [batch, ...] with static extents behind}}
  weir.scan (%x) states(%s)
      : (tensor<?x?x4xf32>), (tensor<4xf32>)
      -> (tensor<?x?x4xf32>), (tensor<?x?xf32>) {
  ^bb0(%a: tensor<4xf32>, %h: tensor<4xf32>):
    weir.yield %a, %h : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c2_batch(%x: tensor<2x?x4xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{has a final state of type 'tensor<3x4xf32>', expected the batch of 2}}
  weir.scan (%x) states(%s)
      : (tensor<2x?x4xf32>), (tensor<4xf32>)
      -> (tensor<?x?x4xf32>), (tensor<3x4xf32>) {
  ^bb0(%a: tensor<4xf32>, %h: tensor<4xf32>):
    weir.yield %a, %h : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c2_state(%x: tensor<?x?x4xf32>, %s: tensor<5xf32>) {
  // expected-error @below {{has a state of type 'tensor<5xf32>', expected 'tensor<4xf32>' or 'tensor<?x4xf32>'}}
  weir.scan (%x) states(%s)
      : (tensor<?x?x4xf32>), (tensor<5xf32>)
      -> (tensor<?x?x4xf32>), (tensor<?x4xf32>) {
  ^bb0(%a: tensor<4xf32>, %h: tensor<4xf32>):
    weir.yield %a, %h : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c2_element(%x: tensor<?x?x4xf32>, %s: tensor<4xf16>) {
  // expected-error @below {{has a state of type 'tensor<4xf16>', expected 'tensor<4xf32>'}}
  weir.scan (%x) states(%s)
      : (tensor<?x?x4xf32>), (tensor<4xf16>)
      -> (tensor<?x?x4xf32>), (tensor<?x4xf32>) {
  ^bb0(%a: tensor<4xf32>, %h: tensor<4xf32>):
    weir.yield %a, %h : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c3_arguments(%x: tensor<?x?x4xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{has a region with 1 arguments, expected 2}}
  weir.scan (%x) states(%s)
      : (tensor<?x?x4xf32>), (tensor<4xf32>)
      -> (tensor<?x?x4xf32>), (tensor<?x4xf32>) {
  ^bb0(%a: tensor<4xf32>):
    weir.yield %a, %a : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c3_input(%x: tensor<?x?x4xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{has a region with arguments 0 of type 'tensor<8xf32>', expected 'tensor<4xf32>'}}
  weir.scan (%x) states(%s)
      : (tensor<?x?x4xf32>), (tensor<4xf32>)
      -> (tensor<?x?x4xf32>), (tensor<?x4xf32>) {
  ^bb0(%a: tensor<8xf32>, %h: tensor<4xf32>):
    weir.yield %h, %h : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c3_param(%x: tensor<?x?x4xf32>, %s: tensor<4xf32>, %p: tensor<4xf32>) {
  // expected-error @below {{has a region with arguments 2 of type 'f32', expected 'tensor<4xf32>'}}
  weir.scan (%x) states(%s) params(%p : tensor<4xf32>)
      : (tensor<?x?x4xf32>), (tensor<4xf32>)
      -> (tensor<?x?x4xf32>), (tensor<?x4xf32>) {
  ^bb0(%a: tensor<4xf32>, %h: tensor<4xf32>, %q: f32):
    weir.yield %h, %h : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c3_yields(%x: tensor<?x?x4xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{has a region with 1 yielded values, expected 2}}
  weir.scan (%x) states(%s)
      : (tensor<?x?x4xf32>), (tensor<4xf32>)
      -> (tensor<?x?x4xf32>), (tensor<?x4xf32>) {
  ^bb0(%a: tensor<4xf32>, %h: tensor<4xf32>):
    weir.yield %h : tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c3_yielded(%x: tensor<?x?x4xf32>, %s: tensor<4xf32>) {
  // expected-error @below {{has a region with yielded values 1 of type 'tensor<5xf32>', expected 'tensor<4xf32>'}}
  weir.scan (%x) states(%s)
      : (tensor<?x?x4xf32>), (tensor<4xf32>)
      -> (tensor<?x?x4xf32>), (tensor<?x4xf32>) {
  ^bb0(%a: tensor<4xf32>, %h: tensor<4xf32>):
    %e = tensor.empty() : tensor<5xf32>
    weir.yield %h, %e : tensor<4xf32>, tensor<5xf32>
  }
  return
}

// -----

func.func @scan_c4_lengths(%x: tensor<?x?x4xf32>, %s: tensor<4xf32>, %n: tensor<?xi64>) {
  // expected-error @below {{has lengths of type 'tensor<?xi64>', expected 'tensor<?xi32>'}}
  weir.scan (%x) states(%s) lengths(%n : tensor<?xi64>)
      : (tensor<?x?x4xf32>), (tensor<4xf32>)
      -> (tensor<?x?x4xf32>), (tensor<?x4xf32>) {
  ^bb0(%a: tensor<4xf32>, %h: tensor<4xf32>):
    weir.yield %a, %h : tensor<4xf32>, tensor<4xf32>
  }
  return
}

// -----

func.func @scan_c6_param(%x: tensor<?x?x4xf32>, %s: tensor<4xf32>, %p: tensor<?xf32>) {
  // expected-error @below {{has a param of type 'tensor<?xf32>', expected a tensor of static extents or a scalar}}
  weir.scan (%x) states(%s) params(%p : tensor<?xf32>)
      : (tensor<?x?x4xf32>), (tensor<4xf32>)
      -> (tensor<?x?x4xf32>), (tensor<?x4xf32>) {
  ^bb0(%a: tensor<4xf32>, %h: tensor<4xf32>, %q: tensor<?xf32>):
    weir.yield %a, %h : tensor<4xf32>, tensor<4xf32>
  }
  return
}
