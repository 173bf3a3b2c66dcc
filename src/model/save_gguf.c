/* A model as a GGUF file (version 3): what the family's tables call its sizes and tensors there, the vocabulary, and the
 * tensors as they are or packed. From a GGUF file all that it says is kept as it stands. */
#define _GNU_SOURCE
#include "save_parts.h"
#include "base/text.h"
#include "format/gguf_types.h"
#include "format/meta.h"
#include "kernel/exact.h"
#include "text/pieces.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_META = 128 };

typedef struct {
    const sonde_model        *m;
    const sonde_save_options *o;
    arena                    *into;
    meta_value               *meta;
    size_t                    n_meta;
    save_list                 list;
    sonde_error              *err;
} saving;

static void add(saving *s, meta_value v) { s->meta[s->n_meta++] = v; }

static const char *key(saving *s, const char *name) { return arena_printf(s->into, "%s.%s", s->m->config.arch->gguf, name); }

/* Layers with a window, where they are not those that readers take without a key. */
static void add_layers(saving *s, const config_row *f, const arch_config *c) {
    uint8_t *flag = arena_alloc(s->into, (size_t)c->layers);
    bool     usual = true;
    for (int64_t l = 0; l < c->layers; l++) {
        flag[l] = layer_in(c->local, l);
        usual = usual && flag[l] == (l % f->period < f->period - 1);
    }
    if (!usual && c->window) add(s, gguf_make_list(key(s, f->gguf), GGUF_BOOL, flag, (size_t)c->layers));
}

static void add_field(saving *s, const config_row *f) {
    const arch_config *c = f->stack == STACK_ENCODER ? &s->m->encoder : &s->m->config;
    const char *at = (const char *)c + f->at;
    int64_t n;
    double  x;
    bool    on;
    switch (f->kind) {
        case FIELD_INT: case FIELD_SHARE:
            memcpy(&n, at, sizeof n);
            add(s, gguf_make_int(key(s, f->gguf), GGUF_U32, n));
            break;
        case FIELD_NUMBER:
            memcpy(&x, at, sizeof x);
            if (x != 0 || f->needed || f->or_null) add(s, gguf_make_number(key(s, f->gguf), GGUF_F32, x));
            break;
        case FIELD_BOOL:
            memcpy(&on, at, sizeof on);
            add(s, gguf_make_int(key(s, f->gguf), GGUF_BOOL, on));
            break;
        case FIELD_LAYERS: add_layers(s, f, c); break;
        case FIELD_NONE:   break;
    }
}

static void add_fields(saving *s) {
    const arch_config *c = &s->m->config;
    for (const config_row *f = c->arch->fields; f->hf; f++) add_field(s, f);
    if (c->bidirectional) add(s, gguf_make_int(key(s, "attention.causal"), GGUF_BOOL, 0));
    if (c->start >= 0) add(s, gguf_make_int(key(s, "decoder_start_token_id"), GGUF_U32, c->start));
    if (c->types) add(s, gguf_make_int("tokenizer.ggml.token_type_count", GGUF_U32, c->types));
}

/* Other readers multiply their attention factor with the usual one of the factor, and round bounds; ours are exact. */
static void add_yarn(saving *s, const rope *r) {
    double *n = arena_new_array(s->into, double, 6);
    n[0] = r->factor, n[1] = r->original, n[2] = r->high, n[3] = r->low, n[4] = r->attention, n[5] = r->whole;
    const double usual = r->factor > 1 ? 1 + 0.1 * exact_log(r->factor) : 1;
    add(s, gguf_make_text(key(s, "rope.scaling.type"), "yarn"));
    add(s, gguf_make_number(key(s, "rope.scaling.factor"), GGUF_F32, r->factor));
    add(s, gguf_make_int(key(s, "rope.scaling.original_context_length"), GGUF_U32, (int64_t)r->original));
    add(s, gguf_make_number(key(s, "rope.scaling.yarn_beta_fast"), GGUF_F32, r->high));
    add(s, gguf_make_number(key(s, "rope.scaling.yarn_beta_slow"), GGUF_F32, r->low));
    if ((float)usual != (float)r->attention)
        add(s, gguf_make_number(key(s, "rope.scaling.attn_factor"), GGUF_F32, r->attention / usual));
    add(s, gguf_make_list(SETTINGS_YARN, GGUF_F64, n, 6));
}

