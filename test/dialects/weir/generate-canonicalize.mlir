// RUN: weir-opt %s -canonicalize | FileCheck %s

// One kept token is the likeliest; options that keep all tokens are none.

// CHECK-LABEL: func.func @sample
// CHECK: weir.sample %{{[^ ]+}} : tensor<?x5xf32>
// CHECK: weir.sample %{{[^ ]+}} : tensor<?x5xf32>
// CHECK: weir.sample %{{[^ ]+}} uniform(%{{[^ ]+}} : tensor<?xf32>) temperature(1.000000e+00) : tensor<?x5xf32>
// CHECK: weir.sample %{{[^ ]+}} uniform(%{{[^ ]+}} : tensor<?xf32>) temperature(1.000000e+00) top_k(4) top_p(5.000000e-01) : tensor<?x5xf32>
func.func @sample(%l: tensor<?x5xf32>, %u: tensor<?xf32>)
    -> (tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>) {
  %0 = weir.sample %l uniform(%u : tensor<?xf32>) temperature(1.0) top_k(1)
      : tensor<?x5xf32> -> tensor<?xi32>
  %1 = weir.sample %l top_k(3) top_p(0.5) : tensor<?x5xf32> -> tensor<?xi32>
  %2 = weir.sample %l uniform(%u : tensor<?xf32>) temperature(1.0) top_k(5)
      : tensor<?x5xf32> -> tensor<?xi32>
  %3 = weir.sample %l uniform(%u : tensor<?xf32>) temperature(1.0) top_k(4)
      top_p(0.5) : tensor<?x5xf32> -> tensor<?xi32>
  return %0, %1, %2, %3
      : tensor<?xi32>, tensor<?xi32>, tensor<?xi32>, tensor<?xi32>
}
