#!/usr/bin/env python3
"""Writes the checkpoints of fla_cases.py with outputs of flash-linear-attention.

  make_fla_checkpoint.py FOLDER [NAME...]

As make_checkpoint.py does, by the library's own recurrent kernels, which run in
Triton's interpreter without a GPU. That is slow, so sequences are short. The
attention of hybrids, for which the library calls another one, is plain torch,
and so are the kernels that the interpreter does not run.
"""

import hashlib
import json
import os
import pathlib
import sys
import types

os.environ["TRITON_INTERPRET"] = "1"
os.environ["TORCHDYNAMO_DISABLE"] = "1"

import torch
from triton.runtime import driver


class Interpreter:
    """What Triton asks of a device."""

    utils = types.SimpleNamespace(
        get_device_properties=lambda device: dict(multiprocessor_count=4, max_shared_mem=200000)
    )

    def get_current_device(self):
        return 0

    def get_current_stream(self, *device):
        return 0

    def get_current_target(self):
        return types.SimpleNamespace(backend="cpu", arch=0, warp_size=32)

    def get_active_torch_device(self):
        return torch.device("cpu")

    def get_device_interface(self):
        return torch.cpu

    def get_benchmarker(self):
        return lambda function, *args, **options: [1.0, 1.0, 1.0]

    def get_empty_cache_for_benchmark(self):
        return torch.zeros(1)

    def clear_cache(self, cache):
        pass


driver.set_active(Interpreter())

import fla.layers.abc
import fla.layers.attn
import fla.layers.deltaformer
import fla.layers.lightnet
import fla.layers.log_linear_mamba2
import fla.layers.mesa_net
import fla.layers.moba
import fla.layers.path_attn
import fla.layers.rodimus
import fla.layers.stickbreaking_attn
import fla.models
import fla.ops.nsa.parallel
from fla.ops.abc.naive import naive_recurrent_abc
from fla.ops.attnres.naive import naive_attnres
from fla.ops.deltaformer.naive import naive_deltaformer_attn
from fla.ops.log_linear_attn.naive import naive_log_linear_attn
from fla.ops.path_attn.naive import naive_path_attn
from fla.ops.stickbreaking_attn.naive import naive_stickbreaking_attn

import make_checkpoint
from fla_cases import ABSENT, FLA_CASES, SMALL

make_checkpoint.NEW_TOKENS = 4


def attend(q, k, v, causal, window_size):
    groups = q.shape[2] // k.shape[2]
    k, v = (x.repeat_interleave(groups, 2) for x in (k, v))
    scores = torch.einsum("bthd,bshd->bhts", q, k) * q.shape[-1] ** -0.5
    place = torch.arange(q.shape[1])
    behind = place[:, None] - place
    seen = behind >= 0
    if window_size[0] >= 0:
        seen &= behind <= window_size[0]
    shares = scores.masked_fill(~seen, -torch.inf).softmax(-1)
    return torch.einsum("bhts,bshd->bthd", shares, v)


def argsort(tensor, *order, **options):
    # Mom sorts tokens by their memories and means to keep their order.
    return torch.argsort(tensor, *order, stable=True, **options)


torch.Tensor.argsort = argsort
fla.layers.attn.flash_attn_func = attend
fla.layers.rodimus.flash_attn_func = attend
fla.layers.rodimus.autocast_to_fp16 = lambda x: x
fla.ops.nsa.parallel.flash_attn_func = attend
for name, module in list(sys.modules.items()):
    if name.startswith("fla.") and hasattr(module, "fused_attnres"):
        module.fused_attnres = naive_attnres


def bounded_memory(q, k, v, s, initial_state, output_final_state):
    heads_first = (x.transpose(1, 2) for x in (q, k, v, s))
    out, _ = naive_recurrent_abc(*heads_first)
    return out.transpose(1, 2), None


def additive_decay(q, k, v, **options):
    # Values weighed by exp(key) over the sum of exp(key) so far.
    total = k.logcumsumexp(1)
    shares = torch.exp(k[:, None] - total[:, :, None])
    seen = torch.ones(k.shape[1], k.shape[1]).tril()
    scores = torch.einsum("bthd,btshd,ts->bths", q, shares, seen)
    return torch.einsum("bths,bshd->bthd", scores, v) * q.shape[-1] ** -0.5, (None, None)


def mesa(q, k, v, g, beta, lamb, max_CG_iteration, **options):
    # In the numbers that are given, where the kernel has halves.
    q, k = (x / (x.square().sum(-1, keepdim=True) + 1e-6).sqrt() for x in (q, k))
    squares = q.new_zeros(q.shape[0], q.shape[2], q.shape[3], k.shape[3])
    sums = q.new_zeros(q.shape[0], q.shape[2], q.shape[3], v.shape[3])
    outputs = []
    for now in range(q.shape[1]):
        decay = g[:, now, :, None, None].exp()
        weighted = (beta[:, now, :, None] * k[:, now])[..., None]
        squares = decay * squares + weighted * k[:, now, :, None]
        sums = decay * sums + weighted * v[:, now, :, None]
        x, rest = torch.zeros_like(q[:, now]), q[:, now]
        way, norm = rest, rest.square().sum(-1, keepdim=True)
        for _ in range(max_CG_iteration):
            image = torch.einsum("bhij,bhj->bhi", squares, way) + lamb * way
            step = norm / ((way * image).sum(-1, keepdim=True) + 1e-5)
            x, rest = x + step * way, rest - step * image
            fresh = rest.square().sum(-1, keepdim=True)
            way, norm = rest + fresh / (norm + 1e-5) * way, fresh
        outputs.append(torch.einsum("bhij,bhi->bhj", sums, x))
    return torch.stack(outputs, 1), None, None


