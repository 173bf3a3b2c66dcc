"""How transformers calls the modules of encoders and encoder-decoders: one row per class, for reference_towers.py.

A row: stacks (name of its sites: path of the list of blocks, the block's names), out, in, norms (site: the module whose
result, argument, or norm it is), relative (site: the attention that has the table of relative positions), answer (of
the model's output, the table that metrics read) and answers (the site that equals it). A block's names: attention (its
module, projections), heads (the module's field), reads (site: the module that reads it), norms, mlp (site: the product
it is the result of), out (the MLP's last product) and end (the block's result).
"""


def attention(module, letters, prefix=None):
    """Projections by the names of q, k, v, o, under the module that attends, or under prefix."""
    return {"module": module} | {letter: f"{module if prefix is None else prefix}{name}"
                                 for letter, name in zip("qkvo", letters)}


BERT_BLOCK = dict(
    attention={"attn": attention("attention.self", ("self.query", "self.key", "self.value", "output.dense"),
                                 "attention.")},
    heads="num_attention_heads", mlp={"hook_pre": "intermediate.dense"}, out="output.dense",
    norms={"ln1": "attention.output.LayerNorm", "ln2": "output.LayerNorm"},
    reads={"hook_resid_mid": "attention.output.LayerNorm", "hook_resid_post": "output.LayerNorm"},
    end="hook_normalized_resid_post")
DISTILBERT_BLOCK = dict(
    attention={"attn": attention("attention", (".q_lin", ".k_lin", ".v_lin", ".out_lin"))},
    heads="n_heads", mlp={"hook_pre": "ffn.lin1"}, out="ffn.lin2",
    norms={"ln1": "sa_layer_norm", "ln2": "output_layer_norm"},
    reads={"hook_resid_mid": "sa_layer_norm", "hook_resid_post": "output_layer_norm"},
    end="hook_normalized_resid_post")
BART_LETTERS = (".q_proj", ".k_proj", ".v_proj", ".out_proj")
BART_ENCODER = dict(
    attention={"attn": attention("self_attn", BART_LETTERS)},
    heads="num_heads", mlp={"hook_pre": "fc1"}, out="fc2",
    norms={"ln1": "self_attn_layer_norm", "ln2": "final_layer_norm"},
    reads={"hook_resid_mid": "self_attn_layer_norm", "hook_resid_post": "final_layer_norm"},
    end="hook_normalized_resid_post")
BART_DECODER = BART_ENCODER | dict(
    attention={"attn": attention("self_attn", BART_LETTERS), "cross_attn": attention("encoder_attn", BART_LETTERS)},
    norms={"ln1": "self_attn_layer_norm", "ln2": "encoder_attn_layer_norm", "ln3": "final_layer_norm"},
    reads={"hook_resid_mid": "self_attn_layer_norm", "hook_resid_mid_cross": "encoder_attn_layer_norm",
           "hook_resid_post": "final_layer_norm"})
T5_LETTERS = (".q", ".k", ".v", ".o")


def t5_block(gated, decoder):
    """The parts of a block are numbered: attention, the decoder's cross-attention, MLP."""
    last = f"layer.{2 if decoder else 1}"
    attentions = {"attn": attention("layer.0.SelfAttention", T5_LETTERS)}
    if decoder:
        attentions["cross_attn"] = attention("layer.1.EncDecAttention", T5_LETTERS)
    wide = {"hook_pre": "wi_0", "hook_pre_linear": "wi_1"} if gated else {"hook_pre": "wi"}
    return dict(
        attention=attentions, heads="n_heads", out=f"{last}.DenseReluDense.wo",
        mlp={site: f"{last}.DenseReluDense.{name}" for site, name in wide.items()},
        norms={f"ln{i + 1}": f"layer.{i}.layer_norm" for i in range(3 if decoder else 2)},
        reads={"hook_resid_mid": "layer.1", **({"hook_resid_mid_cross": "layer.2"} if decoder else {})},
        end="hook_resid_post")


def with_mlp_in(block, norm):
    """The stream as the MLP's part reads it: the argument of the norm in front of the MLP."""
    return block | {"reads": block["reads"] | {"hook_mlp_in": norm}}


def bert_like(body, block, layers="encoder.layer", mlp_norm="attention.output.LayerNorm", types=True, **head):
    """The body of a BERT: embeddings with a norm, one stack. body: path in front, with its dot."""
    tables = {"hook_embed": "word", "hook_pos_embed": "position", "hook_token_type_embed": "token_type"}
    if not types:
        del tables["hook_token_type_embed"]
    row = dict(stacks={"blocks": (f"{body}{layers}", with_mlp_in(block, mlp_norm))},
               out={site: f"{body}embeddings.{table}_embeddings" for site, table in tables.items()},
               norms={"embed.ln": f"{body}embeddings.LayerNorm"})
    return {**row, **head, "out": row["out"] | head.get("out", {}), "norms": row["norms"] | head.get("norms", {})}


