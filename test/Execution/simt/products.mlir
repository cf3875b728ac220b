// Products of kernels by tiles: rows of any number, columns and reductions that
// fill no tile, several axes of rows, and all types of factors. Results are
// compared with NumPy's, with copies that complete late and at issue, and no
// access of shared memory has a conflict of banks.

// REQUIRES: numpy, safetensors
// RUN: weirc %s --target=simt --quiet -o %t.f32
// RUN: weirc %s --target=simt --compute=tf32 --quiet -o %t.tf32
// RUN: weirc %s --target=simt --gpu-arch=sm_90a --quiet -o %t.sm90a
// RUN: weirc %s --target=simt --gpu-arch=sm_90a --compute=bf16 --quiet \
// RUN:   -o %t.tall
// RUN: %python %S/Inputs/check_products.py %t.f32 %t.tf32 %t.sm90a %t.tall \
// RUN:   | FileCheck %s
// CHECK: 0 failures

// Each is computed from shared memory; bf16 and tf32 by matrices.
// RUN: weirc %s --target=cuda --gpu-arch=sm_80 --emit=ptx --quiet -o - \
// RUN:   | FileCheck %s --check-prefix=PTX
// RUN: weirc %s --target=cuda --gpu-arch=sm_90a --emit=ptx --quiet -o - \
// RUN:   | FileCheck %s --check-prefix=SM90A
// PTX-LABEL: .entry floats_kernel
//       PTX: cp.async.cg.shared.global
//       PTX: cp.async.commit_group
//       PTX: cp.async.wait_group 1
//       PTX: ld.shared.v4.b32
//       PTX: fma.rn.f32
//   PTX-NOT: mma.sync
// PTX-LABEL: .entry pairs_kernel
//       PTX: cp.async
//       PTX: ldmatrix.sync.aligned.m8n8.x4.shared.b16
//       PTX: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// On sm_90a a warpgroup multiplies, and boxes are copied; rows that are no
// multiple of 16 bytes are not.
// SM90A-LABEL: .entry pairs_kernel
//       SM90A: mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// SM90A-LABEL: .entry boxes_kernel
//       SM90A: .param .align 64 .b8 boxes_kernel{{.*}}_param_{{[0-9]+}}[128]
//       SM90A: .maxntid 160
//   SM90A-DAG: mbarrier.init.shared.b64
//   SM90A-DAG: fence.mbarrier_init.release.cluster
//   SM90A-DAG: mbarrier.try_wait.parity.shared.b64
//   SM90A-DAG: mbarrier.arrive.expect_tx.shared.b64
//   SM90A-DAG: cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes
//   SM90A-DAG: cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes
//   SM90A-DAG: wgmma.fence.sync.aligned
//   SM90A-DAG: wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16
//   SM90A-DAG: wgmma.commit_group.sync.aligned
//   SM90A-DAG: wgmma.wait_group.sync.aligned 0
// RUN: weirc %s --target=cuda --gpu-arch=sm_90a --compute=bf16 --emit=ptx \
// RUN:   --quiet -o - | FileCheck %s --check-prefix=TALL
// TALL-LABEL: .entry boxes_kernel
//       TALL: wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16
// RUN: weirc %s --target=cuda --compute=tf32 --emit=ptx --quiet -o - \
// RUN:   | FileCheck %s --check-prefix=TF32
// TF32: cvt.rna.tf32.f32
// TF32: mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32

func.func @floats(%x: tensor<?x80xf32> {weir.name = "x"},
                  %w: tensor<2x80x64xf32> {weir.name = "w"})
    -> (tensor<?x100xf32> {weir.name = "y"}) {
  %y = weir.packed_linear %x, %w bits(32) group(16)
      : tensor<?x80xf32>, tensor<2x80x64xf32> -> tensor<?x100xf32>
  return %y : tensor<?x100xf32>
}

func.func @pairs(%x: tensor<?x90xf32> {weir.name = "x"},
                 %w: tensor<2x45x64x2xf32> {weir.name = "w"})
    -> (tensor<?x65xf32> {weir.name = "y"}) {
  %a = arith.truncf %x : tensor<?x90xf32> to tensor<?x90xbf16>
  %b = arith.truncf %w : tensor<2x45x64x2xf32> to tensor<2x45x64x2xbf16>
  %y = weir.packed_linear %a, %b bits(16) group(2)
      : tensor<?x90xbf16>, tensor<2x45x64x2xbf16> -> tensor<?x65xf32>
  return %y : tensor<?x65xf32>
}

