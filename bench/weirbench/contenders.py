"""Engines that run the model: Weir, torch with transformers, and llama.cpp.

A contender is named `engine:weights/compute`, where `weights` is the type in
which matrices are kept and `compute` the type in which they are multiplied
(sums are f32 or i32 throughout). Each object has

- `prefill()`: forgets everything, takes in the prompt; returns the seconds the
  latter took;
- `decode()`: takes in the steps one by one from the end of the prompt; returns
  the seconds of all;
- `step(i)`: takes in step i alone;
- `logits()`: those of the last token taken in;
- `wake()`: makes threads and caches ready before something is timed.
"""

import ctypes
import subprocess
import time

import numpy as np

from . import smollm2
from .compiled import CompileError, Session, compile_shared
from .smollm2 import PROMPT, STEPS


class Contender:
    """Times what an engine does; see the module's description."""

    def prefill(self):
        self.clear()
        begin = time.perf_counter()
        self.take_prompt()
        return time.perf_counter() - begin

    def decode(self):
        self.back_to_prompt()
        begin = time.perf_counter()
        for i in range(STEPS):
            self.step(i)
        return time.perf_counter() - begin

    def wake(self):
        self.back_to_prompt()
        self.step(0)


def compute_options(weirc, weights, compute):
    """How `weirc` is told what to multiply in. One without the option takes
    bytes where weights are quantised and the CPU multiplies bytes."""
    done = subprocess.run([str(weirc), "--help"], capture_output=True, text=True)
    if "--compute" in done.stdout:
        return [f"--compute={compute}"]
    if compute != ("int8" if weights == "q4_1" else "f32"):
        raise CompileError("this weirc has no --compute")
    return []


class Weir(Contender):
    """A compiled model behind the C interface, its session left open."""

    QUANTIZE = {"f32": "none", "bf16": "bf16", "q4_1": "stored"}

    def __init__(self, weights, compute, settings):
        options = [f"--quantize={self.QUANTIZE[weights]}", *settings["weirc_options"]]
        if not any(option.startswith("--reference") for option in options):
            options += compute_options(settings["weirc"], weights, compute)
        library = compile_shared(
            settings["weirc"], smollm2.find_model(), options, settings["threads"]
        )
        self.session = Session(library, settings["threads"], PROMPT + STEPS)
        tokens = settings["tokens"]
        self.prompt = self.session.block(tokens[:PROMPT])
        self.steps = [self.session.block([token]) for token in tokens[PROMPT:]]

    def clear(self):
        self.session.reset()

    def take_prompt(self):
        self.session.extend(self.prompt)

    def back_to_prompt(self):
        self.session.rollback(PROMPT)

    def step(self, i):
        self.session.extend(self.steps[i])

    def logits(self):
        return self.session.logits


class Torch(Contender):
    """transformers, eager, with a cache that grows."""

    def __init__(self, weights, compute, settings):
        import torch
        import transformers

        self.torch, self.transformers = torch, transformers
        torch.set_num_threads(settings["threads"])
        dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[weights]
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            smollm2.folder() / "hf", dtype=dtype
        ).eval()
        tokens = torch.tensor([settings["tokens"]])
        self.prompt = tokens[:, :PROMPT]
        self.steps = tokens[:, PROMPT:].split(1, 1)

    def clear(self):
        self.cache = self.transformers.DynamicCache(config=self.model.config)

    def run(self, tokens, position):
        with self.torch.inference_mode():
            self.last = self.model(
                tokens, past_key_values=self.cache, use_cache=True, logits_to_keep=1
            ).logits

    def take_prompt(self):
        self.run(self.prompt, 0)

    def back_to_prompt(self):
        extra = self.cache.get_seq_length() - PROMPT
        if extra:
            self.cache.crop(-extra)

    def step(self, i):
        self.run(self.steps[i], PROMPT + i)

    def logits(self):
        return self.last[0, -1].float().numpy()


