"""Turns the experts of a gpt-oss checkpoint into blocks of MXFP4, as they are
published (OCP Microscaling): `X_blocks`, two numbers to a byte, the first in the
low half, and `X_scales`, an exponent for 32 of them."""

import json

import gguf
import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file


def quantize(matrix):
    """Blocks and scales of the last axis."""
    kind = gguf.GGMLQuantizationType.MXFP4
    rows = matrix.reshape(-1, matrix.shape[-1]).astype(np.float32)
    stored = gguf.quants.quantize(rows, kind).reshape(*matrix.shape[:-1], -1, 17)
    # Elements i and i + 16 share a byte there.
    halves = stored[..., 1:]
    numbers = np.concatenate([halves & 15, halves >> 4], axis=-1)
    blocks = numbers[..., 0::2] | numbers[..., 1::2] << 4
    return blocks, np.ascontiguousarray(stored[..., 0])


def store_mxfp4(folder):
    path = folder / "model.safetensors"
    tensors = {}
    with safe_open(path, framework="pt") as file:
        for name in file.keys():
            tensor = file.get_tensor(name)
            if not name.endswith(("experts.gate_up_proj", "experts.down_proj")):
                tensors[name] = tensor
                continue
            # Blocks lie along the input features.
            matrix = tensor.float().numpy().swapaxes(-1, -2)
            blocks, scales = quantize(matrix)
            tensors[f"{name}_blocks"] = torch.from_numpy(blocks)
            tensors[f"{name}_scales"] = torch.from_numpy(scales)
    save_file(tensors, path, metadata={"format": "pt"})
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["quantization_config"] = {
        "quant_method": "mxfp4",
        "modules_to_not_convert": [
            "model.layers.*.self_attn",
            "model.layers.*.mlp.router",
            "model.embed_tokens",
            "lm_head",
        ],
    }
    path.write_text(json.dumps(config, indent=2))
