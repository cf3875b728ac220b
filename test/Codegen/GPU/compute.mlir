// Where no weights are, `--compute` is what kernels round the factors of their
// contractions; f32 rounds none.

// RUN: weirc %s --target=cuda --gpu-arch=sm_80 --compute=bf16 --emit=ptx \
// RUN:   --quiet -o - | FileCheck %s --check-prefix=BF16
// RUN: weirc %s --target=cuda --gpu-arch=sm_80 --compute=tf32 --emit=ptx \
// RUN:   --quiet -o - | FileCheck %s --check-prefix=TF32
// RUN: weirc %s --target=cuda --gpu-arch=sm_80 --compute=f32 --emit=ptx \
// RUN:   --quiet -o - | FileCheck %s --check-prefix=F32
// RUN: not weirc %s --compute=bf16 -o %t 2>&1 | FileCheck %s --check-prefix=CPU

// BF16-LABEL: .entry f_kernel
// BF16: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// BF16-LABEL: .entry narrow_kernel
// BF16: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// TF32: mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32
// F32-NOT: mma.sync
// CPU: error: compute=bf16 was asked for, and products of these weights are computed in f32

func.func @f(%q: tensor<1x64x2x64xf32>) -> tensor<1x64x2x64xf32> {
  %0 = weir.attention %q, %q, %q mask(<causal>) scale(0.125)
      : tensor<1x64x2x64xf32>, tensor<1x64x2x64xf32>, tensor<1x64x2x64xf32>
        -> tensor<1x64x2x64xf32>
  return %0 : tensor<1x64x2x64xf32>
}

func.func @narrow(%q: tensor<1x64x2x64xbf16>) -> tensor<1x64x2x64xbf16> {
  %0 = weir.attention %q, %q, %q mask(<causal>) scale(0.125)
      : tensor<1x64x2x64xbf16>, tensor<1x64x2x64xbf16>, tensor<1x64x2x64xbf16>
        -> tensor<1x64x2x64xbf16>
  return %0 : tensor<1x64x2x64xbf16>
}
