"""Writes a transformers model as GGUF, as llama.cpp's converter would."""

import gguf
import numpy as np
import torch

ARCHITECTURES = {
    "llama": gguf.MODEL_ARCH.LLAMA,
    "mistral": gguf.MODEL_ARCH.LLAMA,
    "qwen2": gguf.MODEL_ARCH.QWEN2,
    "qwen3": gguf.MODEL_ARCH.QWEN3,
    "gemma": gguf.MODEL_ARCH.GEMMA,
    "gemma2": gguf.MODEL_ARCH.GEMMA2,
    "gemma3_text": gguf.MODEL_ARCH.GEMMA3,
    "gpt2": gguf.MODEL_ARCH.GPT2,
    "phi3": gguf.MODEL_ARCH.PHI3,
    "mamba": gguf.MODEL_ARCH.MAMBA,
    "falcon_mamba": gguf.MODEL_ARCH.MAMBA,
    "mamba2": gguf.MODEL_ARCH.MAMBA2,
}


def permute(matrix, heads):
    """Pairs of rotary features from halves apart to neighbours."""
    rows = matrix.reshape(heads, 2, matrix.shape[0] // heads // 2, *matrix.shape[1:])
    return rows.swapaxes(1, 2).reshape(matrix.shape)


def unpermute(matrix, heads):
    rows = matrix.reshape(heads, matrix.shape[0] // heads // 2, 2, *matrix.shape[1:])
    return rows.swapaxes(1, 2).reshape(matrix.shape)


def get_heads(name, config):
    """The heads of a tensor whose rows llama.cpp reorders, or none."""
    if config.model_type not in ("llama", "mistral"):
        return None
    if ".q_proj." in name:
        return config.num_attention_heads
    if ".k_proj." in name:
        return config.num_key_value_heads
    return None


def is_gemma(config):
    return config.model_type.startswith("gemma")


def is_state_space(config):
    return config.model_type in ("mamba", "falcon_mamba", "mamba2")


def add_state_space_metadata(writer, config):
    writer.add_context_length(2**20)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_ssm_conv_kernel(config.conv_kernel)
    writer.add_ssm_inner_size(int(config.expand * config.hidden_size))
    writer.add_ssm_state_size(config.state_size)
    writer.add_layer_norm_rms_eps(config.layer_norm_epsilon)
    if config.model_type == "mamba2":
        writer.add_ssm_time_step_rank(config.num_heads)
        writer.add_ssm_group_count(config.n_groups)
    else:
        writer.add_ssm_time_step_rank(config.time_step_rank)
        writer.add_ssm_dt_b_c_rms(config.model_type == "falcon_mamba")


def to_state_space(name, values, config):
    """A tensor as the converter lays it out."""
    if name.endswith("A_log"):
        values = -np.exp(values)
    if ".conv1d.weight" in name:
        values = values[:, 0]
    if config.model_type == "mamba2":
        if name.endswith(("A_log", ".D")):
            values = values[:, None]
        if "mixer.norm" in name:
            values = values.reshape(config.n_groups, -1)
    return values


def from_state_space(name, values, tensor):
    if name.endswith("A_log"):
        values = np.log(-values)
    return values.reshape(tensor.shape)


def add_metadata(writer, config):
    writer.add_vocab_size(config.vocab_size)
    if is_state_space(config):
        add_state_space_metadata(writer, config)
        return
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_head_count(config.num_attention_heads)
    if config.model_type == "gpt2":
        writer.add_feed_forward_length(config.n_inner or 4 * config.n_embd)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
        return
    head_dim = getattr(config, "head_dim", None)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    rope = config.rope_parameters
    writer.add_rope_freq_base(rope.get("full_attention", rope)["rope_theta"])
    if getattr(config, "sliding_window", None):
        writer.add_sliding_window(config.sliding_window)
    if config.model_type == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
    if is_gemma(config) and getattr(config, "final_logit_softcapping", None):
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
    if config.model_type == "phi3":
        dims = config.hidden_size // config.num_attention_heads
        dims *= rope["partial_rotary_factor"]
        writer.add_rope_dimension_count(int(dims))
    if head_dim:
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
        writer.add_rope_dimension_count(head_dim)


def write_gguf(model, path, kind):
    """Writes `model` with its matrices as `kind` ("F16", "Q8_0", ...), and gives
    it the weights that a reader of the file finds."""
    config = model.config
    architecture = ARCHITECTURES[config.model_type]
    names = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[architecture])
    add_metadata(writer, config)
    stored = gguf.GGMLQuantizationType[kind]
    for name, tensor in model.named_parameters():
        values = tensor.detach().numpy()
        # Conv1D is stored input features first, GGUF output features first.
        turned = config.model_type == "gpt2" and ".c_" in name and values.ndim == 2
        if turned:
            values = values.T
        heads = get_heads(name, config)
        if heads:
            values = permute(values, heads)
        if is_state_space(config):
            values = to_state_space(name, values, config)
        counted = is_gemma(config) and name.endswith("norm.weight")
        if counted:
            values = values + 1
        values = np.ascontiguousarray(values)
        # Vectors stay as they are, and so do rows that no block divides.
        block = gguf.GGML_QUANT_SIZES[stored][0]
        own = stored if values.ndim == 2 and values.shape[1] % block == 0 else None
        # These are always whole numbers of f32.
        if name.endswith(("A_log", ".D", "mixer.norm.weight", "conv1d.weight")):
            own = None
        own = own or gguf.GGMLQuantizationType.F32
        data = gguf.quants.quantize(values, own)
        known = name.replace("mixer.dt_bias", "mixer.dt_proj.bias")
        gguf_name = names.get_name(known, try_suffixes=(".weight", ".bias"))
        writer.add_tensor(gguf_name, data, raw_dtype=own)
        values = gguf.quants.dequantize(data, own).reshape(values.shape)
        if heads:
            values = unpermute(values, heads)
        if turned:
            values = values.T
        if counted:
            values = values - 1
        if is_state_space(config):
            values = from_state_space(name, values, tensor)
        with torch.no_grad():
            tensor.copy_(torch.from_numpy(np.ascontiguousarray(values)))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
