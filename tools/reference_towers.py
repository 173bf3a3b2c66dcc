"""One run of an encoder or encoder-decoder of transformers with every site of interface.md 3 captured, edits put in,
gradients taken. What a family's modules are called stands in a row (reference_encoders.py); the class is one.

As in reference_run.py the values are those of the real modules, and what transformers never materialises (norm scale
and normalised value, masked scores, a head's result) is computed beside it and tied to a real value by `check`; the
run flows through such a value only where it is edited or its gradient is wanted (deep).
"""
import sys
from contextlib import ExitStack

import torch

from reference_edits import Sources, read_edits
from reference_run import check


def first(out):
    """A module's result: the tensor, or the first of several."""
    return out[0] if isinstance(out, tuple) else out


def replaced(out, value):
    return (value, *out[1:]) if isinstance(out, tuple) else value


class Tower:
    """Tower(model, row, inputs).forward() fills `site`: name -> tensor without a batch axis, in the order of the
    forward pass, and `answer`: the table [rows, columns] that metrics read.

    row      how the family's modules are called (reference_encoders.py)
    inputs   the model's arguments as lists of ids: input_ids, and token_type_ids or decoder_input_ids where it has them
    """

    def __init__(self, model, row, inputs, texts=(), sources=None, deep=False):
        self.model, self.row, self.inputs, self.deep = model, row, inputs, deep
        self.sources = sources or Sources()
        self.modeling = sys.modules[type(model).__module__]
        self.eager = self.modeling.eager_attention_forward
        self.lists = {stack: model.get_submodule(path) for stack, (path, _) in row["stacks"].items()}
        self.plan, self.edits = read_edits(texts, len(self.lists.get("blocks", ())))
        self.site, self.prefix, self.attends, self.allowed, self.turn = {}, {}, {}, {}, 0

    # values

    def flows(self, *names):
        return self.deep or any(e.matches(n) for e in self.edits for n in names)

    def tap(self, name, value, allowed=None):
        """Apply the edits of a site and keep what comes out; masked entries stay as they are."""
        new = value.clone()
        for e in self.edits:
            if e.matches(name):
                new = e.apply(new, name, self.sources)
        if allowed is not None:
            new = torch.where(allowed, new, value)
        if not new.requires_grad:
            new = new.detach().requires_grad_()
        self.site[name] = new
        return new

    def norm(self, module, x, out, name, last=None):
        """LayerNorm, or T5's, which has no mean and no bias. last: the site of its output, where it has another name."""
        mean_free = not hasattr(module, "variance_epsilon")
        centred = x - x.mean(-1, keepdim=True) if mean_free else x
        eps = module.eps if mean_free else module.variance_epsilon
        scale = torch.sqrt(centred.square().mean(-1, keepdim=True) + eps)
        bias = module.bias if mean_free else 0
        check(centred / scale * module.weight + bias, out, name)
        sites = f"{name}.hook_scale", f"{name}.hook_normalized"
        if self.flows(*sites):
            scale = self.tap(sites[0], scale)
            out = self.tap(sites[1], centred / scale) * module.weight + bias
        else:
            self.site[sites[0]], self.site[sites[1]] = scale, centred / scale
        return self.tap(last or f"{name}.hook_out", out)

    # attention

    def heads_of(self, name, module, count):
        """Hook of a q, k or v projection."""
        def hook(linear, args, out):
            value = out[0].view(out.shape[1], count, -1)
            return self.tap(f"{self.prefix[module]}.{name}", value).reshape(out.shape)
        return hook

    def attention(self, module, query, key, value, attention_mask, scaling=None, position_bias=None, **kwargs):
        """Stands in for eager_attention_forward, which it calls."""
        block, part = self.attends[id(module)]
        name, more = f"{self.prefix[block]}.{part}", {} if position_bias is None else {"position_bias": position_bias}
        out, weights = self.eager(module, query, key, value, attention_mask, scaling=scaling, **more, **kwargs)
        scores = query[0] @ key[0].transpose(-1, -2) * scaling + (0 if position_bias is None else position_bias[0])
        allowed = torch.ones_like(scores, dtype=torch.bool)
        if attention_mask is not None:
            allowed = (attention_mask[0] == 0).expand(scores.shape)
        scores = scores.masked_fill(~allowed, -torch.inf)
        check(scores.softmax(-1), weights[0], f"{name}.hook_pattern")
        sites = f"{name}.hook_attn_scores", f"{name}.hook_pattern"
        self.allowed |= {site: allowed for site in sites}
        if self.flows(*sites):
            pattern = self.tap(sites[1], self.tap(sites[0], scores, allowed).softmax(-1), allowed)
            out = (pattern @ value[0]).transpose(0, 1)[None]
        else:
            self.site[sites[0]], self.site[sites[1]] = scores, weights[0]
        return self.tap(f"{name}.hook_z", out[0])[None], weights

    def project_heads(self, block, part, count, added):
        """Hook of the product with W_O: the heads' results beside their real sum; an edited one adds (new - old)."""
        def hook(linear, args, out):
            name = f"{self.prefix[block]}.{part}.hook_result"
            z = args[0][0].view(out.shape[1], count, -1)
            result = torch.einsum("the,hed->thd", z, linear.weight.T.reshape(count, z.shape[-1], -1))
            check(result.sum(1) + (0 if linear.bias is None else linear.bias), out[0], name, rtol=4e-6)
            if self.flows(name):
                out = out + (self.tap(name, result) - result).sum(1)
            else:
                self.site[name] = result
            return self.tap(f"{self.prefix[block]}.{added}", out[0])[None]
        return hook

    def relative_bias(self, attn, name):
        """T5: the table's values as the stack's first block computes them, for all of its blocks."""
        real = attn.compute_bias
        return lambda *args, **kwargs: self.tap(name, real(*args, **kwargs)[0])[None]

    # hooks: (module, hook, is it a pre-hook)

    def read(self, site, block=None):
        return lambda m, a: (self.tap(self.named(site, block), a[0][0])[None], *a[1:])

    def result(self, site, block=None):
        return lambda m, a, out: replaced(out, self.tap(self.named(site, block), first(out)[0])[None])

    def named(self, site, block):
        return site if block is None else f"{self.prefix[block]}.{site}"

    def norm_hook(self, site, block=None, last=None):
        return lambda m, a, out: self.norm(m, a[0][0], out[0], self.named(site, block), last)[None]

    def start_block(self, stack, layer):
        def hook(module, args):
            turn = 0
            if stack == "blocks":
                turn = self.plan.order[self.turn][1]
                self.turn += 1
            self.prefix[module] = f"{stack}.{layer}r{turn}" if turn else f"{stack}.{layer}"
            return self.read("hook_resid_pre", module)(module, args)
        return hook

    def block_hooks(self, stack, layer, block, names):
        yield block, self.start_block(stack, layer), True
        for part, attn in names["attention"].items():
            module = block.get_submodule(attn["module"])
            count = getattr(module, names["heads"])
            self.attends[id(module)] = block, part
            for letter in "qkv":
                hook = self.heads_of(f"{part}.hook_{letter}", block, count)
                yield block.get_submodule(attn[letter]), hook, False
            added = "hook_attn_out" if part == "attn" else "hook_cross_attn_out"
            yield block.get_submodule(attn["o"]), self.project_heads(block, part, count, added), False
        for site, path in names["reads"].items():
            yield block.get_submodule(path), self.read(site, block), True
        for site, path in names["norms"].items():
            yield block.get_submodule(path), self.norm_hook(site, block), False
        for site, path in names["mlp"].items():
            yield block.get_submodule(path), self.result(f"mlp.{site}", block), False
        yield block.get_submodule(names["out"]), self.read("mlp.hook_post", block), True
        yield block.get_submodule(names["out"]), self.result("hook_mlp_out", block), False
        yield block, self.result(names["end"], block), False

    def hooks(self):
        row = self.row
        for stack, (_, names) in row["stacks"].items():
            for layer, block in enumerate(self.lists[stack]):
                yield from self.block_hooks(stack, layer, block, names)
        for site, path in row.get("out", {}).items():
            yield self.model.get_submodule(path), self.result(site), False
        for site, path in row.get("in", {}).items():
            yield self.model.get_submodule(path), self.read(site), True
        for site, path in row.get("norms", {}).items():
            last = site.replace("embed.ln", "hook_full_embed") if site.endswith("embed.ln") else None
            yield self.model.get_submodule(path), self.norm_hook(site, last=last), False

    # the whole

    def reordered(self, undo):
        """The list of blocks in the order of the plan."""
        path, name = self.row["stacks"]["blocks"][0].rsplit(".", 1)
        body, blocks = self.model.get_submodule(path), self.lists["blocks"]
        undo.callback(setattr, body, name, blocks)
        setattr(body, name, torch.nn.ModuleList([blocks[layer] for layer, _ in self.plan.order]))

    def forward(self):
        with ExitStack() as undo:
            for module, hook, before in list(self.hooks()):
                add = module.register_forward_pre_hook if before else module.register_forward_hook
                undo.callback(add(hook).remove)
            for site, path in self.row.get("relative", {}).items():
                attn = self.model.get_submodule(path)
                undo.callback(delattr, attn, "compute_bias")
                attn.compute_bias = self.relative_bias(attn, site)
            undo.callback(setattr, self.modeling, "eager_attention_forward", self.eager)
            self.modeling.eager_attention_forward = self.attention
            if "blocks" in self.lists:
                self.reordered(undo)
            flow = {} if "blocks" in self.lists else {"use_cache": False}
            out = self.model(**{k: torch.tensor([v]) for k, v in self.inputs.items()}, **flow)
        self.answer = self.row["answer"](out)
        if self.row["answers"] in self.site:
            assert torch.equal(self.answer.view(-1), self.site[self.row["answers"]].reshape(-1))
        return self

    def value(self, name):
        """A site's value as it stands in a file; logits: what the model answers."""
        return (self.answer if name == "logits" else self.site[name]).detach().contiguous()

    def values(self):
        return {name: self.value(name) for name in self.site}

    def gradients(self, metric):
        """d metric / d(value after its edits) for every site that the run flows through; masked entries 0."""
        names = [n for n, v in self.site.items() if v.requires_grad]
        found = torch.autograd.grad(metric(self.answer), [self.site[n] for n in names], allow_unused=True)
        out = {}
        for name, gradient in zip(names, found):
            gradient = torch.zeros_like(self.site[name]) if gradient is None else gradient
            if name in self.allowed:
                gradient = torch.where(self.allowed[name], gradient, 0.0)
            out[name] = gradient
        return out
