#!/usr/bin/env python3
"""Writes small checkpoints with reference outputs by transformers.

  make_checkpoint.py FOLDER [NAME...]

A NAME is a case of cases.py, hybrid_cases.py, decoder_cases.py,
mixture_cases.py or sparse_cases.py, or `decoders` for all of the last three; or
one of encoder_cases.py or gguf_cases.py, or `encoders` or `gguf` for all of
these; without names all of the first two files are meant. Each becomes
FOLDER/NAME in the layout of the public reference set: config.json and
model.safetensors; inputs*.safetensors and the logits transformers computes of
them in float32, outputs*.safetensors; generate.json with greedily decoded
tokens; meta.json. A folder written by this very program from this very case is
kept.

Weights are random and scaled so that every one of them changes the result.
Padded rows are computed alone: a batch equals its rows.
"""

import argparse
import contextlib
import fcntl
import hashlib
import json
import pathlib
import shutil
from unittest import mock

import torch
import transformers
from safetensors.torch import load_file, save_file

from cases import CASES
from decoder_cases import DECODER_CASES
from encoder_cases import ENCODER_CASES
from gguf_cases import GGUF_CASES
from hybrid_cases import HYBRID_CASES
from mixture_cases import MIXTURE_CASES
from published_keys import PUBLISHED
from sparse_cases import SPARSE_CASES
from store_fp8 import store_fp8
from store_mxfp4 import store_mxfp4
from write_gguf import write_gguf

NEW_TOKENS = 24


def fill(model, generator):
    """Draws all parameters: matrices by their fan-in, the rest around 1 or 0."""

    def draw(tensor, scale, mean=0.0):
        noise = torch.randn(tensor.shape, generator=generator)
        tensor.copy_(mean + scale * noise)

    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if name.endswith("bias"):
                draw(tensor, 0.3)
            elif tensor.dim() == 1:
                draw(tensor, 0.2, 1.0)
            elif "embed" in name or ".wte" in name or ".wpe" in name:
                draw(tensor, 0.5)
            else:
                # Conv1D has its inputs in rows, Linear in columns, experts
                # behind their number, and short convolutions one per place.
                fan_in = tensor.shape[0 if ".c_" in name else 1]
                if "conv" in name or ".experts." in name:
                    fan_in = tensor.shape[-1]
                # Beside a matrix of that size, two that multiply are small.
                size = 0.4 if "_adapter_" in name else 1.5
                draw(tensor, size / fan_in**0.5)
        # What chooses experts without being trained by gradients.
        for name, buffer in model.named_buffers():
            if name.endswith("bias"):
                draw(buffer, 0.3)
            elif name.endswith("tid2eid"):
                # Experts of each token, which are different ones.
                order = torch.rand(
                    len(buffer), model.config.n_routed_experts, generator=generator
                )
                buffer.copy_(order.argsort(-1)[:, : buffer.shape[1]])


def run(model, row):
    """What the model gives of a row alone, by its name."""
    with torch.no_grad():
        out = model(**{name: tokens[None] for name, tokens in row.items()})
    name = "logits" if "logits" in out else "last_hidden_state"
    return name, out[name][0]


def get_mask(ids, pad, short):
    """Zeros where the second row of two is padded, by `short` tokens."""
    rows, time = ids.shape
    mask = torch.ones(rows, time, dtype=torch.int64)
    if pad and rows == 2:
        mask[1, slice(0, short) if pad == "left" else slice(time - short, time)] = 0
    return mask


