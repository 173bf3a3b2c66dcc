/* Neurons that raise a word: where it stands among all tokens in a neuron's w_out . W_U (the keyword search of Geva et al.,
 * LM-Debugger, 2022, over every neuron and the whole vocabulary). */
#include "dry.h"
#include "method_neurons.h"
#include "room.h"
#include <ctype.h>
#include <strings.h>

enum { BLOCK = 128 };

typedef struct { long layer; int64_t neuron; int32_t token; int64_t rank; float value; } hit;
typedef struct { neuron_weights *w; int32_t *token; size_t n_tokens; int64_t k; hit *found; size_t n; } searching;

/* Tokens whose text is the word, white space around it and the case of ASCII letters aside. */
static void find_tokens(searching *s, const char *word) {
    const size_t want = strlen(word);
    for (int64_t v = 0; v < s->w->n; v++) {
        size_t len;
        const char *text = sonde_token_bytes(s->w->cx->model, (int32_t)v, &len);
        while (len && isspace((unsigned char)text[0])) text++, len--;
        while (len && isspace((unsigned char)text[len - 1])) len--;
        if (len != want || strncasecmp(text, word, want) != 0) continue;
        s->token = room_grow(s->token, s->n_tokens, 1, sizeof *s->token);
        s->token[s->n_tokens++] = (int32_t)v;
    }
}

/* Ties go to the lower id; counting ends where the token is out. */
static int64_t rank_of(const searching *s, const float *u, int32_t token) {
    int64_t above = 0;
    for (int64_t v = 0; v < s->w->n && above < s->k; v++) above += u[v] > u[token] || (u[v] >= u[token] && v < token);
    return above + 1;
}

static sonde_status search_layer(searching *s, long layer, float *u, sonde_error *err) {
    neuron_weights *w = s->w;
    SONDE_TRY(neurons_read(w, layer, err));
    for (int64_t at = 0; at < w->f; at += BLOCK) {
        sonde_matrices m = neurons_matrices(w);
        m.x += at * w->d;
        m.rows = w->f - at < BLOCK ? w->f - at : BLOCK;
        SONDE_TRY(sonde_session_product(w->cx->session, &m, u, err));
        for (int64_t i = 0; i < m.rows; i++)
            for (size_t k = 0; k < s->n_tokens; k++) {
                const float  *row = u + i * w->n;
                const int64_t rank = rank_of(s, row, s->token[k]);
                if (rank > s->k) continue;
                s->found = room_grow(s->found, s->n, 1, sizeof *s->found);
                s->found[s->n++] = (hit){ layer, at + i, s->token[k], rank, row[s->token[k]] };
            }
    }
    return SONDE_OK;
}

static int better(const void *a, const void *b) {
    const hit *x = a, *y = b;
    if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
    if (x->value > y->value || x->value < y->value) return x->value > y->value ? -1 : 1;
    if (x->layer != y->layer) return x->layer < y->layer ? -1 : 1;
    return (x->neuron > y->neuron) - (x->neuron < y->neuron);
}

static void put(searching *s, sonde_result *out) {
    sonde_table *t = sonde_result_table(out, "found");
    sonde_table_column(t, "layer", SONDE_INT, "");
    sonde_table_column(t, "neuron", SONDE_INT, "");
    sonde_table_column(t, "token", SONDE_TOKEN, "");
    sonde_table_column(t, "rank", SONDE_INT, "");
    sonde_table_column(t, "value", SONDE_FLOAT, "logit");
    if (s->n) qsort(s->found, s->n, sizeof *s->found, better);
    for (size_t i = 0; i < s->n; i++) {
        const hit *h = &s->found[i];
        sonde_table_row(t);
        sonde_cell_int(t, h->layer);
        sonde_cell_int(t, h->neuron);
        sonde_cell_token(t, context_token(s->w->cx, h->token));
        sonde_cell_int(t, h->rank);
        sonde_cell_float(t, (double)h->value);
    }
    sonde_result_view(out, (sonde_drawing){ .kind = SONDE_VIEW_SCATTER, .of = "found", .x = "layer", .y = "value",
                                            .value = "rank",
                                            .title = "Neurons that raise the word" });
}

static sonde_status search(searching *s, sonde_error *err) {
    neuron_weights *w = s->w;
    float *u = ROOM(float, BLOCK * w->n);
    sonde_status status = SONDE_OK;
    for (size_t i = 0; i < w->n_layers && status == SONDE_OK; i++) {
        status = search_layer(s, w->layer[i], u, err);
        w->cx->progress(w->cx->progress_user, "layers", (int64_t)i + 1, (int64_t)w->n_layers);
    }
    free(u);
    return status;
}

sonde_status neurons_search(neuron_weights *w, const value *args, sonde_result *out, sonde_error *err) {
    searching s = { .w = w, .k = args[NEURONS_K].i };
    find_tokens(&s, args[NEURONS_SEARCH].text);
    const double products = (double)w->n_layers * (double)w->f * (double)w->n;
    sonde_status status = SONDE_OK;
    if (!s.n_tokens)
        status = sonde_fail(err, SONDE_USAGE, "search: no token of this model is \"%.40s\", expected a word that is one",
                            args[NEURONS_SEARCH].text);
    else if (w->cx->dry_run)
        dry_cost(out, 0, (sonde_cost){ .flops = 2 * products * (double)w->d,
                                       .bytes = 4 * (w->d * w->vocab + BLOCK * w->n) });
    else status = search(&s, err);
    if (status == SONDE_OK && !w->cx->dry_run) put(&s, out);
    free(s.token);
    free(s.found);
    return status;
}
