#!/usr/bin/env python3
"""Writes RWKV-6 and RWKV-7 as GGUF files with outputs of llama.cpp.

  make_rwkv_gguf.py FOLDER [NAME...]

As make_checkpoint.py does, for models that transformers does not have. Names of
tensors are those of the package gguf, shapes those of llama.cpp's converter.
"""

import hashlib
import json
import pathlib
import shutil
import sys
import types

import gguf
import llama_cpp
import numpy as np
import torch

import make_checkpoint

# The kernels of llama.cpp take heads of 64.
HIDDEN, INNER, HEAD, VOCAB, LAYERS = 128, 80, 64, 61, 3
ALONE = (1, 1, HIDDEN)

# Options of each file: the architecture, and what differs from the usual.
CASES = {
    "rwkv6": dict(arch="rwkv6"),
    "rwkv6_parts_rescaled": dict(arch="rwkv6", fused=False, rescale=2),
    "rwkv7": dict(arch="rwkv7"),
}


def norms(name):
    return {f"{name}.weight": (HIDDEN,), f"{name}.bias": (HIDDEN,)}


def layer_shapes(arch, fused):
    shapes = norms("attn_norm") | norms("attn_norm_2") | norms("time_mix_ln")
    square = (HIDDEN, HIDDEN)
    names = ["key", "value", "receptance", "output"] + ["gate"] * (arch == "rwkv6")
    shapes |= {f"time_mix_{name}.weight": square for name in names}
    shapes |= {
        "channel_mix_lerp_k.weight": ALONE,
        "channel_mix_key.weight": (INNER, HIDDEN),
        "channel_mix_value.weight": (HIDDEN, INNER),
    }
    if arch == "rwkv6":
        shapes |= {
            "channel_mix_lerp_r.weight": ALONE,
            "channel_mix_receptance.weight": square,
            "time_mix_lerp_x.weight": ALONE,
            "time_mix_w1.weight": (5 * 6, HIDDEN),
            "time_mix_w2.weight": (5, HIDDEN, 6),
            "time_mix_first.weight": (HIDDEN // HEAD, HEAD),
            "time_mix_decay.weight": (HIDDEN,),
            "time_mix_decay_w1.weight": (7, HIDDEN),
            "time_mix_decay_w2.weight": (HIDDEN, 7),
        }
        if fused:
            return shapes | {"time_mix_lerp_fused.weight": (5, 1, 1, HIDDEN)}
        return shapes | {f"time_mix_lerp_{name}.weight": ALONE for name in "wkvrg"}
    for name, rank in dict(w=5, a=6, v=4, g=9).items():
        shapes[f"time_mix_{name}1.weight"] = (rank, HIDDEN)
        shapes[f"time_mix_{name}2.weight"] = (HIDDEN, rank)
        if name != "g":
            shapes[f"time_mix_{name}0.weight"] = (HIDDEN,)
    shapes |= {f"time_mix_{name}.weight": (HIDDEN,) for name in ("k_k", "k_a", "r_k")}
    shapes["time_mix_lerp_fused.weight"] = (6, 1, 1, HIDDEN)
    return shapes


def draw(name, shape, random):
    if "lerp" in name:
        return random.random(shape, dtype=np.float32)
    noise = random.standard_normal(shape, dtype=np.float32)
    if name.endswith("bias") or name.endswith(("0.weight", "decay.weight", "r_k.weight")):
        return 0.3 * noise - (name.endswith("decay.weight"))
    if len(shape) == 1 or "time_mix_first" in name:
        return 1 + 0.2 * noise
    return noise * (0.5 if name == "token_embd.weight" else 1.2 / shape[-1] ** 0.5)


def write(path, random, arch, fused=True, rescale=0):
    writer = gguf.GGUFWriter(path, arch)
    writer.add_context_length(1024)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(0)
    writer.add_layer_norm_eps(1e-5)
    writer.add_wkv_head_size(HEAD)
    writer.add_vocab_size(VOCAB)
    writer.add_tokenizer_model("none")
    if arch == "rwkv6":
        writer.add_rescale_every_n_layers(rescale)
        writer.add_time_mix_extra_dim(6)
        writer.add_time_decay_extra_dim(7)
    else:
        writer.add_decay_lora_rank(5)
        writer.add_iclr_lora_rank(6)
        writer.add_value_residual_mix_lora_rank(4)
        writer.add_gate_lora_rank(9)
        writer.add_token_shift_count(2)
    shapes = {"token_embd.weight": (VOCAB, HIDDEN), "output.weight": (VOCAB, HIDDEN)}
    shapes |= norms("token_embd_norm") | norms("output_norm")
    for layer in range(LAYERS):
        for name, shape in layer_shapes(arch, fused).items():
            if layer == 0 and name.startswith("time_mix_v") and "value" not in name:
                # The converter puts the tensors of the rates there, unread.
                shape = {"0": (HIDDEN,), "1": (6, HIDDEN), "2": (HIDDEN, 6)}[name[10]]
            shapes[f"blk.{layer}.{name}"] = shape
    for name, shape in shapes.items():
        writer.add_tensor(name, draw(name, shape, random))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Peer:
    """The file run by llama.cpp, called as a model of transformers is."""

    def __init__(self, path):
        self.config = types.SimpleNamespace(vocab_size=VOCAB)
        self.llama = llama_cpp.Llama(
            str(path), n_ctx=512, n_threads=1, logits_all=True, verbose=False
        )

    def __call__(self, input_ids):
        self.llama.reset()
        self.llama.eval(input_ids[0].tolist())
        logits = torch.from_numpy(self.llama.scores[: input_ids.shape[1]].copy())
        return {"logits": logits[None]}


def make(name, folder):
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")
    write(folder / "model.gguf", np.random.default_rng(seed), **CASES[name])
    model = Peer(folder / "model.gguf")
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, VOCAB, (2, 37), generator=generator)
    _, std = make_checkpoint.write_run(folder, "", model, {"input_ids": ids}, "")
    ids = torch.randint(0, VOCAB, (1, 131), generator=generator)
    make_checkpoint.write_run(folder, "_long", model, {"input_ids": ids}, "")
    prompt = ids[0, :9].tolist()
    tokens, margins = make_checkpoint.decode(model, prompt, {})
    decoded = dict(prompt=prompt, tokens=tokens, margins=margins)
    decoded["max_new_tokens"] = make_checkpoint.NEW_TOKENS
    (folder / "generate.json").write_text(json.dumps(decoded))
    meta = dict(
        name=name,
        tolerance=dict(max_abs_over_rms=1e-3),
        output_std=dict(main=dict(logits=std)),
        flags=[],
    )
    (folder / "meta.json").write_text(json.dumps(meta, indent=1))


def main():
    root = pathlib.Path(sys.argv[1])
    with make_checkpoint.locked(root):
        for name in sys.argv[2:] or CASES:
            folder = root / name
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(name, folder)


if __name__ == "__main__":
    main()
