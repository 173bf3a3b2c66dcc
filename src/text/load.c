#include "load.h"
#include "base/text.h"
#include "grow.h"
#include "unicode.h"

bool load_is_set(const json *j) { return j && j->kind != JSON_NULL; }

sonde_status load_bool(const json *j, const char *where, const char *key, bool *out, sonde_error *err) {
    const json *member = json_get(j, key);
    if (!load_is_set(member)) return SONDE_OK;
    SONDE_FAIL_IF(!json_bool(member, out), err, SONDE_FORMAT, "%s%s%s: expected true or false", where,
                  *where ? "." : "", key);
    return SONDE_OK;
}

bool load_text(const json *j, const char **text, size_t *len) {
    if (j && j->kind == JSON_OBJECT) j = json_get(j, "content");
    return json_string(j, text, len) && *len > 0;
}

bool load_named_text(const json *config, const char *key, const char **text, size_t *len) {
    return load_text(json_get(config, key), text, len);
}

bool load_knows_added(const loader *l, const char *text, size_t len) {
    int64_t place;
    return map_get(l->added_place, text, len, &place);
}

sonde_status load_added_text(loader *l, added_entry e, const char *where) {
    const char *text = e.token.text;
    const size_t len = e.token.len;
    if (len == 0) return SONDE_OK;                          /* `tokenizers` leaves these out */
    SONDE_FAIL_IF(len > ADDED_LONGEST, l->err, SONDE_UNSUPPORTED, "%s: \"%s\" has %zu bytes, at most %d", where,
                  text_shown(text, len).text, len, ADDED_LONGEST);
    char *copy = arena_alloc(l->t->memory, len);
    e.token.text = memcpy(copy, text, len);
    vocab_add(&l->t->vocab, copy, len, e.token.special);
    int64_t place;
    if (map_get(l->added_place, text, len, &place)) {
        e.token.special |= l->added[place].token.special;   /* once special, always special */
        l->added[place] = e;
        return SONDE_OK;
    }
    l->added = grow(l->scratch, l->added, l->n_added, l->n_added + 1, &l->cap_added, sizeof *l->added);
    l->added[l->n_added] = e;
    map_put(l->added_place, copy, len, (int64_t)l->n_added++);
    return SONDE_OK;
}

sonde_status load_added(loader *l, const json *entry, bool special, const char *where) {
    SONDE_FAIL_IF(entry->kind != JSON_OBJECT, l->err, SONDE_FORMAT, "%s: expected an object", where);
    added_entry e = { .normalized = true };
    SONDE_FAIL_IF(!json_string(json_get(entry, "content"), &e.token.text, &e.token.len), l->err, SONDE_FORMAT,
                  "%s.content: missing or no text", where);
    SONDE_TRY(load_bool(entry, where, "special", &e.token.special, l->err));
    e.token.special |= special;
    e.normalized = !e.token.special;
    SONDE_TRY(load_bool(entry, where, "normalized", &e.normalized, l->err));
    SONDE_TRY(load_bool(entry, where, "lstrip", &e.token.lstrip, l->err));
    SONDE_TRY(load_bool(entry, where, "rstrip", &e.token.rstrip, l->err));
    SONDE_TRY(load_bool(entry, where, "single_word", &e.token.single_word, l->err));
    return load_added_text(l, e, where);
}

/* Of two whose normalised texts agree the first counts; `tokenizers` takes one at random. */
static sonde_status add_entries(loader *l, split_work *work) {
    tokenizer *t = l->t;
    for (size_t i = 0; i < l->n_added; i++) {
        added_token a = l->added[i].token;
        a.id = vocab_id(&t->vocab, a.text, a.len);
        stretch text = { .text = a.text, .len = a.len };
        for (size_t k = 0; k < t->n_normal && l->added[i].normalized; k++)
            SONDE_TRY(normal_run(&t->normal[k], &text, t->memory, work, l->err));
        if (text.len == 0) continue;
        a.text = text.text;
        a.len = text.len;
        added_add(l->added[i].normalized ? &t->normalized : &t->raw, a);
    }
    return SONDE_OK;
}