class CompiledTorch(Torch):
    """torch.compile with constant weights and a cache of fixed size."""

    def __init__(self, weights, compute, settings):
        super().__init__(weights, compute, settings)
        import torch._inductor.config

        torch._inductor.config.freezing = True
        # Freezing wants no gradients, and inference tensors cannot be reset.
        self.torch.set_grad_enabled(False)
        self.model.forward = self.torch.compile(self.model.forward, dynamic=False)
        config = self.model.config
        self.cache = self.transformers.StaticCache(
            config=config, max_cache_len=PROMPT + STEPS
        )
        # Not left to the first call, which is compiled.
        self.cache.early_initialization(
            batch_size=1,
            num_heads=config.num_key_value_heads,
            head_dim=config.head_dim,
            dtype=self.model.dtype,
            device=self.model.device,
        )

    def clear(self):
        self.set_length(0)

    def run(self, tokens, position):
        positions = self.torch.arange(position, position + tokens.shape[1])
        self.last = self.model(
            tokens,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
            position_ids=positions[None],
        ).logits

    def back_to_prompt(self):
        self.set_length(PROMPT)

    def set_length(self, length):
        """Steps overwrite what lies behind; the mask hides the rest."""
        for layer in self.cache.layers:
            layer.cumulative_length.fill_(length)


class LlamaCpp(Contender):
    """llama.cpp over its C interface, as its own tools set it up."""

    def __init__(self, weights, compute, settings):
        import llama_cpp as llama

        self.llama = llama
        llama.llama_backend_init()
        self.silence = llama.llama_log_callback(lambda *_: None)
        llama.llama_log_set(self.silence, None)
        path = smollm2.prepare_gguf(weights)
        self.model = llama.llama_model_load_from_file(
            str(path).encode(), llama.llama_model_default_params()
        )
        if not self.model:
            raise RuntimeError(f"llama.cpp cannot load {path.name}")
        options = llama.llama_context_default_params()
        options.n_ctx, options.n_batch, options.n_ubatch = 1024, PROMPT, PROMPT
        options.n_threads = options.n_threads_batch = settings["threads"]
        self.context = llama.llama_init_from_model(self.model, options)
        self.memory = llama.llama_get_memory(self.context)
        vocabulary = llama.llama_model_get_vocab(self.model)
        self.vocabulary = llama.llama_vocab_n_tokens(vocabulary)
        tokens = settings["tokens"]
        self.prompt = (llama.llama_token * PROMPT)(*tokens[:PROMPT])
        self.steps = [(llama.llama_token * 1)(token) for token in tokens[PROMPT:]]

    def clear(self):
        self.llama.llama_memory_clear(self.memory, True)

    def run(self, tokens, count):
        batch = self.llama.llama_batch_get_one(tokens, count)
        if self.llama.llama_decode(self.context, batch):
            raise RuntimeError("llama_decode failed")
        self.llama.llama_synchronize(self.context)

    def take_prompt(self):
        self.run(self.prompt, PROMPT)

    def back_to_prompt(self):
        self.llama.llama_memory_seq_rm(self.memory, 0, PROMPT, -1)

    def step(self, i):
        self.run(self.steps[i], 1)

    def logits(self):
        pointer = self.llama.llama_get_logits_ith(self.context, -1)
        return np.ctypeslib.as_array(
            ctypes.cast(pointer, ctypes.POINTER(ctypes.c_float)), (self.vocabulary,)
        )


ENGINES = {
    "weir": Weir,
    "torch": Torch,
    "torch-compile": CompiledTorch,
    "llama.cpp": LlamaCpp,
}

#: What is timed unless chosen otherwise. llama.cpp multiplies bf16 matrices in
#: bf16, f16 ones in f32, and blocks of 4 bits with activations of 8.
ALL = [
    "weir:f32/f32",
    "weir:bf16/f32",
    "weir:bf16/bf16",
    "weir:q4_1/f32",
    "weir:q4_1/int8",
    "torch:f32/f32",
    "torch:bf16/bf16",
    "torch-compile:f32/f32",
    "torch-compile:bf16/bf16",
    "llama.cpp:f32/f32",
    "llama.cpp:bf16/bf16",
    "llama.cpp:f16/f32",
    "llama.cpp:q4_1/int8",
]


def split_name(name):
    """Engine, weights and compute of a contender's name."""
    engine, types = name.split(":")
    weights, compute = types.split("/")
    return engine, weights, compute


def build(name, settings):
    engine, weights, compute = split_name(name)
    return ENGINES[engine](weights, compute, settings)
