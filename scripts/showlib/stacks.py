"""Checkpoints of deep, mixed and sparse stacks, with random weights."""

import argparse
import pathlib
import sys

from showlib.lines import ROOT
from showlib.models import WORK, run


def _qwen3_next(transformers, layers):
    """Three gated delta rules to one attention, experts behind each."""
    return transformers.Qwen3NextConfig(
        vocab_size=512, hidden_size=64, intermediate_size=128,
        num_hidden_layers=layers, num_attention_heads=4, num_key_value_heads=2,
        head_dim=16, linear_num_key_heads=2, linear_num_value_heads=4,
        linear_key_head_dim=16, linear_value_head_dim=16, num_experts=8,
        num_experts_per_tok=2, moe_intermediate_size=32,
        shared_expert_intermediate_size=32,
    )


def _nemotron(transformers, pattern):
    """Layers by letters: M a Mamba-2, * an attention, E a mixture, - an MLP."""
    kinds = {"M": "mamba", "*": "attention", "E": "moe", "-": "mlp"}
    return transformers.NemotronHConfig(
        vocab_size=512, hidden_size=64, intermediate_size=128,
        layers_block_type=[kinds[letter] for letter in pattern],
        num_attention_heads=4, num_key_value_heads=2, head_dim=16,
        mamba_num_heads=8, mamba_head_dim=16, ssm_state_size=16, n_groups=2,
        chunk_size=32,
    )


def _mixtral(transformers, experts):
    """Nearly all of the weights are experts'."""
    return transformers.MixtralConfig(
        vocab_size=512, hidden_size=256, intermediate_size=1024,
        num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2,
        num_local_experts=int(experts), num_experts_per_tok=2,
    )


MAKERS = {"qwen3_next": _qwen3_next, "nemotron": _nemotron, "mixtral": _mixtral}


def checkpoint(kind, what):
    """The folder of MAKERS[kind](what), made once, in a process of its own."""
    name = str(what).replace("*", "a").replace("-", "d")
    folder = WORK / f"{kind}-{name}"
    if not (folder / "model.safetensors").exists():
        WORK.mkdir(parents=True, exist_ok=True)
        run(sys.executable, "-m", "showlib.stacks", kind, f"={what}", folder,
            cwd=ROOT / "scripts")
    return folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=MAKERS)
    parser.add_argument("what", help="= and what the maker takes")
    parser.add_argument("folder", type=pathlib.Path)
    options = parser.parse_args()
    import torch
    import transformers

    torch.manual_seed(0)
    what = options.what[1:]
    config = MAKERS[options.kind](transformers, int(what) if what.isdigit() else what)
    model = transformers.AutoModelForCausalLM.from_config(config)
    model.save_pretrained(options.folder)
