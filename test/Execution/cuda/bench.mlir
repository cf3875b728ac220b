// Calls timed by a GPU's events, with a driver that only pretends: it takes a
// quarter of a millisecond per launch, so that the figures say that the launches
// of a call, and nothing else, are between two events.

// REQUIRES: numpy, safetensors, cuda-driver-absent
// RUN: rm -rf %t && mkdir -p %t/driver
// RUN: weirc %s --target=cuda --gpu-arch=sm_90a --quiet -o %t/model
// RUN: %link_shared %S/Inputs/fake_driver.cpp -fPIC -o %t/driver/libcuda.so.1
// RUN: env LD_LIBRARY_PATH=%t/driver FAKE_GPU=sm_90 %t/model --bench 3 \
// RUN:   | FileCheck %s --check-prefix=ONE
// RUN: env LD_LIBRARY_PATH=%t/driver FAKE_GPU=sm_90 %t/model --bench 2 \
// RUN:   --function=two --stats --seed 1 --outputs %t/out > %t/two.json \
// RUN:   2> %t/two.txt
// RUN: FileCheck %s --check-prefix=TWO < %t/two.txt
// RUN: %python -c "import json; two = json.load(open('%t/two.json')); \
// RUN:   assert two['kernels'] > 1 and \
// RUN:     two['median_ms'] == two['kernels'] / 4, two"
// RUN: %python %S/../../Driver/Inputs/tensors.py print %t/out | FileCheck %s
// RUN: not env LD_LIBRARY_PATH=%t/driver FAKE_GPU=none %t/model --bench 3 2>&1 \
// RUN:   | FileCheck %s --check-prefix=NONE

// ONE: "function": "one"
// ONE: "clock": "device"
// ONE: "calls": 3
// ONE: "median_ms": 0.25
// ONE: "min_ms": 0.25
// ONE: "max_ms": 0.25
// ONE: "kernels": 1
// ONE: "name": "Fake GPU"
// ONE: "arch": "sm_90"
// ONE: "code": "sm_90a"
// ONE: "cuda": "13.0"
// ONE: "multiprocessors": 132
// ONE: "most_clock_mhz": 1980
// ONE: "most_memory_clock_mhz": 2619

// TWO: on: Fake GPU, sm_90 with code for sm_90a, 132 multiprocessors at up to 1980 MHz, memory at up to 2619 MHz, driver for CUDA 13.0
// TWO: two: median {{[0-9.]+}} ms, least {{[0-9.]+}} ms, of 2 calls of {{[0-9]+}} kernels, by the device's clock

// CHECK: y 4x4: 0

// NONE: error: no CUDA device here: CUDA_ERROR_NO_DEVICE

func.func @one(%x: tensor<4xf32> {weir.name = "x"})
    -> (tensor<4xf32> {weir.name = "y"}) {
  %0 = arith.addf %x, %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}

// Two products that nothing fuses.
func.func @two(%x: tensor<4x4xf32> {weir.name = "x"})
    -> (tensor<4x4xf32> {weir.name = "y"}) {
  %0 = weir.linear %x, %x : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  %1 = weir.linear %0, %x : tensor<4x4xf32>, tensor<4x4xf32> -> tensor<4x4xf32>
  return %1 : tensor<4x4xf32>
}
