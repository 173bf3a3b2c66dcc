/* ref_gpt2_file.c - random models for ref_gpt2.h, and their folder as transformers writes it:
 * config.json and model.safetensors (u64 length of a JSON header, the header, the data). Both run
 * over one list of the model's tensors. Little-endian machines only. */
#include "ref_gpt2.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIXED = 5, PER_LAYER = 12 };

typedef struct {
    const char   *name;
    const float **slot;
    int64_t       rows, columns;         /* rows 0: a vector */
    int64_t       layer;
} entry;

static void layer_entries(const ref_gpt2 *m, int64_t layer, entry *out) {
    ref_layer    *l = &m->layer[layer];
    const int64_t d = m->width, f = m->inner;
    const entry list[PER_LAYER] = {
        { "attn.c_attn.weight", &l->c_attn_w, d, 3 * d, layer },
        { "attn.c_attn.bias", &l->c_attn_b, 0, 3 * d, layer },
        { "attn.c_proj.weight", &l->c_proj_w, d, d, layer },
        { "attn.c_proj.bias", &l->c_proj_b, 0, d, layer },
        { "ln_1.weight", &l->ln_1_w, 0, d, layer },
        { "ln_1.bias", &l->ln_1_b, 0, d, layer },
        { "ln_2.weight", &l->ln_2_w, 0, d, layer },
        { "ln_2.bias", &l->ln_2_b, 0, d, layer },
        { "mlp.c_fc.weight", &l->c_fc_w, d, f, layer },
        { "mlp.c_fc.bias", &l->c_fc_b, 0, f, layer },
        { "mlp.c_proj.weight", &l->mlp_proj_w, f, d, layer },
        { "mlp.c_proj.bias", &l->mlp_proj_b, 0, d, layer },
    };
    memcpy(out, list, sizeof list);
}

/* The name in the file. */
static void full_name(const entry *e, char out[96]) {
    if (e->layer < 0)
        snprintf(out, 96, "%s", e->name);
    else
        snprintf(out, 96, "transformer.h.%d.%s", (int)e->layer, e->name);
}

/* All tensors of a model; *count says how many. The caller frees the list. */
static entry *entries(ref_gpt2 *m, bool untied, int64_t *count) {
    const int64_t d = m->width;
    const entry fixed[FIXED] = {
        { "transformer.wte.weight", &m->wte, m->vocab, d, -1 },
        { "transformer.wpe.weight", &m->wpe, m->positions, d, -1 },
        { "transformer.ln_f.weight", &m->ln_f_w, 0, d, -1 },
        { "transformer.ln_f.bias", &m->ln_f_b, 0, d, -1 },
        { "lm_head.weight", &m->lm_head, m->vocab, d, -1 },
    };
    const int64_t outside = untied ? FIXED : FIXED - 1;
    *count = outside + PER_LAYER * m->layers;
    entry *list = calloc((size_t)*count, sizeof *list);
    if (!list) abort();
    memcpy(list, fixed, (size_t)outside * sizeof *list);
    for (int64_t l = 0; l < m->layers; l++) layer_entries(m, l, list + outside + PER_LAYER * l);
    return list;
}

static int64_t size_of(const entry *e) {
    return (e->rows ? e->rows : 1) * e->columns;
}

int64_t ref_gpt2_floats(const ref_gpt2 *m, bool untied) {
    ref_gpt2 copy = *m;
    int64_t  count, total = 0;
    entry   *list = entries(&copy, untied, &count);
    for (int64_t i = 0; i < count; i++) total += size_of(&list[i]);
    free(list);
    return total;
}

/* splitmix64 (Steele, Lea, Flood 2014), as a number in [0, 1). */
static double uniform(uint64_t *state) {
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (double)((x ^ x >> 31) >> 11) * 0x1p-53;
}

/* A sum of twelve uniform numbers has variance 1 and needs no libm. */
static double nearly_normal(uint64_t *state) {
    double sum = -6;
    for (int i = 0; i < 12; i++) sum += uniform(state);
    return sum;
}

