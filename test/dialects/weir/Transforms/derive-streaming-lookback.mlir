// RUN: weir-opt %s --weir-derive-streaming | FileCheck %s

// An op takes an entry of each of its histories for one position: those of the
// first attention are as long as the one that another reads farther back in.

// CHECK-DAG: weir.slot @history0 history lookback(24) : tensor<?x?x1x4xf32>
// CHECK-DAG: weir.slot @history1 history lookback(24) : tensor<?x?x1x4xf32>
func.func @forward(%ids: tensor<?x?xi32> {weir.name = "input_ids"},
                   %n: tensor<?xi32> {weir.name = "lengths",
                                      weir.role = "lengths"})
    -> (tensor<?x?x4xf32> {weir.name = "logits"})
    attributes {weir.method = "forward"} {
  %table = weir.weight @table : tensor<6x4xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %rows = tensor.dim %ids, %c0 : tensor<?x?xi32>
  %time = tensor.dim %ids, %c1 : tensor<?x?xi32>
  %flat = weir.embedding %ids, %table
      : tensor<?x?xi32>, tensor<6x4xf32> -> tensor<?x?x4xf32>
  %x = tensor.expand_shape %flat [[0], [1], [2, 3]]
      output_shape [%rows, %time, 1, 4]
      : tensor<?x?x4xf32> into tensor<?x?x1x4xf32>
  %y = weir.rms_norm %x eps(1.0e-5) : tensor<?x?x1x4xf32>
  %a = weir.attention %x, %x, %y mask(<causal and window<3>>) scale(1.0)
      : tensor<?x?x1x4xf32>, tensor<?x?x1x4xf32>, tensor<?x?x1x4xf32>
      -> tensor<?x?x1x4xf32>
  %b = weir.attention %a, %x, %x mask(<causal and window<24>>) scale(1.0)
      : tensor<?x?x1x4xf32>, tensor<?x?x1x4xf32>, tensor<?x?x1x4xf32>
      -> tensor<?x?x1x4xf32>
  %out = tensor.collapse_shape %b [[0], [1], [2, 3]]
      : tensor<?x?x1x4xf32> into tensor<?x?x4xf32>
  return %out : tensor<?x?x4xf32>
}
weir.param @table : tensor<6x4xf32> = dense<0.5> : tensor<6x4xf32>
