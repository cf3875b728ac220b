// A file with a plain function compiles to an executable that runs it on named
// tensors; no model or tokenizer is assumed.

// REQUIRES: numpy, safetensors
// RUN: weirc %s --reference --quiet -o %t
// RUN: %python %S/Inputs/tensors.py write %t.in.safetensors \
// RUN:   x=2x3:1,2,3,4,5,6 w=2x3:1,0,0,0,1,1
// RUN: %t --inputs %t.in.safetensors --outputs %t.out.safetensors
// RUN: %python %S/Inputs/tensors.py print %t.out.safetensors | FileCheck %s
// RUN: %t --info | FileCheck %s --check-prefix=INFO
// RUN: not %t --inputs %t.missing --outputs %t.out.safetensors 2>&1 \
// RUN:   | FileCheck %s --check-prefix=MISSING

// CHECK: y 2x2: 1 5 4 11
// INFO: f (plain)
// INFO: takes x: F32 [?, 3]
// MISSING: error: {{.*}}missing

func.func @f(%x: tensor<?x3xf32> {weir.name = "x"},
             %w: tensor<2x3xf32> {weir.name = "w"})
    -> (tensor<?x2xf32> {weir.name = "y"}) {
  %0 = weir.linear %x, %w
    : tensor<?x3xf32>, tensor<2x3xf32> -> tensor<?x2xf32>
  return %0 : tensor<?x2xf32>
}
