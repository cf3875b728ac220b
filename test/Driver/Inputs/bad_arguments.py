"""Bad input to an executable that weirc made: files cut short, tensors of wrong
shapes, prompts too long. Each is refused, and nothing is lost.

  bad_arguments.py WORK EXECUTABLE OTHER_EXECUTABLE

The executables have vocabularies of 199 tokens and 64 positions.
"""

import pathlib
import shutil
import sys

import numpy as np
from safetensors.numpy import save_file

from refusals import Refusals, cut_points, header_lengths, read_header


def check_weights(refusals, program, other):
    copy = refusals.work / "copy"
    shutil.copy(program, copy)
    weights = refusals.work / "copy.weights"
    good = pathlib.Path(f"{program}.weights").read_bytes()
    command = [copy, "--tokens=1", "-n1", "--print-tokens"]
    refusals.expect("no weights", command, "copy.weights")
    for size in cut_points(len(good), 4096):
        weights.write_bytes(good[:size])
        refusals.expect(f"weights of {size} bytes", command, "copy.weights")
    shutil.copy(f"{other}.weights", weights)
    refusals.expect("weights of another model", command, "belongs to another model")
    weights.write_bytes(good)
    refusals.report(
        "good weights", None if refusals.run(command).returncode == 0 else "failed"
    )


def check_tensors(refusals, program):
    inputs = refusals.work / "in.safetensors"
    outputs = refusals.work / "out.safetensors"
    command = [program, "--inputs", inputs, "--outputs", outputs]
    good = {"input_ids": np.arange(20).reshape(2, 10) % 199}
    save_file(good, inputs)
    refusals.report(
        "good inputs", None if refusals.run(command).returncode == 0 else "failed"
    )
    file = inputs.read_bytes()
    _, begin = read_header(inputs)
    # What an earlier run wrote stays.
    for size in cut_points(len(file), begin):
        inputs.write_bytes(file[:size])
        refusals.expect(
            f"inputs of {size} bytes", command, "in.safetensors", kept=[outputs]
        )
    for length, damaged in header_lengths(file):
        inputs.write_bytes(damaged)
        refusals.expect(
            f"a header of {length} bytes", command, "in.safetensors", kept=[outputs]
        )
    ids = good["input_ids"]
    for what, tensors, word in (
        ("no input_ids", {"ids": ids}, "input_ids"),
        ("another rank", {"input_ids": ids[0]}, "input_ids"),
        ("a rank of 3", {"input_ids": ids[None]}, "input_ids"),
        ("fractions", {"input_ids": ids + 0.5}, "input_ids"),
        ("ids beyond the vocabulary", {"input_ids": ids + 199}, "199"),
        ("negative ids", {"input_ids": ids - 5}, "-"),
        ("too long", {"input_ids": np.zeros((1, 65), np.int64)}, "64"),
        (
            "a mask of another shape",
            {"input_ids": ids, "attention_mask": ids[:, :9] * 0},
            "attention_mask",
        ),
        ("a mask of twos", {"input_ids": ids, "attention_mask": ids * 0 + 2}, "attention_mask"),
        ("an unknown tensor", {"input_ids": ids, "nonesuch": ids}, "nonesuch"),
    ):
        save_file(tensors, inputs)
        refusals.expect(what, command, word, kept=[outputs])
    save_file(good, inputs)
    nowhere = refusals.work / "nowhere" / "out.safetensors"
    refusals.expect(
        "outputs in no folder",
        [program, "--inputs", inputs, "--outputs", nowhere],
        "nowhere",
        absent=[nowhere],
    )


def check_prompts(refusals, program):
    long = ",".join(["7"] * 65)
    for what, arguments, words in (
        ("a prompt too long", ["--tokens", long, "--print-tokens"], ("65", "64")),
        ("a token beyond the vocabulary", ["--tokens=1,199"], ("199",)),
        ("a length beyond the limit", ["--tokens=1", "--max-length=65"], ("65", "64")),
        ("an unknown option", ["--tokens=1", "--frobnicate"], ("frobnicate",)),
        ("no tokens", ["--tokens=x"], ("tokens",)),
        ("a negative temperature", ["--tokens=1", "--temperature=-1"], ("temperature",)),
    ):
        refusals.expect(what, [program, *arguments], *words)


def check_states(refusals, program, other):
    state = refusals.work / "state"
    kept = refusals.work / "kept"
    generate = [program, "--print-tokens", "-n2"]
    save = [*generate, "--tokens=1,2,3", "--save-state", state]
    if refusals.run(save).returncode:
        return refusals.report("saving a state", "failed")
    good = state.read_bytes()
    load = [*generate, "--load-state", state, "--save-state", kept]
    kept.write_bytes(b"an older state")
    for size in cut_points(len(good), len(good) // 3):
        state.write_bytes(good[:size])
        refusals.expect(f"a state of {size} bytes", load, "state", kept=[kept])
    for place in range(0, len(good), max(1, len(good) // 16)):
        damaged = good[:place] + bytes([good[place] ^ 0x55]) + good[place + 1 :]
        state.write_bytes(damaged)
        refusals.expect(f"a state damaged at {place}", load, "state", kept=[kept])
    state.write_bytes(good)
    refusals.expect(
        "a state of another model",
        [other, "--print-tokens", "-n1", "--load-state", state],
        "state",
    )


def main():
    work, program, other = sys.argv[1:]
    shutil.rmtree(work, ignore_errors=True)
    pathlib.Path(work).mkdir(parents=True)
    refusals = Refusals(work)
    check_weights(refusals, program, other)
    check_tensors(refusals, program)
    check_prompts(refusals, program)
    check_states(refusals, program, other)
    refusals.finish()


main()
