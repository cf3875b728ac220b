// RUN: weir-opt %s --weir-emulate-kernels --split-input-file --verify-diagnostics | FileCheck %s

//   CHECK-NOT: gpu.module
//       CHECK: llvm.func @k(%[[BLOCK:[^:]+]]: !llvm.ptr, %[[PLACES:[^:]+]]: !llvm.ptr)
//  CHECK-SAME:     weir.shared = array<i64: 256>
//       CHECK:   %[[PLACE:.*]] = llvm.load %{{.*}} : !llvm.ptr -> !llvm.ptr
//       CHECK:   %[[X:.*]] = llvm.load %[[PLACE]] : !llvm.ptr -> !llvm.ptr
//       CHECK:   %[[SHARED:.*]] = llvm.call @weir_simt_shared(%[[BLOCK]]
//       CHECK:   llvm.call @weir_simt_register(%[[BLOCK]]
//       CHECK:   %[[ADDRESS:.*]] = llvm.getelementptr %[[SHARED]]
//       CHECK:   llvm.call @weir_simt_store(%[[BLOCK]], %[[ADDRESS]]
//  CHECK-NEXT:   llvm.store %{{.*}}, %[[ADDRESS]] : f32, !llvm.ptr{{$}}
//       CHECK:   llvm.call @weir_simt_barrier(%[[BLOCK]]
//       CHECK:   llvm.call @weir_simt_load(%[[BLOCK]]
//       CHECK:   llvm.call @weir_simt_shuffle(%[[BLOCK]]
//   CHECK-NOT:   nvvm
gpu.module @kernels {
  llvm.mlir.global internal @s() {addr_space = 3 : i32, alignment = 16 : i64} : !llvm.array<64 x f32>
  llvm.func @k(%x: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    %all = llvm.mlir.constant(-1 : i32) : i32
    %one = llvm.mlir.constant(1 : i32) : i32
    %last = llvm.mlir.constant(31 : i32) : i32
    %s = llvm.mlir.addressof @s : !llvm.ptr<3>
    %t = nvvm.read.ptx.sreg.tid.x : i32
    %v = llvm.load %x : !llvm.ptr -> f32
    %a = llvm.getelementptr %s[%t] : (!llvm.ptr<3>, i32) -> !llvm.ptr<3>, f32
    llvm.store %v, %a : f32, !llvm.ptr<3>
    nvvm.barrier0
    %w = llvm.load %a : !llvm.ptr<3> -> f32
    %o = nvvm.shfl.sync bfly %all, %w, %one, %last : f32 -> f32
    llvm.store %o, %x : f32, !llvm.ptr
    llvm.return
  }
}

// -----

gpu.module @kernels {
  llvm.func @k(%x: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    // expected-error @below {{has no emulation; expected loads and stores of shared memory, barriers of a block and in memory, shuffles}}
    %t = nvvm.read.ptx.sreg.tid.y : i32
    llvm.store %t, %x : i32, !llvm.ptr
    llvm.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{is aligned to 1 bytes, expected 16 of a shared buffer}}
  llvm.mlir.global internal @s() {addr_space = 3 : i32} : !llvm.array<64 x i8>
  llvm.func @k() attributes {gpu.kernel, nvvm.kernel} {
    %s = llvm.mlir.addressof @s : !llvm.ptr<3>
    llvm.return
  }
}

// -----

