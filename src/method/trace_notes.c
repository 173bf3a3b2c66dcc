#include "trace_notes.h"
#include "room.h"
#include <inttypes.h>
#include <stdio.h>

static void add(trace_notes *x, const char *key, const char *text) {
    x->at = room_grow(x->at, x->n, 1, sizeof *x->at);
    x->at[x->n++] = (sonde_array_note){ room_text(key, strlen(key)), room_text(text, strlen(text)) };
}

static void add_for(trace_notes *x, size_t prompt, const char *key, const char *text) {
    char own[64];
    snprintf(own, sizeof own, "%zu/%s", prompt, key);
    add(x, own, text);
}

static void add_number(trace_notes *x, const char *key, uint64_t v) {
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, v);
    add(x, key, text);
}

/* Bytes of the character at `at` in well-formed UTF-8 (Unicode, table 3-7), 0: broken. */
static size_t character(const unsigned char *at, size_t left) {
    static const struct { unsigned char first, last, low, high; size_t n; } rows[] = {
        { 0x01, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
        { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
        { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (at[0] < rows[i].first || at[0] > rows[i].last) continue;
        if (left < rows[i].n || (rows[i].n > 1 && (at[1] < rows[i].low || at[1] > rows[i].high))) return 0;
        for (size_t k = 2; k < rows[i].n; k++)
            if (at[k] < 0x80 || at[k] > 0xbf) return 0;
        return rows[i].n;
    }
    return 0;
}

static bool is_text(const char *bytes, size_t n) {
    size_t step = 1;
    for (size_t i = 0; i < n && step; i += step) step = character((const unsigned char *)bytes + i, n - i);
    return step > 0;
}

typedef struct { const char *at; size_t len; } piece;

static piece text_of(const method_prompt *p)  { return (piece){ p->text, p->len }; }
static piece pair_of(const method_prompt *p) { return (piece){ p->pair, p->pair_len }; }

/* The texts, one a line. A text that a note cannot hold is left out: the tokens say it all. */
static void add_texts(trace_notes *x, const sonde_context *cx, const char *key, piece (*of)(const method_prompt *)) {
    size_t room = 1, used = 0;
    for (size_t i = 0; i < cx->n_prompts; i++) {
        const piece t = of(&cx->prompts[i]);
        if (!t.at || !is_text(t.at, t.len)) return;
        room += t.len + 1;
    }
    char *all = ROOM(char, room);
    for (size_t i = 0; i < cx->n_prompts; i++) {
        const piece t = of(&cx->prompts[i]);
        if (i) all[used++] = '\n';
        memcpy(all + used, t.at, t.len);
        used += t.len;
    }
    add(x, key, all);
    free(all);
}

/* One a line, the files of their vectors as value/0, value/1. */
static void add_edits(trace_notes *x, const sonde_context *cx) {
    char  *all = ROOM(char, 1);
    size_t used = 0, vectors = 0;
    for (size_t i = 0; i < cx->n_edits; i++) {
        sonde_array_spec unused;
        char name[32];
        snprintf(name, sizeof name, "value/%zu", vectors);
        vectors += sonde_edit_vector(cx->edits[i], &unused) != NULL;
        const size_t n = sonde_edit_format_as(cx->edits[i], name, NULL, 0);
        char *more = ROOM(char, used + n + 2);
        memcpy(more, all, used);
        if (i) more[used++] = '\n';
        used += sonde_edit_format_as(cx->edits[i], name, more + used, n + 1);
        free(all);
        all = more;
    }
    if (cx->n_edits) add(x, "edits", all);
    free(all);
}

static char *metric_text(const sonde_metric *m) {
    const size_t n = sonde_metric_format(m, NULL, 0);
    char *text = ROOM(char, n + 1);
    sonde_metric_format(m, text, n + 1);
    return text;
}

/* The first prompt's metric, and that of each other prompt where `answer` and `wrong` make it another. */
static void add_metrics(trace_notes *x, const traced *p, size_t n) {
    if (!n || !p[0].metric) return;
    char *first = metric_text(p[0].metric);
    add(x, "metric", first);
    for (size_t i = 1; i < n; i++) {
        char *text = metric_text(p[i].metric);
        if (strcmp(text, first) != 0) add_for(x, i, "metric", text);
        free(text);
    }
    free(first);
}

trace_notes trace_notes_new(const sonde_context *cx, const traced *p, bool many) {
    static const char *const bos[] = { [SONDE_BOS_AUTO] = "auto", [SONDE_BOS_YES] = "yes", [SONDE_BOS_NO] = "no" };
    trace_notes x = { 0 };
    add(&x, "sonde", sonde_version());
    add(&x, "model_hash", sonde_model_hash(cx->model));
    add_texts(&x, cx, "prompt", text_of);
    add_texts(&x, cx, "pair", pair_of);
    add_edits(&x, cx);
    add_metrics(&x, p, cx->n_prompts);
    add_number(&x, "seed", cx->seed);
    add(&x, "bos", bos[cx->tokenize.bos]);
    for (size_t i = 0; i < cx->n_prompts; i++) {
        char text[24];
        if (!p[i].prompt) continue;
        snprintf(text, sizeof text, "%" PRId64, p[i].prompt);
        if (many) add_for(&x, i, "prompt_length", text);
        else add(&x, "prompt_length", text);
    }
    return x;
}

void trace_notes_free(trace_notes *x) {
    for (size_t i = 0; i < x->n; i++) {
        free((char *)(uintptr_t)x->at[i].key);
        free((char *)(uintptr_t)x->at[i].value);
    }
    free(x->at);
}
