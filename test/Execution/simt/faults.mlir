// Kernels with a fault each, which the emulator must find and name, and one
// without: it mirrors 64 numbers by shared memory.

// REQUIRES: numpy, safetensors
// RUN: %python %S/../../Driver/Inputs/tensors.py write %t.in.safetensors \
// RUN:   x=64:1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,61,62,63,64
// RUN: weirc %s --quiet -o %t.exe
// RUN: %t.exe --inputs %t.in.safetensors --outputs %t.out.safetensors --function=good
// RUN: %python %S/../../Driver/Inputs/tensors.py print %t.out.safetensors \
// RUN:   | FileCheck %s --check-prefix=GOOD
// RUN: not %t.exe --inputs %t.in.safetensors --outputs %t.out.safetensors \
// RUN:   --function=race_read 2>&1 | FileCheck %s --check-prefix=RACE-READ
// RUN: not %t.exe --inputs %t.in.safetensors --outputs %t.out.safetensors \
// RUN:   --function=race_write 2>&1 | FileCheck %s --check-prefix=RACE-WRITE
// RUN: not %t.exe --inputs %t.in.safetensors --outputs %t.out.safetensors \
// RUN:   --function=race_overwrite 2>&1 | FileCheck %s --check-prefix=RACE-OVERWRITE
// RUN: not %t.exe --inputs %t.in.safetensors --outputs %t.out.safetensors \
// RUN:   --function=unwritten 2>&1 | FileCheck %s --check-prefix=UNWRITTEN
// RUN: not %t.exe --inputs %t.in.safetensors --outputs %t.out.safetensors \
// RUN:   --function=outside 2>&1 | FileCheck %s --check-prefix=OUTSIDE
// RUN: not %t.exe --inputs %t.in.safetensors --outputs %t.out.safetensors \
// RUN:   --function=misaligned 2>&1 | FileCheck %s --check-prefix=MISALIGNED
// RUN: not %t.exe --inputs %t.in.safetensors --outputs %t.out.safetensors \
// RUN:   --function=absent 2>&1 | FileCheck %s --check-prefix=ABSENT
// RUN: not %t.exe --inputs %t.in.safetensors --outputs %t.out.safetensors \
// RUN:   --function=two_barriers 2>&1 | FileCheck %s --check-prefix=TWO-BARRIERS
// RUN: not %t.exe --inputs %t.in.safetensors --outputs %t.out.safetensors \
// RUN:   --function=alone 2>&1 | FileCheck %s --check-prefix=ALONE

#shared = #gpu.address_space<workgroup>

