/* The BERT family: tables of tokens, positions and token types under one norm; norms behind the sums; every row sees every
 * key; heads of their own. Devlin et al., BERT, 2019; Liu et al., RoBERTa, 2019; Sanh et al., DistilBERT, 2019; fields and
 * defaults as transformers 5 (BertConfig, RobertaConfig, DistilBertConfig) has them. */
#include "arch.h"
#include "config.h"
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

/* What each family calls a field, and what it is where it is not given. */
typedef struct {
    const char *d, *layers, *heads, *f, *act;
    int64_t     vocab, context, types;      /* types 0: the family has none */
} names;

static const names bert_names = { "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act",
                                  30522, 512, 2 };
static const names roberta_names = { "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
                                     "hidden_act", 50265, 512, 2 };
static const names distilbert_names = { "dim", "n_layers", "n_heads", "hidden_dim", "activation", 30522, 512, 0 };

static sonde_status read_sizes(const json *file, const names *n, arch_config *c, sonde_error *err) {
    SONDE_TRY(config_int(file, (config_range){ n->d, NULL, 768, 1, MOST_WIDTH }, &c->d, err));
    SONDE_TRY(config_int(file, (config_range){ n->layers, NULL, n->types ? 12 : 6, 1, MOST_LAYERS }, &c->layers, err));
    SONDE_TRY(config_int(file, (config_range){ n->heads, NULL, 12, 1, MOST_WIDTH }, &c->heads, err));
    SONDE_TRY(config_int(file, (config_range){ n->f, NULL, 3072, 1, MOST_INNER }, &c->f, err));
    SONDE_TRY(config_int(file, (config_range){ "vocab_size", NULL, n->vocab, 1, MOST_VOCAB }, &c->vocab, err));
    SONDE_TRY(config_int(file, (config_range){ "max_position_embeddings", NULL, n->context, 1, MOST_CONTEXT }, &c->context,
                         err));
    if (n->types)
        SONDE_TRY(config_int(file, (config_range){ "type_vocab_size", NULL, n->types, 1, MOST_WIDTH }, &c->types, err));
    SONDE_FAIL_IF(c->d % c->heads, err, SONDE_FORMAT, "%s is %" PRId64 ", expected a divisor of %s %" PRId64, n->heads,
                  c->heads, n->d, c->d);
    c->kv_heads = c->heads;
    c->e = c->d / c->heads;
    c->score_scale = 1 / sqrt((double)c->e);
    return SONDE_OK;
}

/* Positions that depend on the distance, rows that see nothing behind them: other models under the same name. */
static sonde_status refuse_relatives(const json *file, sonde_error *err) {
    static const char *const off[] = { "is_decoder", "add_cross_attention", "sinusoidal_pos_embds" };
    const char *positions;
    for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
        bool on;
        SONDE_TRY(config_bool(file, off[i], false, &on, err));
        SONDE_FAIL_IF(on && i < 2, err, SONDE_UNSUPPORTED, "%s is true, expected an encoder", off[i]);
    }
    SONDE_TRY(config_text(file, "position_embedding_type", &positions, err));
    SONDE_FAIL_IF(positions && strcmp(positions, "absolute") != 0, err, SONDE_UNSUPPORTED,
                  "position_embedding_type is \"%s\", expected absolute", name_shown(positions).text);
    return SONDE_OK;
}

/* The heads follow from the classes, all that are named; a file without one is read as the plain model. */
static void read_heads(const json *file, arch_config *c) {
    static const struct { const char *ending; unsigned heads; } rows[] = {
        { "ForMaskedLM", HEAD_MLM }, { "ForPreTraining", HEAD_MLM | HEAD_POOLER | HEAD_NSP },
        { "ForSequenceClassification", HEAD_CLASS }, { "ForQuestionAnswering", HEAD_QA },
        { "ForNextSentencePrediction", HEAD_POOLER | HEAD_NSP },
    };
    const json *classes = json_get(file, "architectures");
    c->head = 0;
    for (const json *class = classes ? classes->child : NULL; class; class = class->next) {
        const char *name;
        size_t      len;
        if (!json_string(class, &name, &len)) continue;
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            const size_t n = strlen(rows[i].ending);
            if (len >= n && memcmp(name + len - n, rows[i].ending, n) == 0) c->head |= rows[i].heads;
        }
    }
}

