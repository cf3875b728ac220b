// RUN: weir-opt %s --weir-pack-weights=quantize=int3 -verify-diagnostics

// expected-error @below {{weir-pack-weights has quantize=int3 panel=32 group=32 compute=f32, expected none, stored, bf16, int8 or int4, a positive panel, groups of a multiple of 8, and f32 or bf16}}
module {
}
