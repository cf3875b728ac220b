#!/usr/bin/env python3
"""Writes QRWKV-6 and ARWKV-7 as GGUF files with outputs of their definitions in
torch, token by token.

  make_qwen_rwkv.py FOLDER [NAME...]

As make_checkpoint.py does, for models that transformers does not have
(arXiv:2501.15570). Names and shapes of tensors are those of llama.cpp's
converter.
"""

import hashlib
import json
import sys
import types

import gguf
import numpy as np
import torch
from torch.nn import functional as F

import make_checkpoint

HIDDEN, INNER, HEAD, VOCAB, LAYERS, EPS = 64, 80, 16, 61, 3, 1e-3
HEADS = HIDDEN // HEAD

# The architecture, and what differs between files of one.
CASES = {
    "qrwkv6": dict(arch="rwkv6qwen2", keys=2, bias=True),
    "qrwkv6_all_keys": dict(arch="rwkv6qwen2", keys=HEADS, bias=False),
    "arwkv7": dict(arch="arwkv7", gate=True, norm=True),
    "arwkv7_ungated": dict(arch="arwkv7", gate=False, norm=False),
}


def layer_shapes(layer, arch, keys=HEADS, bias=False, gate=True, norm=True):
    square, vector = (HIDDEN, HIDDEN), (HIDDEN,)
    narrow = (keys * HEAD, HIDDEN)
    shapes = {
        "attn_norm.weight": vector,
        "ffn_norm.weight": vector,
        "ffn_gate.weight": (INNER, HIDDEN),
        "ffn_up.weight": (INNER, HIDDEN),
        "ffn_down.weight": (HIDDEN, INNER),
        "time_mix_key.weight": narrow,
        "time_mix_value.weight": narrow,
        "time_mix_receptance.weight": square,
        "time_mix_output.weight": square,
    }
    if arch == "rwkv6qwen2":
        if bias:
            for name, rows in (("key", narrow[0]), ("value", narrow[0]), ("receptance", HIDDEN)):
                shapes[f"time_mix_{name}.bias"] = (rows,)
        return shapes | {
            "time_mix_gate.weight": square,
            "time_mix_lerp_x.weight": (1, 1, HIDDEN),
            "time_mix_lerp_fused.weight": (5, 1, 1, HIDDEN),
            "time_mix_w1.weight": (5 * 6, HIDDEN),
            "time_mix_w2.weight": (5, HIDDEN, 6),
            "time_mix_decay.weight": vector,
            "time_mix_decay_w1.weight": (7, HIDDEN),
            "time_mix_decay_w2.weight": (HIDDEN, 7),
        }
    ranks = dict(w=5, a=6, v=4) | (dict(g=9) if gate else {})
    for name, rank in ranks.items():
        # The converter puts the tensors of the rates there, unread.
        rank = 6 if name == "v" and layer == 0 else rank
        shapes[f"time_mix_{name}1.weight"] = (rank, HIDDEN)
        shapes[f"time_mix_{name}2.weight"] = (HIDDEN, rank)
        if name != "g":
            shapes[f"time_mix_{name}0.weight"] = vector
    shapes |= {f"time_mix_{name}.weight": vector for name in ("k_k", "k_a", "r_k")}
    if norm:
        shapes |= {"time_mix_ln.weight": vector, "time_mix_ln.bias": vector}
    return shapes | {"time_mix_lerp_fused.weight": (6 if gate else 5, 1, 1, HIDDEN)}


def draw(name, shape, random):
    if "lerp" in name:
        return random.random(shape, dtype=np.float32)
    noise = random.standard_normal(shape, dtype=np.float32)
    if name.endswith(("bias", "0.weight", "decay.weight", "r_k.weight")):
        return 0.3 * noise - name.endswith("decay.weight")
    if len(shape) == 1:
        return 1 + 0.2 * noise
    return noise * (0.5 if name == "token_embd.weight" else 1.2 / shape[-1] ** 0.5)


def write(path, random, arch, **options):
    writer = gguf.GGUFWriter(path, arch)
    writer.add_context_length(2**20)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(0)
    writer.add_layer_norm_rms_eps(EPS)
    writer.add_wkv_head_size(HEAD)
    writer.add_token_shift_count(1)
    if arch == "rwkv6qwen2":
        writer.add_head_count_kv(options["keys"])
        writer.add_time_mix_extra_dim(6)
        writer.add_time_decay_extra_dim(7)
    else:
        writer.add_decay_lora_rank(5)
        writer.add_iclr_lora_rank(6)
        writer.add_value_residual_mix_lora_rank(4)
        writer.add_gate_lora_rank(9 if options["gate"] else 0)
    shapes = {
        "token_embd.weight": (VOCAB, HIDDEN),
        "output.weight": (VOCAB, HIDDEN),
        "output_norm.weight": (HIDDEN,),
    }
    for layer in range(LAYERS):
        for name, shape in layer_shapes(layer, arch, **options).items():
            shapes[f"blk.{layer}.{name}"] = shape
    tensors = {name: draw(name, shape, random) for name, shape in shapes.items()}
    for name, values in tensors.items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return {name: torch.from_numpy(values).double() for name, values in tensors.items()}


def rms_norm(x, weight):
    return x / torch.sqrt(x.square().mean(-1, keepdim=True) + EPS) * weight


