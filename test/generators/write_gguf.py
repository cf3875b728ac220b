"""Writes a transformers model as GGUF, as llama.cpp's converter would."""

from dataclasses import dataclass
from typing import Callable, Optional

import gguf
import numpy as np

from gguf_metadata import ARCHITECTURES, add_metadata, get_head_dim, is_state_space

# Of matrices that the converter never quantises.
WHOLE = ("A_log", ".D", "norm.weight", "_layernorm.weight", "conv1d.weight", "conv.conv.weight")
ROUTERS = (".gate.weight", ".router.weight", ".router.layer.weight", "shared_expert_gate.weight")

# Families whose rows of query and key are turned so that pairs are neighbours.
PERMUTED = ("llama", "mistral", "mixtral", "granite", "granitemoe", "granitemoeshared",
            "granitemoehybrid", "olmo", "smollm3", "arcee")  # fmt: skip
# Families whose weights of norms count from one.
COUNTED = ("gemma", "nemotron", "qwen3_next")
# Families with query, key and value of each head together.
GROUPED = ("gpt_neox", "bloom", "falcon")


def permute(matrix, heads):
    """Pairs of rotary features from halves apart to neighbours."""
    return matrix[get_pairs(matrix.shape[0], heads)]


def unpermute(matrix, heads):
    result = np.empty_like(matrix)
    result[get_pairs(matrix.shape[0], heads)] = matrix
    return result


