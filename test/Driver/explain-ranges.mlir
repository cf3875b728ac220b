// The table of schedules says when ranges of time run side by side, and why.
//
// RUN: weirc %s --explain --threads=2 | FileCheck %s
// CHECK: recurrence {{.*}} parallel 16x8x1x3, threads
// CHECK: recurrence is parallel: 3 ranges of time side by side, since 1 tile of a row would leave threads of 2 idle; {{.*}} in order below 384 tokens

func.func @one_head(%q: tensor<?x?x1x32xf32>, %v: tensor<?x?x1x8xf32>,
                    %g: tensor<?x?x1x32xf32>) -> tensor<?x?x1x8xf32> {
  %0, %1 = weir.recurrence %q, %q, %v decay(%g : tensor<?x?x1x32xf32>)
      : tensor<?x?x1x32xf32>, tensor<?x?x1x32xf32>, tensor<?x?x1x8xf32>
        -> tensor<?x?x1x8xf32>, tensor<?x1x32x8xf32>
  return %0 : tensor<?x?x1x8xf32>
}