def mix6(x, before, weight):
    """Gated linear attention whose keys are what a decay leaves of them."""
    delta = before - x
    mean = x + delta * weight("lerp_x").flatten()
    parts = torch.tanh(mean @ weight("w1").T).reshape(len(x), 5, -1)
    bent = torch.einsum("tpr,phr->pth", parts, weight("w2"))
    shares = weight("lerp_fused").reshape(5, 1, HIDDEN) + bent
    mixed = dict(zip("wkvrg", x + delta * shares))

    def project(name, part):
        bias = weight(name, "bias")
        out = mixed[part] @ weight(name).T + (0 if bias is None else bias)
        return out.reshape(len(x), -1, HEAD)

    query, key, value = (
        project(name, part)
        for name, part in (("receptance", "r"), ("key", "k"), ("value", "v"))
    )
    times = HEADS // key.shape[1]
    key, value = (part.repeat_interleave(times, 1) for part in (key, value))
    step = torch.tanh(mixed["w"] @ weight("decay_w1").T) @ weight("decay_w2").T
    decay = torch.exp(-torch.exp(step + weight("decay"))).reshape(len(x), HEADS, HEAD)
    state, out = torch.zeros(HEADS, HEAD, HEAD).double(), []
    for now in range(len(x)):
        left = key[now] * (1 - decay[now])
        state = state * decay[now][..., None] + left[..., None] * value[now][:, None]
        out.append(torch.einsum("hk,hkv->hv", query[now], state).flatten() / HEAD**0.5)
    gate = torch.sigmoid(mixed["g"] @ weight("gate").T)
    return (torch.stack(out) * gate) @ weight("output").T


def mix7(x, before, weight, first):
    """RWKV-7's mixer, whose gate and norm may be missing; and the first layer's
    value."""
    delta = before - x
    shares = weight("lerp_fused").reshape(-1, 1, HIDDEN)
    mixed = dict(zip("rwkvag", x + delta * shares))

    def low_rank(name, act):
        return act(mixed[name] @ weight(f"{name}1").T) @ weight(f"{name}2").T

    def same(values):
        return values

    query = mixed["r"] @ weight("receptance").T
    step = torch.sigmoid(low_rank("w", torch.tanh) + weight("w0"))
    decay = torch.exp(-np.exp(-0.5) * step)
    key, value = mixed["k"] @ weight("key").T, mixed["v"] @ weight("value").T
    if first is None:
        first = value
    else:
        value = value + (first - value) * torch.sigmoid(low_rank("v", same) + weight("v0"))
    rate = torch.sigmoid(low_rank("a", same) + weight("a0"))
    removed = F.normalize((key * weight("k_k")).reshape(len(x), HEADS, HEAD), dim=-1)
    key = key + (rate - 1) * key * weight("k_a")
    query, decay, key, value, rate = (
        part.reshape(len(x), HEADS, HEAD) for part in (query, decay, key, value, rate)
    )
    state, out = torch.zeros(HEADS, HEAD, HEAD).double(), []
    for now in range(len(x)):
        read = torch.einsum("hk,hkv->hv", -removed[now], state)
        state = (
            state * decay[now][..., None]
            + (removed[now] * rate[now])[..., None] * read[:, None]
            + key[now][..., None] * value[now][:, None]
        )
        out.append(torch.einsum("hk,hkv->hv", query[now], state))
    out = torch.stack(out)
    if weight("ln") is not None:
        centred = out - out.mean(-1, keepdim=True)
        out = centred / torch.sqrt(centred.square().mean(-1, keepdim=True) + 64e-5)
        out = out.reshape(len(x), -1) * weight("ln") + weight("ln", "bias")
    own = (query * key * weight("r_k").reshape(HEADS, HEAD)).sum(-1, keepdim=True)
    out = out.reshape(len(x), -1) + (own * value).reshape(len(x), -1)
    if "g" in mixed:
        out = out * low_rank("g", torch.sigmoid)
    return out @ weight("output").T, first


class Model:
    """Called as a model of transformers is."""

    def __init__(self, tensors, arch):
        self.config = types.SimpleNamespace(vocab_size=VOCAB)
        self.tensors, self.arch = tensors, arch

    def __call__(self, input_ids):
        get = self.tensors.get
        x, first = get("token_embd.weight")[input_ids[0]], None
        for layer in range(LAYERS):

            def weight(name, kind="weight", layer=layer):
                return get(f"blk.{layer}.time_mix_{name}.{kind}")

            normed = rms_norm(x, get(f"blk.{layer}.attn_norm.weight"))
            before = F.pad(normed, (0, 0, 1, 0))[:-1]
            if self.arch == "arwkv7":
                mixed, first = mix7(normed, before, weight, first)
            else:
                mixed = mix6(normed, before, weight)
            x = x + mixed
            normed = rms_norm(x, get(f"blk.{layer}.ffn_norm.weight"))
            up, gate = (normed @ get(f"blk.{layer}.ffn_{n}.weight").T for n in ("up", "gate"))
            x = x + (F.silu(gate) * up) @ get(f"blk.{layer}.ffn_down.weight").T
        logits = rms_norm(x, get("output_norm.weight")) @ get("output.weight").T
        return {"logits": logits[None].float()}


def make(name, folder):
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")
    case = CASES[name]
    tensors = write(folder / "model.gguf", np.random.default_rng(seed), **case)
    model = Model(tensors, case["arch"])
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
        tolerance=dict(max_abs_over_rms=2e-4),
        output_std=dict(main=dict(logits=std)),
        flags=[],
    )
    (folder / "meta.json").write_text(json.dumps(meta, indent=1))


def main():
    root, names = make_checkpoint.read_arguments(__doc__)
    with open(__file__, "rb") as file:
        stamp = hashlib.sha256(file.read()).hexdigest()
    torch.set_num_threads(1)
    make_checkpoint.write_all(root, names or list(CASES), stamp, make)


if __name__ == "__main__":
    sys.exit(main())
