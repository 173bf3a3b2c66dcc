"""One run of a decoder of transformers (Run: GPT2LMHeadModel) with every site of interface.md 3 captured, edits put in, gradients taken.

The values are those of the real modules: forward hooks and pre-hooks on them, and a wrapper around the eager attention
function, which is given what the modules hand over and whose own results flow on. What transformers never materialises
(norm scale and normalised value, masked scores, a head's result, the three per-head inputs) is computed beside it and
tied to a real value by `check`. Only where such a site is edited, or its gradient is wanted, does the run flow through
the computed value.
"""
import sys
from contextlib import ExitStack

import torch
import torch.nn.functional as F

from reference_edits import Sources, read_edits

LETTERS = "qkv"


def check(computed, real, what, rtol=2e-6):
    """The computed value is the one that transformers went on with."""
    worst = (computed - real).abs().max().item()
    assert worst <= rtol * max(1.0, real.abs().max().item()), f"{what}: off by {worst}"


class Run:
    """Run(model, tokens).forward() fills `site`: name -> tensor without a batch axis, in the order of the forward pass.

    texts    edits and plans, in sonde's grammar
    sources  what the edits read
    deep     flow through norm scale, normalised, scores, pattern, result and hook_mlp_in, so that these have gradients
    split    the same for hook_q_input, hook_k_input, hook_v_input
    """

    def __init__(self, model, tokens, texts=(), sources=None, deep=False, split=False):
        self.model, self.tokens, self.deep, self.split = model, tokens, deep, split
        self.config, self.sources = model.config, sources or Sources()
        self.heads = self.config.num_attention_heads
        self.kv_heads = getattr(self.config, "num_key_value_heads", self.heads)
        self.head_width = getattr(self.config, "head_dim", self.config.hidden_size // self.heads)
        self.modeling = sys.modules[type(model).__module__]
        self.eager_attention = self.modeling.eager_attention_forward
        self.plan, self.edits = read_edits(texts, self.config.num_hidden_layers)
        self.site, self.prefix, self.turn = {}, {}, 0

    # values

    def flows(self, name, kind):
        """Must the run go through the computed value of this site?"""
        return kind or any(e.matches(name) for e in self.edits)

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

    # modules

    def embed(self, name):
        return lambda module, args, out: self.tap(name, out[0])[None]

    def norm(self, module, args, out, name):
        x = args[0][0]
        centred = x - x.mean(-1, keepdim=True)
        scale = torch.sqrt(centred.square().mean(-1, keepdim=True) + module.eps)
        normalized = centred / scale
        check(normalized * module.weight + module.bias, out[0], name)
        if not self.flows(f"{name}.hook_scale", self.deep) and not self.flows(f"{name}.hook_normalized", self.deep):
            self.site[f"{name}.hook_scale"], self.site[f"{name}.hook_normalized"] = scale, normalized
            return self.tap(f"{name}.hook_out", out[0])[None]
        scale = self.tap(f"{name}.hook_scale", scale)
        normalized = self.tap(f"{name}.hook_normalized", centred / scale)
        return self.tap(f"{name}.hook_out", normalized * module.weight + module.bias)[None]

    def start_block(self, module, args, layer):
        """Pre-hook: the block's name in this execution, and what it reads."""
        turn = self.plan.order[self.turn][1]
        self.turn += 1
        self.prefix[layer] = f"blocks.{layer}r{turn}" if turn else f"blocks.{layer}"
        return (self.tap(f"{self.prefix[layer]}.hook_resid_pre", args[0][0])[None], *args[1:])

    def own_product(self, copies, block, part):
        """The block's norm of each head's copy [t, h, d], by the head's own columns of c_attn."""
        ln, d = block.ln_1, self.config.n_embd
        rows = F.layer_norm(copies, (d,), ln.weight, ln.bias, ln.eps)
        weight = block.attn.c_attn.weight.view(d, 3, self.heads, self.head_width)[:, part]
        bias = block.attn.c_attn.bias.view(3, self.heads, self.head_width)[part]
        return torch.einsum("thd,dhe->the", rows, weight) + bias

    def own_input(self, name, block, part, shared):
        """Each head's own copy of the stream, its own norm and its own product: [t, h, e]. Unless all are
        wanted (split), only for the (row, head) that an edit has changed."""
        stream = self.site[name.replace(name.split(".")[-1], "hook_resid_pre")][:, None, :]
        copies = self.tap(name, stream.expand(-1, shared.shape[1], -1))
        own = self.own_product(copies, block, part)
        edited = (copies != stream).any(-1, keepdim=True)
        if not any(".ln1." in e.site for e in self.edits):
            check(torch.where(edited, shared, own), shared, name)
        return torch.where(edited | self.split, own, shared)

    def query_key_value(self, value, part, layer):
        """What c_attn or its like made of the norm's output for one of q, k, v [t, h, e], with its two sites."""
        prefix, letter = self.prefix[layer], LETTERS[part]
        name = f"{prefix}.hook_{letter}_input"
        if self.flows(name, self.split):
            value = self.own_input(name, self.blocks[layer], part, value)
        else:
            self.site[name] = self.site[f"{prefix}.hook_resid_pre"][:, None, :].expand(-1, value.shape[1], -1)
        return self.tap(f"{prefix}.attn.hook_{letter}", value)

    def queries_keys_values(self, module, args, out, layer):
        fused = out[0].view(len(self.tokens), 3, self.heads, self.head_width)
        parts = [self.query_key_value(fused[:, part], part, layer) for part in range(3)]
        return torch.stack(parts, dim=1).reshape(out.shape)

    def positioned(self, name, query, key):
        """Queries and keys as the scores read them; a family that rotates them has sites there."""
        return query, key

    def attention(self, module, query, key, value, attention_mask, scaling=None, **kwargs):
        """Stands in for eager_attention_forward, which it calls; layers without sites pass through."""
        name = f"{self.prefix[module.layer_idx]}.attn"
        skipped = (module.layer_idx, "attn") in self.plan.skipped
        if not skipped:
            query, key = self.positioned(name, query, key)
        out, weights = self.eager_attention(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
        if skipped:
            return out, weights
        key, value = (x.repeat_interleave(self.heads // self.kv_heads, 1) for x in (key, value))
        allowed = torch.ones(weights.shape[1:], dtype=torch.bool).tril()
        scores = (query[0] @ key[0].transpose(-1, -2) * scaling).masked_fill(~allowed, -torch.inf)
        check(scores.softmax(-1), weights[0], f"{name}.hook_pattern")
        if self.flows(f"{name}.hook_attn_scores", self.deep) or self.flows(f"{name}.hook_pattern", self.deep):
            scores = self.tap(f"{name}.hook_attn_scores", scores, allowed)
            pattern = self.tap(f"{name}.hook_pattern", scores.softmax(-1), allowed)
            out = (pattern @ value[0]).transpose(0, 1)[None]
        else:
            self.site[f"{name}.hook_attn_scores"], self.site[f"{name}.hook_pattern"] = scores, weights[0]
        return self.tap(f"{name}.hook_z", out[0])[None], weights

    def rows_of_heads(self, module):
        return module.weight.view(self.heads, self.head_width, -1)

    def project_heads(self, module, args, out, layer):
        """The product with W_O: the heads' results beside their real sum; an edited result adds (new - old)."""
        name = f"{self.prefix[layer]}.attn.hook_result"
        z = args[0][0].view(len(self.tokens), self.heads, self.head_width)
        result = torch.einsum("the,hed->thd", z, self.rows_of_heads(module))
        check(result.sum(1) + (0 if module.bias is None else module.bias), out[0], name)
        if not self.flows(name, self.deep):
            self.site[name] = result
            return out
        return out + (self.tap(name, result) - result).sum(1)

    def attention_out(self, module, args, out, layer):
        if (layer, "attn") in self.plan.skipped:
            return torch.zeros_like(out[0]), out[1]
        return self.tap(f"{self.prefix[layer]}.hook_attn_out", out[0][0])[None], out[1]

    def middle(self, module, args, layer):
        """Pre-hook of ln_2. The block has kept its argument as the residual, so an edit is written into it."""
        stream, prefix = args[0], self.prefix[layer]
        new = self.tap(f"{prefix}.hook_resid_mid", stream[0].clone())
        if any(e.matches(f"{prefix}.hook_resid_mid") for e in self.edits):
            stream.copy_(new[None])
        self.site[f"{prefix}.hook_resid_mid"] = stream
        if (layer, "mlp") in self.plan.skipped:
            return None
        if not self.flows(f"{prefix}.hook_mlp_in", self.deep):
            self.site[f"{prefix}.hook_mlp_in"] = stream
            return None
        return (self.tap(f"{prefix}.hook_mlp_in", stream[0])[None],)

    def mlp_out(self, module, args, out, layer):
        if (layer, "mlp") in self.plan.skipped:
            return torch.zeros_like(out)
        return self.tap(f"{self.prefix[layer]}.hook_mlp_out", out[0])[None]

    def block_hooks(self, layer, block):
        """(module, hook) pairs, a pre-hook where the third entry says so."""
        def name(rest):
            return f"{self.prefix[layer]}.{rest}"

        def layered(hook):
            return lambda module, args, *out: hook(module, args, *out, layer)

        hooks = [(block, layered(self.start_block), True),
                 (block.ln_2, layered(self.middle), True),
                 (block.attn, layered(self.attention_out), False),
                 (block.mlp, layered(self.mlp_out), False),
                 (block, lambda m, a, out: self.tap(name("hook_resid_post"), out[0])[None], False)]
        if (layer, "attn") not in self.plan.skipped:
            hooks += [(block.ln_1, lambda m, a, out: self.norm(m, a, out, name("ln1")), False),
                      (block.attn.c_attn, layered(self.queries_keys_values), False),
                      (block.attn.c_proj, layered(self.project_heads), False)]
        if (layer, "mlp") not in self.plan.skipped:
            hooks += [(block.ln_2, lambda m, a, out: self.norm(m, a, out, name("ln2")), False),
                      (block.mlp.c_fc, lambda m, a, out: self.tap(name("mlp.hook_pre"), out[0])[None], False),
                      (block.mlp.c_proj, lambda m, a: (self.tap(name("mlp.hook_post"), a[0][0])[None],), True)]
        return hooks

    def hooks(self):
        body = self.model.transformer
        yield body.wte, self.embed("hook_embed"), False
        yield body.wpe, self.embed("hook_pos_embed"), False
        for layer, block in enumerate(self.blocks):
            yield from self.block_hooks(layer, block)
        yield body.ln_f, lambda m, a, out: self.norm(m, a, out, "ln_final"), False
        yield self.model.lm_head, lambda m, a: (self.tap("unembed.hook_in", a[0][0])[None],), True
        yield self.model.lm_head, self.embed("unembed.hook_out"), False

    # the whole

    def block_list(self):
        """The module that holds the list of blocks, and its name there."""
        return self.model.transformer, "h"

    def forward(self):
        body, name = self.block_list()
        self.blocks = list(getattr(body, name))
        with ExitStack() as undo:
            for module, hook, before in self.hooks():
                add = module.register_forward_pre_hook if before else module.register_forward_hook
                undo.callback(add(hook).remove)
            undo.callback(setattr, self.modeling, "eager_attention_forward", self.eager_attention)
            self.modeling.eager_attention_forward = self.attention
            undo.callback(setattr, body, name, getattr(body, name))
            setattr(body, name, torch.nn.ModuleList([self.blocks[layer] for layer, _ in self.plan.order]))
            undo.callback(setattr, self.config, "num_hidden_layers", self.config.num_hidden_layers)
            self.config.num_hidden_layers = len(self.plan.order)
            logits = self.model(input_ids=torch.tensor([self.tokens]), use_cache=False).logits[0]
        assert torch.equal(logits, self.site["unembed.hook_out"])
        return self

    def value(self, name):
        """A site's value as it stands in a file."""
        if name == "logits":
            name = "unembed.hook_out"
        kept = self.site[name].detach()
        return (kept[0] if kept.dim() == 3 and name.endswith(("hook_resid_mid", "hook_mlp_in")) else kept).contiguous()

    def values(self):
        return {name: self.value(name) for name in self.site}

    def gradients(self, metric):
        """d metric / d(value after its edits) for every site that the run flows through; masked entries 0."""
        scalar = metric(self.site["unembed.hook_out"])
        names = [n for n, v in self.site.items() if v.requires_grad]
        found = torch.autograd.grad(scalar, [self.site[n] for n in names], allow_unused=True)
        out = {}
        for name, gradient in zip(names, found):
            gradient = torch.zeros_like(self.site[name]) if gradient is None else gradient
            if name.endswith(("hook_attn_scores", "hook_pattern")):
                gradient = gradient.tril()
            out[name] = gradient.view(self.value(name).shape)
        return out
