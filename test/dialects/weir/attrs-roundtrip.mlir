// RUN: weir-opt %s | weir-opt | FileCheck %s

// Parts of an attribute that have their default are not printed.

// CHECK-LABEL: func.func private @schedules
// CHECK-SAME: s0 = #weir.schedule<form = "flash", tiles = [64, 96]>
// CHECK-SAME: s1 = #weir.schedule<form = "panel", tiles = [1, 32], parallel = true>
// CHECK-SAME: s2 = #weir.schedule<form = "rows", tiles = []>
// CHECK-SAME: s3 = #weir.schedule<form = "split", tiles = [1, 64, 4]>
func.func private @schedules() attributes {
  s0 = #weir.schedule<form = "flash", tiles = [64, 96], parallel = false>,
  s1 = #weir.schedule<form = "panel", tiles = [1, 32], parallel = true>,
  s2 = #weir.schedule<form = "rows", tiles = []>,
  s3 = #weir.schedule<tiles = [1, 64, 4], form = "split">
}

// CHECK-LABEL: func.func private @sources
// CHECK-SAME: a0 = #weir.checkpoint<"lm_head.weight">
// CHECK-SAME: a1 = #weir.checkpoint<"layers.*.up", [0, 2]>
// CHECK-SAME: a1e = #weir.checkpoint<"layers.*.experts.*.up", [0, 2], experts = 3>
// CHECK-SAME: a2 = #weir.concat<[@a, @b], axis = 1>
// CHECK-SAME: a3 = #weir.pack<@a, scales, panel = 32, bits = 4, group = 64>
// CHECK-SAME: a3e = #weir.pack<@a, quants, panel = 32, bits = 4, group = 32, code = e2m1>
// CHECK-SAME: a4 = #weir.reshape<@a>
// CHECK-SAME: a5 = #weir.slice<@a, axis = 0, offset = 8, size = 4>
// CHECK-SAME: a6 = #weir.transpose<@a, [1, 0]>
func.func private @sources() attributes {
  a0 = #weir.checkpoint<"lm_head.weight">,
  a1 = #weir.checkpoint<"layers.*.up", [0, 2]>,
  a1e = #weir.checkpoint<"layers.*.experts.*.up", [0, 2], experts = 3>,
  a2 = #weir.concat<[@a, @b], axis = 1>,
  a3 = #weir.pack<@a, scales, panel = 32, bits = 4, group = 64>,
  a3e = #weir.pack<@a, quants, panel = 32, bits = 4, group = 32, code = e2m1>,
  a4 = #weir.reshape<@a>,
  a5 = #weir.slice<@a, axis = 0, offset = 8, size = 4>,
  a6 = #weir.transpose<@a, [1, 0]>
}

// CHECK-LABEL: func.func private @scalings
// CHECK-SAME: r0 = #weir.rope_scaling<kind = linear, factor = 2.000000e+00 : f64>
// CHECK-SAME: r1 = #weir.rope_scaling<kind = longrope, divisors = [1.000000e+00, 2.000000e+00]>
func.func private @scalings() attributes {
  r0 = #weir.rope_scaling<kind = linear, factor = 2.0>,
  r1 = #weir.rope_scaling<kind = longrope, divisors = [1.0, 2.0]>
}
