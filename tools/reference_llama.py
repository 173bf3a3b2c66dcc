"""Run for transformers' LlamaForCausalLM: RMS norms, rotated queries and keys, grouped heads, gated MLP."""
import torch

import reference_run
from reference_run import LETTERS, Run


class LlamaRun(Run):
    def norm(self, module, args, out, name):
        x = args[0][0]
        scale = torch.sqrt(x.square().mean(-1, keepdim=True) + module.variance_epsilon)
        normalized = x / scale
        reference_run.check(normalized * module.weight, out[0], name)
        if not self.flows(f"{name}.hook_scale", self.deep) and not self.flows(f"{name}.hook_normalized", self.deep):
            self.site[f"{name}.hook_scale"], self.site[f"{name}.hook_normalized"] = scale, normalized
            return self.tap(f"{name}.hook_out", out[0])[None]
        scale = self.tap(f"{name}.hook_scale", scale)
        normalized = self.tap(f"{name}.hook_normalized", x / scale)
        return self.tap(f"{name}.hook_out", normalized * module.weight)[None]

    def own_product(self, copies, block, part):
        """The norm without its hook: these copies are no site."""
        linear = getattr(block.self_attn, f"{LETTERS[part]}_proj")
        rows, heads = block.input_layernorm.forward(copies), copies.shape[1]
        own = torch.einsum("thd,hed->the", rows, linear.weight.view(heads, self.head_width, -1))
        return own if linear.bias is None else own + linear.bias.view(heads, self.head_width)

    def projected(self, part):
        """Hook of q_proj, k_proj or v_proj."""
        def hook(module, args, out, layer):
            value = out[0].view(len(self.tokens), -1, self.head_width)
            return self.query_key_value(value, part, layer).reshape(out.shape)
        return hook

    def positioned(self, name, query, key):
        """The modules hand over rotated ones, [1, h, t, e]."""
        query, key = (self.tap(f"{name}.hook_rot_{letter}", x[0].transpose(0, 1)).transpose(0, 1)[None]
                      for letter, x in (("q", query), ("k", key)))
        return query, key

    def rows_of_heads(self, module):
        return module.weight.T.reshape(self.heads, self.head_width, -1)

    def block_hooks(self, layer, block):
        def name(rest):
            return f"{self.prefix[layer]}.{rest}"

        def layered(hook):
            return lambda module, args, *out: hook(module, args, *out, layer)

        attn, mlp = block.self_attn, block.mlp
        hooks = [(block, layered(self.start_block), True),
                 (block.post_attention_layernorm, layered(self.middle), True),
                 (attn, layered(self.attention_out), False),
                 (mlp, layered(self.mlp_out), False),
                 (block, lambda m, a, out: self.tap(name("hook_resid_post"), out[0])[None], False)]
        if (layer, "attn") not in self.plan.skipped:
            hooks += [(block.input_layernorm, lambda m, a, out: self.norm(m, a, out, name("ln1")), False),
                      *((getattr(attn, f"{letter}_proj"), layered(self.projected(part)), False)
                        for part, letter in enumerate(LETTERS)),
                      (attn.o_proj, layered(self.project_heads), False)]
        if (layer, "mlp") not in self.plan.skipped:
            hooks += [(block.post_attention_layernorm, lambda m, a, out: self.norm(m, a, out, name("ln2")), False),
                      (mlp.gate_proj, lambda m, a, out: self.tap(name("mlp.hook_pre"), out[0])[None], False),
                      (mlp.up_proj, lambda m, a, out: self.tap(name("mlp.hook_pre_linear"), out[0])[None], False),
                      (mlp.down_proj, lambda m, a: (self.tap(name("mlp.hook_post"), a[0][0])[None],), True)]
        return hooks

    def hooks(self):
        body = self.model.model
        yield body.embed_tokens, self.embed("hook_embed"), False
        for layer, block in enumerate(self.blocks):
            yield from self.block_hooks(layer, block)
        yield body.norm, lambda m, a, out: self.norm(m, a, out, "ln_final"), False
        yield self.model.lm_head, lambda m, a: (self.tap("unembed.hook_in", a[0][0])[None],), True
        yield self.model.lm_head, self.embed("unembed.hook_out"), False

    def block_list(self):
        return self.model.model, "layers"
