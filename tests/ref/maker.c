/* A tiny random model of every row of archs.def. */
#define _GNU_SOURCE
#include "maker.h"
#include "format/pack.h"
#include "model/weight_table.h"
#include "sonde/array_file.h"
#include "sonde/random.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Options of a family that change what it computes, or what has to be said of it. The first row of a family is its usual
 * model; a family without a row is made with "". */
static const struct { const char *family, *more; } options[] = {
#define YARN "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0, \"original_max_position_embeddings\": 150}"
#define LINEAR "\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 2.0}"
#define LLAMA3 "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, " \
               "\"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 150}"
    { "gpt2", "" },
    { "gpt2", "\"scale_attn_by_inverse_layer_idx\": true, \"scale_attn_weights\": false, \"tie_word_embeddings\": false" },
    { "llama", "" },
    { "llama", "\"attention_bias\": true, \"mlp_bias\": true, \"tie_word_embeddings\": true, " LLAMA3 },
    { "llama", LINEAR },
    { "llama", YARN },
    { "llama", "\"max_position_embeddings\": 150, \"rope_scaling\": {\"rope_type\": \"dynamic\", \"factor\": 4.0}" },
    { "mistral", "" },
    { "mistral", "\"sliding_window\": null" },
    { "qwen2", "\"tie_word_embeddings\": true" },
    { "qwen2", "\"use_sliding_window\": true, \"sliding_window\": 5, \"max_window_layers\": 1" },
    { "qwen3", "" },
    { "qwen3", "\"attention_bias\": true, \"use_sliding_window\": true, \"sliding_window\": 5, "
               "\"layer_types\": [\"sliding_attention\", \"full_attention\"]" },
    { "gpt_neox", "" },
    { "gpt_neox", "\"use_parallel_residual\": false, \"attention_bias\": false, \"rotary_pct\": 1.0" },
    { "gptj", "\"rotary_dim\": 4" },
    { "phi", "" },
    { "phi", "\"qk_layernorm\": true" },
    { "phi3", "" },
    { "phi3", "\"sliding_window\": 5, \"original_max_position_embeddings\": 8, \"rope_scaling\": {\"type\": \"longrope\", "
              "\"short_factor\": [1.0, 1.1], \"long_factor\": [1.0, 3.5]}, \"partial_rotary_factor\": 0.5" },
    { "stablelm", "" },
    { "stablelm", "\"use_parallel_residual\": true, \"qk_layernorm\": true, \"use_qkv_bias\": true" },
    { "gpt_neo", "\"window_size\": 5" },
    { "opt", "" },
    { "opt", "\"do_layer_norm_before\": false, \"word_embed_proj_dim\": 18" },
    { "opt", "\"enable_bias\": false, \"layer_norm_elementwise_affine\": false, \"_remove_final_layer_norm\": true" },
    { "gemma", "" },
    { "gemma", "\"attention_bias\": true" },
    { "gemma2", "" },
    { "gemma3", "\"sliding_window_pattern\": 2" },
    { "gemma3", "\"sliding_window_pattern\": 2, " LINEAR },
    { "olmo", "" },
    { "olmo", "\"clip_qkv\": 0.8, \"attention_bias\": true" },
    { "olmo2", "" },
    { "olmo2", "\"attention_bias\": true" },
    { "falcon", "\"new_decoder_architecture\": true" },
    { "falcon", "\"bias\": true" },
    { "falcon", "\"alibi\": true, \"parallel_attn\": false" },
    { "starcoder2", "" },
    { "starcoder2", "\"use_bias\": false, \"sliding_window\": null" },
    { "mixtral", "" },
    { "qwen3_moe", "" },
    { "qwen3_moe", "\"mlp_only_layers\": [0], \"norm_topk_prob\": true, \"attention_bias\": true" },
    { "olmoe", "" },
    { "olmoe", "\"clip_qkv\": 0.8, \"attention_bias\": true, \"norm_topk_prob\": true" },
    { "gpt_oss", YARN },
    { "t5", "" },
    { "t5", "\"feed_forward_proj\": \"gated-gelu\", \"tie_word_embeddings\": false" },
    { "bart", "" },
    { "bart", "\"scale_embedding\": true" },
};

