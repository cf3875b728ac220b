#!/usr/bin/env python3
"""Compiles weir.recurrence in all its variants and compares what it computes on
random tensors with the op's description, followed in float64.

  check_recurrence.py [--flags "WEIRC FLAGS"] [--seed N] [--decays KIND...]
                      [--schedules | --ranges] [NAME...]

Each variant is compiled once and run on batches of several lengths, with decays
of every kind: none to speak of, exactly 1, exactly 0, and exp(-20) for 64
tokens in a row, or those that --decays names. --schedules compiles some with
forms written by hand instead, --ranges some with ranges of time side by side.
A line per variant; ends with `N passed, N failed`.
"""

import argparse
import itertools
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np
from safetensors.numpy import save_file

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "Inputs"))
from checks import Failed, Tally, run

LENGTHS = (0, 1, 2, 37, 131)
DECAYS = ("mild", "one", "zero", "hard")

# Heads of values and of keys, and features: odd sizes, keys unlike values.
SIZES = dict(H=4, G=2, K=12, V=20, R=0, type="f32")

# What each variant has besides query, key and value. R updates a token stand on
# an axis of their own, none where R is 0.
VARIANTS = {
    "plain": dict(),
    "plain_small": dict(H=1, G=1, K=1, V=1),
    "one_key_head": dict(H=3, G=1, K=16, V=8, init=True),
    "scale": dict(scale=0.125, lengths=True),
    "head_decay": dict(decay="BTH"),
    "head_decay_init": dict(decay="BTH", init=True, lengths=True),
    "channel_decay": dict(decay="BTHK"),
    "channel_decay_init": dict(decay="BTHK", init=True, lengths=True),
    "fixed_head_decay": dict(decay="H", init=True),
    "fixed_channel_decay": dict(decay="HK", lengths=True),
    "bonus": dict(bonus=True, init=True),
    "bonus_channel_decay": dict(bonus=True, decay="BTHK", lengths=True),
    "delta": dict(delta=True, lengths=True),
    "delta_head_decay": dict(delta=True, decay="BTH", init=True),
    "delta_channel_decay": dict(delta=True, decay="BTHK", lengths=True),
    "delta_fixed_decay": dict(delta=True, decay="HK"),
    "delta_previous": dict(delta=True, decay="BTH", reads="previous", init=True),
    "delta_read_key": dict(delta=True, decay="BTH", read_key=True, lengths=True),
    "rank_one": dict(rank_one=True, decay="BTH", init=True),
    "rank_one_previous": dict(
        rank_one=True, decay="BTHK", reads="previous", init=True, lengths=True
    ),
    "rank_one_no_decay": dict(rank_one=True, G=4),
    "updates": dict(R=2, decay="BTHK"),
    "updates_delta": dict(R=3, delta=True, decay="BTH", init=True, lengths=True),
    "updates_rank_one": dict(R=2, rank_one=True, decay="BTHK", init=True),
    "one_update": dict(R=1, delta=True),
    "bf16": dict(type="bf16", decay="BTHK", init=True),
    "bf16_delta": dict(type="bf16", delta=True, decay="BTH", lengths=True),
}

# Chunks of these many tokens, for these variants.
SCHEDULED = (
    "head_decay",
    "channel_decay_init",
    "bonus_channel_decay",
    "delta_head_decay",
    "delta_channel_decay",
    "rank_one_previous",
    "updates_delta",
)
SCHEDULES = (("recurrent", 1, 20), ("chunkwise", 4, 10), ("chunkwise", 64, 20))


# Ranges of time, by variant: tokens, value features, heads and ranges. They run
# side by side from 8 blocks each on, and for less rows than there are ranges.
RANGES = {
    "plain_small": (4, 1, 1, 3),
    "head_decay_init": (1, 20, 2, 9),
    "channel_decay_init": (4, 10, 1, 9),
    "bonus_channel_decay": (4, 20, 1, 9),
    "delta_channel_decay": (4, 20, 2, 9),
    "rank_one_previous": (4, 10, 1, 9),
    "updates_delta": (4, 20, 4, 9),
}
RANGED_LENGTHS = (1, 2, 37, 131, 1000)


def load(path):
    """A safetensors file as float64; numpy has no bf16."""
    data = pathlib.Path(path).read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, about in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + offset for offset in about["data_offsets"])
        if about["dtype"] == "BF16":
            words = np.frombuffer(data[begin:end], np.uint16).astype(np.uint32)
            values = (words << 16).view(np.float32)
        else:
            values = np.frombuffer(data[begin:end], np.float32)
        tensors[name] = values.reshape(about["shape"]).astype(np.float64)
    return tensors


def round_to_bf16(values):
    """The nearest numbers with 8 bits of mantissa, ties to even, as float32."""
    words = np.ascontiguousarray(values, np.float32).view(np.uint32)
    rounded = words + 0x7FFF + ((words >> 16) & 1)
    return (rounded & 0xFFFF0000).astype(np.uint32).view(np.float32)