def get_pairs(rows, heads):
    """Which row comes where for `permute`."""
    return np.arange(rows).reshape(heads, 2, rows // heads // 2).swapaxes(1, 2).reshape(-1)


def get_heads(name, config):
    """The heads of a tensor whose rows llama.cpp reorders, or none."""
    if config.model_type not in PERMUTED:
        return None
    if ".q_proj." in name:
        return config.num_attention_heads
    if ".k_proj." in name:
        return config.num_key_value_heads
    return None


def get_kinds(config):
    """Which row comes where to have all queries, all keys, all values."""
    heads = config.num_attention_heads
    shared = heads
    if config.model_type == "falcon":
        shared = config.num_kv_heads if config.new_decoder_architecture else 1
    places = np.arange((heads + 2 * shared) * get_head_dim(config))
    places = places.reshape(shared, heads // shared + 2, -1)
    return np.concatenate([places[:, part].reshape(-1) for part in (slice(-2), -2, -1)])


def same(values):
    return values


@dataclass
class Piece:
    """What becomes a tensor of the file: `view` of a parameter, called `name`."""

    name: str
    view: np.ndarray
    # Which rows, in their order.
    order: Optional[np.ndarray] = None
    # What is stored of the values, and the values of what is stored.
    encode: Callable = same
    decode: Callable = same


def cut_experts(name, values, config):
    """Gates, ups and downs of all experts, each in a tensor."""
    bare = name.removesuffix("_bias")
    ending = ".bias" if name.endswith("_bias") else ".weight"
    for block in ("block_sparse_moe", "feed_forward"):
        bare = bare.replace(block, "mlp")
    prefix, _, kind = bare.rpartition(".")
    # What has its inputs in front: gpt-oss, which has gates and ups in turn.
    turned = config.model_type == "gpt_oss"
    if turned and values.ndim == 3:
        values = values.swapaxes(1, 2)
    if kind == "down_proj":
        return [Piece(f"{prefix}.down_proj{ending}", values)]
    half = values.shape[1] // 2
    gate = slice(0, None, 2) if turned else slice(half)
    up = slice(1, None, 2) if turned else slice(half, None)
    return [
        Piece(f"{prefix}.gate_proj{ending}", values[:, gate]),
        Piece(f"{prefix}.up_proj{ending}", values[:, up]),
    ]


def cut_rows(name, values, config):
    """Dbrx' experts, one kind of matrices below the other."""
    stacked = values.reshape(config.ffn_config.moe_num_experts, -1, values.shape[1])
    if name.endswith("w2"):
        stacked = stacked.swapaxes(1, 2)
    return [Piece(f"{name}.weight", stacked)]


def cut_state_space(name, values, config):
    """A tensor of Mamba's as the converter lays it out."""
    is_decay = name.endswith("A_log")
    shape = values.shape
    if ".conv1d.weight" in name:
        shape = (shape[0], shape[2])
    if config.model_type == "mamba2" or ".mamba." in name:
        if name.endswith(("A_log", ".D")):
            shape = (*shape, 1)
        if "mixer.norm." in name or "mamba.norm." in name:
            groups = getattr(config, "n_groups", None) or config.mamba_n_groups
            shape = (groups, -1)

    def encode(values):
        return (-np.exp(values) if is_decay else values).reshape(shape)

    def decode(stored):
        return np.log(-stored) if is_decay else stored

    known = name.replace(".dt_bias", ".dt_proj.bias")
    return [Piece(known, values, encode=encode, decode=decode)]


def cut_delta_rule(name, values, config):
    """What Qwen3-Next's heads of keys have each, joined by what it is."""
    if name.endswith("A_log"):
        return [Piece(name, values, encode=lambda x: -np.exp(x), decode=lambda x: np.log(-x))]
    if name.endswith("conv1d.weight"):
        return [Piece(name, values[:, 0])]
    if not name.endswith("in_proj_qkvz.weight"):
        return [Piece(name.replace(".dt_bias", ".dt_proj.bias"), values)]
    keys, dim = config.linear_num_key_heads, config.linear_key_head_dim
    rows = np.arange(len(values)).reshape(keys, -1)
    ends = np.cumsum([dim, dim, (rows.shape[1] - 2 * dim) // 2])
    *mixed, gate = (part.reshape(-1) for part in np.split(rows, ends, axis=1))
    prefix = name.replace("in_proj_qkvz.weight", "")
    return [
        Piece(f"{prefix}in_proj_qkv.weight", values, order=np.concatenate(mixed)),
        Piece(f"{prefix}in_proj_z.weight", values, order=gate),
    ]


def cut(name, values, config):
    """The pieces of a parameter."""
    family = config.model_type
    if is_state_space(config) or ".mamba." in name:
        return cut_state_space(name, values, config)
    if ".experts.mlp." in name:
        return cut_rows(name, values, config)
    if ".experts." in name:
        return cut_experts(name, values, config)
    if "shared_mlp.input_linear" in name:
        half = len(values) // 2
        prefix = rename(name, config).replace("input_linear.weight", "")
        return [
            Piece(f"{prefix}gate_proj.weight", values[:half]),
            Piece(f"{prefix}up_proj.weight", values[half:]),
        ]
    if ".linear_attn." in name:
        return cut_delta_rule(name, values, config)
    piece = Piece(name, values)
    if heads := get_heads(name, config):
        piece.order = get_pairs(len(values), heads)
    elif family in GROUPED and "query_key_value" in name:
        piece.order = get_kinds(config)
    elif family == "gpt2" and ".c_" in name and values.ndim == 2:
        # Conv1D is stored input features first, GGUF output features first.
        piece.view = values.T
    elif name.endswith("norm.weight") and family.startswith(COUNTED):
        piece.encode, piece.decode = lambda x: x + 1, lambda x: x - 1
    elif "shared_expert_gate" in name or "moe_statics" in name:
        piece.view = values[0]
    elif ".conv.conv." in name:
        piece.view = values[:, 0]
    piece.name = rename(name, config)
    return [piece]


def rename(name, config):
    """As the published checkpoint calls what transformers does otherwise."""
    if name.endswith("sinks"):
        return f"{name}.weight"
    if name.endswith("expert_bias"):
        return f"{name}.bias"
    name = name.replace("e_score_correction_bias", "e_score_correction.bias")
    name = name.replace(".gate.moe_statics.", ".moe_statics.")
    name = name.replace("block_sparse_moe.router.", "block_sparse_moe.router.layer.")
    if "shared_mlp.input_linear" in name or "shared_mlp.output_linear" in name:
        # Without experts, Granite's for all tokens is an ordinary perceptron.
        block = "mlp.shared_expert" if config.num_local_experts else "mlp"
        name = name.replace("shared_mlp", block).replace("output_linear", "down_proj")
    return name


def choose_type(piece, values, kinds):
    """How the values are stored: matrices as `kinds[0]`, experts as the last."""
    whole = gguf.GGMLQuantizationType.F32
    if values.ndim < 2 or piece.name.endswith(WHOLE + ROUTERS + (".bias",)):
        return whole
    kind = kinds[-1] if values.ndim == 3 else kinds[0]
    # Rows that no block divides stay as they are.
    return kind if values.shape[-1] % gguf.GGML_QUANT_SIZES[kind][0] == 0 else whole


def write_piece(writer, names, piece, kinds):
    values = piece.view if piece.order is None else piece.view[piece.order]
    values = np.ascontiguousarray(piece.encode(values), dtype=np.float32)
    own = choose_type(piece, values, kinds)
    data = gguf.quants.quantize(values, own)
    name = names.get_name(piece.name, try_suffixes=(".weight", ".bias"))
    if name is None:
        raise ValueError(f"GGUF has no name for {piece.name}")
    writer.add_tensor(name, data, raw_dtype=own)
    found = piece.decode(gguf.quants.dequantize(data, own).reshape(values.shape))
    places = ... if piece.order is None else piece.order
    piece.view[places] = found.reshape(piece.view[places].shape)


def write_gguf(model, path, kinds):
    """Writes `model` with its matrices as `kinds` ("F16", "Q8_0", or "F16/MXFP4"
    where experts have another type), and gives it the weights that a reader of the
    file finds."""
    config = model.config
    architecture = ARCHITECTURES[config.model_type]
    names = gguf.get_tensor_name_map(architecture, config.num_hidden_layers)
    writer = gguf.GGUFWriter(path, gguf.MODEL_ARCH_NAMES[architecture])
    add_metadata(writer, config)
    kinds = [gguf.GGMLQuantizationType[kind] for kind in kinds.split("/")]
    norms = {}
    # What chooses experts is not trained by gradients.
    chosen = [
        (name, buffer)
        for name, buffer in model.named_buffers()
        if name.endswith(("e_score_correction_bias", "expert_bias"))
    ]
    for name, parameter in [*model.named_parameters(), *chosen]:
        # Shares memory with the parameter.
        values = parameter.detach().numpy()
        if config.model_type == "bloom":
            name = name.removeprefix("transformer.")
        if ".norms." in name:
            norms.setdefault(name.split(".norms.")[0], []).append(values)
            continue
        for piece in cut(name, values, config):
            write_piece(writer, names, piece, kinds)
    # StableLM's heads have a norm each.
    for name, rows in norms.items():
        write_piece(writer, names, Piece(f"{name}.weight", np.stack(rows)), kinds)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
