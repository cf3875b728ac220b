#!/usr/bin/env python3
"""Draws options of model families at random and compares what is compiled with
transformers.

  fuzz_options.py FOLDER [--seed S] [--count N] [--models GLOB]
                  [--flags "WEIRC FLAGS"] [--import-only]

fuzz_fla_options.py does the same for flash-linear-attention. A seed stands for a trial: a case of the generators with a few keys of its
configuration changed, stored in one of several ways. transformers computes a
padded batch, a longer sequence and some greedy tokens of it; what it cannot
build or run is skipped. With --import-only, which is quick, weirc reads the
checkpoint and nothing is compared.

Prints a line per trial; a refusal is for the reader to judge: of what
transformers ignores it is right. Of a failure only the changes that it takes
are kept, and its checkpoint stays in FOLDER/SEED.
"""

import argparse
import copy
import dataclasses
import fnmatch
import inspect
import json
import pathlib
import random
import re
import shutil
import sys
import warnings

import torch
import transformers
from safetensors.numpy import load_file
from safetensors.torch import save_file

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "Execution" / "Inputs"))
from cases import CASES
from check_cases import compare
from checks import Failed, Tally, run
from decoder_cases import DECODER_CASES
from encoder_cases import ENCODER_CASES
from hybrid_cases import HYBRID_CASES
from make_checkpoint import fill, get_mask, initialising
from mixture_cases import MIXTURE_CASES
from sparse_cases import SPARSE_CASES

ALL = CASES | HYBRID_CASES | DECODER_CASES | MIXTURE_CASES | SPARSE_CASES | ENCODER_CASES

# How a checkpoint is stored.
FORMS = ("plain", "bfloat16", "float16", "shards", "fused", "defaults", "base", "old rope")


@dataclasses.dataclass
class Library:
    """Where models come from, and how their weights are drawn."""

    models: object
    cases: dict
    fill: object = fill
    forms: tuple = FORMS
    # Patterns of keys and their values, tried before those of all libraries.
    values: tuple = ()
    new_tokens: int = 6


# Keys of training, of how weights are drawn, and of what is no option.
INERT = re.compile(
    r"dropout|initializer|init_std|use_cache|_token_id$|^output_|return_dict|_loss|"
    r"dtype$|id2label|label2id|problem_type|architectures|transformers_version|"
    r"is_encoder_decoder|is_decoder|cross_attention|layerdrop|pdrop|jitter|"
    r"chunk_size_feed_forward|summary_|rescale_prenorm|pretraining_tp|_kernels?$|"
    r"time_step_(min|max|floor)|mtp|nextn|_config$|mode$"
)

ACTIVATIONS = """gelu gelu_10 gelu_accurate gelu_fast gelu_new gelu_python
gelu_pytorch_tanh hardswish laplace leaky_relu linear mish quick_gelu relu relu2
relu6 sigmoid silu sqrtsoftplus swish tanh""".split()

# What keys whose names match may be; the first that does counts.
VALUES = [
    (r"vocab_size", [1, 3, 97, 131, 200, 257]),
    (r"num_(hidden_)?layers|n_layers?$", [1, 2, 3, 4, 5]),
    (r"key_value_heads|kv_heads", [1, 2, 3, 4]),
    (r"attention_heads|n_heads?$|num_heads", [1, 2, 3, 4, 6, 8]),
    (r"^(hidden_size|n_embd|d_model)$", [40, 48, 60, 72, 96]),
    (r"intermediate|ffn|inner", [1, 7, 33, 57, 80, 129]),
    (r"_dim$|head_size|rank$", [4, 6, 8, 10, 12, 16, 20, 24, 36]),
    (r"max_position|n_positions|max_seq|n_ctx", [64, 100, 140, 300, 512]),
    (r"^(mamba_)?chunk_size", [1, 7, 16, 64, 256]),
    (r"window|chunk_size|block_size", [1, 2, 5, 8, 20, 64, 200]),
    (r"cap", [0.7, 2.0, 5.0, 30.0]),
    (r"shared_expert|n_shared", [0, 1, 2, 3]),
    (r"per_tok|top_?k|moe_k", [1, 2, 3, 4]),
    (r"experts$", [1, 2, 3, 4, 5, 6, 8, 12]),
    (r"groups?$|n_group", [1, 2, 3, 4]),
    (r"conv", [2, 3, 4, 5]),
]


