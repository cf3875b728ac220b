"""What one would run instead, each on the very inputs that Weir gets.

A peer is built from a workload and its tensors and gives a call without
arguments whose result is laid out as the workload's. What is missing raises
Absent, with the reason; what else goes wrong is the peer's result too.
"""

import importlib
import time

#: As lib/Runtime/CudaTimer.h has it.
SCRUB_BYTES = 256 << 20
WARM_CALLS, WARM_SECONDS = 3, 0.05


class Absent(RuntimeError):
    """This machine has no such peer, or it has no form of this workload."""


def load(name):
    """A package, or Absent with what importing it says."""
    try:
        return importlib.import_module(name)
    except Exception as error:  # packages for GPUs fail in many ways
        raise Absent(f"{name}: {type(error).__name__}: {error}".split("\n")[0]) from error


def find_torch():
    torch = load("torch")
    if not torch.cuda.is_available():
        raise Absent("torch sees no CUDA device")
    return torch


def time_calls(torch, call, count):
    """Milliseconds of each of `count` calls, timed as the runtime times its own:
    a pair of events around each, and caches scrubbed in front."""
    begin, warm = time.perf_counter(), 0
    while warm < WARM_CALLS or time.perf_counter() - begin < WARM_SECONDS:
        call()
        torch.cuda.synchronize()
        warm += 1
    scrub = torch.empty(SCRUB_BYTES, dtype=torch.uint8, device="cuda")
    pairs = [
        [torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(count)
    ]
    for first, last in pairs:
        scrub.zero_()
        first.record()
        call()
        last.record()
    torch.cuda.synchronize()
    return [first.elapsed_time(last) for first, last in pairs]


def capture(torch, call):
    """The call as a CUDA graph, so that what launches cost in Python does not
    count, and True; itself and False where it cannot be captured."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_CALLS):
            call()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            call()
    except RuntimeError:
        torch.cuda.synchronize()
        return call, False
    return graph.replay, True


def upload(torch, tensors, device="cuda"):
    """NumPy's tensors on the device; uint16 is bf16."""
    def move(x):
        if x.dtype.itemsize == 2:
            return torch.from_numpy(x.view("int16")).to(device).view(torch.bfloat16)
        return torch.from_numpy(x).to(device)

    return {name: move(x) for name, x in tensors.items()}


def to_numpy(torch, x):
    """A result as workloads hold it."""
    x = x.detach().contiguous().cpu()
    if x.dtype == torch.bfloat16:
        return x.view(torch.int16).numpy().view("uint16")
    return x.float().numpy()


def matmul(torch, d, x):
    torch.backends.cuda.matmul.allow_tf32 = d["dtype"] == "f32"
    columns = x["w"].t()
    return lambda: torch.matmul(x["x"], columns)


def sdpa(backend):
    def build(torch, d, x):
        kernels = load("torch.nn.attention")
        chosen = getattr(kernels.SDPBackend, backend)
        # Heads in front of time, as views: none of these copies.
        q, k, v = (x[name].transpose(1, 2) for name in "qkv")
        more = {"enable_gqa": True} if d["G"] != d["H"] else {}
        if d["window"]:
            if backend == "FLASH_ATTENTION":
                raise Absent("torch's flash attention takes no window")
            at = torch.arange(d["T"], device=q.device)
            behind = at[:, None] - at[None, :]
            more["attn_mask"] = (behind >= 0) & (behind < d["window"])
        else:
            more["is_causal"] = True
        attend = torch.nn.functional.scaled_dot_product_attention

        def call():
            with kernels.sdpa_kernel(chosen):
                return attend(q, k, v, **more).transpose(1, 2)

        return call

    return build


def flex(torch, d, x):
    """Torch's compiled attention, which leaves tiles that a mask hides."""
    module = load("torch.nn.attention.flex_attention")
    window = d["window"] or d["T"]

    def shown(b, h, i, j):
        return (j <= i) & (i - j < window)

    mask = module.create_block_mask(shown, None, None, d["T"], d["T"], device="cuda")
    attend = torch.compile(module.flex_attention, dynamic=False)
    q, k, v = (x[name].transpose(1, 2) for name in "qkv")
    gqa = d["G"] != d["H"]
    return lambda: attend(q, k, v, block_mask=mask, enable_gqa=gqa).transpose(1, 2)


def flash_attn(torch, d, x):
    attend = load("flash_attn").flash_attn_func
    window = (d["window"] - 1, 0) if d["window"] else (-1, -1)
    return lambda: attend(x["q"], x["k"], x["v"], causal=True, window_size=window)


def chunked(module, name):
    """A recurrence of flash-linear-attention, by Triton."""
    def build(torch, d, x):
        call = getattr(load(f"fla.ops.{module}"), name)
        given = dict(x)
        if x["q"].shape[2] != d["H"]:
            # It has queries and keys for each head.
            for part in "qk":
                given[part] = x[part].expand(-1, -1, d["H"], -1).contiguous()
        return lambda: call(**given, scale=d["K"] ** -0.5)[0]

    return build


def chunk_scan(torch, d, x):
    """Mamba-2's own kernels. They take steps and rates apart: with rates of -1
    the steps are the gates, by which it multiplies its input."""
    scan = load("mamba_ssm.ops.triton.ssd_combined").mamba_chunk_scan_combined
    steps = -x["g"]
    inputs = (x["v"].float() / steps[..., None]).to(x["v"].dtype)
    rates = -torch.ones(d["H"], device=steps.device)
    queries = (x["q"].float() * d["K"] ** -0.5).to(x["q"].dtype)
    return lambda: scan(inputs, steps, rates, x["k"], queries, chunk_size=256)


BUILDERS = {
    "torch:matmul": matmul,
    "torch:flash": sdpa("FLASH_ATTENTION"),
    "torch:cudnn": sdpa("CUDNN_ATTENTION"),
    "torch:efficient": sdpa("EFFICIENT_ATTENTION"),
    "torch:flex": flex,
    "flash_attn": flash_attn,
    "fla:chunk_gated_delta_rule": chunked("gated_delta_rule",
                                          "chunk_gated_delta_rule"),
    "fla:chunk_gla": chunked("gla", "chunk_gla"),
    "fla:chunk_simple_gla": chunked("simple_gla", "chunk_simple_gla"),
    "mamba_ssm:chunk_scan": chunk_scan,
}


def versions():
    """Of what could be imported."""
    found = {}
    for name in ("torch", "triton", "fla", "flash_attn", "mamba_ssm", "numpy"):
        try:
            found[name] = getattr(load(name), "__version__", "?")
        except Absent:
            pass
    return found
