"""bench/gpu without a GPU: rehearse_gpu.py WEIRC FOLDER

Peers that a CPU runs are compared with the reference, a Llama's steps with its
prompts, and the whole of a run is rehearsed: the programs of a kit are those of
the emulator, and torch is told that its CPU is a GPU which captures no graphs.
What can be seen of kernels for GPUs is that names and layouts are as said.
"""

import contextlib
import json
import subprocess
import sys
import time
import types
from pathlib import Path

import torch
from torch.overrides import TorchFunctionMode

from weirbench.gpu import devices, llama, peers, reference, run, workloads

SHAPE = {"layers": 2, "hidden": 64, "heads": 4, "groups": 2, "inner": 96,
         "vocabulary": 101, "theta": 10000.0}
ON_CPU = ("torch:matmul", "torch:flash")


def check_peers():
    for workload in map(workloads.shrink, workloads.WORKLOADS):
        tensors = reference.draw(workload)
        expected = reference.Reference(workload, tensors)
        moved = peers.upload(torch, tensors, "cpu")
        for name in sorted(set(workload.maker.peers) & set(ON_CPU)):
            try:
                call = peers.BUILDERS[name](torch, workload.dims, moved)
            except peers.Absent as error:
                print(f"{workload.name}, {name}: absent: {error}")
                continue
            error = expected.error(peers.to_numpy(torch, call()))
            good = error <= workload.tolerance()
            print(f"{workload.name}, {name}: {'good' if good else error}")


def check_llama():
    tokens = torch.randint(0, SHAPE["vocabulary"], (9,))
    places = torch.arange(9)

    def make():
        return llama.Llama(torch, SHAPE, 12, "cpu", torch.float32)

    whole = [int(make().forward(tokens[:n], places[:n])) for n in (7, 8, 9)]
    model = make()
    steps = [int(model.forward(tokens[:7], places[:7]))]
    steps += [int(model.forward(tokens[n:n + 1], places[n:n + 1])) for n in (7, 8)]
    print("llama: good" if steps == whole else f"llama: {steps}, expected {whole}")


def check_choice():
    """sm_90a is for that GPU alone, sm_80 for later ones too."""
    archs = ["sm_80", "sm_90a"]
    found = [devices.choose(archs, here) for here in (75, 80, 89, 90, 100)]
    assert found == [None, "sm_80", "sm_80", "sm_90a", "sm_80"], found


class OnCpu(TorchFunctionMode):
    """What asks for the GPU gets the CPU."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if kwargs.get("device") == "cuda":
            kwargs["device"] = "cpu"
        args = ["cpu" if isinstance(a, str) and a == "cuda" else a for a in args]
        return function(*args, **kwargs)


class Event:
    def __init__(self, enable_timing):
        assert enable_timing

    def record(self):
        self.at = time.perf_counter()

    def elapsed_time(self, other):
        return (other.at - self.at) * 1e3


def graph(_):
    raise RuntimeError("this GPU captures no graphs")


def pretend():
    """torch.cuda as far as it is used, on the CPU."""
    stream = types.SimpleNamespace(wait_stream=lambda other: None)
    torch.cuda = types.SimpleNamespace(
        is_available=lambda: True, synchronize=lambda: None, Event=Event,
        Stream=lambda: stream, current_stream=lambda: stream,
        stream=lambda _: contextlib.nullcontext(), empty_cache=lambda: None,
        CUDAGraph=lambda: None, graph=graph, _is_in_bad_fork=lambda: False,
        manual_seed_all=lambda seed: None)
    peers.load = lambda name, load=peers.load: torch if name == "torch" else load(name)
    workloads.Attention.peers = ("torch:flash", "flash_attn")


def rehearse(weirc, folder):
    chosen = [workloads.shrink(w) for w in workloads.WORKLOADS
              if w.name in ("matmul-bf16-4096", "attention-gqa-8k", "gdn-b4-t2048-h16")]
    for workload in chosen[:2]:
        source = folder / "f.mlir"
        source.write_text(workload.maker.text(workload.dims))
        subprocess.run(
            [weirc, source, "--target=simt", f"--compute={workload.compute}",
             "--quiet", "-o", folder / workload.name], check=True)
    kit = {"workloads": [w.describe() for w in chosen], "model": "smollm2",
           "failed": {"simt": {chosen[2].name: "error: no such kernel",
                               "smollm2": "error: no model"}},
           "commit": "none", "weirc": "none", "date": "none", "options": []}
    options = run.parse([str(folder), "--rounds=2", "--calls=2",
                         "--json", str(folder / "out.json")])
    with OnCpu():
        result = run.measure(options, kit, "NVIDIA H100 in rehearsal", "simt", folder)
    run.print_tables(result)
    kept = json.loads((folder / "out.json").read_text())
    assert kept["rows"] == result["rows"]


if __name__ == "__main__":
    with torch.no_grad():
        check_peers()
        check_llama()
    check_choice()
    pretend()
    rehearse(sys.argv[1], Path(sys.argv[2]))
