"""The GPU of this machine, and what it can do at most."""

import ctypes
import platform
import shutil
import subprocess

#: Dense bf16 and tf32 in TFLOP/s and memory in GB/s, by what names hold, the
#: first that fits: NVIDIA's data sheets, at the highest clocks.
PEAKS = (
    ("H200", 989.4, 494.7, 4800),
    ("H100 NVL", 835.5, 417.7, 3938),
    ("H100 PCIe", 756.4, 378.2, 2039),
    ("H100", 989.4, 494.7, 3352),
    ("A100-SXM4-40GB", 312, 156, 1555),
    ("A100-PCIE-40GB", 312, 156, 1555),
    ("A100 80GB PCIe", 312, 156, 1935),
    ("A100", 312, 156, 2039),
    ("L40S", 362, 183, 864),
    ("L4", 121, 60, 300),
    ("RTX 4090", 165.2, 82.6, 1008),
    ("RTX 3090", 71, 35.6, 936),
    ("A10", 125, 62.5, 600),
)


class NoGPU(RuntimeError):
    """The message says what is missing."""


def find():
    """The first GPU's name and its architecture's number, from the driver."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise NoGPU(
            "no CUDA driver here (libcuda.so.1 is not found): expected a machine "
            "with an NVIDIA GPU and its driver"
        ) from error

    def call(name, *arguments):
        status = getattr(driver, name)(*arguments)
        if status:
            text = ctypes.c_char_p()
            driver.cuGetErrorString(status, ctypes.byref(text))
            raise NoGPU(f"no CUDA device here: {name}: "
                        f"{(text.value or b'?').decode()} ({status})")

    call("cuInit", 0)
    count, device = ctypes.c_int(), ctypes.c_int()
    call("cuDeviceGetCount", ctypes.byref(count))
    if not count.value:
        raise NoGPU("no CUDA device here: the driver counts none")
    call("cuDeviceGet", ctypes.byref(device), 0)
    name = ctypes.create_string_buffer(256)
    call("cuDeviceGetName", name, 256, device)
    numbers = []
    for attribute in (75, 76):
        number = ctypes.c_int()
        call("cuDeviceGetAttribute", ctypes.byref(number), attribute, device)
        numbers.append(number.value)
    return name.value.decode(), numbers[0] * 10 + numbers[1]


def choose(archs, here):
    """The architecture of `archs` that runs best on sm_`here`, or None: those
    with an `a` run on it alone, others on later ones too."""
    def rank(arch):
        number = int(arch[3:].rstrip("a"))
        exact = arch.endswith("a")
        runs = number == here if exact else number <= here
        return (number, exact) if runs else (-1, False)

    best = max(archs, key=rank, default=None)
    return best if best and rank(best)[0] >= 0 else None


QUERIES = {
    "driver": "driver_version",
    "clock_mhz": "clocks.sm",
    "memory_clock_mhz": "clocks.mem",
    "most_clock_mhz": "clocks.max.sm",
    "power_w": "power.draw",
    "temperature_c": "temperature.gpu",
}


def query():
    """What nvidia-smi tells at this moment; empty where it is absent."""
    if not shutil.which("nvidia-smi"):
        return {}
    done = subprocess.run(
        ["nvidia-smi", f"--query-gpu={','.join(QUERIES.values())}",
         "--format=csv,noheader,nounits", "--id=0"],
        capture_output=True, text=True,
    )
    if done.returncode:
        return {}
    values = [value.strip() for value in done.stdout.split(",")]
    return dict(zip(QUERIES, values))


def find_peaks(name, torch):
    """TFLOP/s by type, GB/s, and where they are from; None where nobody knows."""
    for part, bf16, tf32, memory in PEAKS:
        if part in name:
            return {"bf16_tflops": bf16, "tf32_tflops": tf32,
                    "memory_gbs": memory, "from": f"data sheet of {part}"}
    return measure(torch) if torch else None


def measure(torch):
    """What a large product and a large copy reach."""
    from .peers import time_calls

    x = torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16)
    y = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    z = torch.empty_like(y)
    torch.backends.cuda.matmul.allow_tf32 = True
    wide = x.float()
    work = 2 * 8192**3 / 1e9
    return {
        "bf16_tflops": work / min(time_calls(torch, lambda: x @ x, 20)),
        "tf32_tflops": work / min(time_calls(torch, lambda: wide @ wide, 20)),
        "memory_gbs": 2 * y.numel() / 1e6 / min(
            time_calls(torch, lambda: z.copy_(y), 20)),
        "from": "a product of 8192 and a copy of 1 GiB through torch",
    }


def describe():
    return {"cpu": platform.processor() or platform.machine(),
            "kernel": platform.release(), "python": platform.python_version()}