enum { HEADS = 4, GROUPS = 2, D = 32, HEAD_DIM = 10, INNER = 20, WIDE_INNER = 64, WIDE_HEAD_DIM = 16, EXPERTS = 4, CHOSEN = 2 };

static int width_of(const maker_how *how) { return how->width ? (int)how->width : D; }
static int vocab_of(const maker_how *how) { return how->vocab ? (int)how->vocab : MAKER_VOCAB; }
static int head_of(const maker_how *how) { return how->width ? (int)how->width / HEADS : how->wide ? WIDE_HEAD_DIM : HEAD_DIM; }
static int inner_of(const maker_how *how) {
    if (how->width) return (int)how->width + (how->wide ? 0 : 11);
    return how->wide ? WIDE_INNER : INNER;
}

/* ---- config.json ---- */

typedef struct { arena *into; const char *text; } object;

static void member(object *o, const char *key, const char *value) {
    const char *quoted = arena_printf(o->into, "\"%s\":", key);
    if (!strstr(o->text, quoted)) o->text = arena_printf(o->into, "%s, %s %s", o->text, quoted, value);
}

/* The sizes under every name that a family has for them; readers pass over those that are not theirs. */
static void add_sizes(object *o, const maker_how *how) {
    static const struct { const char *names[8]; enum { WIDTH, LAYERS, HEAD, INNER_WIDTH, CONTEXT, VOCABULARY } size; } rows[] = {
        { { "hidden_size", "n_embd", "d_model", "dim" }, WIDTH },
        { { "num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers", "num_decoder_layers" }, LAYERS },
        { { "num_attention_heads", "n_head", "n_heads", "num_heads", "encoder_attention_heads", "decoder_attention_heads" }, HEAD },
        { { "intermediate_size", "n_inner", "ffn_dim", "hidden_dim", "d_ff", "encoder_ffn_dim", "decoder_ffn_dim" }, INNER_WIDTH },
        { { "max_position_embeddings", "n_positions", "seq_length" }, CONTEXT },
        { { "vocab_size" }, VOCABULARY },
    };
    const int sizes[] = { width_of(how), how->layers ? (int)how->layers : 2, HEADS, inner_of(how), MAKER_CONTEXT, vocab_of(how) };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (const char *const *n = rows[i].names; n < rows[i].names + 8 && *n; n++)
            member(o, *n, arena_printf(o->into, "%d", sizes[rows[i].size]));
    member(o, "relative_attention_num_buckets", "6");
    member(o, "relative_attention_max_distance", "9");
    member(o, "d_kv", arena_printf(o->into, "%d", head_of(how)));
}

/* What a family's own table of fields says besides: where a field goes tells what it means. */
static void add_fields(object *o, const arch *a, const maker_how *how) {
    const int head = head_of(how), inner = inner_of(how);
    const struct { size_t at; double value; } rows[] = {
        { offsetof(arch_config, kv_heads), GROUPS },  { offsetof(arch_config, e), head },
        { offsetof(arch_config, f), inner },          { offsetof(arch_config, rope.base), 100 },
        { offsetof(arch_config, window), 5 },         { offsetof(arch_config, experts), EXPERTS },
        { offsetof(arch_config, chosen), CHOSEN },    { offsetof(arch_config, expert_f), how->wide ? inner : inner - 4 },
        { offsetof(arch_config, score_cap), 5 },      { offsetof(arch_config, logit_cap), 4 },
    };
    for (const config_row *f = a->fields; f && f->hf; f++) {
        if (f->kind == FIELD_SHARE) member(o, f->hf, "0.5");
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
            if ((f->kind == FIELD_INT || f->kind == FIELD_NUMBER) && f->at == rows[i].at)
                member(o, f->hf, arena_printf(o->into, f->kind == FIELD_INT ? "%.0f" : "%.1f", rows[i].value));
    }
}

