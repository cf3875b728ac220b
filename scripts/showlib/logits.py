"""Logits of the real model against those of a reference, position by position."""


import sys

import numpy as np

from showlib.lines import ROOT, Short, Skip
from showlib.models import WORK, run, smollm2

PROMPTS = [
    "The capital of France is",
    "Once upon a time there was a little robot who",
    "def fibonacci(n):\n    ",
    "Water boils at a temperature of 100 degrees Celsius, which means that",
    "The three most important things to remember about gravity are",
]
POSITIONS = 48
# Of the spread (standard deviation) of a position's logits.
MARGIN = 0.01


class Reference:
    """What a reference makes of the prompts: its own greedy tokens, and its
    logits at the positions that chose them."""

    def __init__(self):
        self.prompts, self.tokens, self.logits = [], [], []

    def add(self, prompt, tokens, logits):
        self.prompts.append(list(prompt))
        self.tokens.append(list(tokens))
        self.logits.append(np.asarray(logits, np.float32))


def by_transformers():
    """In float32 on the dequantised weights of the GGUF file."""
    model_path = smollm2()
    # Minutes of work that two lines share, and later runs.
    cache = WORK / f"{model_path.stem}-logits.npz"
    if cache.exists():
        stored = np.load(cache)
        reference = Reference()
        for i in range(len(PROMPTS)):
            reference.add(stored[f"p{i}"], stored[f"t{i}"], stored[f"l{i}"])
        return reference
    try:
        import torch
        import transformers
    except ImportError as error:
        raise Skip(f"the package {error.name} is not installed")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    folder, name = str(model_path.parent), model_path.name
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, gguf_file=name)
    sys.path.insert(0, str(ROOT / "test" / "generators"))
    from read_gguf import read_llama

    model = read_llama(model_path)
    reference, arrays = Reference(), {}
    for i, text in enumerate(PROMPTS):
        prompt = tokenizer(text)["input_ids"]
        with torch.no_grad():
            whole = model.generate(
                torch.tensor([prompt]),
                attention_mask=torch.ones(1, len(prompt), dtype=torch.int64),
                do_sample=False,
                min_new_tokens=POSITIONS,
                max_new_tokens=POSITIONS,
                repetition_penalty=1.0,
            )[0]
            logits = model(whole[None]).logits[0, len(prompt) - 1 : -1]
        tokens = whole[len(prompt) :].tolist()
        reference.add(prompt, tokens, logits.numpy())
        arrays |= {
            f"p{i}": np.array(prompt),
            f"t{i}": np.array(tokens),
            f"l{i}": reference.logits[-1],
        }
    WORK.mkdir(parents=True, exist_ok=True)
    np.savez(cache, **arrays)
    return reference


def load_by_llama_cpp(**options):
    try:
        import llama_cpp
    except ImportError:
        raise Skip("llama-cpp-python is not installed: scripts/setup bench")
    return llama_cpp.Llama(
        str(smollm2()), n_ctx=256, logits_all=True, verbose=False, **options
    )


def by_llama_cpp():
    """With 8-bit activations, as llama.cpp multiplies quantised weights."""
    model = load_by_llama_cpp()
    reference = Reference()
    for text in PROMPTS:
        prompt = model.tokenize(text.encode(), add_bos=False)
        model.reset()
        model.eval(prompt)
        tokens, logits = [], []
        while len(tokens) < POSITIONS:
            step = np.array(model.scores[model.n_tokens - 1])
            logits.append(step)
            tokens.append(int(step.argmax()))
            model.eval(tokens[-1:])
        reference.add(prompt, tokens, logits)
    return reference


def noise_of_llama_cpp(reference):
    """How often llama.cpp agrees with itself, the same tokens given at once
    and the cache in f32: one flipped quant changes all that follow, so no
    other engine can be expected to come closer."""
    f32 = 0
    model = load_by_llama_cpp(type_k=f32, type_v=f32)
    results = []
    for prompt, tokens in zip(reference.prompts, reference.tokens):
        model.reset()
        model.eval(prompt + tokens)
        results.append(np.array(model.scores[: model.n_tokens]))
    differ, total, _, _ = count_differences(results, reference)
    return f"llama.cpp with itself {total - len(differ)} of {total}"


def compare(program, reference):
    """Runs the executable on the reference's tokens; the figure of a line."""
    from safetensors.numpy import load_file, save_file

    rows = [p + t for p, t in zip(reference.prompts, reference.tokens)]
    length = max(map(len, rows))
    ids = np.zeros((len(rows), length), np.int64)
    mask = np.zeros_like(ids)
    for b, row in enumerate(rows):
        ids[b, : len(row)] = row
        mask[b, : len(row)] = 1
    inputs, outputs = WORK / "logits-in.safetensors", WORK / "logits-out.safetensors"
    save_file({"input_ids": ids, "attention_mask": mask}, str(inputs))
    run(program, "--inputs", inputs, "--outputs", outputs)
    results = load_file(str(outputs))["logits"]
    outputs.unlink()

    differ, total, close, worst = count_differences(results, reference)
    figure = (
        f"{total - len(differ)} of {total} positions agree "
        f"({close} within the margin left out), largest difference "
        f"{worst:.2g} of the spread"
    )
    if differ:
        b, t, margin = max(differ, key=lambda place: place[2])
        raise Short(f"{figure}; prompt {b} position {t} has a margin of {margin:.2g}")
    return figure


def count_differences(results, reference):
    """Where the largest logits differ in spite of the margin, of how many,
    how many were within the margin, and the largest difference of all."""
    differ, total, close, worst = [], 0, 0, 0.0
    for b, expected in enumerate(reference.logits):
        first = len(reference.prompts[b]) - 1
        for t, want in enumerate(expected):
            got = results[b][first + t]
            spread = want.std()
            second, best = np.partition(want, -2)[-2:]
            worst = max(worst, float(np.abs(got - want).max() / spread))
            if not np.isfinite(got).all():
                raise Short(f"prompt {b} position {t}: not finite")
            if best - second <= MARGIN * spread:
                close += 1
                continue
            total += 1
            if got.argmax() != want.argmax():
                differ.append((b, t, float((best - second) / spread)))
    return differ, total, close, worst