/* llama.cpp reads YaRN's bounds of two families alone, neither of them here, and rounds them always. */
static void note_yarn(const saving *s) {
    const rope *r = &s->m->config.rope;
    if (!s->o->note || !r->dims || r->scaling != ROPE_YARN) return;
    if ((float)r->high != 32 || (float)r->low != 1)
        s->o->note(s->o->user, arena_printf(s->into, "programs on ggml do not read beta_fast and beta_slow of YaRN and take 32 and 1; they "
                                            "compute this model with --yarn-beta-fast %g --yarn-beta-slow %g", r->high, r->low));
    if (!r->whole)
        s->o->note(s->o->user, "programs on ggml round YaRN's bounds, and this model does not (truncate is false): their logits are other ones");
}

/* Linear scaling is a key; that of Llama 3.1 and longrope's are tensors of divisors in the list, and what their words round
 * stands exactly in keys of our own. Dynamic scaling has no word, which check_said finds. */
static void add_rope(saving *s) {
    const rope *r = &s->m->config.rope;
    if (r->dims && r->scaling == ROPE_LLAMA3) {
        double *n = arena_new_array(s->into, double, 4);
        n[0] = r->factor, n[1] = r->low, n[2] = r->high, n[3] = r->original;
        add(s, gguf_make_list(SETTINGS_LLAMA3, GGUF_F64, n, 4));
    }
    if (r->dims && r->scaling == ROPE_LONGROPE) {
        add(s, gguf_make_text(key(s, "rope.scaling.type"), "longrope"));
        add(s, gguf_make_int(key(s, "rope.scaling.original_context_length"), GGUF_U32, (int64_t)r->original));
        add(s, gguf_make_number(key(s, "rope.scaling.attn_factor"), GGUF_F32, r->attention));
    }
    if (r->dims && r->scaling == ROPE_YARN) add_yarn(s, r);
    if (r->dims == 0 || r->scaling != ROPE_LINEAR) return;
    add(s, gguf_make_text(key(s, "rope.scaling.type"), "linear"));
    add(s, gguf_make_number(key(s, "rope.scaling.factor"), GGUF_F32, r->factor));
}

static void add_text_list(saving *s, const char *name, const text_bytes *text, size_t n) {
    meta_text *copy = arena_new_array(s->into, meta_text, n + 1);
    for (size_t i = 0; i < n; i++) copy[i] = (meta_text){ text[i].at, text[i].len };
    add(s, gguf_make_texts(name, copy, n));
}

static void add_id(saving *s, const char *name, int32_t id) {
    if (id >= 0) add(s, gguf_make_int(name, GGUF_U32, id));
}

static void add_flag(saving *s, const char *name, int flag) {
    if (flag >= 0) add(s, gguf_make_int(name, GGUF_BOOL, flag));
}

#define KEY "tokenizer.ggml."

static void add_vocabulary(saving *s, const vocab_pieces *p) {
    add(s, gguf_make_text(KEY "model", p->model));
    if (p->pre) add(s, gguf_make_text(KEY "pre", p->pre));
    add_text_list(s, KEY "tokens", p->text, p->n);
    if (p->score) add(s, gguf_make_list(KEY "scores", GGUF_F32, p->score, p->n));
    if (p->type) add(s, gguf_make_list(KEY "token_type", GGUF_I32, p->type, p->n));
    if (p->n_merges) add_text_list(s, KEY "merges", p->merge, p->n_merges);
    if (p->charsmap_len) add(s, gguf_make_list(KEY "precompiled_charsmap", GGUF_U8, p->charsmap, p->charsmap_len));
    add_id(s, KEY "bos_token_id", p->bos);
    add_id(s, KEY "eos_token_id", p->eos);
    add_id(s, KEY "unknown_token_id", p->unknown);
    add_id(s, KEY "seperator_token_id", p->separator);
    add_id(s, KEY "padding_token_id", p->padding);
    add_id(s, KEY "cls_token_id", p->cls);
    add_id(s, KEY "mask_token_id", p->mask);
    add_flag(s, KEY "add_bos_token", p->add_bos);
    add_flag(s, KEY "add_eos_token", p->add_eos);
    add_flag(s, KEY "add_space_prefix", p->add_space_prefix);
    add_flag(s, KEY "remove_extra_whitespaces", p->remove_extra_whitespaces);
}

