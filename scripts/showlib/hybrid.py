"""A hybrid of 100M parameters, timed in Weir and in transformers.

    python -m showlib.hybrid make FOLDER
    python -m showlib.hybrid torch FOLDER THREADS
    python -m showlib.hybrid weir FOLDER THREADS WEIRC

`make` writes the checkpoint, three gated delta rules to one attention, its
weights random. The others take a command a line, `prefill` or `decode`, and
answer each with the seconds it took: PROMPT tokens at once, or one more.
"""

import os
import pathlib
import sys
import time

import numpy as np

PROMPT = 512
STEPS = 128
VOCABULARY = 32000


def make(folder):
    import torch
    import transformers

    torch.manual_seed(0)
    layers = 12
    config = transformers.Qwen3NextConfig(
        vocab_size=VOCABULARY,
        hidden_size=768,
        intermediate_size=2048,
        num_hidden_layers=layers,
        num_attention_heads=8,
        num_key_value_heads=2,
        head_dim=96,
        linear_num_key_heads=4,
        linear_num_value_heads=8,
        linear_key_head_dim=96,
        linear_value_head_dim=96,
        mlp_only_layers=list(range(layers)),
        tie_word_embeddings=True,
        eos_token_id=None,
        pad_token_id=None,
    )
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)


def tokens():
    random = np.random.default_rng(0)
    return random.integers(0, VOCABULARY, PROMPT + STEPS).tolist()


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
    action, folder = sys.argv[1:3]
    if action == "make":
        make(folder)
    elif action == "torch":
        serve(Torch(folder, int(sys.argv[3])))
    else:
        serve(Weir(folder, int(sys.argv[3]), sys.argv[4]))
