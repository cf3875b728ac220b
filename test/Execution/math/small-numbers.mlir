// Optimised code flushes results below the normal numbers to zero, in all
// threads; a definition keeps them. What is given is not changed.

// REQUIRES: numpy, safetensors
// RUN: %python %S/../../Driver/Inputs/tensors.py write %t.in \
// RUN:   x=2x3:1e-20,1e-10,-1e-25,2e-20,1e-40,3
// RUN: weirc %s --quiet -o %t
// RUN: %t --inputs %t.in --outputs %t.out
// RUN: %python %S/../../Driver/Inputs/tensors.py print %t.out | FileCheck %s
// RUN: weirc %s --quiet --reference -o %t
// RUN: %t --inputs %t.in --outputs %t.out
// RUN: %python %S/../../Driver/Inputs/tensors.py print %t.out | FileCheck %s --check-prefix=PLAIN

// CHECK: same 2x3: 1e-20 1e-10 -1e-25 2e-20 9.99995e-41 3
// CHECK: squares 2x3: 0 1e-20 0 0 0 9
// PLAIN: same 2x3: 1e-20 1e-10 -1e-25 2e-20 9.99995e-41 3
// PLAIN: squares 2x3: 9.99995e-41 1e-20 0 4.00001e-40 0 9

func.func @main(%x: tensor<?x3xf32> {weir.name = "x"})
    -> (tensor<?x3xf32> {weir.name = "squares"},
        tensor<?x3xf32> {weir.name = "same"}) {
  %y = arith.mulf %x, %x : tensor<?x3xf32>
  return %y, %x : tensor<?x3xf32>, tensor<?x3xf32>
}
