"""The kit: programs for each architecture, packed, and what runs them.

An executable is 34 MB, most of it the same in each. One archive per architecture
whose window is larger than an executable keeps what is the same once.
"""

import datetime
import json
import lzma
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from ..machine import ROOT
from . import workloads

HERE = Path(__file__).resolve().parent
#: What goes along.
SCRIPTS = ("__init__.py", "workloads.py", "reference.py", "devices.py", "peers.py",
           "llama.py", "run.py")
#: Of what the session carries to another machine.
MOST_BYTES = 64 << 20
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 1, "dict_size": 64 << 20,
            "nice_len": 273}]
MODEL = "smollm2"

ENTRY = '''"""Times what is in this folder on the GPU here; --help says more."""
import sys
from pathlib import Path

folder = Path(__file__).resolve().parent
sys.path.insert(0, str(folder))
from weirgpu import run

sys.exit(run.main([str(folder), *sys.argv[1:]]))
'''


def say(text):
    print(text, file=sys.stderr, flush=True)


def call_weirc(weirc, source, to, *options):
    """None, or why it could not be compiled."""
    done = subprocess.run(
        [str(weirc), str(source), "--target=cuda", "--quiet", *options, "-o", str(to)],
        capture_output=True,
        text=True,
    )
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
    return next((line for line in lines if "error:" in line), lines[0])


def compile_all(weirc, arch, chosen, model, folder, options):
    """Compiles into `folder`; returns what failed, by name."""
    failed = {}
    for workload in chosen:
        begin = time.monotonic()
        source = folder / f"{workload.name}.mlir"
        source.write_text(workload.maker.text(workload.dims))
        why = call_weirc(weirc, source, folder / workload.name, f"--gpu-arch={arch}",
                         f"--compute={workload.compute}", *options)
        if why:
            failed[workload.name] = why
        say(f"{arch}: {workload.name}: {why or f'{time.monotonic() - begin:.1f} s'}")
    if model:
        why = call_weirc(weirc, model, folder / MODEL, f"--gpu-arch={arch}",
                         "--quantize=bf16", "--compute=bf16", "--max-length=1024",
                         *options)
        if why:
            failed[MODEL] = why
        say(f"{arch}: {MODEL}: {why or 'compiled'}")
    # Weights are drawn there.
    for path in folder.glob("*.weights"):
        path.unlink()
    return failed


def pack(folder, to):
    # One behind the other by name, so that like follows like.
    with lzma.open(to, "wb", filters=FILTERS) as packed:
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for path in sorted(folder.iterdir()):
                archive.add(path, path.name)


def describe_commit():
    return subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"],
        capture_output=True, text=True,
    ).stdout.strip()


def make(arguments, weirc, chosen, model):
    """Fills the folder; the exit status."""
    to = Path(arguments.folder)
    to.mkdir(parents=True, exist_ok=True)
    for old in to.glob("sm_*.tar.xz"):
        old.unlink()
    failed = {}
    for arch in arguments.archs.split(","):
        # Beside the kit, where there is room for it.
        with tempfile.TemporaryDirectory(dir=to.resolve().parent) as name:
            folder = Path(name)
            failed[arch] = compile_all(weirc, arch, chosen, model, folder,
                                       arguments.compile_option)
            begin = time.monotonic()
            pack(folder, to / f"{arch}.tar.xz")
            say(f"{arch}: packed in {time.monotonic() - begin:.0f} s")
    scripts = to / "weirgpu"
    scripts.mkdir(exist_ok=True)
    for script in SCRIPTS:
        shutil.copyfile(HERE / script, scripts / script)
    (to / "run.py").write_text(ENTRY)
    version = subprocess.run([str(weirc), "--version"], capture_output=True, text=True)
    (to / "kit.json").write_text(json.dumps({
        "workloads": [workload.describe() for workload in chosen],
        "model": MODEL if model else None,
        "failed": failed,
        "options": arguments.compile_option,
        "weirc": (version.stdout.split() or ["?"])[-1],
        "commit": describe_commit(),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime(
            "%Y-%m-%dT%H:%M:%SZ"),
    }, indent=1) + "\n")
    size = sum(path.stat().st_size for path in to.rglob("*") if path.is_file())
    say(f"{to}: {size / 2**20:.1f} MiB; there: python3 {os.path.basename(to)}/run.py "
        "--json OUT")
    for arch, names in failed.items():
        for name, why in names.items():
            say(f"bench/gpu: error: {arch}: {name}: {why}")
    if size > MOST_BYTES:
        say(f"bench/gpu: error: the kit has {size} bytes, expected at most "
            f"{MOST_BYTES}; choose fewer with --only or --archs")
        return 1
    return 1 if any(failed.values()) else 0


def check(arguments, weirc, chosen):
    """Each workload at a small size on the emulator, against the reference; the
    exit status."""
    from . import reference

    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for workload in map(workloads.shrink, chosen):
            source = folder / "f.mlir"
            source.write_text(workload.maker.text(workload.dims))
            done = subprocess.run(
                [str(weirc), str(source), "--target=simt", "--quiet",
                 f"--gpu-arch={arguments.archs.split(',')[-1]}",
                 f"--compute={workload.compute}", *arguments.compile_option,
                 "-o", str(folder / "f")],
                capture_output=True, text=True,
            )
            tensors = reference.draw(workload)
            reference.write_tensors(folder / "in",
                                    workload.maker.pack(workload.dims, tensors))
            if done.returncode == 0:
                done = subprocess.run(
                    [str(folder / "f"), "--bench=1", "--inputs", str(folder / "in"),
                     "--outputs", str(folder / "out")],
                    capture_output=True, text=True,
                )
            if done.returncode:
                print(f"{workload.name}: {done.stderr.strip()}")
                wrong += 1
                continue
            expected = reference.Reference(workload, tensors)
            error = expected.error(reference.read_tensor(folder / "out", "out"))
            good = error <= workload.tolerance()
            wrong += not good
            kernels = json.loads(done.stdout)["kernels"]
            print(f"{workload.name}: error {error:.1e} of at most "
                  f"{workload.tolerance():.0e}, {kernels} kernels"
                  f"{'' if good else ': NOT WITHIN TOLERANCE'}", flush=True)
    print(f"{len(chosen) - wrong} of {len(chosen)} good")
    return 1 if wrong else 0