const char *maker_config(const maker_case *c, const maker_how *how, arena *into) {
    const char *const comma = *c->more ? ", " : "";
    object o = { into, arena_printf(into, "{\"model_type\": \"%s\", \"architectures\": [\"%s\"]%s%s", c->family->hf_type, c->class,
                                    comma, c->more) };
    add_sizes(&o, how);
    add_fields(&o, c->family, how);
    member(&o, "bos_token_id", "0");
    member(&o, "eos_token_id", "null");
    member(&o, "pad_token_id", "1");
    return arena_printf(into, "%s}", o.text);
}

/* ---- tensors ---- */

enum { MOST_TENSORS = 400 };

typedef struct {
    const arch_config *c;
    const maker_how   *how;
    const char        *prefix;
    arena             *into;
    size_t             n;
    sonde_array_spec   spec[MOST_TENSORS];
    float             *value[MOST_TENSORS];
} checkpoint;

static bool is_norm(weight_id id) {
    return id == W_LNE || id == W_LN1 || id == W_LN2 || id == W_LN3 || id == W_LN1_POST || id == W_LN2_POST || id == W_LNF ||
           id == W_QN || id == W_KN || id == W_LNM;
}

/* Numbers like those of trained models: norms around 1, products that keep the size of what goes in, biases that count. */
static float draw(const weight_row *r, double sd, uint64_t stream, int64_t i) {
    const double u = 2 * sonde_random_unit(7, stream, (uint64_t)i) - 1;
    if (is_norm(r->id)) return (float)((r->less_one ? 0 : 1) + 0.3 * u);
    return (float)(1.7 * sd * u);
}

static double spread(const weight_row *r, int64_t k) {
    const weight_kind kind = weight_table[r->id].kind;
    if (r->id == W_POS || r->id == W_TYPE) return 0.4;
    if (kind == WEIGHT_VECTOR) return 0.2;
    return kind == WEIGHT_TABLE ? 0.7 : (r->id == W_ROUTER ? 2 : 0.9) / sqrt((double)k);
}

static void fill(const checkpoint *x, const weight_row *r, const sonde_array_spec *s, uint64_t key, float *out) {
    int64_t n = 1;
    for (int i = 0; i < s->rank; i++) n *= s->dim[i];
    const int64_t k = weight_table[r->id].kind == WEIGHT_VECTOR ? 1 : weight_size(x->c, weight_table[r->id].in);
    for (int64_t i = 0; i < n; i++) out[i] = draw(r, spread(r, k), key, i);
    if (!x->how->rounded) return;
    uint8_t *packed = malloc((size_t)n * 4);
    pack_find(x->how->rounded)(packed, out, (size_t)n);
    dtype_table[x->how->rounded].to_f32(out, packed, (size_t)n);
    free(packed);
}

/* Outputs of all weights that lie in the same tensor. */
static int64_t all_outputs(const checkpoint *x, const weight_row *r) {
    int64_t n = weight_size(x->c, weight_table[r->id].out);
    for (const weight_row *q = x->c->arch->weights; r->parts && q->id != W_NONE; q++)
        if (q->part != r->part && q->hf && q->stack == r->stack && !strcmp(q->hf, r->hf)) n += weight_size(x->c, weight_table[q->id].out);
    return n;
}

static int shape_of(const checkpoint *x, const weight_row *r, int64_t dim[SONDE_MAX_RANK]) {
    const weight_kind kind = weight_table[r->id].kind;
    const bool apart = strstr(r->hf, "%e") || strstr(r->hf, "%h"), experts = weight_of_experts(r->id);
    const int64_t blocks = experts ? x->c->experts : r->heads_apart ? weight_size(x->c, weight_table[r->id].out) / x->c->e : 1;
    const int64_t n = all_outputs(x, r) / blocks, k = kind == WEIGHT_VECTOR ? 1 : weight_size(x->c, weight_table[r->id].in);
    int rank = 0;
    if (blocks > 1 && !apart) dim[rank++] = blocks;
    if (r->as_row) dim[rank++] = 1;
    if (kind == WEIGHT_VECTOR) dim[rank++] = n;
    else {
        dim[rank++] = r->layout == LAYOUT_IN_OUT ? k : n;
        dim[rank++] = r->layout == LAYOUT_IN_OUT ? n : k;
    }
    return rank;
}