def write_run(folder, suffix, model, inputs, pad):
    """Names that begin so are those of a second sequence, which is the result's."""
    prefix = "decoder_"
    masks = {"": get_mask(inputs["input_ids"], pad, 11)}
    if "decoder_input_ids" in inputs:
        masks[prefix] = get_mask(inputs["decoder_input_ids"], pad, 4)
    keep = {
        name: masks[prefix if name.startswith(prefix) else ""].bool()
        for name in inputs
    }
    last = list(masks.values())[-1].bool()
    for row in range(len(last)):
        tokens = {name: ids[row][keep[name][row]] for name, ids in inputs.items()}
        name, result = run(model, tokens)
        if row == 0:
            results = torch.zeros(*last.shape, result.shape[-1])
        results[row][last[row]] = result
    if pad:
        inputs = inputs | {f"{of}attention_mask": mask for of, mask in masks.items()}
    save_file(inputs, folder / f"inputs{suffix}.safetensors")
    save_file({name: results}, folder / f"outputs{suffix}.safetensors")
    return name, results.std().item()


def decode(model, prompt, source):
    """Greedy tokens and the margin of each choice over the next best. `source` is
    what an encoder reads, if there is one."""
    ids, margins = list(prompt), []
    name = "decoder_input_ids" if source else "input_ids"
    for _ in range(NEW_TOKENS):
        logits = run(model, source | {name: torch.tensor(ids)})[1][-1]
        best = torch.topk(logits, 2).values
        margins.append((best[0] - best[1]).item())
        ids.append(int(logits.argmax()))
    return ids[len(prompt) :], margins


def search(model, source):
    """What transformers writes itself by greedy search, with what its
    configuration forces and suppresses; without the token it begins with."""
    inputs = {name: tokens[None] for name, tokens in source.items()}
    with torch.no_grad():
        ids = model.generate(
            **inputs,
            do_sample=False,
            num_beams=1,
            max_new_tokens=NEW_TOKENS,
            use_cache=False,
        )
    return ids[0, 1:].tolist()


def initialising(cls, enabled):
    """Without `enabled`, transformers draws no weights of its own."""
    if enabled:
        return contextlib.nullcontext()
    owner = next(c for c in cls.__mro__ if "_init_weights" in vars(c))
    return mock.patch.object(owner, "_init_weights", lambda self, module: None)