# The same of keys whose values are words, or may be.
WORDS = [
    (r"^attention_type$", ["block_sparse", "original_full"]),
    (r"expert_selection_fn", ["softmax", "sigmoid"]),
    (r"feed_forward_proj", ["relu", "gelu", "silu", "gated-gelu", "gated-silu"]),
    (r"^gating$", [True, "per-head", "per-element"]),
    (r"d_head$|(dt|step)_rank$", ["auto", 2, 3, 5, 8, 16]),
    (r"position_embedding_type", ["rope", None]),
    (r"scoring_func", ["sqrtsoftplus", "sigmoid"]),
    (r"combination_strategy", ["average", "sum"]),
    (r"sliding_window_pattern", ["LLG", "LG", 1, 2, 3]),
    (r"topk_method", ["greedy", "group_limited_greedy"]),
]


class Skip(Exception):
    """The library does not do that."""


def draw_rotation(rng, config, old):
    """Parameters of a rotation in place of `old`."""
    for key in ("qk_rope_head_dim", "head_dim", "attention_head_dim"):
        dim = getattr(config, key, None)
        if dim:
            break
    else:
        dim = config.hidden_size // config.num_attention_heads
    kinds = "default linear dynamic yarn longrope llama3 proportional".split()
    new = {"rope_theta": rng.choice([100.0, 1e3, 1e4, 5e5]), "rope_type": rng.choice(kinds)}
    part = old.get("partial_rotary_factor")
    if part or rng.random() < 0.25:
        part = new["partial_rotary_factor"] = rng.choice([0.25, 0.4, 0.5, 0.75, 1.0])
    for key in ("mrope_section", "mrope_interleaved", "alpha"):
        if key in old:
            new[key] = old[key]

    def maybe(**options):
        new.update((k, rng.choice(v)) for k, v in options.items() if rng.random() < 0.4)

    kind = new["rope_type"]
    if kind == "longrope":
        half = int(dim * (part or 1)) // 2
        for name, most in (("short_factor", 2), ("long_factor", 5)):
            new[name] = [round(rng.uniform(1, most), 2) for _ in range(half)]
        maybe(factor=[2.0, 8.0], attention_factor=[1.2])
        maybe(original_max_position_embeddings=[16, 256, 512])
    elif kind != "default":
        new["factor"] = rng.choice([2.0, 2.5, 4.0, 8.0])
    if kind == "llama3":
        new.update(low_freq_factor=1.0, high_freq_factor=rng.choice([2.0, 4.0]))
        new["original_max_position_embeddings"] = rng.choice([16, 32, 64])
    if kind == "yarn":
        maybe(
            original_max_position_embeddings=[16, 32, 64, 128],
            beta_fast=[32, 16.0, 8],
            beta_slow=[1, 2.0],
            mscale=[1.0, 0.7, 0],
            mscale_all_dim=[1.0, 0.5, 0],
            attention_factor=[1.0, 1.3],
            truncate=[True, False],
        )
    return new


def draw_list(rng, key, value, layers):
    """Another list of what layers are, or of their numbers."""
    if key == "block_types":
        layers = rng.randint(1, 3)
    if all(isinstance(entry, str) for entry in value):
        return [rng.choice(value) for _ in range(layers)]
    if all(type(entry) is int for entry in value) and re.search("layer|idx|ids", key):
        return sorted(rng.sample(range(layers), rng.randint(0, layers)))
    return value


def draw_value(rng, key, value, kind, config, values):
    """Another value of a key, or the `value` it has where there is none. `kind` is
    the text of its type, `values` what keys of the library may be, if anything."""
    for pattern, choices in values:
        if re.search(pattern, key):
            return copy.deepcopy(rng.choice(choices)) if choices else value
    layers = getattr(config, "num_hidden_layers", None) or 2
    if key == "rope_parameters":
        value = value or {}
        if value and all(isinstance(entry, dict) for entry in value.values()):
            return {name: draw_rotation(rng, config, old) for name, old in value.items()}
        return draw_rotation(rng, config, value)
    if isinstance(value, list):
        return draw_list(rng, key, value, layers) if value else value
    if isinstance(value, bool) or value is None and "bool" in kind:
        return not value
    for pattern, choices in WORDS:
        if re.search(pattern, key) and (isinstance(value, str) or "str" in kind):
            return rng.choice(choices)
    if isinstance(value, str):
        return rng.choice(ACTIVATIONS) if "act" in key else value
    isNumber = isinstance(value, (int, float)) or re.search("int|float", kind)
    if not isNumber:
        return value
    if re.search("eps(ilon)?$", key):
        return round(10 ** rng.uniform(-6, -1.5), 7)
    for pattern, choices in VALUES:
        if re.search(pattern, key):
            return rng.choice(choices)
    if isinstance(value, int):
        least = 0 if value == 0 or "dense" in key else 1
        return rng.choice([least, 2, 3, value + 1, max(2 * value, 1)])
    return round(rng.uniform(0.2, 2.5), 2)


def get_kinds(cls):
    """The keys of a configuration, with the text of their types."""
    if dataclasses.is_dataclass(cls):
        return {field.name: str(field.type) for field in dataclasses.fields(cls)}
    parameters = inspect.signature(cls.__init__).parameters.values()
    named = [p for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD and p.name != "self"]
    return {p.name: str(p.annotation) for p in named}