/* A GGUF file's own words, but those of the file they stood in. */
static bool kept(const meta_value *v) {
    static const char *const own[] = { "general.file_type", "general.quantization_version", "general.alignment" };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcmp(v->key, own[i]) == 0) return false;
    return strncmp(v->key, "split.", 6) != 0;
}

/* Other containers may hold tensors under GGUF's names; their words are not GGUF's. */
static bool from_gguf(const sonde_model *m) {
    return m->config.spelled == SPELLED_GGUF && weights_meta(m->files->weights, "general.architecture");
}

/* Was the tokenizer read from files, beside a GGUF file or in place of its own? */
static bool other_tokenizer(const sonde_model *m) {
    for (int i = 0; i < FILE_COUNT; i++)
        if (m->files->file[i].size) return m->tokenizer != NULL;
    return false;
}

/* Rows of the embedding beyond the tokens have names too: other readers count tokens, not rows. */
static void pad(const saving *s, vocab_pieces *p) {
    const size_t rows = (size_t)s->m->config.vocab, n = p->n < rows ? rows : p->n;
    text_bytes *text = arena_new_array(s->into, text_bytes, n + 1);
    float      *score = arena_new_array(s->into, float, n + 1);
    int32_t    *type = arena_new_array(s->into, int32_t, n + 1);
    for (size_t i = 0; i < n; i++) {
        const char *name = i < p->n ? NULL : arena_printf(s->into, "[PAD%zu]", i);
        text[i] = name ? (text_bytes){ name, strlen(name) } : p->text[i];
        score[i] = name || !p->score ? 0 : p->score[i];
        type[i] = name ? PIECE_UNUSED : p->type ? p->type[i] : PIECE_NORMAL;
    }
    p->text = text;
    p->type = type;
    if (p->score) p->score = score;
    p->n = n;
}

static sonde_status say_tokenizer(saving *s) {
    vocab_pieces p;
    if (!s->m->tokenizer) {
        add(s, gguf_make_text(KEY "model", "none"));
        return SONDE_OK;
    }
    const sonde_status put = tokenizer_to_pieces(s->m->tokenizer, s->into, &p, s->err);
    if (put == SONDE_UNSUPPORTED)
        return sonde_fail_at(s->err, put, "%s: its tokenizer cannot be written as GGUF's (give its tokenizer.model with --tokenizer)",
                             s->m->info.name);
    SONDE_TRY(put);
    pad(s, &p);
    add_vocabulary(s, &p);
    return SONDE_OK;
}

static sonde_status say_again(saving *s) {
    const weights *w = s->m->files->weights;
    const bool     other = other_tokenizer(s->m);
    for (size_t i = 0; i < weights_meta_count(w); i++) {
        const meta_value *v = weights_meta_at(w, i);
        if (kept(v) && !(other && strncmp(v->key, "tokenizer.", 10) == 0)) add(s, *v);
    }
    return other ? say_tokenizer(s) : SONDE_OK;
}

static sonde_status say_model(saving *s) {
    const sonde_model *m = s->m;
    s->meta = arena_new_array(s->into, meta_value, MOST_META + weights_meta_count(m->files->weights));
    if (from_gguf(m)) return say_again(s);
    SONDE_FAIL_IF(!m->config.arch->gguf, s->err, SONDE_UNSUPPORTED,
                  "%s: GGUF has no such family, expected a folder to write safetensors into", m->config.arch->name);
    add(s, gguf_make_text("general.architecture", m->config.arch->gguf));
    add(s, gguf_make_text("general.type", "model"));
    const char *slash = strrchr(m->info.name, '/');
    add(s, gguf_make_text("general.name", slash && slash[1] ? slash + 1 : m->info.name));
    add_fields(s);
    add_rope(s);
    return say_tokenizer(s);
}

