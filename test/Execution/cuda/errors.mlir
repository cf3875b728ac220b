// What a model for a GPU says where it cannot run, with a driver that only
// pretends; and that all goes through with one that has what is needed.

// REQUIRES: numpy, safetensors, cuda-driver-absent
// RUN: rm -rf %t && mkdir -p %t/driver
// RUN: %python %S/../../Driver/Inputs/tensors.py write %t/in x=4:1,2,3,4
// RUN: weirc %s --target=cuda --gpu-arch=sm_86,sm_90a --quiet -o %t/model
// RUN: not %t/model --inputs %t/in --outputs %t/out 2>&1 \
// RUN:   | FileCheck %s --check-prefix=DRIVER
// RUN: %link_shared %S/Inputs/fake_driver.cpp -fPIC -o %t/driver/libcuda.so.1
// RUN: not env LD_LIBRARY_PATH=%t/driver FAKE_GPU=none \
// RUN:   %t/model --inputs %t/in --outputs %t/out 2>&1 \
// RUN:   | FileCheck %s --check-prefix=DEVICE
// RUN: not env LD_LIBRARY_PATH=%t/driver FAKE_GPU=sm_80 \
// RUN:   %t/model --inputs %t/in --outputs %t/out 2>&1 \
// RUN:   | FileCheck %s --check-prefix=ARCH
// RUN: not env LD_LIBRARY_PATH=%t/driver FAKE_GPU=sm_90,full \
// RUN:   %t/model --inputs %t/in --outputs %t/out 2>&1 \
// RUN:   | FileCheck %s --check-prefix=MEMORY
// RUN: env LD_LIBRARY_PATH=%t/driver FAKE_GPU=sm_89 \
// RUN:   %t/model --inputs %t/in --outputs %t/out
// RUN: %python %S/../../Driver/Inputs/tensors.py print %t/out | FileCheck %s
// RUN: %python -c "import numpy, safetensors.numpy as s; \
// RUN:   s.save_file({'arg0': numpy.zeros((1, 1, 2, 128), 'f4')}, '%t/q')"
// RUN: weirc %S/../../Driver/shared-memory.mlir --target=cuda \
// RUN:   --gpu-arch=sm_80 --quiet -o %t/wide
// RUN: not env LD_LIBRARY_PATH=%t/driver FAKE_GPU=sm_86 \
// RUN:   %t/wide --inputs %t/q --outputs %t/out 2>&1 \
// RUN:   | FileCheck %s --check-prefix=SHARED
// RUN: env LD_LIBRARY_PATH=%t/driver FAKE_GPU=sm_80 \
// RUN:   %t/wide --inputs %t/q --outputs %t/out

// DRIVER: error: no CUDA driver here (libcuda.so.1 is not found): expected a machine with an NVIDIA GPU and its driver, or a model compiled with --target=cpu
// DEVICE: error: no CUDA device here: CUDA_ERROR_NO_DEVICE (no CUDA-capable device is detected)
// ARCH: error: model {{.*}} was compiled for {{.*}}sm_86{{.*}}, and this GPU, Fake GPU, is sm_80: compile it with --gpu-arch=sm_80
// MEMORY: too little memory on GPU Fake GPU: {{[0-9]+}} bytes are needed, 1000 of 2000 are free
// SHARED: GPU: shared memory: {{.*}}: kernel {{.*}} needs {{[0-9]+}} bytes, more than Fake GPU gives a block; compile the model with --gpu-arch of this GPU
// CHECK: y 4: 0 0 0 0

func.func @f(%x: tensor<4xf32> {weir.name = "x"})
    -> (tensor<4xf32> {weir.name = "y"}) {
  %0 = arith.addf %x, %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}