static void add_one(checkpoint *x, const weight_row *r, int64_t layer, int64_t item) {
    const char *name = row_item(x->into, weight_outside(r->id) ? "" : x->prefix, r->hf, layer, item);
    for (size_t i = 0; i < x->n; i++)
        if (!strcmp(x->spec[i].name, name)) return;
    sonde_array_spec *s = &x->spec[x->n];
    if (x->n == MOST_TENSORS) abort();
    *s = (sonde_array_spec){ .name = name, .dtype = dtype_table[x->how->stored ? x->how->stored : DTYPE_F32].name };
    s->rank = shape_of(x, r, s->dim);
    int64_t n = 1;
    for (int i = 0; i < s->rank; i++) n *= s->dim[i];
    const uint64_t key = ((uint64_t)r->id << 40) + ((uint64_t)r->stack << 39) + ((uint64_t)(layer + 1) << 16) + (uint64_t)item;
    x->value[x->n] = arena_new_array(x->into, float, (size_t)n);
    fill(x, r, s, key, x->value[x->n++]);
}

/* One of the alternatives of a weight that a folder can have. */
static const weight_row *alternative(const checkpoint *x, weight_id id, int64_t layer) {
    const weight_row *found[16];
    int n = 0;
    for (const weight_row *r = x->c->arch->weights; r->id != W_NONE; r++)
        if (r->id == id && r->hf && n < 16 && arch_row_in(x->c, r, layer)) found[n++] = r;
    return n ? found[x->how->spelling % n] : NULL;
}

static void add_layer(checkpoint *x, int64_t layer) {
    for (int id = 1; id < WEIGHT_COUNT; id++) {
        if (!weight_table[id].name || weight_table[id].block != (layer >= 0)) continue;
        const weight_row *r = alternative(x, (weight_id)id, layer < 0 ? 0 : layer);
        if (!r || (r->id == W_UNEMBED && x->c->tied)) continue;
        const int64_t items = strstr(r->hf, "%e") ? x->c->experts
                            : strstr(r->hf, "%h") ? weight_size(x->c, weight_table[id].out) / x->c->e : 1;
        for (int64_t i = 0; i < items; i++) add_one(x, r, layer, i);
    }
}

static void add_stack(checkpoint *x, const arch_config *c) {
    x->c = c;
    for (int64_t layer = -1; layer < c->layers; layer++) add_layer(x, layer);
}

static bool save(const checkpoint *x, const char *folder) {
    sonde_error         err = { 0 };
    sonde_array_writer *w;
    char path[700];
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    sonde_status s = sonde_array_writer_open(&w, path, (sonde_array_list){ x->spec, x->n, NULL, 0 }, &err);
    for (size_t i = 0; s == SONDE_OK && i < x->n; i++) {
        int64_t n = 1;
        for (int k = 0; k < x->spec[i].rank; k++) n *= x->spec[i].dim[k];
        uint8_t *bytes = malloc((size_t)n * sizeof(float));
        if (x->how->stored && x->how->stored != DTYPE_F32) pack_find(x->how->stored)(bytes, x->value[i], (size_t)n);
        else memcpy(bytes, x->value[i], (size_t)n * sizeof(float));
        s = sonde_array_write(w, i, 0, bytes, n, &err);
        free(bytes);
    }
    if (s == SONDE_OK) s = sonde_array_writer_close(w, &err);
    if (s != SONDE_OK) printf("%s\n", err.message);
    return s == SONDE_OK;
}

