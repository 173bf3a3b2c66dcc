"""One run of any decoder of transformers with every site of interface.md 3 captured, edits put in, gradients taken.

What a family calls its modules stands in a row of ROWS; there is no code of a family's own. The values are those of the
real modules: hooks on norms and products, and inside an attention or a router a mode that sees each torch function as
it is called (the product of queries and keys, the softmax, the product with the values; the choice of experts), taps its
arguments or its result and lets the module go on with them. What transformers never materialises (a norm's scale and
normalised value, a head's result) is computed beside it and tied to a real value by `check`; the run flows through such a
value only where it is edited or its gradient is wanted (deep).
"""
from contextlib import ExitStack

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

import reference_run
from reference_edits import Sources, read_edits

MASKED = -1e30
PRODUCTS = (torch.matmul, torch.bmm, torch.baddbmm, torch.Tensor.matmul, torch.Tensor.__matmul__, torch.Tensor.baddbmm)
CLIPS = (torch.Tensor.clamp_,)

LLAMA = dict(body="model", blocks="layers", embed="embed_tokens", final="norm", rotary=True,
             ln1="input_layernorm", attn="self_attn", q="q_proj", k="k_proj", v="v_proj", out="o_proj",
             ln2="post_attention_layernorm", mlp="mlp", gate="mlp.gate_proj", into="mlp.up_proj", mlp_out="mlp.down_proj")
NORMED = dict(q_norm="q_norm", k_norm="k_norm")
SANDWICH = dict(ln1_post="post_attention_layernorm", ln2="pre_feedforward_layernorm", ln2_post="post_feedforward_layernorm")
EXPERTS = dict(LLAMA, router="mlp.gate")
GPT2 = dict(body="transformer", blocks="h", embed="wte", final="ln_f", ln1="ln_1", attn="attn", ln2="ln_2", mlp="mlp")
NEOX = dict(body="gpt_neox", blocks="layers", embed="embed_in", final="final_layer_norm", rotary=True,
            ln1="input_layernorm", attn="attention", fused="query_key_value", layout="groups", out="dense",
            ln2="post_attention_layernorm", mlp="mlp", into="mlp.dense_h_to_4h", mlp_out="mlp.dense_4h_to_h")
BLOOM = dict(NEOX, body="transformer", blocks="h", embed="word_embeddings", final="ln_f", attn="self_attention",
             rotary=False)
OPT = dict(body="model.decoder", blocks="layers", embed="embed_tokens", positions="embed_positions",
           final="final_layer_norm",
           ln1="self_attn_layer_norm", attn="self_attn", q="q_proj", k="k_proj", v="v_proj", out="out_proj",
           ln2="final_layer_norm", mlp="fc1", into="fc1", mlp_out="fc2")



def falcon(c):
    """Two norms where the config says so; transformers adds ALiBi twice in eager attention, once in its default one: the
    mask is given without it, which makes eager compute what the default does."""
    two = c.new_decoder_architecture and c.num_ln_in_parallel_attn == 2
    norms = dict(ln1="ln_attn", ln2="ln_mlp") if two else {}
    parallel = c.parallel_attn or c.new_decoder_architecture
    return dict(BLOOM, **norms, rotary=not c.alibi, mask_alone=c.alibi, parallel=parallel)