// What a warpgroup does, and copies of boxes: the map is used where it lies.
// CHECK-LABEL: llvm.func @groups(
//  CHECK-SAME:     %[[BLOCK:[^:]+]]: !llvm.ptr, %[[PLACES:[^:]+]]: !llvm.ptr)
//       CHECK:   %[[WORDS:.*]] = llvm.alloca %{{.*}} x i32
//       CHECK:   %[[MAP:.*]] = llvm.load %{{.*}} : !llvm.ptr -> !llvm.ptr
//       CHECK:   llvm.call @weir_simt_shared(%[[BLOCK]], %{{.*}}, %{{.*}})
//       CHECK:   llvm.call @weir_simt_mbarrier_init(%[[BLOCK]],
//       CHECK:   llvm.call @weir_simt_fence(%[[BLOCK]],
//       CHECK:   llvm.call @weir_simt_mbarrier_arrive(%[[BLOCK]],
//       CHECK:   llvm.call @weir_simt_copy_box(%[[BLOCK]], %{{.*}}, %[[MAP]],
//       CHECK:   %[[DONE:.*]] = llvm.call @weir_simt_mbarrier_try_wait(%[[BLOCK]],
//       CHECK:   llvm.icmp "ne" %[[DONE]]
//       CHECK:   llvm.call @weir_simt_wgmma_fence(%[[BLOCK]],
// CHECK-COUNT-8: llvm.store
//       CHECK:   llvm.call @weir_simt_wgmma(%[[BLOCK]],
// CHECK-COUNT-4: llvm.load
//       CHECK:   llvm.call @weir_simt_wgmma_commit(%[[BLOCK]],
//       CHECK:   llvm.call @weir_simt_wgmma_wait(%[[BLOCK]],
//       CHECK:   llvm.call @weir_simt_sync_warp(%[[BLOCK]],
//       CHECK:   llvm.call @weir_simt_mbarrier_inval(%[[BLOCK]],
//   CHECK-NOT:   nvvm
gpu.module @kernels {
  llvm.mlir.global internal @s() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<2048 x i8>
  llvm.func @groups(%map: !llvm.ptr {llvm.byval = !llvm.array<128 x i8>}, %y: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    %s = llvm.mlir.addressof @s : !llvm.ptr<3>
    %one = llvm.mlir.constant(1 : i32) : i32
    %d = llvm.mlir.constant(1 : i64) : i64
    %f = llvm.mlir.constant(0.0 : f32) : f32
    %b = llvm.getelementptr %s[1024] : (!llvm.ptr<3>) -> !llvm.ptr<3>, i8
    nvvm.mbarrier.init %b, %one : !llvm.ptr<3>, i32
    nvvm.fence.mbarrier.init
    nvvm.mbarrier.arrive.expect_tx %b, %one : !llvm.ptr<3>, i32
    %to = llvm.addrspacecast %s : !llvm.ptr<3> to !llvm.ptr<7>
    nvvm.cp.async.bulk.tensor.shared.cluster.global %to, %map, %b, box[%one, %one] : !llvm.ptr<7>, !llvm.ptr
    %done = nvvm.mbarrier.try_wait %b, %one : !llvm.ptr<3>, i32 -> i1
    nvvm.wgmma.fence.aligned
    %r = llvm.inline_asm has_side_effects asm_dialect = att "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {$0, $1, $2, $3}, {$8, $9, $10, $11}, $12, 1, 1, 1, 0;", "=f,=f,=f,=f,0,1,2,3,r,r,r,r,l" %f, %f, %f, %f, %one, %one, %one, %one, %d : (f32, f32, f32, f32, i32, i32, i32, i32, i64) -> !llvm.struct<(f32, f32, f32, f32)>
    nvvm.wgmma.commit.group.sync.aligned
    %r0 = llvm.extractvalue %r[0] : !llvm.struct<(f32, f32, f32, f32)>
    %e = llvm.inline_asm has_side_effects asm_dialect = att "wgmma.wait_group.sync.aligned 0;", "=f,0" %r0 : (f32) -> !llvm.struct<(f32)>
    nvvm.bar.warp.sync %one : i32
    nvvm.mbarrier.inval %b : !llvm.ptr<3>
    llvm.return
  }
}

// -----

gpu.module @kernels {
  llvm.func @k(%x: !llvm.ptr) attributes {gpu.kernel, nvvm.kernel} {
    // expected-error @below {{has no emulation, expected wgmma of bf16 with A in registers, or a wait for it}}
    llvm.inline_asm has_side_effects asm_dialect = att "trap;", "" : () -> ()
    llvm.return
  }
}