sonde_status load_added_close(loader *l) {
    tokenizer *t = l->t;
    vocab_close(&t->vocab);
    split_work *work = split_work_new();
    SONDE_FAIL_IF(!work, l->err, SONDE_NOMEM, "no memory for matching");
    const sonde_status s = add_entries(l, work);
    split_work_free(work);
    added_close(&t->raw);
    added_close(&t->normalized);
    return s;
}

sonde_status load_stage(loader *l, stage s, const char *where) {
    tokenizer *t = l->t;
    SONDE_FAIL_IF(t->n_stages == MOST_STAGES, l->err, SONDE_UNSUPPORTED, "%s: more than %d steps", where, MOST_STAGES);
    t->stages[t->n_stages++] = s;
    return SONDE_OK;
}

sonde_status load_normal(loader *l, normal_step k, const char *where) {
    tokenizer *t = l->t;
    SONDE_FAIL_IF(t->n_normal == MOST_STAGES, l->err, SONDE_UNSUPPORTED, "%s: more than %d steps", where, MOST_STAGES);
    t->normal[t->n_normal++] = k;
    return SONDE_OK;
}

sonde_status load_decode(loader *l, decode_step k, const char *where) {
    tokenizer *t = l->t;
    SONDE_FAIL_IF(t->n_decode == MOST_STAGES, l->err, SONDE_UNSUPPORTED, "%s: more than %d steps", where, MOST_STAGES);
    t->decode[t->n_decode++] = k;
    return SONDE_OK;
}

sonde_status load_pattern(loader *l, const char *pattern, size_t len, bool literal, const splitter **out) {
    tokenizer *t = l->t;
    SONDE_FAIL_IF(t->n_owned == 3 * MOST_STAGES, l->err, SONDE_UNSUPPORTED, "more than %d patterns", 3 * MOST_STAGES);
    splitter *s;
    SONDE_TRY(splitter_new(&s, pattern, len, literal, l->err));
    *out = t->owned[t->n_owned++] = s;
    return SONDE_OK;
}

sonde_status load_gpt2_stages(loader *l, bool prefix_space, bool use_regex, const char *where) {
    if (prefix_space) SONDE_TRY(load_stage(l, (stage){ .kind = STAGE_SPACE, .name = "" }, where));
    if (!use_regex) return SONDE_OK;
    return load_cut(l, split_gpt2, strlen(split_gpt2), where);
}

sonde_status load_cut(loader *l, const char *pattern, size_t len, const char *where) {
    const splitter *s;
    SONDE_TRY(load_pattern(l, pattern, len, false, &s));
    return load_stage(l, (stage){ .kind = STAGE_PATTERN, .pattern = s, .name = splitter_pattern(s) }, where);
}

static void add_part(around *to, int32_t id, int text, int type) {
    if (text < 0 && id < 0) return;
    to->part[to->n++] = (around_part){ id, (int16_t)text, (int16_t)type };
}

void load_around(loader *l, int32_t before, int32_t after, pair_form pairs) {
    tokenizer *t = l->t;
    const int second = pairs == PAIRS_BERT;
    t->single = (around){ .part = arena_new_array(t->memory, around_part, 3), .n_before = before >= 0 };
    t->pair = (around){ .part = arena_new_array(t->memory, around_part, 6), .n_before = before >= 0 };
    add_part(&t->single, before, -1, 0);
    add_part(&t->single, -1, 0, 0);
    add_part(&t->single, after, -1, 0);
    if (pairs == PAIRS_NONE) return;
    add_part(&t->pair, before, -1, 0);
    add_part(&t->pair, -1, 0, 0);
    add_part(&t->pair, after, -1, 0);
    if (pairs == PAIRS_ROBERTA) add_part(&t->pair, after, -1, 0);
    add_part(&t->pair, -1, 1, second);
    add_part(&t->pair, after, -1, second);
}

bool load_split_merge(const char *line, size_t len, merge_text *out) {
    const char *space = len ? memchr(line, ' ', len) : NULL;
    if (!space) return false;
    const size_t a = (size_t)(space - line), b = len - a - 1;
    *out = (merge_text){ line, space + 1, a, b };
    return !(b && memchr(space + 1, ' ', b));
}