def block_attention(q, k, v, cu_seqlens, chunk_size, topk, **options):
    # Sequences one behind the other; each query's own block, and the best of
    # those behind it by the mean of their keys.
    outputs = []
    ends = cu_seqlens.tolist()
    for begin, end in zip(ends, ends[1:]):
        query, key, value = (x[0, begin:end] for x in (q, k, v))
        groups = query.shape[1] // key.shape[1]
        key, value = (x.repeat_interleave(groups, 1) for x in (key, value))
        place = torch.arange(end - begin)
        blocks = place // chunk_size
        full = (end - begin) // chunk_size
        means = key[: full * chunk_size].unflatten(0, (full, chunk_size)).mean(1)
        gate = torch.einsum("thd,chd->htc", query, means)
        gate = gate.masked_fill(torch.arange(full) >= blocks[:, None], -torch.inf)
        best = gate.topk(min(topk - 1, full), -1)
        chosen = torch.zeros_like(gate, dtype=torch.bool)
        chosen.scatter_(-1, best.indices, best.values > -torch.inf)
        seen = torch.nn.functional.pad(chosen, (0, 1))[..., blocks.clamp(max=full)]
        seen |= blocks[:, None] == blocks
        seen &= place[:, None] >= place
        scores = torch.einsum("thd,shd->hts", query, key) * query.shape[-1] ** -0.5
        shares = scores.masked_fill(~seen, -torch.inf).softmax(-1)
        outputs.append(torch.einsum("hts,shd->thd", shares, value))
    return torch.cat(outputs)[None]


def break_sticks(self, hidden_states, **options):
    # The layer, which else wants a GPU and halves.
    project = lambda weight: weight(hidden_states).unflatten(-1, (-1, self.head_dim))
    q, k, v = project(self.q_proj), project(self.k_proj), project(self.v_proj)
    if self.qk_norm:
        q, k = self.q_norm(q), self.k_norm(k)
    o, _ = naive_stickbreaking_attn(q, k, v, attend_current=self.attend_current)
    return self.o_proj(o.flatten(-2)), None, None


def follow_path(q, k, v, w, beta, g, **options):
    gates = q.new_zeros(q.shape[:3]) if g is None else g
    return naive_path_attn(q, k, v, w, beta, gates, q.shape[-1] ** -0.5), None


def correct_values(q, k, v, beta, **options):
    return naive_deltaformer_attn(q, k, v, beta)


def convolve(x, weight, bias, activation):
    width = weight.shape[-1]
    padded = torch.nn.functional.pad(x, (width - 1, 0))
    y = torch.nn.functional.conv1d(padded, weight[:, None], bias, groups=len(weight))
    return torch.nn.functional.silu(y)


def attend_by_levels(q, k, v, g, level_scales, scale, **options):
    return naive_log_linear_attn(q, k, v, g, level_scales, scale), None


def mix_by_levels(self, hidden_states, **options):
    # The layer, which else wants a GPU.
    return self.cuda_kernels_forward(hidden_states)[0], None, None


fla.layers.log_linear_mamba2.LogLinearMamba2.forward = mix_by_levels
fla.layers.log_linear_mamba2.causal_conv1d_fn = convolve
fla.layers.log_linear_mamba2.chunk_log_linear_attn = attend_by_levels
fla.layers.path_attn.parallel_path_attn = follow_path
fla.layers.deltaformer.deltaformer_attn = correct_values
fla.layers.moba.parallel_moba = block_attention
fla.layers.stickbreaking_attn.StickBreakingAttention.forward = break_sticks
fla.layers.abc.chunk_abc = bounded_memory
fla.layers.lightnet.fused_recurrent_lightnet = additive_decay
fla.layers.mesa_net.chunk_mesa_net = mesa


def fill(model, generator):
    make_checkpoint.fill(model, generator)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            last = name.rsplit(".", 1)[-1]
            if last == "A_log":
                parameter.sub_(1.5)
            elif "conv1d.weight" in name:
                parameter.mul_(0.5)
            elif name.endswith(("w_lora.lora.2.bias", "linear.lora.2.bias")):
                parameter.sub_(1.0)
            elif last == "mu" or last.startswith("x_") and "x_bias" not in last:
                parameter.copy_(torch.rand(parameter.shape, generator=generator))


def make(name, folder):
    family, options = FLA_CASES[name]
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")
    generator = torch.Generator().manual_seed(seed)
    values = {k: v for k, v in {**SMALL, **options}.items() if v is not ABSENT}
    config = getattr(fla.models, family + "Config")(**values, use_cache=False)
    model = getattr(fla.models, family + "ForCausalLM")(config).eval()
    fill(model, generator)
    model.save_pretrained(folder)
    ids = torch.randint(0, config.vocab_size, (2, 9), generator=generator)
    _, std = make_checkpoint.write_run(folder, "", model, {"input_ids": ids}, "")
    ids = torch.randint(0, config.vocab_size, (1, 18), generator=generator)
    make_checkpoint.write_run(folder, "_long", model, {"input_ids": ids}, "")
    prompt = ids[0, :5].tolist()
    tokens, margins = make_checkpoint.decode(model, prompt)
    decoded = dict(prompt=prompt, tokens=tokens, margins=margins, max_new_tokens=4)
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
    here = pathlib.Path(__file__).parent
    files = ("make_checkpoint.py", "make_fla_checkpoint.py", "fla_cases.py")
    sources = b"".join((here / name).read_bytes() for name in files)
    stamp = hashlib.sha256(sources + fla.__version__.encode()).hexdigest()
    torch.set_num_threads(1)
    make_checkpoint.write_all(root, names or FLA_CASES, stamp, make)


if __name__ == "__main__":
    main()