module attributes {
  weir.stage = "bufferized",
  weir.weights_bytes = 0 : i64,
  weir.options = {lowering = "optimized", quantize = "stored", compute = "",
                  computes = "f32", target = "simt", cpu = "x86-64-v3",
                  features = ""},
  weir.interface = {add_bos = 0 : i64, bos = -1 : i64, eos = array<i32>,
    max_block = 512 : i64, max_length = -9223372036854775808 : i64, name = "",
    pad = -1 : i64, slots = [], vocab_size = 0 : i64,
    functions = [
    {args = [{axes = array<i32: 0>, dtype = 0 : i64, name = "x", role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, sequence = 0 : i64, limit = 0 : i64}], method = 3 : i64, name = "good", results = [{axes = array<i32: 0>, dtype = 0 : i64, name = "y", role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, sequence = 0 : i64, limit = 0 : i64}],
     time = -9223372036854775808 : i64},
    {args = [{axes = array<i32: 0>, dtype = 0 : i64, name = "x", role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, sequence = 0 : i64, limit = 0 : i64}], method = 3 : i64, name = "race_read", results = [{axes = array<i32: 0>, dtype = 0 : i64, name = "y", role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, sequence = 0 : i64, limit = 0 : i64}],
     time = -9223372036854775808 : i64},
    {args = [{axes = array<i32: 0>, dtype = 0 : i64, name = "x", role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, sequence = 0 : i64, limit = 0 : i64}], method = 3 : i64, name = "race_write", results = [{axes = array<i32: 0>, dtype = 0 : i64, name = "y", role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, sequence = 0 : i64, limit = 0 : i64}],
     time = -9223372036854775808 : i64},
    {args = [{axes = array<i32: 0>, dtype = 0 : i64, name = "x", role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, sequence = 0 : i64, limit = 0 : i64}], method = 3 : i64, name = "race_overwrite", results = [{axes = array<i32: 0>, dtype = 0 : i64, name = "y", role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, sequence = 0 : i64, limit = 0 : i64}],
     time = -9223372036854775808 : i64},
    {args = [{axes = array<i32: 0>, dtype = 0 : i64, name = "x", role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, sequence = 0 : i64, limit = 0 : i64}], method = 3 : i64, name = "unwritten", results = [{axes = array<i32: 0>, dtype = 0 : i64, name = "y", role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, sequence = 0 : i64, limit = 0 : i64}],
     time = -9223372036854775808 : i64},
    {args = [{axes = array<i32: 0>, dtype = 0 : i64, name = "x", role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, sequence = 0 : i64, limit = 0 : i64}], method = 3 : i64, name = "outside", results = [{axes = array<i32: 0>, dtype = 0 : i64, name = "y", role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, sequence = 0 : i64, limit = 0 : i64}],
     time = -9223372036854775808 : i64},
    {args = [{axes = array<i32: 0>, dtype = 0 : i64, name = "x", role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, sequence = 0 : i64, limit = 0 : i64}], method = 3 : i64, name = "misaligned", results = [{axes = array<i32: 0>, dtype = 0 : i64, name = "y", role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, sequence = 0 : i64, limit = 0 : i64}],
     time = -9223372036854775808 : i64},
    {args = [{axes = array<i32: 0>, dtype = 0 : i64, name = "x", role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, sequence = 0 : i64, limit = 0 : i64}], method = 3 : i64, name = "absent", results = [{axes = array<i32: 0>, dtype = 0 : i64, name = "y", role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, sequence = 0 : i64, limit = 0 : i64}],
     time = -9223372036854775808 : i64},
    {args = [{axes = array<i32: 0>, dtype = 0 : i64, name = "x", role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, sequence = 0 : i64, limit = 0 : i64}], method = 3 : i64, name = "two_barriers", results = [{axes = array<i32: 0>, dtype = 0 : i64, name = "y", role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, sequence = 0 : i64, limit = 0 : i64}],
     time = -9223372036854775808 : i64},
    {args = [{axes = array<i32: 0>, dtype = 0 : i64, name = "x", role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, sequence = 0 : i64, limit = 0 : i64}], method = 3 : i64, name = "alone", results = [{axes = array<i32: 0>, dtype = 0 : i64, name = "y", role = 0 : i64, shape = array<i64: 64>, slot = -1 : i64, sequence = 0 : i64, limit = 0 : i64}],
     time = -9223372036854775808 : i64}]}
} {


// GOOD: y 64: 64 63 62 {{.*}} 3 2 1
func.func @good(%x: memref<64xf32>, %weights: memref<?xi8>, %arena: memref<?xi8>)
    -> memref<64xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c63 = arith.constant 63 : index
  %c32 = arith.constant 32 : index
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c64, %ny = %c1, %nz = %c1)
             workgroup(%s : memref<64xf32, #shared>) {
    %v = memref.load %x[%t] : memref<64xf32>
    %mirror = arith.subi %c63, %t : index
    memref.store %v, %s[%t] : memref<64xf32, #shared>
    gpu.barrier
    %o = memref.load %s[%mirror] : memref<64xf32, #shared>
    memref.store %o, %x[%t] : memref<64xf32>
    gpu.terminator
  }
  return %x : memref<64xf32>
}
func.func @good__arena(%x: memref<64xf32>, %weights: memref<?xi8>, %arena: memref<?xi8>)
    -> i64 {
  %0 = arith.constant 0 : i64
  return %0 : i64
}

// No barrier between a write and a read of another thread.
// RACE-READ: kernel 'race_read_kernel', block 0, thread {{[0-9]+}} {{reads what thread [0-9]+ writes|writes what thread [0-9]+ reads}} since the last barrier: byte {{[0-9]+}} of shared buffer 0, at {{.*}}faults.mlir:
func.func @race_read(%x: memref<64xf32>, %weights: memref<?xi8>, %arena: memref<?xi8>)
    -> memref<64xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c63 = arith.constant 63 : index
  %c32 = arith.constant 32 : index
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c64, %ny = %c1, %nz = %c1)
             workgroup(%s : memref<64xf32, #shared>) {
    %v = memref.load %x[%t] : memref<64xf32>
    %mirror = arith.subi %c63, %t : index
    memref.store %v, %s[%t] : memref<64xf32, #shared>
    gpu.barrier
    memref.store %v, %s[%t] : memref<64xf32, #shared>
    %o = memref.load %s[%mirror] : memref<64xf32, #shared>
    memref.store %o, %x[%t] : memref<64xf32>
    gpu.terminator
  }
  return %x : memref<64xf32>
}
func.func @race_read__arena(%x: memref<64xf32>, %weights: memref<?xi8>, %arena: memref<?xi8>)
    -> i64 {
  %0 = arith.constant 0 : i64
  return %0 : i64
}

