// RUN: weir-opt %s | weir-opt | FileCheck %s

// CHECK-LABEL: func.func @greedy_sample
// CHECK: weir.sample %{{[^ ]+}} : tensor<?x199xf32> -> tensor<?xi32>
func.func @greedy_sample(%l: tensor<?x199xf32>) -> tensor<?xi32> {
  %0 = weir.sample %l : tensor<?x199xf32> -> tensor<?xi32>
  return %0 : tensor<?xi32>
}

// CHECK-LABEL: func.func @drawn_sample
// CHECK: weir.sample %{{[^ ]+}} uniform(%{{[^ ]+}} : tensor<2xf64>) temperature(5.000000e-01) top_k(40) top_p(7.500000e-01) : tensor<2x199xf32> -> tensor<2xi32>
func.func @drawn_sample(%l: tensor<2x199xf32>, %u: tensor<2xf64>)
    -> tensor<2xi32> {
  %0 = weir.sample %l uniform(%u : tensor<2xf64>) temperature(0.5) top_k(40)
      top_p(0.75) : tensor<2x199xf32> -> tensor<2xi32>
  return %0 : tensor<2xi32>
}

func.func private @forward(%ids: tensor<?x?xi32>,
    %n: tensor<?xi32> {weir.role = "lengths"}) -> tensor<?x?x199xf32>
    attributes {weir.method = "forward"}

// CHECK-LABEL: func.func @greedy_generate
// CHECK: %{{[^ ]+}}, %{{[^ ]+}} = weir.generate @forward(%{{[^ ]+}}, %{{[^ ]+}}) new(8) : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
func.func @greedy_generate(%ids: tensor<?x?xi32>, %n: tensor<?xi32>)
    -> tensor<?x?xi32> {
  %tokens, %counts = weir.generate @forward(%ids, %n) new(8)
      : tensor<?x?xi32>, tensor<?xi32> -> tensor<?x?xi32>
  return %tokens : tensor<?x?xi32>
}

// CHECK-LABEL: func.func @drawn_generate
// CHECK: weir.generate @forward(%{{[^ ]+}}, %{{[^ ]+}}) new(8) eos [2, 7] pad(3) choose {
// CHECK-NEXT: ^bb0(%[[LOGITS:[^:]+]]: tensor<?x199xf32>, %{{.*}}: index):
// CHECK: %[[NEXT:[^ ]+]] = weir.sample %[[LOGITS]]
// CHECK: weir.yield %[[NEXT]] : tensor<?xi32>
// CHECK: } : tensor<1x5xi32>, tensor<1xi32> -> tensor<1x13xi32>
func.func @drawn_generate(%ids: tensor<1x5xi32>, %n: tensor<1xi32>,
                          %u: tensor<?xf32>) -> tensor<1xi32> {
  %tokens, %counts = weir.generate @forward(%ids, %n) new(8) eos [2, 7] pad(3)
      choose {
  ^bb0(%logits: tensor<?x199xf32>, %round: index):
    %next = weir.sample %logits uniform(%u : tensor<?xf32>) temperature(0.5)
        : tensor<?x199xf32> -> tensor<?xi32>
    weir.yield %next : tensor<?xi32>
  } : tensor<1x5xi32>, tensor<1xi32> -> tensor<1x13xi32>
  return %counts : tensor<1xi32>
}