# By model_type: a row as a function of the config. A name that a block lacks is a part that it has not (ln2 of a block
# whose MLP shares ln1, gate of a layer of experts). parallel: attention and MLP read the same stream. bare: no norm in
# front. after: each norm stands behind its sum.
ROWS = {
    "gpt_neox": lambda c: dict(NEOX, parallel=c.use_parallel_residual),
    "gptj": lambda c: dict(GPT2, q="q_proj", k="k_proj", v="v_proj", out="out_proj", rotary=True, parallel=True,
                           into="mlp.fc_in", mlp_out="mlp.fc_out"),
    "gpt_bigcode": lambda c: dict(GPT2, positions="wpe", fused="c_attn", layout="groups", out="c_proj", into="mlp.c_fc",
                                  mlp_out="mlp.c_proj"),
    "gpt_neo": lambda c: dict(GPT2, attn="attn.attention", positions="wpe", q="q_proj", k="k_proj", v="v_proj",
                              out="out_proj", into="mlp.c_fc", mlp_out="mlp.c_proj"),
    "opt": lambda c: dict(OPT, after=not c.do_layer_norm_before,
                          embed="embed_tokens" if c.word_embed_proj_dim == c.hidden_size else "project_in"),
    "bloom": lambda c: dict(BLOOM, embed_norm="word_embeddings_layernorm"),
    "llama": lambda c: LLAMA,
    "mistral": lambda c: LLAMA,
    "qwen2": lambda c: LLAMA,
    "qwen3": lambda c: dict(LLAMA, **NORMED),
    "phi": lambda c: dict(LLAMA, final="final_layernorm", parallel=True, out="dense", q_norm="q_layernorm",
                          k_norm="k_layernorm", gate=None, into="mlp.fc1", mlp_out="mlp.fc2"),
    "phi3": lambda c: dict(LLAMA, fused="qkv_proj", layout="parts", both="mlp.gate_up_proj"),
    "gemma": lambda c: LLAMA,
    "gemma2": lambda c: dict(LLAMA, **SANDWICH),
    "gemma3_text": lambda c: dict(LLAMA, **SANDWICH, **NORMED),
    "olmo": lambda c: LLAMA,
    "olmo2": lambda c: dict(LLAMA, **SANDWICH, **NORMED, ln1=None),
    "stablelm": lambda c: dict(LLAMA, parallel=c.use_parallel_residual, q_norm="q_layernorm", k_norm="k_layernorm"),
    "falcon": falcon,
    "starcoder2": lambda c: dict(LLAMA, gate=None, into="mlp.c_fc", mlp_out="mlp.c_proj"),
    "mixtral": lambda c: EXPERTS,
    "qwen3_moe": lambda c: dict(EXPERTS, **NORMED),
    "olmoe": lambda c: dict(EXPERTS, **NORMED),
    "gpt_oss": lambda c: dict(LLAMA, router="mlp.router"),
}


def at(module, path):
    """The module at a path, or None where there is none."""
    for part in path.split(".") if path else ():
        module = getattr(module, part, None)
    return module if path else None


class Inside(TorchFunctionMode):
    """While a module's forward runs: every torch function goes through watch(func, call), which may answer it."""

    def __init__(self, watch):
        super().__init__()
        self.watch = watch

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        return self.watch(func, args, kwargs, lambda *new: func(*(new or args), **kwargs))


def around(module, watch, undo):
    """Have a module's forward watched until undo."""
    real = module.forward

    def forward(*args, **kwargs):
        with Inside(watch()):
            return real(*args, **kwargs)
    module.forward = forward
    undo.callback(lambda: module.__dict__.pop("forward"))


def mask_alone(module, args, kwargs):
    mask = kwargs["attention_mask"]
    return args, {**kwargs, "attention_mask": torch.where(mask > MASKED, 0.0, mask)}


def forget_lengths(model):
    """Dynamic rotations remember the longest run; each run is to be the first."""
    for module in model.modules():
        if getattr(module, "rope_type", None) == "dynamic":
            module.inv_freq.copy_(module.original_inv_freq)
            module.max_seq_len_cached = module.original_max_seq_len


class Norm:
    """What a norm module computes, in its two steps: over the last axis, before and after weight and bias."""

    def __init__(self, module):
        self.module = module
        self.weight, self.bias = getattr(module, "weight", None), getattr(module, "bias", None)
        self.eps = getattr(module, "eps", getattr(module, "variance_epsilon", 1e-5))
        self.centres = "RMS" not in type(module).__name__
        self.one_more = type(module).__name__.startswith("Gemma")
        if hasattr(module, "norms"):
            self.weight = torch.stack([n.weight for n in module.norms])[:, None]
            self.eps = module.norms[0].eps

    def steps(self, x):
        """x without its mean (if the norm takes it away), and the scale."""
        x = x - x.mean(-1, keepdim=True) if self.centres else x
        return x, torch.sqrt(x.square().mean(-1, keepdim=True) + self.eps)

    def affine(self, normalized):
        if self.weight is not None:
            normalized = normalized * (1 + self.weight if self.one_more else self.weight)
        return normalized if self.bias is None else normalized + self.bias


