"""The random encoders and encoder-decoders that reference.py makes and captures, as data.

A spec: model (a class of transformers), seed, spread of the weights (1 + a norm's weights are within 0.3), sizes (the
config), text (the prompt, or a pair), target (a text behind the ids of start: the decoder's tokens), metric of the
gradients (over the answer: reference_towers.py; {mask} is the first mask's position), edits (file name: texts) and, where
a model has them, metrics (more of them), sentence (what makes it a sentence-transformers folder), generation
(generation_config.json), config (fields put into config.json as they are; None removes one), untied (an lm_head of its
own) and names (how the file's tensors are called where that is not what save_pretrained writes).
"""

FILL, TWO_MASKS = ["the cat [MASK] houses."], ["A [MASK] walked to [MASK] river."]
PAIR, MASKED_PAIR = ["Who hears?", "the dogs, cat"], ["who [MASK]?", "the dogs, cat"]
BYTES, BYTES_PAIR = ["The cat <mask> the house."], ["The cat seed", "the hou"]
MASKED = "logit(#11,{mask})-logit(#20,{mask})"
SPAN = "logit(#0,5)+logit(#1,7)"

BERT_EDITS = {
    "pattern": dict(texts=["set:blocks.1.attn.hook_pattern[1,2,5]=0.9", "scale:blocks.0.attn.hook_attn_scores[:,:,0]=2"]),
    "embed": dict(texts=["zero:hook_token_type_embed[2:5]", "scale:hook_pos_embed[1]=-1", "add:hook_full_embed[3]=0.25"]),
    "norms": dict(texts=["scale:embed.ln.hook_scale[2]=1.5", "add:blocks.0.hook_normalized_resid_post[3]=0.5",
                         "zero:blocks.1.ln1.hook_normalized[:,4]", "scale:blocks.1.hook_resid_mid[1]=0.5"]),
}
ROBERTA_EDITS = {
    "pattern": BERT_EDITS["pattern"],
    "embed": dict(texts=["zero:hook_pos_embed[2:4]", "scale:hook_token_type_embed=3"]),
}
DISTILBERT_EDITS = {"pattern": BERT_EDITS["pattern"], "embed": dict(texts=["zero:hook_pos_embed[2:4]"])}
MLM_EDITS = {
    "mlm-head": dict(texts=["scale:mlm_head.ln.hook_scale[3]=1.5", "add:mlm_head.ln.hook_normalized[:,2]=0.5",
                            "zero:unembed.hook_in[3,0:4]"]),
}
PLANS = {"skip-block": dict(texts=["skip:blocks.1"]), "swap": dict(texts=["swap:blocks.0,blocks.1"]),
         "repeat": dict(texts=["repeat:blocks.0-1=2", "zero:blocks.1r1.attn.hook_z[:,1]"])}
CLASS_EDITS = {"classifier": dict(texts=["scale:classifier.hook_in[0:4]=-1", "add:blocks.1.hook_resid_post[0]=0.5"])}
POOLER_EDITS = {"pooler": dict(texts=["scale:pooler.hook_pooler_out[3]=2", "scale:blocks.0.mlp.hook_post[:,7]=3"])}
QA_EDITS = {"result": dict(texts=["zero:blocks.1.attn.hook_result[2:4,1]", "add:qa.hook_out[2,0]=1"])}

