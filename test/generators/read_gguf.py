"""Loads a GGUF file of the llama architecture into transformers, in float32 on
the dequantised weights."""

import gguf
import numpy as np
import torch
import transformers

from write_gguf import get_heads, unpermute


def read_config(reader):
    fields = reader.fields

    def value(key, fallback=None):
        field = fields.get(f"llama.{key}")
        return fallback if field is None else field.contents()

    heads = value("attention.head_count")
    names = {tensor.name for tensor in reader.tensors}
    table = next(t for t in reader.tensors if t.name == "token_embd.weight")
    return transformers.LlamaConfig(
        vocab_size=int(table.shape[1]),
        hidden_size=value("embedding_length"),
        intermediate_size=value("feed_forward_length"),
        num_hidden_layers=value("block_count"),
        num_attention_heads=heads,
        num_key_value_heads=value("attention.head_count_kv", heads),
        max_position_embeddings=value("context_length"),
        rms_norm_eps=value("attention.layer_norm_rms_epsilon"),
        rope_parameters={
            "rope_type": "default",
            "rope_theta": float(value("rope.freq_base", 10000.0)),
        },
        tie_word_embeddings="output.weight" not in names,
    )


def read_llama(path):
    """The model in the file `path`."""
    reader = gguf.GGUFReader(path)
    config = read_config(reader)
    config._attn_implementation = "eager"
    model = transformers.LlamaForCausalLM(config).eval()
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    for name, parameter in model.named_parameters():
        tensor = tensors.pop(names.get_name(name, try_suffixes=(".weight", ".bias")))
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        values = values.reshape(parameter.shape)
        heads = get_heads(name, config)
        if heads:
            values = unpermute(values, heads)
        with torch.no_grad():
            parameter.copy_(torch.from_numpy(np.array(values)))
    if tensors:
        raise ValueError(f"{path}: tensors that no parameter takes: {sorted(tensors)}")
    return model