def draw_changes(rng, case, cls, values):
    config = cls.config_class(**copy.deepcopy(case.config))
    kinds = get_kinds(cls.config_class)
    keys = [key for key in {**kinds, **case.config} if not INERT.search(key)]
    changes = {}
    for key in rng.sample(keys, min(rng.randint(2, 6), len(keys))):
        value = getattr(config, key, case.config.get(key))
        new = draw_value(rng, key, value, kinds.get(key, ""), config, values)
        if new != value:
            changes[key] = new
    return changes


def change(case, changes):
    """The case's configuration with the changes; lists follow the layers."""
    config = {**copy.deepcopy(case.config), **copy.deepcopy(changes)}
    layers = config.get("num_hidden_layers")
    for key, value in config.items():
        isOfLayers = re.search("types?$|^no_rope_layers$", key) and key != "block_types"
        if layers and isinstance(value, list) and value and isOfLayers:
            config[key] = [value[i % len(value)] for i in range(layers)]
    return config


def respell(form, path, cls):
    """Rewrites config.json in another spelling of the same."""
    config = json.loads(path.read_text())
    if form == "defaults":
        usual = cls.config_class().to_dict()
        keep = ("model_type", "architectures")
        config = {k: v for k, v in config.items() if k in keep or k not in usual or usual[k] != v}
    elif form == "old rope" and "rope_type" in (config.get("rope_parameters") or {}):
        rope = config.pop("rope_parameters")
        config["rope_theta"] = rope.pop("rope_theta", 10000.0)
        if "partial_rotary_factor" in rope:
            config["partial_rotary_factor"] = rope.pop("partial_rotary_factor")
        kind = rope.pop("rope_type")
        config["rope_scaling"] = None if kind == "default" else {"type": kind, **rope}
    path.write_text(json.dumps(config, indent=2))


def store(case, cls, fill, changes, form, generator, folder):
    """Writes the checkpoint; the model that transformers reads from it."""
    config = cls.config_class(**change(case, changes))
    config._attn_implementation = case.attention
    with initialising(cls, case.init):
        model = cls(config).eval()
    fill(model, generator)
    if form == "base":
        model = model.base_model
    options = {"max_shard_size": 40000} if form == "shards" else {}
    options["save_original_format"] = form != "fused"
    dtype = getattr(torch, form) if "float" in form else torch.float32
    model.to(dtype).save_pretrained(folder, **options)
    respell(form, folder / "config.json", cls)
    with initialising(cls, case.init):
        return type(model).from_pretrained(
            folder, dtype=torch.float32, attn_implementation=case.attention
        ).eval()


def draw_inputs(case, model, generator, rows, time):
    text = model.config.get_text_config()
    vocab, pad = text.vocab_size, getattr(text, "pad_token_id", None)

    def draw(length):
        ids = torch.randint(0, vocab, (rows, length), generator=generator)
        return ids if pad is None else torch.where(ids == pad, (pad + 1) % vocab, ids)

    inputs = {"input_ids": draw(time)}
    for name, limit in case.inputs.items():
        inputs[name] = torch.randint(0, limit, (rows, time), generator=generator)
    if case.decoder:
        inputs["decoder_input_ids"] = draw(case.decoder)
    return inputs


def compute(model, inputs):
    with torch.no_grad():
        out = model(**inputs)
    name = "logits" if "logits" in out else "last_hidden_state"
    if not torch.isfinite(out[name]).all():
        raise Skip("no finite numbers")
    return name, out[name]