CROSS_EDITS = {
    "cross-pattern": dict(texts=["set:decoder.1.cross_attn.hook_pattern[0,2,3]=0.9",
                                 "add:decoder.0.cross_attn.hook_attn_scores[:,:,1]=1.5"]),
    "cross-result": dict(texts=["scale:decoder.0.cross_attn.hook_result[:,1,2]=-2", "zero:decoder.1.cross_attn.hook_v[2,0]",
                                "add:decoder.1.hook_resid_mid_cross[3]=0.5"]),
    "encoder": dict(texts=["zero:encoder.0.attn.hook_z[:,1]", "add:encoder.0.hook_resid_mid[2]=0.5",
                           "scale:decoder.hook_embed[1]=2"]),
}
T5_EDITS = CROSS_EDITS | {
    "rel-pos": dict(texts=["set:encoder.0.attn.rel_pos_hook[0,:,2]=1.5", "scale:decoder.0.attn.rel_pos_hook=-1"]),
    "final-ln": dict(texts=["scale:encoder_final_ln.hook_scale[1]=2", "zero:decoder_final_ln.hook_normalized[:,3]",
                            "add:unembed.hook_in[-1,2]=0.3"]),
}
BART_EDITS = CROSS_EDITS | {
    "embed": dict(texts=["zero:decoder.hook_pos_embed[2]", "scale:hook_full_embed[1:3]=0.5",
                         "scale:decoder.embed.ln.hook_scale[1]=2", "add:decoder.0.hook_normalized_resid_post[2]=0.5"]),
}
T5_GENERATION = dict(pad_token_id=0, eos_token_id=1, decoder_start_token_id=0)
BART_GENERATION = dict(pad_token_id=1, bos_token_id=0, eos_token_id=2, decoder_start_token_id=2)


def labels(*names):
    return dict(id2label=dict(enumerate(names)), label2id={name: i for i, name in enumerate(names)})


def bert(**sizes):
    return dict(vocab_size=42, hidden_size=18, num_attention_heads=3, num_hidden_layers=2, intermediate_size=25,
                max_position_embeddings=24) | sizes


def roberta(**sizes):
    return bert(vocab_size=275, hidden_size=12, num_attention_heads=2, intermediate_size=22, type_vocab_size=1,
                layer_norm_eps=1e-5, **sizes)


def distilbert(**sizes):
    return dict(vocab_size=42, dim=16, n_heads=4, n_layers=2, hidden_dim=23, max_position_embeddings=20) | sizes


def t5(**sizes):
    return dict(vocab_size=40, d_model=16, d_kv=5, num_heads=3, d_ff=22, num_layers=2, num_decoder_layers=3,
                relative_attention_num_buckets=8, relative_attention_max_distance=12, decoder_start_token_id=0) | sizes


def bart(**sizes):
    return dict(vocab_size=275, d_model=12, encoder_layers=2, decoder_layers=3, encoder_attention_heads=4,
                decoder_attention_heads=2, encoder_ffn_dim=19, decoder_ffn_dim=23, max_position_embeddings=20) | sizes


