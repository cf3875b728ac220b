// Functions whose kernels mutations.test puts faults into.

func.func @product(%x: tensor<?x80xf32> {weir.name = "x"},
                   %w: tensor<1x80x64xf32> {weir.name = "w"})
    -> (tensor<?x50xf32> {weir.name = "y"}) {
  %y = weir.packed_linear %x, %w bits(32) group(16)
      : tensor<?x80xf32>, tensor<1x80x64xf32> -> tensor<?x50xf32>
  return %y : tensor<?x50xf32>
}

func.func @matrices(%x: tensor<?x160xbf16> {weir.name = "x"},
                    %w: tensor<1x80x64x2xbf16> {weir.name = "w"})
    -> (tensor<?x50xf32> {weir.name = "y"}) {
  %y = weir.packed_linear %x, %w bits(16) group(2)
      : tensor<?x160xbf16>, tensor<1x80x64x2xbf16> -> tensor<?x50xf32>
  return %y : tensor<?x50xf32>
}

// For sm_90a: more steps of the reduction than stages, the last one a part.
func.func @warpgroups(%x: tensor<?x520xbf16> {weir.name = "x"},
                      %w: tensor<1x260x64x2xbf16> {weir.name = "w"})
    -> (tensor<?x50xf32> {weir.name = "y"}) {
  %y = weir.packed_linear %x, %w bits(16) group(2)
      : tensor<?x520xbf16>, tensor<1x260x64x2xbf16> -> tensor<?x50xf32>
  return %y : tensor<?x50xf32>
}

func.func @row(%x: tensor<1x100xf32> {weir.name = "x"},
               %w: tensor<1x100x64xf32> {weir.name = "w"})
    -> (tensor<1x64xf32> {weir.name = "y"}) {
  %y = weir.packed_linear %x, %w bits(32) group(4)
      : tensor<1x100xf32>, tensor<1x100x64xf32> -> tensor<1x64xf32>
  return %y : tensor<1x64xf32>
}

func.func @attention(%q: tensor<?x?x2x16xf32> {weir.name = "q"},
                     %k: tensor<?x?x2x16xf32> {weir.name = "k"})
    -> (tensor<?x?x2x16xf32> {weir.name = "y"}) {
  %y = weir.attention %q, %k, %k mask(<causal>) scale(0.25)
      : tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>, tensor<?x?x2x16xf32>
      -> tensor<?x?x2x16xf32>
  return %y : tensor<?x?x2x16xf32>
}

func.func @recurrence(%q: tensor<?x?x1x16xf32> {weir.name = "q"},
                      %k: tensor<?x?x1x16xf32> {weir.name = "k"},
                      %v: tensor<?x?x1x24xf32> {weir.name = "v"},
                      %g: tensor<?x?x1x16xf32> {weir.name = "g"})
    -> (tensor<?x?x1x24xf32> {weir.name = "y"}) {
  %y, %state = weir.recurrence %q, %k, %v decay(%g : tensor<?x?x1x16xf32>)
      scale(2.500000e-01) : tensor<?x?x1x16xf32>, tensor<?x?x1x16xf32>,
      tensor<?x?x1x24xf32> -> tensor<?x?x1x24xf32>, tensor<?x1x16x24xf32>
  return %y : tensor<?x?x1x24xf32>
}
