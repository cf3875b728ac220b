#!/usr/bin/env python3
"""Compiles checkpoints that make_checkpoint.py wrote and compares what they
compute with what is stored beside them.

  check_cases.py FOLDER [--flags "WEIRC FLAGS"] [--part I[,I...]/N] [NAME...]

--part 1/4 checks every fourth case, 2,3,4/4 the rest: parts are tests that run
at once.

Tensors agree when the largest difference is within the case's tolerance times
the reference's root mean square; generation when all tokens are equal, up to
the first one whose margin is a tie. Ends with `N passed, N failed`.
"""

import argparse
import json
import pathlib
import sys
import tempfile

import numpy as np
from safetensors.numpy import load_file, save_file

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "Execution" / "Inputs"))
from checks import Failed, Tally, run


def compare(got, reference, limit, keep):
    if got.shape != reference.shape:
        raise Failed(f"shape {got.shape}, expected {reference.shape}")
    if keep is not None:
        got, reference = got[keep], reference[keep]
    if not np.isfinite(got).all():
        raise Failed("not finite")
    rms = np.sqrt(np.mean(np.square(reference, dtype=np.float64)))
    error = np.abs(got.astype(np.float64) - reference).max() / rms
    if not error <= limit:
        raise Failed(f"largest difference is {error:.2e} of the rms, at most {limit:.0e} expected")
    return f"{error:.1e}"


def check_forward(program, folder, suffix, meta, work):
    out = work / "out.safetensors"
    inputs = folder / f"inputs{suffix}.safetensors"
    run(program, "--inputs", inputs, "--outputs", out)
    reference = load_file(folder / f"outputs{suffix}.safetensors")
    results = load_file(out)
    mask = load_file(inputs).get(meta.get("compare_only_where"))
    keep = None if mask is None else mask.astype(bool)
    if results.keys() != reference.keys():
        raise Failed(f"results {sorted(results)}, expected {sorted(reference)}")
    limit = meta["tolerance"]["max_abs_over_rms"]
    return " ".join(
        compare(results[name], reference[name], limit, keep) for name in reference
    )


def write_source(folder, work):
    """What an encoder reads to generate from: the first row, in a file."""
    inputs = load_file(folder / "inputs.safetensors")
    path = work / "source.safetensors"
    first = {
        name: np.ascontiguousarray(rows[:1])
        for name, rows in inputs.items()
        if not name.startswith("decoder_")
    }
    save_file(first, path)
    return path


def check_generation(program, folder, meta, work):
    case = json.loads((folder / "generate.json").read_text())
    prompt = ",".join(map(str, case["prompt"]))
    given = ["--tokens", prompt]
    if "encoder_input" in case:
        given = ["--inputs", write_source(folder, work), "--unconstrained"]
        given += ["--decoder-tokens", prompt]
    text = run(
        program,
        *given,
        "-n",
        case["max_new_tokens"],
        "--ignore-eos",
        "--print-tokens",
    )
    tokens = [int(token) for token in text.split(",")]
    tie = 1e-3 * meta["output_std"]["main"]["logits"]
    wanted = zip(tokens, case["tokens"], case["margins"], strict=True)
    for i, (token, want, margin) in enumerate(wanted):
        if token != want:
            if margin < tie:
                return f"tie at token {i}"
            raise Failed(f"token {i} is {token}, expected {want} (margin {margin:.2e})")
    return f"{len(tokens)} tokens"


def check_search(program, folder, work):
    """The text that transformers' own greedy search writes."""
    case = json.loads((folder / "generate.json").read_text())
    said = json.loads((folder / "generation_config.json").read_text())
    given = ["--decoder-tokens", case["prompt"][0]]
    if "decoder_start_token_id" in said:
        given = []
    source = write_source(folder, work)
    text = run(
        program,
        *("--inputs", source, "-n", case["max_new_tokens"], "--print-tokens"),
        *given,
    )
    tokens = [int(token) for token in text.split(",")]
    if tokens != case["search"]:
        raise Failed(f"{tokens}, expected {case['search']}")
    return f"{len(tokens)} tokens"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--weirc", default="weirc")
    parser.add_argument("--flags", default="")
    parser.add_argument("--part", default="1/1")
    options = parser.parse_intermixed_args()
    chosen, parts = options.part.split("/")
    chosen = {int(part) - 1 for part in chosen.split(",")}
    names = options.names or sorted(p.parent.name for p in options.folder.glob("*/meta.json"))
    names = [name for i, name in enumerate(names) if i % int(parts) in chosen]
    tally = Tally(width=44)
    for name in names:
        folder = options.folder / name
        meta = json.loads((folder / "meta.json").read_text())
        with tempfile.TemporaryDirectory() as work:
            work = pathlib.Path(work)
            program = work / "model"
            flags = options.flags.split() + meta["flags"]
            file = folder / "model.gguf"
            model = file if file.exists() else folder
            compiles = tally.attempt(
                f"{name} compile",
                lambda: run(options.weirc, model, *flags, "--quiet", "-o", program),
            )
            if not compiles:
                continue
            for suffix in ("", "_long"):
                if (folder / f"inputs{suffix}.safetensors").exists():
                    tally.attempt(
                        f"{name} forward{suffix}",
                        lambda: check_forward(program, folder, suffix, meta, work),
                    )
            if (folder / "generate.json").exists():
                tally.attempt(
                    f"{name} generate",
                    lambda: check_generation(program, folder, meta, work),
                )
                if "search" in (folder / "generate.json").read_text():
                    tally.attempt(
                        f"{name} search", lambda: check_search(program, folder, work)
                    )
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main())