// All threads write one place.
// RACE-WRITE: thread {{[0-9]+}} writes what thread {{[0-9]+}} writes since the last barrier: byte 0 of shared buffer 0
func.func @race_write(%x: memref<64xf32>, %weights: memref<?xi8>, %arena: memref<?xi8>)
    -> memref<64xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c63 = arith.constant 63 : index
  %c32 = arith.constant 32 : index
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c64, %ny = %c1, %nz = %c1)
             workgroup(%s : memref<64xf32, #shared>) {
    %v = memref.load %x[%t] : memref<64xf32>
    %mirror = arith.subi %c63, %t : index
    memref.store %v, %s[%c0] : memref<64xf32, #shared>
    gpu.terminator
  }
  return %x : memref<64xf32>
}
func.func @race_write__arena(%x: memref<64xf32>, %weights: memref<?xi8>, %arena: memref<?xi8>)
    -> i64 {
  %0 = arith.constant 0 : i64
  return %0 : i64
}

// No barrier between a read and a write of another thread.
// RACE-OVERWRITE: thread {{[0-9]+}} {{writes what thread [0-9]+ reads|reads what thread [0-9]+ writes}} since the last barrier
func.func @race_overwrite(%x: memref<64xf32>, %weights: memref<?xi8>, %arena: memref<?xi8>)
    -> memref<64xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c63 = arith.constant 63 : index
  %c32 = arith.constant 32 : index
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c64, %ny = %c1, %nz = %c1)
             workgroup(%s : memref<64xf32, #shared>) {
    %v = memref.load %x[%t] : memref<64xf32>
    %mirror = arith.subi %c63, %t : index
    memref.store %v, %s[%t] : memref<64xf32, #shared>
    gpu.barrier
    %o = memref.load %s[%mirror] : memref<64xf32, #shared>
    memref.store %o, %s[%t] : memref<64xf32, #shared>
    gpu.terminator
  }
  return %x : memref<64xf32>
}
func.func @race_overwrite__arena(%x: memref<64xf32>, %weights: memref<?xi8>, %arena: memref<?xi8>)
    -> i64 {
  %0 = arith.constant 0 : i64
  return %0 : i64
}

// Half of the buffer is never written.
// UNWRITTEN: reads unwritten shared memory: byte {{[0-9]+}} of shared buffer 0
func.func @unwritten(%x: memref<64xf32>, %weights: memref<?xi8>, %arena: memref<?xi8>)
    -> memref<64xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c63 = arith.constant 63 : index
  %c32 = arith.constant 32 : index
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c64, %ny = %c1, %nz = %c1)
             workgroup(%s : memref<64xf32, #shared>) {
    %v = memref.load %x[%t] : memref<64xf32>
    %mirror = arith.subi %c63, %t : index
    %low = arith.cmpi ult, %t, %c32 : index
    scf.if %low {
      memref.store %v, %s[%t] : memref<64xf32, #shared>
    }
    gpu.barrier
    %o = memref.load %s[%mirror] : memref<64xf32, #shared>
    memref.store %o, %x[%t] : memref<64xf32>
    gpu.terminator
  }
  return %x : memref<64xf32>
}
func.func @unwritten__arena(%x: memref<64xf32>, %weights: memref<?xi8>, %arena: memref<?xi8>)
    -> i64 {
  %0 = arith.constant 0 : i64
  return %0 : i64
}

// An index that is one too large.
// OUTSIDE: thread 63 writes outside of shared memory: 4 bytes at 256 of shared buffer 0, which has 256
func.func @outside(%x: memref<64xf32>, %weights: memref<?xi8>, %arena: memref<?xi8>)
    -> memref<64xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c63 = arith.constant 63 : index
  %c32 = arith.constant 32 : index
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c64, %ny = %c1, %nz = %c1)
             workgroup(%s : memref<64xf32, #shared>) {
    %v = memref.load %x[%t] : memref<64xf32>
    %mirror = arith.subi %c63, %t : index
    %next = arith.addi %t, %c1 : index
    memref.store %v, %s[%next] : memref<64xf32, #shared>
    gpu.terminator
  }
  return %x : memref<64xf32>
}
func.func @outside__arena(%x: memref<64xf32>, %weights: memref<?xi8>, %arena: memref<?xi8>)
    -> i64 {
  %0 = arith.constant 0 : i64
  return %0 : i64
}

