"""Compiled models in this process: the C interface of the runtime through ctypes.

`weirc --emit=shared` gives a library with the model's table (`weir_model`,
include/weir-rt/ModelDesc.h) and the runtime (include/weir-rt/Runtime.h).
"""

import ctypes as c
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from .machine import ROOT, cache_folder, digest

ABI_VERSION = 4
DYNAMIC = -(2**63)
F32, BF16, I32 = 0, 3, 5
ROLE_DATA, ROLE_WEIGHTS, ROLE_ARENA = 0, 3, 4
METHOD_PLAIN = 3
PAYLOAD_AT = 4096
OUTPUTS_LAST = 1


class CompileError(RuntimeError):
    """The compiler refused a model; the message is its own."""


def add_compiler_options(parser):
    """What both tools are told about the compiler."""
    parser.add_argument("--weirc", help="the compiler; default: the newest build's")
    parser.add_argument(
        "--compile-option",
        action="append",
        default=[],
        metavar="OPTION",
        help="passed to weirc, for example --compile-option=--reference",
    )


def find_weirc(given=None):
    """The compiler: as given, else in $WEIRC, else of the newest build."""
    chosen = given or os.environ.get("WEIRC")
    if chosen:
        return Path(chosen).resolve()
    built = list(ROOT.glob("build/*/bin/weirc"))
    if not built:
        raise SystemExit(
            "bench: error: no build/*/bin/weirc; run scripts/setup bench, "
            "or name it with --weirc or WEIRC"
        )
    return max(built, key=lambda path: path.stat().st_mtime)


def identity(path):
    status = os.stat(path)
    return f"{path}:{status.st_size}:{status.st_mtime_ns}"


def compile_shared(weirc, model, options, threads):
    """Compiles `model`, a path, into a cached library; returns its path."""
    arguments = [*options, f"--threads={threads}", "--emit=shared", "--quiet"]
    runtime = weirc.parent.parent / "lib" / "libweir_rt.a"
    key = digest(identity(weirc), identity(runtime), identity(model), *arguments)
    library = cache_folder() / f"weir-{key}" / "model.so"
    if library.exists():
        return library
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="new-") as folder:
        result = subprocess.run(
            [str(weirc), str(model), *arguments, "-o", f"{folder}/model.so"],
            capture_output=True,
            text=True,
        )
        if result.returncode:
            lines = result.stderr.strip().splitlines() or ["weirc failed"]
            # The line with the message; more of the model's text follows it.
            raise CompileError(next((l for l in lines if "error:" in l), lines[0]))
        shutil.copytree(folder, library.parent, dirs_exist_ok=True)
    return library


class ValueDesc(c.Structure):
    _fields_ = [
        ("name", c.c_char_p),
        ("shape", c.POINTER(c.c_int64)),
        ("axes", c.POINTER(c.c_int32)),
        ("dtype", c.c_int32),
        ("rank", c.c_int32),
        ("role", c.c_int32),
        ("slot", c.c_int32),
        ("sequence", c.c_int32),
        ("reserved", c.c_int32),
        ("limit", c.c_int64),
    ]


class FunctionDesc(c.Structure):
    _fields_ = [
        ("name", c.c_char_p),
        ("args", c.POINTER(ValueDesc)),
        ("results", c.POINTER(ValueDesc)),
        ("invoke", c.CFUNCTYPE(None, c.POINTER(c.c_void_p))),
        ("arena_bytes", c.CFUNCTYPE(c.c_int64, c.POINTER(c.c_void_p))),
        ("num_args", c.c_int32),
        ("num_results", c.c_int32),
        ("method", c.c_int32),
        ("reserved", c.c_int32),
        ("time", c.c_int64),
    ]


class ModelDesc(c.Structure):
    _fields_ = [
        ("abi_version", c.c_uint32),
        ("num_functions", c.c_uint32),
        ("num_slots", c.c_uint32),
        ("max_block", c.c_uint32),
        ("name", c.c_char_p),
        ("compiler", c.c_char_p),
        ("target", c.c_char_p),
        ("options", c.c_char_p),
        ("functions", c.POINTER(FunctionDesc)),
        ("slots", c.c_void_p),
        ("max_length", c.c_int64),
        ("vocab_size", c.c_int64),
        ("weights_bytes", c.c_int64),
    ]


class SessionOptions(c.Structure):
    _fields_ = [
        ("batch", c.c_int64),
        ("max_length", c.c_int64),
        ("max_block", c.c_int64),
        ("rollback_depth", c.c_int64),
        ("snapshot_every", c.c_int64),
        ("threads", c.c_int32),
        ("reserved", c.c_int32),
    ]


def load(library):
    """The library and its model table."""
    handle = c.CDLL(str(library))
    model = ModelDesc.in_dll(handle, "weir_model")
    if model.abi_version != ABI_VERSION:
        raise RuntimeError(
            f"{library} has ABI version {model.abi_version}, expected {ABI_VERSION}"
        )
    return handle, model