def make(name, case, folder):
    # A number of the name itself, so that cases do not depend on their order.
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")
    generator = torch.Generator().manual_seed(seed)
    cls = getattr(transformers, case.model)
    config = cls.config_class(**case.config)
    config._attn_implementation = case.attention
    with initialising(cls, case.init):
        model = cls(config).eval()
    fill(model, generator)
    for key, value in case.generation.items():
        setattr(model.generation_config, key, value)
    options = {"max_shard_size": case.shards} if case.shards else {}
    options["save_original_format"] = not case.fused
    model.to(getattr(torch, case.dtype)).save_pretrained(folder, **options)
    if case.mxfp4:
        store_mxfp4(folder)
    path = folder / "config.json"
    spelt = json.loads(path.read_text())
    if case.spell:
        case.spell(spelt)
    published = PUBLISHED.get(case.model, {})
    path.write_text(json.dumps({**published, **spelt}, indent=2))
    # What is stored is what is computed with, and transformers understands how
    # it is spelt.
    reading = {}
    if case.mxfp4:
        reading["quantization_config"] = transformers.Mxfp4Config(dequantize=True)
    source = folder
    if case.fp8 is not None:
        # Activations are not quantised: the reference reads what the weights
        # stand for, in floats.
        source = folder / "plain"
        source.mkdir()
        shutil.copy(path, source)
        plain = store_fp8(folder, case.fp8, case.skipped)
        save_file(plain, source / "model.safetensors", metadata={"format": "pt"})
    with initialising(cls, case.init):
        model = cls.from_pretrained(
            source, dtype=torch.float32, attn_implementation=case.attention, **reading
        ).eval()
    if source != folder:
        shutil.rmtree(source)

    if case.gguf:
        write_gguf(model, folder / "model.gguf", case.gguf)
        for file in [path, *folder.glob("*.safetensors")]:
            file.unlink()

    text = config.get_text_config()
    vocab = text.vocab_size
    time, long_time = case.lengths
    pad = getattr(text, "pad_token_id", None)

    def draw(*shape):
        """Tokens, none of which stands for padding: some models skip that."""
        ids = torch.randint(0, vocab, shape, generator=generator)
        return ids if pad is None else torch.where(ids == pad, (pad + 1) % vocab, ids)

    def draw_inputs(rows, time):
        inputs = {"input_ids": draw(rows, time)}
        for name, limit in case.inputs.items():
            inputs[name] = torch.randint(0, limit, (rows, time), generator=generator)
        if case.decoder:
            inputs["decoder_input_ids"] = draw(rows, case.decoder)
        return inputs

    inputs = draw_inputs(2, time)
    result, std = write_run(folder, "", model, inputs, case.pad)
    if long_time:
        inputs = draw_inputs(1, long_time)
        write_run(folder, "_long", model, inputs, "")
    if case.generate:
        # Long enough for what depends on the length (longrope).
        prompt, source, more = inputs["input_ids"][0, :35].tolist(), {}, {}
        if case.decoder:
            start = model.generation_config.decoder_start_token_id
            prompt = [case.start if start is None else start]
            model.generation_config.decoder_start_token_id = prompt[0]
            inputs = load_file(folder / "inputs.safetensors")
            source = {
                name: tokens[0]
                for name, tokens in inputs.items()
                if not name.startswith("decoder_")
            }
            more = dict(
                encoder_input="row 0 of inputs.safetensors",
                search=search(model, source),
            )
        tokens, margins = decode(model, prompt, source)
        (folder / "generate.json").write_text(
            json.dumps(
                dict(
                    prompt=prompt,
                    tokens=tokens,
                    margins=margins,
                    max_new_tokens=NEW_TOKENS,
                    **more,
                )
            )
        )
    meta = dict(
        name=name,
        kind="causal",
        category="generated",
        tolerance=dict(max_abs_over_rms=case.tolerance, cosine_min=0.999999),
        output_std=dict(main={result: std}),
        flags=case.flags,
        seed=seed,
    )
    if case.pad:
        meta["compare_only_where"] = (
            "decoder_attention_mask" if case.decoder else "attention_mask"
        )
    (folder / "meta.json").write_text(json.dumps(meta, indent=1))


@contextlib.contextmanager
def locked(root):
    """Keeps tests that run at once from writing the same folder."""
    root.mkdir(parents=True, exist_ok=True)
    with open(root / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def read_arguments(description):
    """The folder of checkpoints, a path, and the names of cases, if any."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*", metavar="name")
    arguments = parser.parse_args()
    return arguments.folder, arguments.names


def write_all(root, names, stamp, write):
    """Calls `write(name, folder)` for each folder that `stamp` is not that of."""
    with locked(root):
        for name in names:
            folder = root / name
            mark = folder / "stamp"
            if mark.exists() and mark.read_text() == stamp:
                continue
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            write(name, folder)
            mark.write_text(stamp)


def main():
    root, names = read_arguments(__doc__)
    here = pathlib.Path(__file__).parent
    sources = b"".join(
        (here / name).read_bytes()
        for name in (
            "make_checkpoint.py",
            "cases.py",
            "decoder_cases.py",
            "encoder_cases.py",
            "gguf_cases.py",
            "gguf_metadata.py",
            "hybrid_cases.py",
            "mixture_cases.py",
            "published_keys.py",
            "sparse_cases.py",
            "store_fp8.py",
            "store_mxfp4.py",
            "write_gguf.py",
        )
    )
    stamp = hashlib.sha256(sources + transformers.__version__.encode()).hexdigest()
    cases = CASES | HYBRID_CASES
    names = names or list(cases)
    groups = {
        "decoders": DECODER_CASES | MIXTURE_CASES | SPARSE_CASES,
        "encoders": ENCODER_CASES,
        "gguf": GGUF_CASES,
    }
    for group, members in groups.items():
        if names == [group]:
            names = list(members)
        cases |= members
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    write_all(root, names, stamp, lambda name, folder: make(name, cases[name], folder))


if __name__ == "__main__":
    main()
