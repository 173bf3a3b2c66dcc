/* What a GGUF file would say is read as any GGUF file is, and compared with the model. */
#include "save_parts.h"
#include "format/meta.h"
#include <stddef.h>
#include <string.h>

/* Longropes' numbers are read; of other tensors a reader of settings sees names and shapes. */
static stored_tensor as_stored(const sonde_model *m, const save_tensor *t, arena *into) {
    const int64_t half = m->config.rope.dims / 2;
    stored_tensor x = { .name = t->name, .type = DTYPE_I8, .rank = t->rank };
    memcpy(x.dim, t->dim, sizeof t->dim);
    if (t->part[0] != W_ROPE_SHORT && t->part[0] != W_ROPE_LONG) return x;
    float *factors = arena_new_array(into, float, (size_t)half);
    rope_factors(&m->config.rope, t->part[0] == W_ROPE_LONG, factors);
    x.type = DTYPE_F32;
    x.data = (const uint8_t *)factors;
    x.bytes = (uint64_t)half * sizeof *factors;
    return x;
}

static sonde_status read_back(const sonde_model *m, const gguf_said *s, arch_config *out, arch_config *encoder, sonde_error *err) {
    const arch    *a;
    settings_text  text;
    const json    *tree;
    stored_tensor *t = arena_new_array(s->into, stored_tensor, s->list->n + 1);
    for (size_t i = 0; i < s->list->n; i++) t[i] = as_stored(m, &s->list->at[i], s->into);
    weights *w = weights_of_list(s->meta, s->n_meta, t, s->list->n);
    const sonde_status done = settings_of_container(w, s->into, &text, err);
    weights_close(w);
    SONDE_TRY(done);
    SONDE_TRY(json_parse(text.text, text.len, s->into, &tree, err));
    SONDE_TRY(arch_find(tree, &a, err));
    return arch_read(a, tree, out, encoder, err);
}

typedef struct { const char *what; char kind; size_t at; } compared;

#define INT(what, member)    { what, 'i', offsetof(arch_config, member) }
#define NUMBER(what, member) { what, 'n', offsetof(arch_config, member) }      /* files hold float32 */
#define FLAG(what, member)   { what, 'b', offsetof(arch_config, member) }

static const compared members[] = {
    INT("sizes", layers), INT("sizes", heads), INT("sizes", kv_heads), INT("sizes", d), INT("sizes", e), INT("sizes", f),
    INT("sizes", vocab), INT("sizes", context), INT("sizes", width), INT("sizes", types),
    NUMBER("the norms' epsilon", norm_eps), FLAG("norms", final_norm), FLAG("norms", norm_weights),
    NUMBER("the scale of attention scores", score_scale), FLAG("the scale of attention scores", scale_by_layer),
    NUMBER("the cap of attention scores", score_cap), FLAG("the direction of attention", bidirectional),
    INT("the window of attention", window), INT("relative positions", buckets), INT("relative positions", max_distance),
    NUMBER("the limit of queries, keys and values", clip_qkv),
    FLAG("biases", attn_bias), FLAG("biases", out_bias), FLAG("biases", mlp_bias), FLAG("the shape of the MLP", gated),
    FLAG("parallel parts", block.parallel), NUMBER("the scale of the embedding", embed_scale),
    NUMBER("the scale of the logits", logit_scale), NUMBER("the cap of the logits", logit_cap), FLAG("the unembedding", tied),
    INT("experts", experts), INT("experts", chosen), INT("experts", expert_f), FLAG("the weights of experts", renormalise),
    FLAG("the gates of experts", clamped_glu), NUMBER("the gates of experts", glu_limit), INT("labels", labels),
};

static bool same_member(const compared *r, const arch_config *a, const arch_config *b) {
    const char *x = (const char *)a + r->at, *y = (const char *)b + r->at;
    double p, q;
    if (r->kind != 'n') return memcmp(x, y, r->kind == 'i' ? sizeof(int64_t) : sizeof(bool)) == 0;
    memcpy(&p, x, sizeof p);
    memcpy(&q, y, sizeof q);
    return (float)p == (float)q;
}

static bool same_blocks(const block_spec *a, const block_spec *b) {
    for (int i = 0; i < 3; i++) {
        const part_spec *x = &a->part[i], *y = &b->part[i];
        if (x->kind != y->kind || x->before != y->before || x->after != y->after || x->after_sum != y->after_sum) return false;
    }
    return true;
}

/* A pooler that no other head reads is left out of such files. */
static unsigned heads_of(const arch_config *c) { return c->head == HEAD_POOLER ? 0 : c->head; }

/* What of a stack is not said, NULL: nothing. */
static const char *lost(const arch_config *c, const arch_config *said) {
    if (c->act != said->act) return "the activation function";
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (!same_member(&members[i], c, said)) return members[i].what;
    if (!same_blocks(&c->block, &said->block)) return "the norms of a block";
    if (c->alibi != said->alibi || c->pos_offset != said->pos_offset) return "positions";
    if (c->qk_norm != said->qk_norm) return "norms of queries and keys";
    if (memcmp(c->local, said->local, sizeof c->local) != 0) return "the layers with a window";
    if (memcmp(c->dense, said->dense, sizeof c->dense) != 0) return "the layers without experts";
    if (!rope_same(&c->rope, &said->rope) || !rope_same(&c->rope_local, &said->rope_local)) return "rotary positions";
    return heads_of(c) != heads_of(said) ? "the heads" : NULL;
}

sonde_status save_check(const sonde_model *m, const gguf_said *s, sonde_error *err) {
    arch_config said, encoder;
    SONDE_TRY(read_back(m, s, &said, &encoder, err));
    const char *what = lost(&m->config, &said);
    if (!what && m->config.encoder) what = said.encoder ? lost(&m->encoder, said.encoder) : "the encoder";
    SONDE_FAIL_IF(what, err, SONDE_UNSUPPORTED, "%s: GGUF has no word for %s of this model, expected a folder to write "
                  "safetensors into", m->config.arch->name, what);
    return SONDE_OK;
}