class Heads:
    """How a model's projections hold queries, keys and values: split gives [t, h, e] and two [t, g, e], join undoes it."""

    def __init__(self, config, layout):
        self.count, self.layout = config.num_attention_heads, layout
        self.groups = getattr(config, "num_key_value_heads", None) or self.count
        if config.model_type == "falcon":
            few = config.multi_query and not config.new_decoder_architecture
            self.groups = 1 if few else config.num_kv_heads
        self.width = getattr(config, "head_dim", None) or config.hidden_size // self.count

    def split(self, fused):
        """groups: [g][queries of the group, key, value][e]; parts: [all queries, all keys, all values][e]."""
        t, n = len(fused), self.count // self.groups
        if self.layout == "parts":
            return fused.view(t, -1, self.width).split([self.count, self.groups, self.groups], 1)
        q, k, v = fused.view(t, self.groups, n + 2, self.width).split([n, 1, 1], 2)
        return [x.reshape(t, -1, self.width) for x in (q, k, v)]

    def join(self, parts):
        if self.layout == "parts":
            return torch.cat(parts, 1).flatten(1)
        return torch.cat([x.view(len(x), self.groups, -1, self.width) for x in parts], 2).flatten(1)


class DecoderRun:
    """DecoderRun(model, tokens).forward() fills `site`: name -> tensor without a batch axis, in the order of the pass.

    texts    edits in sonde's grammar (no plans)
    sources  what the edits read
    deep     flow through norm scale, normalised, result and hook_mlp_in, so that these have gradients
    """

    def __init__(self, model, tokens, texts=(), sources=None, deep=False):
        self.model, self.tokens, self.deep, self.sources = model, tokens, deep, sources or Sources()
        self.row = ROWS[model.config.model_type](model.config)
        self.heads = Heads(model.config, self.row.get("layout"))
        self.body = at(model, self.row["body"])
        self.blocks = list(at(self.body, self.row["blocks"]))
        plan, self.edits = read_edits(texts, len(self.blocks))
        assert plan.order == [(layer, 0) for layer in range(len(self.blocks))] and not plan.skipped
        assert len(tokens) not in (self.heads.count, self.heads.groups), "heads and positions could be mistaken"
        self.site, self.hooks, self.logits = {}, [], None

    # values

    def edited(self, name):
        return any(e.matches(name) for e in self.edits)

    def flows(self, *names):
        """Must the run go through the computed values of these sites?"""
        return self.deep or any(self.edited(n) for n in names)

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
        return new.clone()

    def rows(self, x):
        """Without the batch axis, whatever the module adds or leaves out: [t, ..]."""
        return x.reshape(len(self.tokens), -1)

    def after(self, module, hook):
        self.hooks.append(module.register_forward_hook(lambda m, a, out: hook(out)))

    def before(self, module, hook):
        """hook gets the module's first argument and gives another one in its place, or None."""
        def replaced(m, args, kwargs):
            name = next(iter(kwargs)) if not args else None
            new = hook(kwargs[name] if name else args[0])
            if new is None:
                return None
            return (args, {**kwargs, name: new}) if name else ((new, *args[1:]), kwargs)
        self.hooks.append(module.register_forward_pre_hook(replaced, with_kwargs=True))

    def seen(self, module, name):
        """A site that is a module's result, row by row."""
        self.after(module, lambda out: self.tap(name, self.rows(out)).view(out.shape))

    # norms

    def normed(self, norm, name, x, out):
        """The three sites of a norm, given what it read and what it made of it."""
        x, scale = norm.steps(x)
        reference_run.check(norm.affine(x / scale), out, name)
        sites = f"{name}.hook_scale", f"{name}.hook_normalized"
        if self.flows(*sites):
            scale = self.tap(sites[0], scale)
            out = norm.affine(self.tap(sites[1], x / scale))
        else:
            self.site[sites[0]], self.site[sites[1]] = scale, x / scale
        return self.tap(f"{name}.hook_out", out)

    def norm(self, module, name):
        read = {}
        norm = Norm(module)
        self.before(module, lambda x: read.update(x=x))
        self.after(module, lambda out: self.normed(norm, name, self.rows(read["x"]), self.rows(out)).view(out.shape))

    def head_norm(self, module, name):
        """q_norm and k_norm, whose input has heads outside, positions outside, or heads and their width in one axis."""
        read, norm, t = {}, Norm(module), len(self.tokens)

        def turned(x):
            return x[0].transpose(0, 1) if x.dim() == 4 and x.shape[2] == t else x.reshape(t, -1, self.heads.width)

        def hook(out):
            x, scale = norm.steps(read["x"])
            x = x / scale
            reference_run.check(norm.affine(x), out, name)
            if not self.flows(name):
                self.site[name] = turned(x)
                return out
            new = self.tap(name, turned(x))
            new = new.transpose(0, 1)[None] if x.dim() == 4 and x.shape[2] == t else new.reshape(x.shape)
            return norm.affine(new)
        self.before(module, lambda x: read.update(x=x))
        self.after(module, hook)

    # attention

    def projections(self, attn, name):
        """q, k and v behind their products; a clip, which is one step further on, is tapped where it happens."""
        sites = [f"{name}.hook_{letter}" for letter in "qkv"]

        def fused(out):
            parts = self.heads.split(self.rows(out))
            return self.heads.join([self.tap(n, x) for n, x in zip(sites, parts)]).view(out.shape)

        def separate(site):
            shape = (len(self.tokens), -1, self.heads.width)
            return lambda out: self.tap(site, out.reshape(shape)).view(out.shape)
        if "fused" in self.row:
            self.after(at(attn, self.row["fused"]), fused)
        elif getattr(self.model.config, "clip_qkv", None) is None:
            for site, letter in zip(sites, "qkv"):
                self.after(at(attn, self.row[letter]), separate(site))

    def rotated(self, name, query, key):
        """Queries and transposed keys as the scores read them: [.., h, t, e] and [.., h, e, s]."""
        if not self.row.get("rotary"):
            return query, key
        n, (t, e) = self.heads.count // self.heads.groups, query.shape[-2:]
        flat = key.transpose(-1, -2).reshape(-1, t, e)
        q = self.tap(f"{name}.hook_rot_q", query.reshape(-1, t, e).transpose(0, 1))
        k = self.tap(f"{name}.hook_rot_k", flat[::len(flat) // self.heads.groups].transpose(0, 1))
        k = k.repeat_interleave(len(flat) // self.heads.groups, 1)
        assert len(flat) in (self.heads.count, self.heads.groups) and n * self.heads.groups == self.heads.count
        return q.transpose(0, 1).reshape(query.shape), k.permute(1, 2, 0).reshape(key.shape)

    def scores(self, name, scores):
        heads = scores.reshape(-1, *scores.shape[-2:])
        return self.tap(f"{name}.hook_attn_scores", heads, heads > MASKED).view(scores.shape)

    def pattern(self, name, pattern):
        """With a sink there is one column more, which is no key."""
        heads = pattern.reshape(-1, *pattern.shape[-2:])
        keys, sink = heads.split([len(self.tokens), heads.shape[-1] - len(self.tokens)], -1)
        keys = self.tap(f"{name}.hook_pattern", keys, self.site[f"{name}.hook_attn_scores"] > MASKED)
        return torch.cat([keys, sink], -1).view(pattern.shape)

    def attention(self, name):
        """A watch over one forward of an attention."""
        products, clipped = [], iter("qkv")

        def watch(func, args, kwargs, call):
            if func in CLIPS:
                made = call()
                value = made.detach().clone() if not made.requires_grad else made.clone()
                value = value.view(len(self.tokens), -1, self.heads.width)
                return made.copy_(self.tap(f"{name}.hook_{next(clipped)}", value).view(made.shape))
            if func is torch.cat and len(products) == 1 and args[0][0].shape[-1] == len(self.tokens):
                return call([self.scores(name, args[0][0]), *args[0][1:]])
            if func is F.softmax:
                if f"{name}.hook_attn_scores" in self.site:
                    return self.pattern(name, call())
                return self.pattern(name, call(self.scores(name, args[0]), *args[1:]))
            if func in PRODUCTS and (args[1] if len(args) > 1 else kwargs["batch2"]).dim() > 2:
                products.append(func)
                return self.product(name, len(products), func, args, kwargs, call)
            return call()
        return watch

    def product(self, name, number, func, args, kwargs, call):
        """The first is that of queries and keys, the second that of the pattern and the values."""
        if number == 1:
            if "batch1" in kwargs:
                q, k = self.rotated(name, kwargs["batch1"], kwargs["batch2"])
                return func(*args, **{**kwargs, "batch1": q, "batch2": k})
            return call(*self.rotated(name, *args))
        z = call()
        heads = z.reshape(-1, *z.shape[-2:]).transpose(0, 1)
        return self.tap(f"{name}.hook_z", heads).transpose(0, 1).reshape(z.shape)

    def project_heads(self, module, name):
        """The product with W_O: the heads' results beside their real sum; an edited result adds (new - old)."""
        read = {}

        def hook(out):
            z = read["z"].reshape(len(self.tokens), self.heads.count, self.heads.width)
            weight = module.weight.T.reshape(self.heads.count, self.heads.width, -1)
            result = torch.einsum("the,hed->thd", z, weight)
            bias = 0 if module.bias is None else module.bias
            reference_run.check(result.sum(1) + bias, self.rows(out), name, 4e-6)
            if not self.flows(f"{name}.attn.hook_result"):
                self.site[f"{name}.attn.hook_result"] = result
            else:
                out = out + (self.tap(f"{name}.attn.hook_result", result) - result).sum(1).view(out.shape)
            return out if "ln1_post" in self.row else self.tap(f"{name}.hook_attn_out", self.rows(out)).view(out.shape)
        self.before(module, lambda z: read.update(z=z))
        self.after(module, hook)

    # experts

    def router(self, name):
        """A watch over one forward of a router: softmax, then choice; or choice, then softmax of the chosen, which is the
        softmax over all, divided by its sum over the chosen."""
        chosen, weights = {}, f"{name}.hook_expert_weights"

        def choose(args, call):
            values, order = call()
            if args[0].min() < 0:       # of logits
                chosen["all"] = self.tap(weights, args[0].softmax(-1))
                if self.edited(weights):
                    order = chosen["all"].topk(order.shape[-1]).indices
            site = f"{name}.hook_expert_indices"
            kept = self.tap(site, order.sort(-1).values.float()).long()
            if self.edited(site):
                order, values = kept, args[0].gather(-1, kept)
            chosen["order"] = order
            return values, order

        def weigh(made):
            if "order" not in chosen:
                return self.tap(weights, made)
            own = chosen["all"].gather(-1, chosen["order"])
            own = own / own.sum(-1, keepdim=True)
            if not self.edited(weights):
                reference_run.check(own, made, weights)
            return own if self.flows(weights) else made

        def watch(func, args, kwargs, call):
            if func is torch.topk:
                return choose(args, call)
            return weigh(call()) if func is F.softmax else call()
        return watch

    # blocks

    def start(self, name, x):
        return self.tap(f"{name}.hook_resid_pre", self.rows(x)).view(x.shape)

    def middle(self, name, stream):
        """The stream between attention and MLP. The block has kept its argument as the residual, so what the edits
        make of it is written into it."""
        stream.copy_(self.tap(f"{name}.hook_resid_mid", self.rows(stream)).view(stream.shape))
        return self.mlp_in(name, stream)

    def mlp_in(self, name, stream):
        site = f"{name}.hook_mlp_in"
        if self.flows(site):
            return self.tap(site, self.rows(stream)).view(stream.shape)
        self.site[site] = self.rows(stream)
        return stream

    def shared_norm(self, name, norm, made):
        """ln2 of a block whose MLP reads ln1's output: computed again for the MLP, so that ln2 has sites of its own."""
        x = self.rows(self.mlp_in(name, self.site[f"{name}.hook_resid_pre"]))
        out = norm.module.forward(x[None])[0]
        if not self.edits:
            reference_run.check(out, self.rows(made), f"{name}.ln2")
        return self.normed(norm, f"{name}.ln2", x, out).view(made.shape)

    def reads_stream(self, block, name):
        """What stands between the attention's sum and the MLP's first product."""
        row, ln2, mlp = self.row, at(block, self.row.get("ln2")), at(block, self.row["mlp"])
        if row.get("parallel"):
            if ln2 is None:
                norm = Norm(at(block, row["ln1"]))
                return self.before(mlp, lambda made: self.shared_norm(name, norm, made))
            return self.before(ln2, lambda x: self.mlp_in(name, x))
        first = at(block, row["ln1"]) if row.get("after") else ln2 or mlp
        self.before(first, lambda x: self.middle(name, x))
        if row.get("after"):
            self.before(ln2, lambda x: self.tap(f"{name}.hook_resid_post", self.rows(x)).view(x.shape))

    def feed_forward(self, block, name):
        row, router = self.row, at(block, self.row.get("router"))
        added = f"{name}.hook_mlp_out"
        if router is not None:
            if "ln2_post" not in row:
                self.hooks.append(at(block, row["mlp"]).register_forward_hook(lambda m, a, out: self.answered(added, out)))
            return
        gate, both = at(block, row.get("gate")), at(block, row.get("both"))
        if both is not None:
            self.after(both, lambda out: torch.cat([self.tap(f"{name}.mlp.{site}", x) for site, x in zip(
                ("hook_pre", "hook_pre_linear"), self.rows(out).chunk(2, -1))], -1).view(out.shape))
        else:
            self.seen(at(block, row["into"]), f"{name}.mlp.hook_pre" + ("_linear" if gate is not None else ""))
        if gate is not None:
            self.seen(gate, f"{name}.mlp.hook_pre")
        out = at(block, row["mlp_out"])
        self.before(out, lambda x: self.tap(f"{name}.mlp.hook_post", self.rows(x)).view(x.shape))
        if "ln2_post" not in row:
            self.seen(out, added)

    def answered(self, name, out):
        """A layer of experts answers with its sum, in some families beside the router's weights."""
        first = out[0] if isinstance(out, tuple) else out
        first = self.tap(name, self.rows(first)).view(first.shape)
        return (first, *out[1:]) if isinstance(out, tuple) else first

    def block(self, block, name, undo):
        row, attn = self.row, at(block, self.row["attn"])
        self.before(block, lambda x: self.start(name, x))
        self.reads_stream(block, name)
        for norm in ("ln1", "ln2", "ln1_post", "ln2_post"):
            if at(block, row.get(norm)) is not None:
                self.norm(at(block, row[norm]), f"{name}.{norm}")
        for norm, added in (("ln1_post", "hook_attn_out"), ("ln2_post", "hook_mlp_out")):
            if norm in row:
                self.seen(at(block, row[norm]), f"{name}.{added}")
        self.projections(attn, f"{name}.attn")
        for norm in ("q_norm", "k_norm"):
            if at(attn, row.get(norm)) is not None:
                self.head_norm(at(attn, row[norm]), f"{name}.attn.{norm}.hook_normalized")
        if row.get("mask_alone"):
            self.hooks.append(attn.register_forward_pre_hook(mask_alone, with_kwargs=True))
        around(attn, lambda: self.attention(f"{name}.attn"), undo)
        self.project_heads(at(attn, row["out"]), name)
        self.feed_forward(block, name)
        if at(block, row.get("router")) is not None:
            around(at(block, row["router"]), lambda: self.router(f"{name}.mlp"), undo)
        last = "hook_normalized_resid_post" if row.get("after") else "hook_resid_post"
        self.hooks.append(block.register_forward_hook(lambda m, a, out: self.answered(f"{name}.{last}", out)))

    # the whole

    def forward(self):
        row, body, head = self.row, self.body, self.model.get_output_embeddings()
        forget_lengths(self.model)
        with ExitStack() as undo:
            undo.callback(lambda: [hook.remove() for hook in self.hooks])
            self.seen(at(body, row["embed"]), "hook_embed")
            if "positions" in row:
                self.seen(at(body, row["positions"]), "hook_pos_embed")
            if "embed_norm" in row:
                self.norm(at(body, row["embed_norm"]), "embed.ln")
            for layer, block in enumerate(self.blocks):
                self.block(block, f"blocks.{layer}", undo)
            if at(body, row["final"]) is not None:
                self.norm(at(body, row["final"]), "ln_final")
            self.before(head, lambda x: self.tap("unembed.hook_in", self.rows(x)).view(x.shape))
            self.seen(head, "unembed.hook_out")
            self.logits = self.model(input_ids=torch.tensor([self.tokens]), use_cache=False).logits[0]
        return self

    def value(self, name):
        """A site's value as it stands in a file."""
        kept = (self.logits if name == "logits" else self.site[name]).detach()
        return torch.where(kept > MASKED, kept, -torch.inf) if name.endswith("hook_attn_scores") else kept.contiguous()

    def values(self):
        return {name: self.value(name) for name in self.site}

    def gradients(self, metric):
        """d metric / d(value after its edits) for every site that the run flows through; masked entries 0."""
        scalar = metric(self.logits)
        names = [n for n, v in self.site.items() if v.requires_grad and not n.endswith("hook_expert_indices")]
        found = torch.autograd.grad(scalar, [self.site[n] for n in names], allow_unused=True)
        out = {}
        for name, gradient in zip(names, found):
            gradient = torch.zeros_like(self.site[name]) if gradient is None else gradient
            if name.endswith(("hook_attn_scores", "hook_pattern")):
                scores = self.site[name.rpartition(".")[0] + ".hook_attn_scores"]
                gradient = torch.where(scores > MASKED, gradient, 0.0)
            out[name] = gradient
        return out