def axes(variant):
    """The axes of each argument of a variant, and which are 32 bits wide."""
    several = "R" if variant["R"] else ""
    named = {"q": "BTGK", "k": f"BT{several}GK", "v": f"BT{several}HV"}
    wide = set()
    if variant.get("decay"):
        named["decay"] = variant["decay"]
        wide.add("decay")
    if variant.get("delta"):
        named["beta"] = f"BT{several}H"
    if variant.get("read_key") or variant.get("rank_one"):
        named["read"] = named["k"]
    if variant.get("rank_one"):
        named["write"] = named["k"]
    if variant.get("bonus"):
        named["bonus"] = "HK"
    if variant.get("init"):
        named["init"] = "BHKV"
        wide.add("init")
    return named, wide


def tensor_type(variant, letters, element):
    extents = [str(variant.get(letter, "?")) for letter in letters]
    return f"tensor<{'x'.join([*extents, element])}>"


def write_module(variant, schedule):
    named, wide = axes(variant)
    types = {
        name: tensor_type(variant, letters, "f32" if name in wide else variant["type"])
        for name, letters in named.items()
    }
    if variant.get("lengths"):
        types["lengths"] = "tensor<?xi32>"
    words = {
        "decay": "decay",
        "beta": "delta",
        "read": "read_key",
        "write": "write_key",
        "bonus": "bonus",
        "init": "init",
        "lengths": "lengths",
    }
    parts = [
        f"{word}(%{name} : {types[name]})"
        for name, word in words.items()
        if name in types
    ]
    if "scale" in variant:
        parts.append(f"scale({variant['scale']:e})")
    if "reads" in variant:
        parts.append(f"reads({variant['reads']})")
    if schedule:
        form, *tiles = schedule
        parts.append(f'schedule(<form = "{form}", tiles = {tiles}>)')
    arguments = ", ".join(
        f'%{name}: {kind} {{weir.name = "{name}"}}' for name, kind in types.items()
    )
    result = tensor_type(variant, "BTHV", variant["type"])
    state = tensor_type(variant, "BHKV", "f32")
    return f"""
      func.func @run({arguments}) -> ({result} {{weir.name = "result"}},
                                      {state} {{weir.name = "state"}}) {{
        %result, %state = weir.recurrence %q, %k, %v {" ".join(parts)}
          : {types["q"]}, {types["k"]}, {types["v"]} -> {result}, {state}
        return %result, %state : {result}, {state}
      }}"""


def unit(values):
    return values / np.sqrt(np.square(values).sum(-1, keepdims=True) + 1e-6)


def make_decay(random, kind, shape, timed):
    """Logarithms of factors."""
    logs = random.uniform(-0.3, 0.0, shape)
    if kind == "one":
        return np.zeros(shape)
    if kind == "zero":
        return np.where(random.random(shape) < 0.2, -np.inf, logs)
    if kind == "hard":
        if not timed:
            return np.where(random.random(shape) < 0.5, -20.0, logs)
        begin = random.integers(0, 1 + max(0, shape[1] - 64))
        logs[:, begin : begin + 64] = -20.0
        # Some heads, or some features of a head, go on as they were.
        spared = random.random(shape[2:]) < 0.3
        return np.where(spared, random.uniform(-0.3, 0.0, shape), logs)
    return logs


def make_inputs(random, variant, batch, time, decay):
    named, wide = axes(variant)
    extents = {**variant, "B": batch, "T": time}
    tensors = {}
    for name, letters in named.items():
        shape = [extents[letter] for letter in letters]
        values = random.standard_normal(shape)
        if name == "decay":
            values = make_decay(random, decay, shape, letters[0] == "B")
        elif name == "beta":
            values = random.uniform(0.1, 0.9, shape)
        elif name in ("k", "read"):
            values = unit(values)
        elif name == "write":
            # As in RWKV-7, so that states do not grow: against what is read.
            values = -random.uniform(0.1, 0.9, shape) * tensors["read"]
        if variant["type"] == "bf16" and name not in wide:
            values = round_to_bf16(values)
        tensors[name] = np.ascontiguousarray(values, np.float32)
    if variant.get("lengths"):
        tensors["lengths"] = random.integers(0, time + 1, batch).astype(np.int32)
    return tensors