static sonde_status read_labels(const json *file, arch_config *c, sonde_error *err) {
    const json *labels = json_get(file, "id2label");
    const bool  given = labels && labels->kind == JSON_OBJECT && labels->len > 0;
    return config_int(file, (config_range){ "num_labels", NULL, given ? (int64_t)labels->len : 2, 1, MOST_VOCAB }, &c->labels,
                      err);
}

static sonde_status read_common(const json *file, const names *n, arch_config *c, sonde_error *err) {
    SONDE_TRY(read_sizes(file, n, c, err));
    SONDE_TRY(refuse_relatives(file, err));
    SONDE_TRY(config_activation(file, n->act, "gelu", &c->act, err));
    SONDE_TRY(config_bool(file, "tie_word_embeddings", true, &c->tied, err));
    read_heads(file, c);
    c->mlm_act = c->act;
    c->class_act = ACT_TANH;
    c->bidirectional = true;
    c->final_norm = false;
    return read_labels(file, c, err);
}

static sonde_status read_bert(const json *file, arch_config *c, sonde_error *err) {
    SONDE_TRY(read_common(file, &bert_names, c, err));
    c->class_pooled = true;
    if (c->head == 0 || c->head & HEAD_CLASS) c->head |= HEAD_POOLER;
    return config_double(file, "layer_norm_eps", 1e-12, 1, &c->norm_eps, err);
}

/* Positions begin behind the padding token's row. The masked LM's head has the exact gelu, whatever hidden_act is. */
static sonde_status read_roberta(const json *file, arch_config *c, sonde_error *err) {
    SONDE_TRY(read_common(file, &roberta_names, c, err));
    SONDE_TRY(config_int(file, (config_range){ "pad_token_id", NULL, 1, 0, MOST_CONTEXT }, &c->pos_offset, err));
    c->pos_offset++;
    SONDE_FAIL_IF(c->context <= c->pos_offset, err, SONDE_FORMAT,
                  "max_position_embeddings is %" PRId64 ", expected more than the %" PRId64 " rows of padding", c->context,
                  c->pos_offset);
    c->context -= c->pos_offset;
    c->mlm_act = ACT_GELU;
    c->pads_stay = true;
    if (c->head == 0) c->head |= HEAD_POOLER;
    SONDE_TRY(config_token(file, "bos_token_id", 0, c->vocab, &c->bos, err));
    SONDE_TRY(config_token(file, "eos_token_id", 2, c->vocab, &c->eos, err));
    return config_double(file, "layer_norm_eps", 1e-12, 1, &c->norm_eps, err);
}

static sonde_status read_distilbert(const json *file, arch_config *c, sonde_error *err) {
    SONDE_TRY(read_common(file, &distilbert_names, c, err));
    c->norm_eps = 1e-12;
    c->class_act = ACT_RELU;
    return SONDE_OK;
}

/* A weight and its bias; a norm, also under the names of the first checkpoints. */
#define PAIR(W, B, name, there)  { W, .hf = name ".weight", .when = there }, { B, .hf = name ".bias", .when = there }
#define BOTH(W, B, name, other)  { W, .hf = name ".weight", .gguf = other ".weight" }, { B, .hf = name ".bias", .gguf = other ".bias" }
#define OLD(W, B, name)          { W, .hf = name ".gamma" }, { B, .hf = name ".beta" }
#define LAYER                    "encoder.layer.%d."
#define LINEAR(id, name, other)  BOTH(W_##id, B_##id, LAYER name, "blk.%d." other)

