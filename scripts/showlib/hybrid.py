"""Models that are timed in Weir and in transformers.

    python -m showlib.hybrid make KIND FOLDER
    python -m showlib.hybrid torch FOLDER THREADS
    python -m showlib.hybrid weir FOLDER THREADS WEIRC

`make` writes a checkpoint, its weights random: 100M parameters, three gated delta
rules to one attention, behind each an MLP (`dense`) or experts (`experts`); or
one that is large and nearly all experts (`mixture`). The others take a command a line, `prefill` or
`decode`, and answer each with the seconds it took: PROMPT tokens at once, or one
more.
"""

import os
import pathlib
import sys
import time

import numpy as np

PROMPT = 512
STEPS = 128
# Of the hybrids; tokens are drawn from the first, which all models have.
VOCABULARY = 32000
DRAWN = 512


# Of the hybrids: all of them, and what stands behind a mixer.
_MIXERS = dict(
    vocab_size=VOCABULARY,
    num_attention_heads=8,
    num_key_value_heads=2,
    tie_word_embeddings=True,
    eos_token_id=None,
    pad_token_id=None,
)


def _dense(transformers):
    layers = 12
    return transformers.Qwen3NextConfig(
        **_MIXERS,
        hidden_size=768,
        head_dim=96,
        linear_num_key_heads=4,
        linear_num_value_heads=8,
        linear_key_head_dim=96,
        linear_value_head_dim=96,
        num_hidden_layers=layers,
        intermediate_size=2048,
        mlp_only_layers=list(range(layers)),
    )


def _experts(transformers):
    """Of Qwen3-Next's proportions: values twice as wide as the model, experts a
    quarter, nine of them for a token, one of which is shared."""
    return transformers.Qwen3NextConfig(
        **_MIXERS,
        hidden_size=512,
        head_dim=64,
        linear_num_key_heads=8,
        linear_num_value_heads=16,
        linear_key_head_dim=64,
        linear_value_head_dim=64,
        num_hidden_layers=8,
        num_experts=48,
        num_experts_per_tok=8,
        moe_intermediate_size=128,
        shared_expert_intermediate_size=128,
    )


def _mixture(transformers):
    """What one token reads, half of it, is more than caches hold."""
    return transformers.MixtralConfig(
        vocab_size=DRAWN,
        hidden_size=1536,
        intermediate_size=6144,
        num_hidden_layers=5,
        num_attention_heads=8,
        num_key_value_heads=2,
        num_local_experts=4,
        num_experts_per_tok=2,
        eos_token_id=None,
        pad_token_id=None,
    )


KINDS = {"dense": _dense, "experts": _experts, "mixture": _mixture}


def make(kind, folder):
    import torch
    import transformers

    torch.manual_seed(0)
    config = KINDS[kind](transformers)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)


def tokens():
    random = np.random.default_rng(0)
    return random.integers(0, DRAWN, PROMPT + STEPS).tolist()


class Torch:
    def __init__(self, folder, threads):
        import torch
        import transformers

        self.torch = torch
        torch.set_num_threads(threads)
        load = transformers.AutoModelForCausalLM.from_pretrained
        self.model = load(folder, dtype=torch.float32).eval()
        self.tokens = torch.tensor([tokens()])

    def extend(self, first, last):
        with self.torch.inference_mode():
            made = self.model(
                self.tokens[:, first:last],
                past_key_values=self.cache,
                use_cache=True,
                logits_to_keep=1,
            )
        self.cache = made.past_key_values

    def reset(self):
        self.cache = None


class Weir:
    def __init__(self, folder, threads, weirc):
        sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "bench"))
        from weirbench.compiled import Session, compile_shared

        options = ["--quantize=none", f"--max-length={PROMPT + STEPS}"]
        library = compile_shared(
            pathlib.Path(weirc), pathlib.Path(folder), options, threads
        )
        self.session = Session(library, threads, PROMPT + STEPS)
        given = tokens()
        self.prompt = self.session.block(given[:PROMPT])
        self.steps = [self.session.block([token]) for token in given[PROMPT:]]

    def extend(self, first, last):
        self.session.extend(self.prompt if first == 0 else self.steps[first - PROMPT])

    def reset(self):
        self.session.reset()


def serve(model):
    position = 0
    for line in sys.stdin:
        if line.strip() == "prefill":
            model.reset()
            first, position = 0, PROMPT
        else:
            first, position = position, position + 1
        begin = time.perf_counter()
        model.extend(first, position)
        print(time.perf_counter() - begin, flush=True)


if __name__ == "__main__":
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    action, *rest = sys.argv[1:]
    if action == "make":
        make(*rest)
    elif action == "torch":
        serve(Torch(rest[0], int(rest[1])))
    else:
        serve(Weir(rest[0], int(rest[1]), rest[2]))