def follow(variant, tensors, batch, time):
    """The description of the op, token by token."""
    share = variant["H"] // variant["G"]
    named, _ = axes(variant)
    full = {}
    for name, letters in named.items():
        values = tensors[name].astype(np.float64)
        if "G" in letters:
            values = np.repeat(values, share, axis=letters.index("G"))
        if letters.startswith("BT") and "R" not in letters and name in (
            "k", "v", "beta", "read", "write"):
            values = values[:, :, None]
        full[name] = values
    shape = (batch, variant["H"], variant["K"], variant["V"])
    state = full.get("init", np.zeros(shape))
    results = np.zeros((batch, time, variant["H"], variant["V"]))
    lengths = tensors.get("lengths", np.full(batch, time))
    for t in range(time):
        before, after = state, state
        if "decay" in full:
            logs = full["decay"]
            logs = logs[:, t] if variant["decay"][0] == "B" else logs[None]
            logs = logs[..., None] if logs.ndim == 3 else logs[..., None, None]
            after = np.exp(logs) * after
        for r in range(full["k"].shape[2]):
            key, value = full["k"][:, t, r], full["v"][:, t, r]
            source = before if variant.get("reads") == "previous" else after
            if "beta" in full:
                read = full["read"][:, t, r] if "read" in full else key
                got = np.einsum("bhk,bhkv->bhv", read, source)
                value = full["beta"][:, t, r][..., None] * (value - got)
            after = after + key[..., None] * value[:, :, None]
            if "write" in full:
                got = np.einsum("bhk,bhkv->bhv", full["read"][:, t, r], source)
                after = after + full["write"][:, t, r][..., None] * got[:, :, None]
        query = full["q"][:, t]
        if "bonus" in full:
            own = (query * full["bonus"] * full["k"][:, t, 0]).sum(-1, keepdims=True)
            result = np.einsum("bhk,bhkv->bhv", query, before)
            result = result + own * full["v"][:, t, 0]
        else:
            result = np.einsum("bhk,bhkv->bhv", query, after)
        valid = (t < lengths)[:, None, None]
        results[:, t] = np.where(valid, variant.get("scale", 1.0) * result, 0)
        state = np.where(valid[..., None], after, state)
    return {"result": results, "state": state}


def compare(variant, got, expected):
    """The largest difference as a share of the root mean square."""
    worst = 0.0
    for name, want in expected.items():
        if got[name].shape != want.shape:
            raise Failed(f"{name} has shape {got[name].shape}, expected {want.shape}")
        if not np.isfinite(got[name]).all():
            raise Failed(f"{name} is not finite")
        if not want.size:
            continue
        rms = np.sqrt(np.square(want).mean())
        # Sums are of 32 bits even where results have 8 of mantissa.
        limit = 5e-5 * rms + 1e-30
        if name == "result" and variant["type"] == "bf16":
            limit = limit + np.abs(want) / 256
        distance = np.abs(got[name] - want)
        if not (distance <= limit).all():
            at = np.unravel_index((distance / limit).argmax(), want.shape)
            raise Failed(
                f"{name}{[int(i) for i in at]} is {got[name][at]:.6g}, expected {want[at]:.6g}"
                f" where the rms is {rms:.3g}"
            )
        worst = max(worst, (distance / (rms + 1e-30)).max())
    return worst


def check(variant, schedule, options, work):
    source, program = work / "run.mlir", work / "run"
    source.write_text(write_module(variant, schedule))
    run("weirc", source, *options.flags.split(), "--quiet", "-o", program)
    random = np.random.default_rng(options.seed)
    decays = options.decays if variant.get("decay") else ("mild",)
    worst, count = 0.0, 0
    for time, decay in itertools.product(RANGED_LENGTHS if options.ranges else LENGTHS, decays):
        batch = 1 if time in (37, 1000) else 3
        tensors = make_inputs(random, variant, batch, time, decay)
        save_file(tensors, work / "in")
        done = subprocess.run(
            [program, "--inputs", work / "in", "--outputs", work / "out"],
            capture_output=True,
            text=True,
        )
        where = f"{time} tokens, decay {decay}, seed {options.seed}"
        if done.returncode:
            raise Failed(f"{where}: status {done.returncode}: {done.stderr.strip()}")
        try:
            expected = follow(variant, tensors, batch, time)
            worst = max(worst, compare(variant, load(work / "out"), expected))
        except Failed as reason:
            raise Failed(f"{where}: {reason}")
        count += 1
    return f"{count} runs, largest difference {worst:.1e} of the rms"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--flags", default="")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--decays", nargs="+", choices=DECAYS, default=DECAYS)
    parser.add_argument("--schedules", action="store_true")
    parser.add_argument("--ranges", action="store_true")
    options = parser.parse_intermixed_args()
    chosen = RANGES if options.ranges else SCHEDULED if options.schedules else VARIANTS
    tally = Tally(width=40)
    for name in options.names or chosen:
        schedules = SCHEDULES if options.schedules else (None,)
        if options.ranges:
            schedules = (("parallel", *RANGES[name]),)
        for schedule in schedules:
            label = name
            if schedule:
                label += f" {schedule[0]} {'x'.join(map(str, schedule[1:]))}"
            with tempfile.TemporaryDirectory() as work:
                variant = {**SIZES, **VARIANTS[name]}
                tally.attempt(
                    label, lambda: check(variant, schedule, options, pathlib.Path(work))
                )
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
