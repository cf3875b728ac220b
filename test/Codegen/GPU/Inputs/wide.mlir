// Attention and recurrences of heads as wide as published models have them, whose
// tiles take most registers.

func.func @attention_64(%q: tensor<1x?x8x64xf32> {weir.name = "q"},
                        %k: tensor<1x?x8x64xf32> {weir.name = "k"},
                        %v: tensor<1x?x8x64xf32> {weir.name = "v"})
    -> (tensor<1x?x8x64xf32> {weir.name = "y"}) {
  %y = weir.attention %q, %k, %v mask(<causal>) scale(0.125)
      : tensor<1x?x8x64xf32>, tensor<1x?x8x64xf32>, tensor<1x?x8x64xf32> -> tensor<1x?x8x64xf32>
  return %y : tensor<1x?x8x64xf32>
}

func.func @attention_128(%q: tensor<1x?x8x128xf32> {weir.name = "q"},
                        %k: tensor<1x?x8x128xf32> {weir.name = "k"},
                        %v: tensor<1x?x8x128xf32> {weir.name = "v"})
    -> (tensor<1x?x8x128xf32> {weir.name = "y"}) {
  %y = weir.attention %q, %k, %v mask(<causal>) scale(0.125)
      : tensor<1x?x8x128xf32>, tensor<1x?x8x128xf32>, tensor<1x?x8x128xf32> -> tensor<1x?x8x128xf32>
  return %y : tensor<1x?x8x128xf32>
}

func.func @decay_64(%q: tensor<1x?x8x64xf32> {weir.name = "q"},
                 %k: tensor<1x?x8x64xf32> {weir.name = "k"},
                 %v: tensor<1x?x8x64xf32> {weir.name = "v"},
                 %g: tensor<1x?x8x64xf32> {weir.name = "g"})
    -> (tensor<1x?x8x64xf32> {weir.name = "y"}) {
  %y, %state = weir.recurrence %q, %k, %v decay(%g : tensor<1x?x8x64xf32>)
      scale(0.125) : tensor<1x?x8x64xf32>, tensor<1x?x8x64xf32>,
      tensor<1x?x8x64xf32> -> tensor<1x?x8x64xf32>, tensor<1x8x64x64xf32>
  return %y : tensor<1x?x8x64xf32>
}

func.func @delta_128(%q: tensor<1x?x8x128xf32> {weir.name = "q"},
                 %k: tensor<1x?x8x128xf32> {weir.name = "k"},
                 %v: tensor<1x?x8x128xf32> {weir.name = "v"},
                 %beta: tensor<1x?x8xf32> {weir.name = "beta"},
                 %g: tensor<1x?x8xf32> {weir.name = "g"})
    -> (tensor<1x?x8x128xf32> {weir.name = "y"}) {
  %y, %state = weir.recurrence %q, %k, %v decay(%g : tensor<1x?x8xf32>)
      delta(%beta : tensor<1x?x8xf32>) scale(0.125) : tensor<1x?x8x128xf32>, tensor<1x?x8x128xf32>,
      tensor<1x?x8x128xf32> -> tensor<1x?x8x128xf32>, tensor<1x8x128x128xf32>
  return %y : tensor<1x?x8x128xf32>
}