static sonde_status list_tensors(saving *s) {
    const weights *w = s->m->files->weights;
    if (!from_gguf(s->m)) return save_list_of(s->m, SPELLED_GGUF, s->into, &s->list, s->err);
    s->list = (save_list){ arena_new_array(s->into, save_tensor, weights_count(w)), weights_count(w) };
    for (size_t i = 0; i < s->list.n; i++) {
        const stored_tensor *t = weights_at(w, i);
        s->list.at[i] = (save_tensor){ .name = t->name, .copied = t, .from = t->type, .to = t->type, .rank = t->rank };
        memcpy(s->list.at[i].dim, t->dim, (size_t)t->rank * sizeof *t->dim);
    }
    return SONDE_OK;
}

static sonde_status write_tensors(saving *s, gguf_writer *w) {
    for (size_t i = 0; i < s->list.n; i++) {
        void *bytes;
        SONDE_FAIL_IF(s->o->stop && s->o->stop(s->o->user), s->err, SONDE_CANCELLED, "interrupted at tensor %s",
                      name_shown(s->list.at[i].name).text);
        SONDE_TRY(save_pack(s->m, &s->list.at[i], s->o, &bytes, s->err));
        const sonde_status put = gguf_writer_put(w, bytes, (size_t)save_bytes(&s->list.at[i]), s->err);
        free(bytes);
        SONDE_TRY(put);
        if (s->o->progress) s->o->progress(s->o->user, "tensors", (int64_t)i + 1, (int64_t)s->list.n);
    }
    return SONDE_OK;
}

static sonde_status write_file(saving *s, const char *path) {
    gguf_spec *spec = arena_new_array(s->into, gguf_spec, s->list.n + 1);
    for (size_t i = 0; i < s->list.n; i++) {
        const save_tensor *t = &s->list.at[i];
        spec[i] = (gguf_spec){ .name = t->name, .type = t->to, .rank = t->rank };
        memcpy(spec[i].dim, t->dim, sizeof spec[i].dim);
    }
    const gguf_contents holds = { .meta = s->meta, .n_meta = s->n_meta, .tensor = spec, .n = s->list.n };
    gguf_writer *w;
    SONDE_TRY(gguf_writer_open(&w, path, &holds, s->err));
    const sonde_status done = write_tensors(s, w);
    if (done == SONDE_OK) return gguf_writer_finish(w, s->err);
    gguf_writer_abort(w);
    return done;
}

static sonde_status save(saving *s, const char *path) {
    SONDE_TRY(say_model(s));
    SONDE_TRY(list_tensors(s));
    int file_type, blocks = 0;
    if (!from_gguf(s->m)) SONDE_TRY(save_check(s->m, &(gguf_said){ s->meta, s->n_meta, &s->list, s->into }, s->err));
    SONDE_TRY(save_choose(s->m, &s->list, s->o, &file_type, s->into, s->err));
    if (!from_gguf(s->m)) note_yarn(s);
    if (s->o->dry_run) {
        save_tell(&s->list, s->o);
        return SONDE_OK;
    }
    for (size_t i = 0; i < s->list.n; i++) blocks += dtype_table[s->list.at[i].to].items > 1;
    add(s, gguf_make_int("general.file_type", GGUF_U32, file_type));
    if (blocks) add(s, gguf_make_int("general.quantization_version", GGUF_U32, 2));
    return write_file(s, path);
}

sonde_status save_gguf(const sonde_model *m, const char *path, const sonde_save_options *o, sonde_error *err) {
    saving s = { .m = m, .o = o, .into = arena_new(), .err = err };
    const sonde_status done = save(&s, path);
    arena_free(s.into);
    return done;
}