#define BERT_BODY                                                                                                     \
    { W_EMBED, .hf = "embeddings.word_embeddings.weight", .gguf = "token_embd.weight" },                              \
    { W_TYPE,  .hf = "embeddings.token_type_embeddings.weight", .gguf = "token_types.weight" },                       \
    { W_POS,   .hf = "embeddings.position_embeddings.weight", .gguf = "position_embd.weight" },                       \
    BOTH(W_LNE, B_LNE, "embeddings.LayerNorm", "token_embd_norm"), OLD(W_LNE, B_LNE, "embeddings.LayerNorm"),         \
    LINEAR(Q, "attention.self.query", "attn_q"), LINEAR(K, "attention.self.key", "attn_k"),                           \
    LINEAR(V, "attention.self.value", "attn_v"), LINEAR(O, "attention.output.dense", "attn_output"),                  \
    LINEAR(LN1, "attention.output.LayerNorm", "attn_output_norm"), OLD(W_LN1, B_LN1, LAYER "attention.output.LayerNorm"), \
    LINEAR(IN, "intermediate.dense", "ffn_up"), LINEAR(OUT, "output.dense", "ffn_down"),                              \
    LINEAR(LN2, "output.LayerNorm", "layer_output_norm"), OLD(W_LN2, B_LN2, LAYER "output.LayerNorm"),                \
    PAIR(W_POOL, B_POOL, "pooler.dense", WHEN_POOLER)

static const weight_row bert_rows[] = {
    BERT_BODY,
    PAIR(W_MLM, B_MLM, "cls.predictions.transform.dense", WHEN_MLM),
    PAIR(W_LNM, B_LNM, "cls.predictions.transform.LayerNorm", WHEN_MLM),
    { W_LNM,     .hf = "cls.predictions.transform.LayerNorm.gamma", .when = WHEN_MLM },
    { B_LNM,     .hf = "cls.predictions.transform.LayerNorm.beta", .when = WHEN_MLM },
    { W_UNEMBED, .hf = "cls.predictions.decoder.weight", .optional = true, .when = WHEN_MLM },
    { B_UNEMBED, .hf = "cls.predictions.decoder.bias", .when = WHEN_MLM },
    { B_UNEMBED, .hf = "cls.predictions.bias", .when = WHEN_MLM },
    PAIR(W_NSP, B_NSP, "cls.seq_relationship", WHEN_NSP),
    PAIR(W_CLASS, B_CLASS, "classifier", WHEN_CLASS),
    PAIR(W_QA, B_QA, "qa_outputs", WHEN_QA),
    { .id = W_NONE },
};

static const weight_row roberta_rows[] = {
    BERT_BODY,
    PAIR(W_MLM, B_MLM, "lm_head.dense", WHEN_MLM),
    PAIR(W_LNM, B_LNM, "lm_head.layer_norm", WHEN_MLM),
    { W_UNEMBED, .hf = "lm_head.decoder.weight", .optional = true, .when = WHEN_MLM },
    { B_UNEMBED, .hf = "lm_head.decoder.bias", .when = WHEN_MLM },
    { B_UNEMBED, .hf = "lm_head.bias", .when = WHEN_MLM },
    PAIR(W_CLASS_IN, B_CLASS_IN, "classifier.dense", WHEN_CLASS),
    PAIR(W_CLASS, B_CLASS, "classifier.out_proj", WHEN_CLASS),
    PAIR(W_QA, B_QA, "qa_outputs", WHEN_QA),
    { .id = W_NONE },
};

#define DISTIL(id, name) PAIR(W_##id, B_##id, "transformer.layer.%d." name, WHEN_ALWAYS)