// Floats at an odd place.
// MISALIGNED: writes misaligned shared memory: 4 bytes at byte {{[0-9]+}} of shared buffer 0, expected a multiple of 4
func.func @misaligned(%x: memref<64xf32>, %weights: memref<?xi8>, %arena: memref<?xi8>)
    -> memref<64xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c63 = arith.constant 63 : index
  %c32 = arith.constant 32 : index
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c64, %ny = %c1, %nz = %c1)
             workgroup(%s : memref<260xi8, #shared>) {
    %v = memref.load %x[%t] : memref<64xf32>
    %mirror = arith.subi %c63, %t : index
    %f = memref.view %s[%c1][] : memref<260xi8, #shared> to memref<64xf32, #shared>
    memref.store %v, %f[%t] : memref<64xf32, #shared>
    gpu.terminator
  }
  return %x : memref<64xf32>
}
func.func @misaligned__arena(%x: memref<64xf32>, %weights: memref<?xi8>, %arena: memref<?xi8>)
    -> i64 {
  %0 = arith.constant 0 : i64
  return %0 : i64
}

// Half of the threads come to a barrier.
// ABSENT: waits at a barrier that thread {{[0-9]+}} never comes to
func.func @absent(%x: memref<64xf32>, %weights: memref<?xi8>, %arena: memref<?xi8>)
    -> memref<64xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c63 = arith.constant 63 : index
  %c32 = arith.constant 32 : index
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c64, %ny = %c1, %nz = %c1)
             workgroup(%s : memref<64xf32, #shared>) {
    %v = memref.load %x[%t] : memref<64xf32>
    %mirror = arith.subi %c63, %t : index
    %low = arith.cmpi ult, %t, %c32 : index
    scf.if %low {
      gpu.barrier
    }
    memref.store %v, %x[%mirror] : memref<64xf32>
    gpu.terminator
  }
  return %x : memref<64xf32>
}
func.func @absent__arena(%x: memref<64xf32>, %weights: memref<?xi8>, %arena: memref<?xi8>)
    -> i64 {
  %0 = arith.constant 0 : i64
  return %0 : i64
}

// The halves come to different barriers.
// TWO-BARRIERS: waits at a barrier that thread {{[0-9]+}} does not come to: it waits at {{.*}}faults.mlir
func.func @two_barriers(%x: memref<64xf32>, %weights: memref<?xi8>, %arena: memref<?xi8>)
    -> memref<64xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c63 = arith.constant 63 : index
  %c32 = arith.constant 32 : index
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c64, %ny = %c1, %nz = %c1)
             workgroup(%s : memref<64xf32, #shared>) {
    %v = memref.load %x[%t] : memref<64xf32>
    %mirror = arith.subi %c63, %t : index
    %low = arith.cmpi ult, %t, %c32 : index
    scf.if %low {
      memref.store %v, %s[%t] : memref<64xf32, #shared>
      gpu.barrier
    } else {
      gpu.barrier
      memref.store %v, %s[%t] : memref<64xf32, #shared>
    }
    gpu.terminator
  }
  return %x : memref<64xf32>
}
func.func @two_barriers__arena(%x: memref<64xf32>, %weights: memref<?xi8>, %arena: memref<?xi8>)
    -> i64 {
  %0 = arith.constant 0 : i64
  return %0 : i64
}

// Half of a warp comes to a shuffle of all of it.
// ALONE: waits in a shuffle for lanes that do not come
func.func @alone(%x: memref<64xf32>, %weights: memref<?xi8>, %arena: memref<?xi8>)
    -> memref<64xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c64 = arith.constant 64 : index
  %c63 = arith.constant 63 : index
  %c32 = arith.constant 32 : index
  gpu.launch blocks(%b, %by, %bz) in (%g = %c1, %gy = %c1, %gz = %c1)
             threads(%t, %ty, %tz) in (%n = %c64, %ny = %c1, %nz = %c1)
             workgroup(%s : memref<64xf32, #shared>) {
    %v = memref.load %x[%t] : memref<64xf32>
    %mirror = arith.subi %c63, %t : index
    %c16 = arith.constant 16 : index
    %i1 = arith.constant 1 : i32
    %i32 = arith.constant 32 : i32
    %lane = arith.remui %t, %c32 : index
    %low = arith.cmpi ult, %lane, %c16 : index
    scf.if %low {
      %o, %ok = gpu.shuffle xor %v, %i1, %i32 : f32
      memref.store %o, %x[%t] : memref<64xf32>
    }
    gpu.terminator
  }
  return %x : memref<64xf32>
}
func.func @alone__arena(%x: memref<64xf32>, %weights: memref<?xi8>, %arena: memref<?xi8>)
    -> i64 {
  %0 = arith.constant 0 : i64
  return %0 : i64
}
}
