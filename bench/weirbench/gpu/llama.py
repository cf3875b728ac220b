"""A Llama of SmolLM2's shape in torch, decoding by CUDA graphs.

Written out, since what transformers captures differs from version to version:
keys and values lie in buffers of fixed size, so that a step is the same launches
for each token, as it is in Weir. Weights are drawn: times do not depend on them.
"""

import time


class Llama:
    """One sequence of up to `length` tokens (arXiv:2302.13971)."""

    def __init__(self, torch, shape, length, device, dtype):
        self.torch, self.shape, self.length = torch, shape, length
        self.depth = shape["hidden"] // shape["heads"]
        torch.manual_seed(0)

        def draw(*extents):
            x = torch.randn(extents, device=device, dtype=torch.float32)
            return (x * extents[-1] ** -0.5).to(dtype)

        hidden, inner = shape["hidden"], shape["inner"]
        rows = (shape["heads"] + 2 * shape["groups"]) * self.depth
        ones = torch.ones(hidden, device=device, dtype=dtype)
        self.layers = [
            {"norm": ones, "qkv": draw(rows, hidden), "out": draw(hidden, hidden),
             "norm2": ones, "gate_up": draw(2 * inner, hidden),
             "down": draw(hidden, inner)}
            for _ in range(shape["layers"])
        ]
        self.norm, self.words = ones, draw(shape["vocabulary"], hidden)
        kept = (shape["layers"], 2, 1, shape["groups"], length, self.depth)
        self.kept = torch.zeros(kept, device=device, dtype=dtype)
        rates = shape["theta"] ** (
            -torch.arange(0, self.depth, 2, device=device).float() / self.depth)
        angles = torch.arange(length, device=device).float()[:, None] * rates
        angles = torch.cat([angles, angles], -1)
        self.cos, self.sin = angles.cos().to(dtype), angles.sin().to(dtype)
        self.places = torch.arange(length, device=device)

    def normalize(self, x, weight):
        return self.torch.nn.functional.rms_norm(x, (x.shape[-1],), weight, 1e-5)

    def rotate(self, x, at):
        half = self.depth // 2
        turned = self.torch.cat([-x[..., half:], x[..., :half]], -1)
        return x * self.cos[at] + turned * self.sin[at]

    def forward(self, tokens, at):
        """The next token behind `tokens` [n], which stand at positions `at` [n]."""
        torch, functional = self.torch, self.torch.nn.functional
        shape, count = self.shape, tokens.shape[0]
        x = self.words[tokens][None]
        # A prompt sees itself alone, a step all that is kept.
        prompt = count > 1
        shown = None if prompt else (self.places <= at[:, None])[None, None]
        for number, layer in enumerate(self.layers):
            y = functional.linear(self.normalize(x, layer["norm"]), layer["qkv"])
            y = y.view(1, count, -1, self.depth).transpose(1, 2)
            q, k, v = y.split([shape["heads"], shape["groups"], shape["groups"]], 1)
            q, k = self.rotate(q, at), self.rotate(k, at)
            keys, values = self.kept[number]
            keys.index_copy_(2, at, k)
            values.index_copy_(2, at, v)
            if prompt:
                y = functional.scaled_dot_product_attention(
                    q, k, v, is_causal=True, enable_gqa=True)
            else:
                y = functional.scaled_dot_product_attention(
                    q, keys, values, attn_mask=shown, enable_gqa=True)
            y = y.transpose(1, 2).reshape(1, count, -1)
            x = x + functional.linear(y, layer["out"])
            y = functional.linear(self.normalize(x, layer["norm2"]), layer["gate_up"])
            gate, up = y.chunk(2, -1)
            x = x + functional.linear(functional.silu(gate) * up, layer["down"])
        logits = functional.linear(self.normalize(x[:, -1], self.norm), self.words)
        return logits.argmax(-1)


class Timed:
    """The model with its step as a CUDA graph."""

    def __init__(self, torch, shape, prompt, steps):
        self.torch, self.steps = torch, steps
        self.model = Llama(torch, shape, prompt + steps, "cuda", torch.bfloat16)
        self.prompt = torch.randint(0, shape["vocabulary"], (prompt,), device="cuda")
        self.first = torch.arange(prompt, device="cuda")
        self.token = torch.zeros(1, dtype=torch.long, device="cuda")
        self.at = torch.full((1,), prompt, device="cuda")
        with torch.no_grad():
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):
                    self.model.forward(self.token, self.at)
            torch.cuda.current_stream().wait_stream(side)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.next = self.model.forward(self.token, self.at)

    def run(self):
        """Milliseconds of a prompt, and of a token behind it: each is waited
        for, as whoever prints it does."""
        torch = self.torch
        with torch.no_grad():
            torch.cuda.synchronize()
            begin = time.perf_counter()
            self.token.copy_(self.model.forward(self.prompt, self.first))
            torch.cuda.synchronize()
            prefill = time.perf_counter() - begin
            self.at.fill_(len(self.prompt))
            torch.cuda.synchronize()
            begin = time.perf_counter()
            for _ in range(self.steps):
                self.graph.replay()
                self.token.copy_(self.next)
                self.at += 1
                self.token.item()
            decode = (time.perf_counter() - begin) / self.steps
        return prefill * 1e3, decode * 1e3