MODELS = {
    "bert_mlm": dict(
        model="BertForMaskedLM", seed=11, sizes=bert(), text=FILL, metric=MASKED,
        metrics=("logprob(#11)",), edits=BERT_EDITS | MLM_EDITS | PLANS),
    "t5": dict(
        model="T5ForConditionalGeneration", seed=75, spread=0.27, sizes=t5(layer_norm_epsilon=1e-5), names="t5_copies",
        config=dict(tie_word_embeddings=None, scale_decoder_outputs=None),
        text=["the cat sees a red house by the river."], start=[0], target="a house is red", metric="logit(#11)-logit(#20)",
        metrics=("loss",), edits=T5_EDITS, generation=T5_GENERATION),
    "bert_class": dict(
        model="BertForSequenceClassification", seed=12, text=PAIR, metric="logit(#2)-logit(#0)",
        sizes=bert(hidden_act="gelu_new", layer_norm_eps=1e-5, **labels("bad", "fair", "good")),
        edits=BERT_EDITS | CLASS_EDITS),
    "bert_qa": dict(
        model="BertForQuestionAnswering", seed=13, text=PAIR, metric=SPAN,
        sizes=bert(hidden_act="relu", hidden_size=16, num_attention_heads=4), edits=QA_EDITS),
    "bart": dict(
        model="BartForConditionalGeneration", seed=74, sizes=bart(), text=BYTES, start=[2, 0], target="The dog",
        metric="logit(#261)-logit(#20)", metrics=("loss",), edits=BART_EDITS,
        generation=BART_GENERATION | dict(forced_bos_token_id=0)),
    "bert_pretrain": dict(
        model="BertForPreTraining", seed=14, text=MASKED_PAIR,
        metric=MASKED, sizes=bert(hidden_act="silu", layer_norm_eps=1e-3),
        edits=POOLER_EDITS | MLM_EDITS),
    "bert_plain": dict(
        model="BertModel", seed=15, text=FILL, metric="logit(#3)-logit(#7)", sizes=bert(num_hidden_layers=3),
        edits=POOLER_EDITS),
    "bert_old": dict(
        model="BertModel", seed=16, text=TWO_MASKS, metric="logit(#3)-logit(#7)", sizes=bert(), names="bert_gamma",
        edits={}),
    "bert_old_mlm": dict(
        model="BertForMaskedLM", seed=17, text=TWO_MASKS, metric="logit(#11,{mask})-logit(#20,6)", sizes=bert(),
        names="bert_hub", edits={}),
    "bert_sentence": dict(
        model="BertModel", seed=18, text=["The old man likes rivers"], metric="logit(#3)-logit(#7)", sizes=bert(),
        edits={},
        sentence=dict(longest=12, texts=["The old man likes rivers", "the cat",
                                         "a dog walks in the river and hears the small red bird ."])),
    "roberta_mlm": dict(
        model="RobertaForMaskedLM", seed=24, sizes=roberta(hidden_act="gelu_new"), text=BYTES,
        metric=MASKED, metrics=("logprob(#11)",), edits=ROBERTA_EDITS | MLM_EDITS),
    "roberta_padded": dict(             # positions do not count padding, wherever it stands
        model="RobertaForMaskedLM", seed=25, sizes=roberta(tie_word_embeddings=False), metric=MASKED, edits={},
        text=["The <pad>cat<pad> <mask> the<pad>"]),
    "roberta_class": dict(
        model="RobertaForSequenceClassification", seed=22, text=BYTES_PAIR, metric="logit(#2)-logit(#0)",
        sizes=roberta(**labels("bad", "poor", "fair", "good")), edits=ROBERTA_EDITS | CLASS_EDITS),
    "roberta_qa": dict(
        model="RobertaForQuestionAnswering", seed=23, text=BYTES_PAIR, metric=SPAN,
        sizes=roberta(hidden_act="relu", pad_token_id=3), edits=QA_EDITS),
    "distilbert_mlm": dict(
        model="DistilBertForMaskedLM", seed=31, text=FILL, metric=MASKED, metrics=("logprob(#11)",),
        sizes=distilbert(activation="relu"), edits=DISTILBERT_EDITS | MLM_EDITS | PLANS),
    "distilbert_class": dict(
        model="DistilBertForSequenceClassification", seed=32, text=PAIR, metric="logit(#1)-logit(#0)",
        sizes=distilbert(**labels("bad", "good")), edits=DISTILBERT_EDITS | CLASS_EDITS),
    "distilbert_qa": dict(
        model="DistilBertForQuestionAnswering", seed=33, text=PAIR, metric=SPAN,
        sizes=distilbert(dim=15, n_heads=3, sinusoidal_pos_embds=True), edits=QA_EDITS),
    "t5_gated": dict(
        model="T5ForConditionalGeneration", seed=172, spread=0.27, text=["a dog is in the house"],
        start=[0], target="the dogs",
        sizes=t5(d_kv=7, num_heads=2, num_layers=3, num_decoder_layers=2, feed_forward_proj="gated-gelu",
                 relative_attention_num_buckets=6, relative_attention_max_distance=5),
        untied=True, config=dict(tie_word_embeddings=False, scale_decoder_outputs=None), metric="logit(#13)-logit(#20)",
        edits=T5_EDITS,
        generation=T5_GENERATION),
    "t5_saved": dict(
        model="T5ForConditionalGeneration", seed=95, spread=0.27, text=["the man sees a bird in the house"],
        start=[0], target="the dog is",
        sizes=t5(d_kv=4, num_heads=4, num_decoder_layers=2, feed_forward_proj="gated-silu", scale_decoder_outputs=False,
                 relative_attention_max_distance=6),
        untied=True, metric="logit(#11)-logit(#20)", edits={}, generation=T5_GENERATION),
    "bart_scaled": dict(
        model="BartForConditionalGeneration", seed=174, text=BYTES, start=[2], target="The dogs", names="bart_hub",
        sizes=bart(scale_embedding=True, activation_function="relu", encoder_layers=1, decoder_layers=2),
        metric="logit(#261)-logit(#20)", edits=CROSS_EDITS, generation=BART_GENERATION),
}