class Session:
    """One sequence that grows, over the C interface."""

    def __init__(self, library, threads, max_length):
        self.lib, model = load(library)
        for name in ("weir_program_open", "weir_session_open"):
            getattr(self.lib, name).restype = c.c_void_p
        self.lib.weir_error_message.restype = c.c_char_p
        self.lib.weir_error_message.argtypes = [c.c_void_p]
        self.lib.weir_reset.argtypes = [c.c_void_p]
        self.lib.weir_extend_into.argtypes = [
            *[c.c_void_p] * 3,
            c.c_int,
            c.c_void_p,
            c.c_size_t,
            c.c_void_p,
        ]
        self.lib.weir_rollback.argtypes = [c.c_void_p, c.c_int64, c.c_int64, c.c_void_p]
        error = c.c_void_p()
        program = self.lib.weir_program_open(
            c.byref(model), f"{library}.weights".encode(), c.byref(error)
        )
        self.check(program, error)
        options = SessionOptions(max_length=max_length, threads=threads)
        self.session = self.lib.weir_session_open(
            c.c_void_p(program), c.byref(options), c.byref(error)
        )
        self.check(self.session, error)
        self.logits = np.zeros(model.vocab_size, np.float32)

    def check(self, good, error):
        if not good:
            raise RuntimeError(self.lib.weir_error_message(error).decode())

    def reset(self):
        self.lib.weir_reset(self.session)

    def rollback(self, position):
        error = c.c_void_p()
        failed = self.lib.weir_rollback(self.session, 0, position, c.byref(error))
        self.check(not failed, error)

    def block(self, tokens):
        """Tokens in the form `extend` takes, made outside timed parts."""
        array = (c.c_int32 * len(tokens))(*tokens)
        pointers = (c.POINTER(c.c_int32) * 1)(c.cast(array, c.POINTER(c.c_int32)))
        return pointers, (c.c_int64 * 1)(len(tokens)), array

    def extend(self, block):
        """Appends tokens; the last one's logits are then in `logits`."""
        error = c.c_void_p()
        failed = self.lib.weir_extend_into(
            self.session,
            block[0],
            block[1],
            OUTPUTS_LAST,
            self.logits.ctypes.data,
            self.logits.nbytes,
            c.byref(error),
        )
        self.check(not failed, error)


def aligned(size, alignment=64):
    """`size` zeroed bytes that start at a multiple of `alignment`."""
    raw = np.zeros(size + alignment, np.uint8)
    start = -raw.ctypes.data % alignment
    return raw[start : start + size]


class Function:
    """One plain function with its arguments bound, ready to be called again
    and again: docs/adr/001-compiled-model-abi.md tells the calling convention.
    """

    def __init__(self, library, arguments, threads):
        """`arguments` maps names to dense arrays of the declared shapes;
        bf16 is held as uint16."""
        self.lib, model = load(library)
        self.lib.omp_set_num_threads(c.c_int(threads))
        self.function = next(
            function
            for function in model.functions[: model.num_functions]
            if function.method == METHOD_PLAIN
        )
        self.kept = []
        self.argv = (c.c_void_p * (self.function.num_args + 1))()
        arena = None
        for i in range(self.function.num_args):
            value = self.function.args[i]
            shape = list(value.shape[: value.rank])
            if value.role == ROLE_DATA:
                given = np.ascontiguousarray(arguments[value.name.decode()])
                if list(given.shape) != shape:
                    raise RuntimeError(
                        f"{value.name.decode()} has shape {given.shape}, "
                        f"expected {shape}"
                    )
                data = aligned(given.nbytes)
                data[:] = given.reshape(-1).view(np.uint8)
            elif value.role == ROLE_WEIGHTS:
                data = self.read_weights(library, model.weights_bytes)
                shape = [data.nbytes]
            elif value.role == ROLE_ARENA:
                data, shape, arena = aligned(64), [0], i
            else:
                raise RuntimeError(f"argument {value.name.decode()} is no tensor")
            self.bind(i, data, shape)
        results = self.function.results[: self.function.num_results]
        words = sum(3 + 2 * result.rank for result in results)
        self.result_words = (c.c_int64 * words)()
        self.argv[self.function.num_args] = c.addressof(self.result_words)
        if arena is not None:
            size = self.function.arena_bytes(self.argv)
            self.bind(arena, aligned(max(size, 64)), [size])

    def read_weights(self, library, size):
        if size == 0:
            return aligned(64)
        return np.memmap(
            f"{library}.weights", np.uint8, mode="r", offset=PAYLOAD_AT, shape=(size,)
        )

    def bind(self, index, data, shape):
        """Points argument `index` at `data` by a memref descriptor."""
        strides = [int(np.prod(shape[d + 1 :])) for d in range(len(shape))]
        address = data.ctypes.data
        words = [address, address, 0, *shape, *strides]
        descriptor = (c.c_int64 * len(words))(*words)
        self.kept += [data, descriptor]
        self.argv[index] = c.addressof(descriptor)

    def __call__(self):
        self.function.invoke(self.argv)

    def result(self):
        """A copy of the first result of the last call; bf16 as uint16."""
        value = self.function.results[0]
        rank = value.rank
        words = list(self.result_words)
        shape, strides = words[3 : 3 + rank], words[3 + rank : 3 + 2 * rank]
        dtype = {F32: np.float32, BF16: np.uint16, I32: np.int32}[value.dtype]
        size = np.dtype(dtype).itemsize
        span = 1 + sum((n - 1) * s for n, s in zip(shape, strides))
        buffer = (c.c_char * (span * size)).from_address(words[1] + words[2] * size)
        flat = np.frombuffer(buffer, dtype)
        return np.lib.stride_tricks.as_strided(
            flat, shape, [s * size for s in strides]
        ).copy()