// More steps of the reduction than stages, and a part of one.
func.func @boxes(%x: tensor<?x328xf32> {weir.name = "x"},
                 %w: tensor<2x164x64x2xf32> {weir.name = "w"})
    -> (tensor<?x100xf32> {weir.name = "y"}) {
  %a = arith.truncf %x : tensor<?x328xf32> to tensor<?x328xbf16>
  %b = arith.truncf %w : tensor<2x164x64x2xf32> to tensor<2x164x64x2xbf16>
  %y = weir.packed_linear %a, %b bits(16) group(2)
      : tensor<?x328xbf16>, tensor<2x164x64x2xbf16> -> tensor<?x100xf32>
  return %y : tensor<?x100xf32>
}

// The same with two axes of rows.
func.func @box_batches(%x: tensor<?x?x72xf32> {weir.name = "x"},
                       %w: tensor<3x36x64x2xf32> {weir.name = "w"})
    -> (tensor<?x?x129xf32> {weir.name = "y"}) {
  %a = arith.truncf %x : tensor<?x?x72xf32> to tensor<?x?x72xbf16>
  %b = arith.truncf %w : tensor<3x36x64x2xf32> to tensor<3x36x64x2xbf16>
  %y = weir.packed_linear %a, %b bits(16) group(2)
      : tensor<?x?x72xbf16>, tensor<3x36x64x2xbf16> -> tensor<?x?x129xf32>
  return %y : tensor<?x?x129xf32>
}

// Six tiles of a block, one behind the other: stages go on from tile to tile.
func.func @box_tiles(%x: tensor<?x136xf32> {weir.name = "x"},
                     %w: tensor<3x68x64x2xf32> {weir.name = "w"})
    -> (tensor<?x129xf32> {weir.name = "y"}) {
  %a = arith.truncf %x : tensor<?x136xf32> to tensor<?x136xbf16>
  %b = arith.truncf %w : tensor<3x68x64x2xf32> to tensor<3x68x64x2xbf16>
  %y = weir.packed_linear %a, %b bits(16) group(2)
      schedule(<form = "panel", tiles = [200, 192], parallel = true>)
      : tensor<?x136xbf16>, tensor<3x68x64x2xbf16> -> tensor<?x129xf32>
  return %y : tensor<?x129xf32>
}

// Weights of bf16, and sums in f32 of what they stand for.
func.func @widened(%x: tensor<?x77xf32> {weir.name = "x"},
                   %w: tensor<1x77x64xf32> {weir.name = "w"})
    -> (tensor<?x64xf32> {weir.name = "y"}) {
  %b = arith.truncf %w : tensor<1x77x64xf32> to tensor<1x77x64xbf16>
  %y = weir.packed_linear %x, %b bits(16) group(7)
      : tensor<?x77xf32>, tensor<1x77x64xbf16> -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// Two axes of rows.
func.func @batches(%x: tensor<?x?x32xf32> {weir.name = "x"},
                   %w: tensor<3x32x64xf32> {weir.name = "w"})
    -> (tensor<?x?x130xf32> {weir.name = "y"}) {
  %y = weir.packed_linear %x, %w bits(32) group(32)
      : tensor<?x?x32xf32>, tensor<3x32x64xf32> -> tensor<?x?x130xf32>
  return %y : tensor<?x?x130xf32>
}

// Few rows: threads share the reduction.
func.func @row(%x: tensor<1x301xf32> {weir.name = "x"},
               %w: tensor<2x301x64xf32> {weir.name = "w"})
    -> (tensor<1x127xf32> {weir.name = "y"}) {
  %y = weir.packed_linear %x, %w bits(32) group(7)
      : tensor<1x301xf32>, tensor<2x301x64xf32> -> tensor<1x127xf32>
  return %y : tensor<1x127xf32>
}

func.func @rows(%x: tensor<3x40xf32> {weir.name = "x"},
                %w: tensor<1x40x64xf32> {weir.name = "w"})
    -> (tensor<3x33xf32> {weir.name = "y"}) {
  %y = weir.packed_linear %x, %w bits(32) group(8)
      : tensor<3x40xf32>, tensor<1x40x64xf32> -> tensor<3x33xf32>
  return %y : tensor<3x33xf32>
}
