// RUN: weir-opt %s -split-input-file -verify-diagnostics

func.func @stack_c1_result_type(%x: tensor<?x4xf32>) {
  // expected-error @below {{failed to verify that results have the types of the carried values}}
  "weir.stack"(%x) <{order = array<i32: 0>}> ({
  ^bb0(%layer: index, %a: tensor<?x4xf64>):
    weir.yield %a : tensor<?x4xf64>
  }) : (tensor<?x4xf32>) -> tensor<?x4xf64>
  return
}

// -----

func.func @stack_c2_arguments(%x: tensor<?x4xf32>) {
  // expected-error @below {{has a region with arguments ('tensor<?x4xf32>'), expected (index, 'tensor<?x4xf32>')}}
  weir.stack(%x) order [0] : tensor<?x4xf32> {
  ^bb0(%a: tensor<?x4xf32>):
    weir.yield %a : tensor<?x4xf32>
  }
  return
}

// -----

func.func @stack_c2_yield(%x: tensor<?x4xf32>) {
  // expected-error @below {{has a region that does not yield ('tensor<?x4xf32>')}}
  weir.stack(%x) order [0] : tensor<?x4xf32> {
  ^bb0(%layer: index, %a: tensor<?x4xf32>):
    weir.yield
  }
  return
}

// -----

func.func @stack_c3_unknown_kind(%x: tensor<?x4xf32>) {
  // expected-error @below {{has layer kind 1 in its order when it has 1 regions}}
  weir.stack(%x) order [0, 1] : tensor<?x4xf32> {
  ^bb0(%layer: index, %a: tensor<?x4xf32>):
    weir.yield %a : tensor<?x4xf32>
  }
  return
}

// -----

func.func @stack_c3_idle_kind(%x: tensor<?x4xf32>) {
  // expected-error @below {{has a region for layer kind 1, which its order never names}}
  weir.stack(%x) order [0] : tensor<?x4xf32> {
  ^bb0(%layer: index, %a: tensor<?x4xf32>):
    weir.yield %a : tensor<?x4xf32>
  }, {
  ^bb0(%layer: index, %a: tensor<?x4xf32>):
    weir.yield %a : tensor<?x4xf32>
  }
  return
}