/* A family whose sizes have names that nothing here knows would be as large as its defaults. */
static bool small(const maker_case *c, const maker_how *how, const arch_config *got) {
    const int64_t layers = how->layers ? how->layers : 2;
    const int width = width_of(how), vocab = vocab_of(how);
    if (got->d == width && got->layers == layers && got->heads == HEADS && got->vocab == vocab) return true;
    printf("no config for family %s: width %" PRId64 ", %" PRId64 " layers, %" PRId64 " heads, %" PRId64 " tokens; expected %d, %"
           PRId64 ", %d, %d (names of fields are in tests/ref/maker.c)\n", c->family->name, got->d, got->layers, got->heads,
           got->vocab, width, layers, HEADS, vocab);
    return false;
}

static bool write_config(const char *folder, const char *text) {
    char path[700];
    snprintf(path, sizeof path, "%s/config.json", folder);
    FILE *f = mkdir(folder, 0777) == 0 ? fopen(path, "wb") : NULL;
    if (f && fputs(text, f) >= 0 && fclose(f) == 0) return true;
    perror(path);
    return false;
}

bool maker_write(const maker_case *c, const maker_how *how, const char *folder) {
    arena *into = arena_new();
    static checkpoint x;
    arch_config main, encoder;
    const json *tree;
    const char *text = maker_config(c, how, into);
    sonde_error err = { 0 };
    sonde_status s = json_parse(text, strlen(text), into, &tree, &err);
    if (s == SONDE_OK) s = arch_read(c->family, tree, &main, &encoder, &err);
    if (s != SONDE_OK) printf("no config for family %s: %s\n", maker_name(c), err.message);
    bool done = s == SONDE_OK && small(c, how, &main);
    if (done) {
        int prefixes = 0;
        while (c->family->prefixes[prefixes]) prefixes++;
        x = (checkpoint){ .how = how, .into = into, .prefix = c->family->prefixes[how->spelling % prefixes] };
        add_stack(&x, &main);
        if (main.encoder) add_stack(&x, &encoder);
        done = write_config(folder, text) && save(&x, folder);
    }
    arena_free(into);
    return done;
}

/* ---- what there is ---- */

static unsigned heads_of(const maker_case *c) {
    arena *into = arena_new();
    arch_config main, encoder;
    const json *tree;
    const char *text = maker_config(c, &(maker_how){ 0 }, into);
    const bool read = json_parse(text, strlen(text), into, &tree, NULL) == SONDE_OK &&
                      arch_read(c->family, tree, &main, &encoder, NULL) == SONDE_OK;
    arena_free(into);
    return read ? main.head : 0;
}

/* The first class, and those behind it whose heads none before has. */
static size_t add_classes(const arch *a, const char *more, maker_case *out) {
    size_t n = 0;
    for (const char *const *class = a->hf_classes; *class; class++) {
        const maker_case c = { a, *class, more };
        bool known = n > 0 && heads_of(&c) == 0;
        for (size_t i = 0; i < n; i++) known |= heads_of(&out[i]) == heads_of(&c);
        if (!known) out[n++] = c;
    }
    return n;
}

size_t maker_cases(maker_case out[MOST_MAKER_CASES]) {
    size_t n = 0;
    for (const arch *const *a = arch_table; *a; a++) {
        const size_t before = n;
        for (size_t i = 0; i < sizeof options / sizeof *options; i++)
            if (!strcmp(options[i].family, (*a)->name)) out[n++] = (maker_case){ *a, (*a)->hf_classes[0], options[i].more };
        if (n == before) n += add_classes(*a, "", &out[n]);
        if (n > MOST_MAKER_CASES - 16) abort();
    }
    return n;
}

int maker_spellings(const arch *a) {
    int most = 0;
    while (a->prefixes[most]) most++;
    for (const weight_row *r = a->weights; r->id != W_NONE; r++) {
        int n = 0;
        for (const weight_row *q = a->weights; q->id != W_NONE; q++) n += q->id == r->id && q->stack == r->stack && q->hf;
        if (n > most) most = n;
    }
    return most;
}

const char *maker_name(const maker_case *c) {
    static char text[600];
    snprintf(text, sizeof text, "%s %s%s%s%s", c->family->name, c->class, *c->more ? " (" : "", c->more, *c->more ? ")" : "");
    return text;
}
