// Output feature n takes input feature n; the last two columns of the second
// panel are padding. The micro-kernels give what the definition gives, for one
// row and for several.
//
// REQUIRES: runner
// RUN: weir-opt %s --weir-lower-to-reference %lower_plainly | %run_main \
// RUN:   | FileCheck %s
// RUN: weir-opt %s \
// RUN:     --weir-lower-packed-linear='vector-bits=128 byte-shuffle=false' \
// RUN:     -one-shot-bufferize=bufferize-function-boundaries \
// RUN:     -scf-forall-to-for -convert-vector-to-scf -lower-affine \
// RUN:     -convert-vector-to-llvm -convert-ub-to-llvm %lower_plainly \
// RUN:   | %run_main | FileCheck %s
// RUN: weir-opt %s --weir-lower-packed-linear=vector-bits=128 \
// RUN:     -one-shot-bufferize=bufferize-function-boundaries \
// RUN:     -scf-forall-to-for -convert-vector-to-scf -lower-affine \
// RUN:     -convert-vector-to-llvm -convert-ub-to-llvm %lower_plainly \
// RUN:   | %run_main | FileCheck %s

func.func private @printMemrefF32(tensor<*xf32>)

func.func private @float_one_row(
    %x: tensor<1x8xf32>, %w: tensor<2x8x4xf32>, %bias: tensor<6xf32>)
    -> tensor<1x6xf32> {
  %y = weir.packed_linear %x, %w bias(%bias : tensor<6xf32>)
      bits(32) group(8)
      : tensor<1x8xf32>, tensor<2x8x4xf32> -> tensor<1x6xf32>
  return %y : tensor<1x6xf32>
}

func.func private @float_three_rows(
    %x: tensor<3x8xf32>, %w: tensor<2x8x4xf32>, %bias: tensor<6xf32>)
    -> tensor<3x6xf32> {
  %y = weir.packed_linear %x, %w bias(%bias : tensor<6xf32>)
      bits(32) group(8)
      : tensor<3x8xf32>, tensor<2x8x4xf32> -> tensor<3x6xf32>
  return %y : tensor<3x6xf32>
}

func.func private @bits4_one_row(
    %x: tensor<1x8xf32>, %w: tensor<2x1x4x4xi8>,
    %scales: tensor<2x1x4xf16>, %mins: tensor<2x1x4xf16>)
    -> tensor<1x6xf32> {
  %y = weir.packed_linear %x, %w
      scales(%scales : tensor<2x1x4xf16>) mins(%mins : tensor<2x1x4xf16>)
      bits(4) group(8)
      : tensor<1x8xf32>, tensor<2x1x4x4xi8> -> tensor<1x6xf32>
  return %y : tensor<1x6xf32>
}

func.func private @bits4_three_rows(
    %x: tensor<3x8xf32>, %w: tensor<2x1x4x4xi8>,
    %scales: tensor<2x1x4xf16>, %mins: tensor<2x1x4xf16>)
    -> tensor<3x6xf32> {
  %y = weir.packed_linear %x, %w
      scales(%scales : tensor<2x1x4xf16>) mins(%mins : tensor<2x1x4xf16>)
      bits(4) group(8)
      : tensor<3x8xf32>, tensor<2x1x4x4xi8> -> tensor<3x6xf32>
  return %y : tensor<3x6xf32>
}

func.func private @bits8_one_row(
    %x: tensor<1x8xf32>, %w: tensor<2x2x4x4xi8>,
    %scales: tensor<2x1x4xf16>)
    -> tensor<1x6xf32> {
  %y = weir.packed_linear %x, %w
      scales(%scales : tensor<2x1x4xf16>)
      bits(8) group(8)
      : tensor<1x8xf32>, tensor<2x2x4x4xi8> -> tensor<1x6xf32>
  return %y : tensor<1x6xf32>
}

func.func private @bits8_three_rows(
    %x: tensor<3x8xf32>, %w: tensor<2x2x4x4xi8>,
    %scales: tensor<2x1x4xf16>)
    -> tensor<3x6xf32> {
  %y = weir.packed_linear %x, %w
      scales(%scales : tensor<2x1x4xf16>)
      bits(8) group(8)
      : tensor<3x8xf32>, tensor<2x2x4x4xi8> -> tensor<3x6xf32>
  return %y : tensor<3x6xf32>
}

func.func private @e2m1_one_row(
    %x: tensor<1x8xf32>, %w: tensor<2x1x4x4xi8>, %scales: tensor<2x1x4xi8>)
    -> tensor<1x6xf32> {
  %y = weir.packed_linear %x, %w scales(%scales : tensor<2x1x4xi8>)
      bits(4) group(8) code(e2m1)
      : tensor<1x8xf32>, tensor<2x1x4x4xi8> -> tensor<1x6xf32>
  return %y : tensor<1x6xf32>
}

