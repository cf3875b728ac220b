"""Damaged checkpoints through weirc: each is refused with its place named, and
leaves nothing behind.

  bad_checkpoints.py WORK FOLDER SHARDED_FOLDER GGUF [SEED]

Arguments are good checkpoints; WORK is for damaged copies. What random damage
makes may also be a model: then it must get through the first stages.
"""

import json
import pathlib
import random
import shutil
import sys

from refusals import Refusals, cut_points, header_lengths, read_header, with_header


class Damage:
    def __init__(self, work, folder, sharded, gguf, seed):
        self.work = pathlib.Path(work)
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        self.folder, self.sharded = pathlib.Path(folder), pathlib.Path(sharded)
        self.gguf = pathlib.Path(gguf).read_bytes()
        self.random = random.Random(seed)
        self.refusals = Refusals(self.work)
        self.out = self.work / "out"

    def copy(self, source):
        target = self.work / "model"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        return target

    def refuse(self, what, model, *words):
        files = [self.out, self.work / "out.weights"]
        command = ["weirc", model, "--quiet", "-o", self.out]
        self.refusals.expect(what, command, *words, absent=files)

    def survive(self, what, model):
        command = ["weirc", model, "--quiet", "--stop-after=formed", "-o", self.out]
        self.refusals.expect_no_crash(what, command, absent=[self.out])

    def safetensors(self):
        model = self.copy(self.folder)
        path = model / "model.safetensors"
        good = path.read_bytes()
        header, begin = read_header(path)
        for size in cut_points(len(good), begin):
            path.write_bytes(good[:size])
            self.refuse(f"safetensors of {size} bytes", model, "model.safetensors")
        for length, damaged in header_lengths(good):
            path.write_bytes(damaged)
            self.refuse(f"a header of {length} bytes", model, "model.safetensors")
        path.write_bytes(good)

        name = "model.layers.1.mlp.down_proj.weight"
        changes = {
            "shape": {**header[name], "shape": header[name]["shape"][::-1]},
            "rank": {**header[name], "shape": header[name]["shape"] + [1]},
            "extent": {**header[name], "shape": [2**62, 8]},
            "negative": {**header[name], "shape": [-1, 64]},
            "offsets": {**header[name], "data_offsets": [0, 2**60]},
            "type": {**header[name], "dtype": "F7"},
        }
        for what, entry in changes.items():
            path.write_bytes(with_header(self.folder / path.name, {**header, name: entry}))
            self.refuse(f"a tensor with another {what}", model, name)
        missing = {key: entry for key, entry in header.items() if key != name}
        path.write_bytes(with_header(self.folder / path.name, missing))
        self.refuse("a tensor that is missing", model, "model.safetensors")
        path.unlink()
        self.refuse("no weights at all", model, "safetensors")

    def shards(self):
        model = self.copy(self.sharded)
        index = model / "model.safetensors.index.json"
        good = json.loads(index.read_text())
        shard = sorted(set(good["weight_map"].values()))[1]
        name = next(k for k, v in good["weight_map"].items() if v == shard)
        (model / shard).rename(model / "elsewhere")
        self.refuse("a missing shard", model, shard)
        (model / "elsewhere").rename(model / shard)
        for what, text in {
            "an index cut in half": index.read_text()[: 200],
            "an index that is a list": "[]",
            "an index without a map": "{}",
            "a map to numbers": json.dumps({"weight_map": {name: 1}}),
        }.items():
            index.write_text(text)
            self.refuse(what, model, index.name)
        # A tensor that is where the index does not say it is.
        other = next(v for v in good["weight_map"].values() if v != shard)
        moved = {**good["weight_map"], name: other}
        index.write_text(json.dumps({**good, "weight_map": moved}))
        self.refuse("an index that is wrong", model, name)
        outside = {**good["weight_map"], name: "../../etc/passwd"}
        index.write_text(json.dumps({**good, "weight_map": outside}))
        self.refuse("a shard outside the folder", model, "../../etc/passwd")

    def config(self):
        model = self.copy(self.folder)
        path = model / "config.json"
        text = path.read_text()
        good = json.loads(text)
        for size in (0, 1, 20, len(text) // 2, len(text) - 2):
            path.write_text(text[:size])
            self.refuse(f"config.json of {size} bytes", model, "config.json")
        wording = {
            ("hidden_size", "60"): "expected [60] by the configuration",
            ("num_hidden_layers", "4"): "no tensor named 'model.layers.3.",
            ("intermediate_size", "111"): "expected [111, 64] by the configuration",
            ("vocab_size", "198"): "expected [198, 64] by the configuration",
            ("hidden_act", "nonesuch"): "key 'hidden_act' names the activation",
        }
        for key, values in {
            "hidden_size": [0, -64, 2**40, "64", 1.5, 60],
            "num_hidden_layers": [0, -1, 2**31, 4, []],
            "num_attention_heads": [0, 3, 2**31 - 1],
            "num_key_value_heads": [0, 3],
            "head_dim": [0, 7, 2**31 - 1],
            "intermediate_size": [0, 111],
            "vocab_size": [0, 198],
            "rms_norm_eps": [-1, "small"],
            "hidden_act": ["nonesuch", 3],
            "max_position_embeddings": [0, -5],
            "rope_parameters": [{"rope_type": "spiral"}, {"rope_type": "linear"}, 3],
        }.items():
            for value in values:
                path.write_text(json.dumps({**good, key: value}))
                # Sizes that only the tensors contradict are told at these.
                word = wording.get((key, str(value)), "config.json")
                self.refuse(f"{key} = {value!r}", model, word)
        path.write_text(json.dumps({**good, "secret_option": True}))
        self.refuse("an unknown key", model, "secret_option")
        path.unlink()
        self.refuse("no config.json", model, "config.json")

    def ggufs(self):
        path = self.work / "model.gguf"
        # Where the names of tensors are, which is in front of their data.
        inside = self.gguf.rindex(b"output_norm.weight") + 100
        for size in cut_points(len(self.gguf), inside):
            path.write_bytes(self.gguf[:size])
            self.refuse(f"GGUF of {size} bytes", path, "model.gguf")
        # Magic, version, number of tensors, number of keys.
        for place, value in ((0, b"GGML"), (4, b"\x09\0\0\0"), (8, b"\xff" * 8),
                             (16, b"\xff" * 8), (24, b"\xff" * 8)):
            damaged = self.gguf[:place] + value + self.gguf[place + len(value) :]
            path.write_bytes(damaged)
            self.refuse(f"GGUF with {value!r} at {place}", path, "model.gguf")
        damaged = self.gguf.replace(b"blk.1.ffn_up", b"blk.1.ffn_uq")
        path.write_bytes(damaged)
        self.refuse("GGUF with a tensor renamed", path, "blk.1.ffn_up")

    def noise(self, count=60):
        """Bytes changed at random, in what describes a model."""
        model = self.copy(self.folder)
        _, begin = read_header(model / "model.safetensors")
        gguf = self.work / "noise.gguf"
        gguf.write_bytes(self.gguf)
        targets = [
            (model, model / "config.json", None),
            (model, model / "model.safetensors", begin),
            (gguf, gguf, self.gguf.rindex(b"output_norm.weight") + 100),
        ]
        for opened, path, end in targets:
            good = path.read_bytes()
            for i in range(count):
                damaged = bytearray(good)
                for _ in range(self.random.randint(1, 3)):
                    place = self.random.randrange(end or len(good))
                    damaged[place] = self.random.randrange(256)
                path.write_bytes(damaged)
                self.survive(f"noise {i} in {path.name}", opened)
            path.write_bytes(good)


def main():
    seed = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    print(f"seed {seed}")
    damage = Damage(*sys.argv[1:5], seed)
    damage.safetensors()
    damage.shards()
    damage.config()
    damage.ggufs()
    damage.noise()
    damage.refusals.finish()


main()