def masked_lm(norm, decoder, **more):
    """The head of a masked language model: a norm, then the product with the vocabulary."""
    return dict(norms={"mlm_head.ln": norm}, answer=lambda out: out.logits[0], answers="unembed.hook_out",
                **{"in": {"unembed.hook_in": decoder}, "out": {"unembed.hook_out": decoder}})


def classes(linear, **out):
    return dict(answer=lambda out: out.logits, answers="classifier.hook_out",
                **{"in": {"classifier.hook_in": linear}, "out": {**out, "classifier.hook_out": linear}})


def spans(linear):
    """The table of a question answerer: a row per position, columns start and end."""
    def answer(out):
        import torch
        return torch.stack((out.start_logits[0], out.end_logits[0]), -1)
    return dict(answer=answer, answers="qa.hook_out", out={"qa.hook_out": linear})


def pooled(path):
    return {"pooler.hook_pooler_out": f"{path}pooler.activation"}


def pretraining():
    head = masked_lm("cls.predictions.transform.LayerNorm", "cls.predictions.decoder")
    heads = {**pooled("bert."), "nsp_head.hook_nsp_out": "cls.seq_relationship"}
    return head | dict(out=heads | head["out"], answer=lambda out: out.prediction_logits[0])


def distilbert(**head):
    return bert_like("distilbert.", DISTILBERT_BLOCK, "transformer.layer", "sa_layer_norm", types=False, **head)


def bart():
    encoder, decoder = "model.encoder", "model.decoder"
    return dict(
        stacks={"encoder": (f"{encoder}.layers", with_mlp_in(BART_ENCODER, "self_attn_layer_norm")),
                "decoder": (f"{decoder}.layers", with_mlp_in(BART_DECODER, "encoder_attn_layer_norm"))},
        out={"hook_embed": f"{encoder}.embed_tokens", "hook_pos_embed": f"{encoder}.embed_positions",
             "decoder.hook_embed": f"{decoder}.embed_tokens", "decoder.hook_pos_embed": f"{decoder}.embed_positions",
             "unembed.hook_out": "lm_head"},
        norms={"embed.ln": f"{encoder}.layernorm_embedding", "decoder.embed.ln": f"{decoder}.layernorm_embedding"},
        answer=lambda out: out.logits[0], answers="logits", **{"in": {"unembed.hook_in": "lm_head"}})


def t5(gated):
    attn = "block.0.layer.0.SelfAttention"
    return dict(
        stacks={"encoder": ("encoder.block", with_mlp_in(t5_block(gated, False), "layer.1.layer_norm")),
                "decoder": ("decoder.block", with_mlp_in(t5_block(gated, True), "layer.2.layer_norm"))},
        out={"hook_embed": "encoder.embed_tokens", "decoder.hook_embed": "decoder.embed_tokens",
             "unembed.hook_out": "lm_head"},
        norms={"encoder_final_ln": "encoder.final_layer_norm", "decoder_final_ln": "decoder.final_layer_norm"},
        relative={"encoder.0.attn.rel_pos_hook": f"encoder.{attn}", "decoder.0.attn.rel_pos_hook": f"decoder.{attn}"},
        answer=lambda out: out.logits[0], answers="unembed.hook_out", **{"in": {"unembed.hook_in": "lm_head"}})


BERT_HEAD = masked_lm("cls.predictions.transform.LayerNorm", "cls.predictions.decoder")
ROWS = {
    "BertForMaskedLM": bert_like("bert.", BERT_BLOCK, **BERT_HEAD),
    "BertForSequenceClassification": bert_like("bert.", BERT_BLOCK, **classes("classifier", **pooled("bert."))),
    "BertForQuestionAnswering": bert_like("bert.", BERT_BLOCK, **spans("qa_outputs")),
    "BertForPreTraining": bert_like("bert.", BERT_BLOCK, **pretraining()),
    "BertModel": bert_like("", BERT_BLOCK, out=pooled(""), answer=lambda out: out.pooler_output,
                           answers="pooler.hook_pooler_out"),
    "RobertaForMaskedLM": bert_like("roberta.", BERT_BLOCK, **masked_lm("lm_head.layer_norm", "lm_head.decoder")),
    "RobertaForSequenceClassification": bert_like("roberta.", BERT_BLOCK, **classes("classifier.out_proj")),
    "RobertaForQuestionAnswering": bert_like("roberta.", BERT_BLOCK, **spans("qa_outputs")),
    "DistilBertForMaskedLM": distilbert(**masked_lm("vocab_layer_norm", "vocab_projector")),
    "DistilBertForSequenceClassification": distilbert(**classes("classifier")),
    "DistilBertForQuestionAnswering": distilbert(**spans("qa_outputs")),
    "BartForConditionalGeneration": bart(),
    "T5ForConditionalGeneration": t5(gated=False),
}


def row_of(model):
    name = type(model).__name__
    if name == "T5ForConditionalGeneration" and model.config.is_gated_act:
        return t5(gated=True)
    return ROWS[name]