def compute_padded(model, inputs, pad):
    """The inputs with masks, the results of rows alone, and which of them are."""
    short = min(11, inputs["input_ids"].shape[1] // 3)
    masks = {"": get_mask(inputs["input_ids"], pad, short)}
    if "decoder_input_ids" in inputs:
        masks["decoder_"] = get_mask(inputs["decoder_input_ids"], pad, 4)
    last = list(masks.values())[-1].bool()
    rows = []
    for row in range(2):
        own = {
            name: ids[row][masks["decoder_" if name.startswith("decoder_") else ""][row].bool()]
            for name, ids in inputs.items()
        }
        name, result = compute(model, {key: ids[None] for key, ids in own.items()})
        rows.append(result[0])
    results = torch.zeros(*last.shape, rows[0].shape[-1])
    for row, result in enumerate(rows):
        results[row][last[row]] = result
    masked = {f"{of}attention_mask": mask for of, mask in masks.items()}
    return inputs | masked, {name: results}, last.numpy()


def compute_all(case, model, generator, seed):
    """Sets of inputs, results, and where these count."""
    pad = "left" if seed % 2 else "right"
    short, long = (length or 37 for length in case.lengths)
    two = draw_inputs(case, model, generator, 2, short)
    long = draw_inputs(case, model, generator, 1, long)
    name, result = compute(model, long)
    runs = [(long, {name: result}, None)]
    # Which tokens see one another may follow from the length (BigBird).
    if case.pad or case.generate or case.decoder:
        return [compute_padded(model, two, pad), *runs]
    name, result = compute(model, two)
    return [(two, {name: result}, None), *runs]


def decode(model, prompt, count):
    ids = list(prompt)
    for _ in range(count):
        ids.append(int(compute(model, {"input_ids": torch.tensor([ids])})[1][0, -1].argmax()))
    return ids[len(prompt) :]


def attempt(seed, case, cls, changes, form, options):
    """Fails where compiled and computed differ; skips what transformers refuses."""
    folder = options.folder / str(seed)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    generator = torch.Generator().manual_seed(seed)
    library = options.library
    causal = case.generate and form != "base" and not case.decoder
    try:
        model = store(case, cls, library.fill, changes, form, generator, folder)
        runs = compute_all(case, model, generator, seed)
        prompt = runs[1][0]["input_ids"][0, :35].tolist()[:-1]
        tokens = decode(model, prompt, library.new_tokens) if causal else []
    except Exception as error:
        raise Skip(f"{type(error).__name__}: {error}".split("\n")[0][:160]) from error
    program = folder / "program"
    command = ["weirc", folder, *options.flags.split(), *case.flags, "--quiet", "-o"]
    if options.import_only:
        run(*command, folder / "input.mlir", "--stop-after=input")
        return "imported"
    run(*command, program)
    said = []
    for inputs, results, keep in runs:
        save_file(inputs, folder / "inputs.safetensors")
        run(program, "--inputs", folder / "inputs.safetensors", "--outputs", folder / "out")
        got = load_file(folder / "out")
        if got.keys() != results.keys():
            raise Failed(f"results {sorted(got)}, expected {sorted(results)}")
        for name, result in results.items():
            said.append(compare(got[name], result.float().numpy(), case.tolerance, keep))
    if tokens:
        listed = ",".join(map(str, prompt))
        text = run(
            program, "--tokens", listed, "-n", len(tokens), "--ignore-eos", "--print-tokens"
        )
        if [int(token) for token in text.split(",")] != tokens:
            raise Failed(f"tokens {text.strip()}, expected {tokens}")
    return " ".join(said)


def reduce(check, changes, form):
    """The changes that a failure takes, tried one after the other."""
    for key in list(changes):
        rest = {name: value for name, value in changes.items() if name != key}
        try:
            check(rest, form)
        except Skip:
            continue
        except Failed:
            changes = rest
    return changes


def try_seed(seed, options, models):
    """What a trial gives, which is one line."""
    rng = random.Random(seed)
    name = rng.choice(models[sorted(models)[seed % len(models)]])
    library = options.library
    case = library.cases[name]
    cls = getattr(library.models, case.model)
    form = rng.choice(library.forms)
    changes = draw_changes(rng, case, cls, library.values)

    def check(changes, form):
        return attempt(seed, case, cls, changes, form, options)

    # One thing that transformers does not do leaves the others to be tried.
    for _ in range(len(changes) + 2):
        try:
            said = check(changes, form)
            shutil.rmtree(options.folder / str(seed))
            return f"{name} {form} {changes} {said}"
        except Skip as reason:
            if changes:
                del changes[rng.choice(list(changes))]
            elif form == "plain":
                return f"{name} skipped: {reason}"
            else:
                form = "plain"
        except Failed:
            changes = reduce(check, changes, form)
            try:
                check(changes, form)
            except Failed as reason:
                raise Failed(f"{name} {form} {json.dumps(changes)}: {reason}") from reason
    return f"{name} skipped"


def fuzz(library, about):
    parser = argparse.ArgumentParser(description=about.split("\n\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=10)
    parser.add_argument("--models", default="*", help="classes, as a glob")
    parser.add_argument("--flags", default="--reference")
    parser.add_argument("--import-only", action="store_true")
    options = parser.parse_args()
    options.library = library
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity(transformers.logging.CRITICAL)
    transformers.logging.disable_progress_bar()
    models = {}
    for name, case in library.cases.items():
        if not case.gguf and fnmatch.fnmatch(case.model, options.models):
            models.setdefault(case.model, []).append(name)
    if not models:
        parser.error(f"no case of a model {options.models}")
    tally = Tally(width=12)
    for seed in range(options.seed, options.seed + options.count):
        tally.attempt(f"seed {seed}", lambda: try_seed(seed, options, models))
    return tally.finish()


if __name__ == "__main__":
    sys.exit(fuzz(Library(transformers, ALL), __doc__))