func.func private @e2m1_three_rows(
    %x: tensor<3x8xf32>, %w: tensor<2x1x4x4xi8>, %scales: tensor<2x1x4xi8>)
    -> tensor<3x6xf32> {
  %y = weir.packed_linear %x, %w scales(%scales : tensor<2x1x4xi8>)
      bits(4) group(8) code(e2m1)
      : tensor<3x8xf32>, tensor<2x1x4x4xi8> -> tensor<3x6xf32>
  return %y : tensor<3x6xf32>
}

func.func @main() {
  %x1 = arith.constant dense<[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]]>
      : tensor<1x8xf32>
  %x3 = arith.constant dense<[[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
                              [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0],
                              [-1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0]]>
      : tensor<3x8xf32>
  // One at (n, n).
  %floats = arith.constant dense<[
      [[1.0, 0.0, 0.0, 0.0],
       [0.0, 1.0, 0.0, 0.0],
       [0.0, 0.0, 1.0, 0.0],
       [0.0, 0.0, 0.0, 1.0],
       [0.0, 0.0, 0.0, 0.0],
       [0.0, 0.0, 0.0, 0.0],
       [0.0, 0.0, 0.0, 0.0],
       [0.0, 0.0, 0.0, 0.0]],
      [[0.0, 0.0, 0.0, 0.0],
       [0.0, 0.0, 0.0, 0.0],
       [0.0, 0.0, 0.0, 0.0],
       [0.0, 0.0, 0.0, 0.0],
       [1.0, 0.0, 0.0, 0.0],
       [0.0, 1.0, 0.0, 0.0],
       [0.0, 0.0, 0.0, 0.0],
       [0.0, 0.0, 0.0, 0.0]]]>
      : tensor<2x8x4xf32>
  %bias = arith.constant dense<[0.0, 10.0, 20.0, 30.0, 40.0, 50.0]>
      : tensor<6xf32>
  // Elements 0 to 3 in low halves, 4 to 7 in high ones; mins add half the sum.
  %nibbles = arith.constant dense<[
      [[[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]],
      [[[16, 0, 0, 0], [0, 16, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]]]>
      : tensor<2x1x4x4xi8>
  // The zero point is 128, which is -128 as a signed byte.
  %bytes = arith.constant dense<[
      [[[-127, -128, -128, -128], [-128, -127, -128, -128], [-128, -128, -127, -128], [-128, -128, -128, -127]],
       [[-128, -128, -128, -128], [-128, -128, -128, -128], [-128, -128, -128, -128], [-128, -128, -128, -128]]],
      [[[-128, -128, -128, -128], [-128, -128, -128, -128], [-128, -128, -128, -128], [-128, -128, -128, -128]],
       [[-127, -128, -128, -128], [-128, -127, -128, -128], [-128, -128, -128, -128], [-128, -128, -128, -128]]]]>
      : tensor<2x2x4x4xi8>
  %scales = arith.constant dense<1.0> : tensor<2x1x4xf16>
  %mins = arith.constant dense<0.5> : tensor<2x1x4xf16>
  // All numbers of e2m1, of either sign, times 1, 2, 1/2, 0, 4 and 1/128.
  %codes = arith.constant dense<[
      [[[0x40, 0x51, 0x62, 0x73], [0xc8, 0xd9, 0xea, 0xfb],
        [0x40, 0x51, 0x62, 0x73], [0x40, 0x51, 0x62, 0x73]]],
      [[[0xc8, 0xd9, 0xea, 0xfb], [0x40, 0x51, 0x62, 0x73],
        [0, 0, 0, 0], [0, 0, 0, 0]]]]> : tensor<2x1x4x4xi8>
  %exponents = arith.constant dense<[[[127, 128, 126, 0]],
                                     [[129, 120, 0, 0]]]> : tensor<2x1x4xi8>

  // CHECK: sizes = [1, 6]
  // CHECK-NEXT: {{\[}}1, 12, 23, 34, 45, 56]
  %y0 = call @float_one_row(%x1, %floats, %bias)
      : (tensor<1x8xf32>, tensor<2x8x4xf32>, tensor<6xf32>)
        -> tensor<1x6xf32>
  %u0 = tensor.cast %y0 : tensor<1x6xf32> to tensor<*xf32>
  call @printMemrefF32(%u0) : (tensor<*xf32>) -> ()

  // CHECK: sizes = [3, 6]
  // CHECK-NEXT: {{\[}}1, 12, 23, 34, 45, 56]
  // CHECK-NEXT: {{\[}}0, 10, 20, 30, 40, 50]
  // CHECK-NEXT: {{\[}}-1, 11, 19, 31, 39, 51]
  %y1 = call @float_three_rows(%x3, %floats, %bias)
      : (tensor<3x8xf32>, tensor<2x8x4xf32>, tensor<6xf32>)
        -> tensor<3x6xf32>
  %u1 = tensor.cast %y1 : tensor<3x6xf32> to tensor<*xf32>
  call @printMemrefF32(%u1) : (tensor<*xf32>) -> ()

  // CHECK: sizes = [1, 6]
  // CHECK-NEXT: {{\[}}19, 20, 21, 22, 23, 24]
  %y2 = call @bits4_one_row(%x1, %nibbles, %scales, %mins)
      : (tensor<1x8xf32>, tensor<2x1x4x4xi8>,
         tensor<2x1x4xf16>, tensor<2x1x4xf16>)
        -> tensor<1x6xf32>
  %u2 = tensor.cast %y2 : tensor<1x6xf32> to tensor<*xf32>
  call @printMemrefF32(%u2) : (tensor<*xf32>) -> ()

  // CHECK: sizes = [3, 6]
  // CHECK-NEXT: {{\[}}19, 20, 21, 22, 23, 24]
  // CHECK-NEXT: {{\[}}1, 1, 1, 1, 1, 1]
  // CHECK-NEXT: {{\[}}-1, 1, -1, 1, -1, 1]
  %y3 = call @bits4_three_rows(%x3, %nibbles, %scales, %mins)
      : (tensor<3x8xf32>, tensor<2x1x4x4xi8>,
         tensor<2x1x4xf16>, tensor<2x1x4xf16>)
        -> tensor<3x6xf32>
  %u3 = tensor.cast %y3 : tensor<3x6xf32> to tensor<*xf32>
  call @printMemrefF32(%u3) : (tensor<*xf32>) -> ()

  // CHECK: sizes = [1, 6]
  // CHECK-NEXT: {{\[}}1, 2, 3, 4, 5, 6]
  %y4 = call @bits8_one_row(%x1, %bytes, %scales)
      : (tensor<1x8xf32>, tensor<2x2x4x4xi8>, tensor<2x1x4xf16>)
        -> tensor<1x6xf32>
  %u4 = tensor.cast %y4 : tensor<1x6xf32> to tensor<*xf32>
  call @printMemrefF32(%u4) : (tensor<*xf32>) -> ()

  // CHECK: sizes = [3, 6]
  // CHECK-NEXT: {{\[}}1, 2, 3, 4, 5, 6]
  // CHECK-NEXT: {{\[}}0, 0, 0, 0, 0, 0]
  // CHECK-NEXT: {{\[}}-1, 1, -1, 1, -1, 1]
  %y5 = call @bits8_three_rows(%x3, %bytes, %scales)
      : (tensor<3x8xf32>, tensor<2x2x4x4xi8>, tensor<2x1x4xf16>)
        -> tensor<3x6xf32>
  %u5 = tensor.cast %y5 : tensor<3x6xf32> to tensor<*xf32>
  call @printMemrefF32(%u5) : (tensor<*xf32>) -> ()

  // CHECK: sizes = [1, 6]
  // CHECK-NEXT: {{\[}}114, -228, 57, 0, -456, 0.890625]
  %y6 = call @e2m1_one_row(%x1, %codes, %exponents)
      : (tensor<1x8xf32>, tensor<2x1x4x4xi8>, tensor<2x1x4xi8>)
        -> tensor<1x6xf32>
  %u6 = tensor.cast %y6 : tensor<1x6xf32> to tensor<*xf32>
  call @printMemrefF32(%u6) : (tensor<*xf32>) -> ()

  // CHECK: sizes = [3, 6]
  // CHECK-NEXT: {{\[}}114, -228, 57, 0, -456, 0.890625]
  // CHECK-NEXT: {{\[}}12, -24, 6, 0, -48, 0.09375]
  // CHECK-NEXT: {{\[}}4, -8, 2, 0, -16, 0.03125]
  %y7 = call @e2m1_three_rows(%x3, %codes, %exponents)
      : (tensor<3x8xf32>, tensor<2x1x4x4xi8>, tensor<2x1x4xi8>)
        -> tensor<3x6xf32>
  %u7 = tensor.cast %y7 : tensor<3x6xf32> to tensor<*xf32>
  call @printMemrefF32(%u7) : (tensor<*xf32>) -> ()

  return
}