void ref_gpt2_random(ref_gpt2 *m, uint64_t seed, double spread, bool untied, float *memory) {
    int64_t count;
    m->lm_head = NULL;
    entry *list = entries(m, untied, &count);
    for (int64_t i = 0; i < count; i++) {
        const bool bias = strstr(list[i].name, ".bias") != NULL;
        const double centre = !bias && strstr(list[i].name, "ln_") ? 1 : 0;
        *list[i].slot = memory;
        for (int64_t k = size_of(&list[i]); k > 0; k--)
            *memory++ = (float)(list[i].rows ? spread * nearly_normal(&seed)
                                             : centre + 0.6 * (uniform(&seed) - 0.5));
    }
    free(list);
}

static FILE *create(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return fopen(path, "wb");
}

static bool save_config(const ref_gpt2 *m, const char *folder) {
    static const char *const activation[] = { "gelu_new", "gelu", "relu" };
    FILE *f = create(folder, "config.json");
    if (!f) return false;
    fprintf(f, "{\"architectures\": [\"GPT2LMHeadModel\"], \"model_type\": \"gpt2\",\n"
               " \"n_layer\": %lld, \"n_head\": %lld, \"n_embd\": %lld, \"n_inner\": %lld,\n"
               " \"vocab_size\": %lld, \"n_positions\": %lld, \"layer_norm_epsilon\": %.17g,\n",
            (long long)m->layers, (long long)m->heads, (long long)m->width, (long long)m->inner,
            (long long)m->vocab, (long long)m->positions, m->eps);
    fprintf(f, " \"activation_function\": \"%s\", \"scale_attn_by_inverse_layer_idx\": %s,\n"
               " \"tie_word_embeddings\": %s, \"bos_token_id\": 0, \"eos_token_id\": 0}\n",
            activation[m->activation], m->inverse_layer_scale ? "true" : "false",
            m->lm_head ? "false" : "true");
    const bool good = !ferror(f);
    return fclose(f) == 0 && good;
}

/* One tensor's part of the header, its data at `offset`. */
static int header_entry(const entry *e, int64_t offset, char *text, size_t room) {
    const int64_t end = offset + 4 * size_of(e);
    char          name[96], shape[48];
    full_name(e, name);
    if (e->rows)
        snprintf(shape, sizeof shape, "%lld,%lld", (long long)e->rows, (long long)e->columns);
    else
        snprintf(shape, sizeof shape, "%lld", (long long)e->columns);
    return snprintf(text, room, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[%s],"
                                "\"data_offsets\":[%lld,%lld]}",
                    name, shape, (long long)offset, (long long)end);
}

/* The header's text, padded with spaces to a multiple of eight; the caller frees it. */
static char *header_of(const entry *list, int64_t count) {
    const size_t room = (size_t)count * 256 + 64;
    char        *text = malloc(room);
    if (!text) abort();
    int     at = snprintf(text, room, "{\"__metadata__\":{\"format\":\"pt\"}");
    int64_t offset = 0;
    for (int64_t i = 0; i < count; offset += 4 * size_of(&list[i++]))
        at += header_entry(&list[i], offset, text + at, room - (size_t)at);
    text[at++] = '}';
    while (at % 8) text[at++] = ' ';
    text[at] = '\0';
    return text;
}

static bool save_weights(const ref_gpt2 *m, const char *folder) {
    ref_gpt2 copy = *m;
    int64_t  count;
    entry   *list = entries(&copy, m->lm_head != NULL, &count);
    char    *header = header_of(list, count);
    FILE    *f = create(folder, "model.safetensors");
    if (f) {
        const uint64_t length = strlen(header);
        fwrite(&length, sizeof length, 1, f);
        fwrite(header, 1, length, f);
        for (int64_t i = 0; i < count; i++)
            fwrite(*list[i].slot, sizeof(float), (size_t)size_of(&list[i]), f);
    }
    free(header);
    free(list);
    const bool good = f && !ferror(f);
    return f && fclose(f) == 0 && good;
}

bool ref_gpt2_save(const ref_gpt2 *m, const char *folder) {
    return save_config(m, folder) && save_weights(m, folder);
}