static const weight_row distilbert_rows[] = {
    { W_EMBED, .hf = "embeddings.word_embeddings.weight" },
    { W_POS,   .hf = "embeddings.position_embeddings.weight" },
    PAIR(W_LNE, B_LNE, "embeddings.LayerNorm", WHEN_ALWAYS),
    DISTIL(Q, "attention.q_lin"), DISTIL(K, "attention.k_lin"), DISTIL(V, "attention.v_lin"),
    DISTIL(O, "attention.out_lin"), DISTIL(LN1, "sa_layer_norm"),
    DISTIL(IN, "ffn.lin1"), DISTIL(OUT, "ffn.lin2"), DISTIL(LN2, "output_layer_norm"),
    PAIR(W_MLM, B_MLM, "vocab_transform", WHEN_MLM),
    PAIR(W_LNM, B_LNM, "vocab_layer_norm", WHEN_MLM),
    { W_UNEMBED, .hf = "vocab_projector.weight", .optional = true, .when = WHEN_MLM },
    { B_UNEMBED, .hf = "vocab_projector.bias", .when = WHEN_MLM },
    PAIR(W_CLASS_IN, B_CLASS_IN, "pre_classifier", WHEN_CLASS),
    PAIR(W_CLASS, B_CLASS, "classifier", WHEN_CLASS),
    PAIR(W_QA, B_QA, "qa_outputs", WHEN_QA),
    { .id = W_NONE },
};

static const config_row bert_fields[] = {
    { "hidden_size",             .gguf = "embedding_length", SAYS(INT, d), .needed = true },
    { "num_hidden_layers",       .gguf = "block_count", SAYS(INT, layers), .needed = true },
    { "num_attention_heads",     .gguf = "attention.head_count", SAYS(INT, heads), .needed = true },
    { "intermediate_size",       .gguf = "feed_forward_length", SAYS(INT, f), .needed = true },
    { "max_position_embeddings", .gguf = "context_length", SAYS(INT, context), .needed = true },
    { "layer_norm_eps",          .gguf = "attention.layer_norm_epsilon", SAYS(NUMBER, norm_eps), .needed = true },
    { "vocab_size",              .gguf = "vocab_size", SAYS(INT, vocab), .rows_of = W_EMBED },
    { "type_vocab_size",         .rows_of = W_TYPE },
    { "is_decoder",              .gguf = "attention.causal" },
    { .hf = NULL },
};

static const char *const bert_classes[] = { "BertModel", "BertForMaskedLM", "BertForPreTraining",
    "BertForSequenceClassification", "BertForQuestionAnswering", "BertForNextSentencePrediction", NULL };
static const char *const roberta_classes[] = { "RobertaModel", "RobertaForMaskedLM", "RobertaForSequenceClassification",
    "RobertaForQuestionAnswering", NULL };
static const char *const distilbert_classes[] = { "DistilBertModel", "DistilBertForMaskedLM",
    "DistilBertForSequenceClassification", "DistilBertForQuestionAnswering", NULL };
static const char *const bert_prefixes[] = { "bert.", "", NULL };
static const char *const roberta_prefixes[] = { "roberta.", "", NULL };
static const char *const distilbert_prefixes[] = { "distilbert.", "", NULL };

#define POST_NORM { .part = { { PART_SELF, .after_sum = NORM_1 }, { PART_MLP, .after_sum = NORM_2 } } }

const arch arch_bert = {
    .name = "bert", .hf_classes = bert_classes, .hf_type = "bert", .prefixes = bert_prefixes, .block = POST_NORM,
    .norm = NORM_LAYER, .gguf = "bert", .weights = bert_rows, .fields = bert_fields, .config = read_bert,
};

const arch arch_roberta = {
    .name = "roberta", .hf_classes = roberta_classes, .hf_type = "roberta", .prefixes = roberta_prefixes, .block = POST_NORM,
    .norm = NORM_LAYER, .weights = roberta_rows, .config = read_roberta,
};

const arch arch_distilbert = {
    .name = "distilbert", .hf_classes = distilbert_classes, .hf_type = "distilbert", .prefixes = distilbert_prefixes,
    .block = POST_NORM, .norm = NORM_LAYER, .weights = distilbert_rows, .config = read_distilbert,
};
