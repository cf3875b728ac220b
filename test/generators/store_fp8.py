"""Turns the linears and experts of a checkpoint into what DeepSeek-V3 and others
publish: `X` in F8_E4M3 and `X_scale_inv`, a number for each block of 128 by 128 or,
without blocks, one for all of it."""

import json

import torch
from safetensors import safe_open
from safetensors.torch import save_file

LARGEST = 448.0
BLOCK = 128


def quantize(matrix, block):
    """Numbers and scales of the last two axes."""
    rows, cols = matrix.shape[-2:]
    high, wide = (block, block) if block else (rows, cols)
    scales = torch.zeros(*matrix.shape[:-2], -(-rows // high), -(-cols // wide))
    numbers = torch.empty_like(matrix)
    for i in range(scales.shape[-2]):
        for j in range(scales.shape[-1]):
            at = (..., slice(i * high, i * high + high), slice(j * wide, j * wide + wide))
            # Small blocks reach subnormals as well.
            scale = matrix[at].abs().amax(dim=(-2, -1)) / LARGEST
            numbers[at] = matrix[at] / scale[..., None, None]
            scales[..., i, j] = scale
    return numbers.to(torch.float8_e4m3fn), scales if block else scales.reshape(())


def dequantize(numbers, scales, block):
    """The numbers that both stand for, in f32."""
    values = numbers.float()
    if not block:
        return values * scales
    rows, cols = values.shape[-2:]
    wide = scales.repeat_interleave(block, -2).repeat_interleave(block, -1)
    return values * wide[..., :rows, :cols]


def is_quantized(name, tensor, skipped):
    """Whether published checkpoints have that weight of a linear in 8 bits."""
    if tensor.dim() not in (2, 3) or not name.startswith("model.layers."):
        return False
    if name.endswith((".gate.weight", ".router.weight")):
        return False
    return not any(part in name for part in skipped)


def store_fp8(folder, block, skipped=()):
    """Rewrites the folder, and gives what it stands for under the same names."""
    path = folder / "model.safetensors"
    tensors, plain = {}, {}
    with safe_open(path, framework="pt") as file:
        for name in file.keys():
            tensor = file.get_tensor(name)
            tensors[name] = plain[name] = tensor
            if not is_quantized(name, tensor, skipped):
                continue
            numbers, scales = quantize(tensor.float(), block)
            tensors[name] = numbers
            tensors[f"{name}_scale_inv"] = scales
            plain[name] = dequantize(numbers, scales, block)
    save_file(tensors, path, metadata={"format": "pt"})
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["quantization_config"] = {
        "activation_scheme": "dynamic",
        "fmt": "e4m3",
        "quant_method": "fp8",
        "weight_block_size": [block, block] if block else None,
        "modules_to_not_convert": ["lm_head", *skipped],
    }
    path.write_text(json.dumps(config, indent=2))
    return plain
