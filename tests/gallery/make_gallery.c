/* make_gallery.c FOLDER - one picture of each kind of view, of made-up numbers with a known shape, as FOLDER/KIND.png
 * and .html. tools/pictures.sh takes from it what no shipped method draws. */
#include "sonde/result.h"
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = 1;
static double uniform(void) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) / 9007199254740992.0;
}
static double normal(void) { return sqrt(-2 * log(uniform() + 1e-12)) * cos(6.283185307 * uniform()); }
static sonde_token token(const char *text) { return (sonde_token){ (int32_t)strlen(text), text, strlen(text) }; }

typedef struct { const char *name; sonde_column_type type; } column;
static sonde_table *table(sonde_result *r, const column *c, size_t n) {
    sonde_table *t = sonde_result_table(r, "t");
    for (size_t i = 0; i < n; i++) sonde_table_column(t, c[i].name, c[i].type, "");
    return t;
}
#define TABLE(r, ...) table(r, (const column[]){ __VA_ARGS__ }, sizeof((const column[]){ __VA_ARGS__ }) / sizeof(column))

static const char *const words[] = { " the", " cat", " sat", " river", " key", "\n", " window", " bridge", " Sophie",
                                     " basket",
                                     " horses", " book", " boat", " cabinet", " pink", " door", " boy", " flower",
                                         " library", " drink" };
enum { WORDS = sizeof words / sizeof *words };

static void bands(sonde_result *r) {
    sonde_table *t = TABLE(r, { "layer", SONDE_INT }, { "part", SONDE_TEXT }, { "effect", SONDE_FLOAT }, { "low",
            SONDE_FLOAT },
                           { "high", SONDE_FLOAT });
    static const char *const parts[] = { "attention", "mlp", "both" };
    for (int p = 0; p < 3; p++)
        for (int l = 0; l < 12; l++) {
            const double v = sin(l / 3.0 + p) + p, w = 0.1 + 0.3 * uniform();
            sonde_table_row(t);
            sonde_cell_int(t, l);
            sonde_cell_text(t, parts[p]);
            if (p == 1 && l == 6) { sonde_cell_float(t, NAN); sonde_cell_null(t); sonde_cell_null(t); continue; }
            sonde_cell_float(t, v);
            sonde_cell_float(t, v - w);
            sonde_cell_float(t, v + w);
        }
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_LINES, .of = "t", .x = "layer", .y = "part",
                                          .value = "effect", .low = "low",
                                          .high = "high", .title = "Effect by layer, with its 95 % interval" });
}

static void bars(sonde_result *r) {
    sonde_table *t = TABLE(r, { "token", SONDE_TOKEN }, { "attribution", SONDE_FLOAT });
    for (size_t i = 0; i < 9; i++) {
        sonde_table_row(t);
        sonde_cell_token(t, token(words[i % 8]));
        sonde_cell_float(t, i == 4 ? INFINITY : normal());
    }
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_BARS, .of = "t", .x = "token", .value = "attribution",
                                          .title = "What each token adds" });
}

static void strip(sonde_result *r) {
    sonde_table *t = TABLE(r, { "token", SONDE_TOKEN }, { "loss", SONDE_FLOAT });
    for (size_t i = 0; i < 40; i++) {
        sonde_table_row(t);
        sonde_cell_token(t, token(words[(size_t)(uniform() * WORDS)]));
        if (i) sonde_cell_float(t, 2 * normal()); else sonde_cell_null(t);
    }
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_TOKENS, .of = "t", .x = "token", .value = "loss",
                                          .title = "Change of the loss at each token" });
}

static void scatter(sonde_result *r, bool deep) {
    sonde_table *t = TABLE(r, { "pc1", SONDE_FLOAT }, { "pc2", SONDE_FLOAT }, { "pc3", SONDE_FLOAT }, { "class",
            SONDE_TEXT }, { "word", SONDE_TOKEN });
    static const char *const class[] = { "animal", "place", "thing", "name" };
    for (int i = 0; i < 96; i++) {
        sonde_table_row(t);
        for (int k = 0; k < 3; k++) sonde_cell_float(t, normal() * 0.5 + 2 * ((i % 4 >> k) & 1) + (k == 2 ? i % 4 * 0.4
                : 0));
        sonde_cell_text(t, class[i % 4]);
        sonde_cell_token(t, token(words[i % WORDS]));
    }
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_SCATTER, .of = "t", .x = "pc1", .y = "pc2", .z = deep ? "pc3"
                                          : NULL, .value = "class",
                                          .label = "word", .title = deep ? "Embeddings in three dimensions"
                                              : "Embeddings in two dimensions" });
}

static void histogram(sonde_result *r) {
    sonde_table *t = TABLE(r, { "low", SONDE_FLOAT }, { "high", SONDE_FLOAT }, { "class", SONDE_TEXT }, { "count",
            SONDE_INT });
    for (int c = 0; c < 2; c++) {
        int count[30] = { 0 };
        for (int i = 0; i < 3000; i++) {
            const double v = (normal() + (c ? 1.6 : -0.4)) * 3 + 15;
            if (v >= 0 && v < 30) count[(int)v]++;
        }
        for (int i = 0; i < 30; i++) {
            sonde_table_row(t);
            sonde_cell_float(t, i / 3.0 - 5);
            sonde_cell_float(t, (i + 1) / 3.0 - 5);
            sonde_cell_text(t, c ? "after" : "before");
            sonde_cell_int(t, count[i]);
        }
    }
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_HISTOGRAM, .of = "t", .x = "low", .high = "high",
                                          .y = "class", .value = "count",
                                          .title = "Activations of a neuron" });
}

static void cloud(sonde_result *r) {
    sonde_table *t = TABLE(r, { "token", SONDE_TOKEN }, { "logit", SONDE_FLOAT });
    for (size_t i = 0; i < 44; i++) {
        sonde_table_row(t);
        sonde_cell_token(t, token(words[i % WORDS]));
        sonde_cell_float(t, (i % 7 ? 12.0 : -9.0) / (1 + (double)i / 6));
    }
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_CLOUD, .of = "t", .x = "token", .value = "logit",
                                          .title = "What a head writes" });
}

static void boxes(sonde_result *r) {
    sonde_table *t = TABLE(r, { "layer", SONDE_INT }, { "part", SONDE_TEXT }, { "norm", SONDE_FLOAT });
    for (int l = 0; l < 12; l++)
        for (int i = 0; i < 120; i++) {
            sonde_table_row(t);
            sonde_cell_int(t, l);
            sonde_cell_text(t, i % 2 ? "attention" : "mlp");
            sonde_cell_float(t, 1 + l * 0.3 + normal() * (1 + l % 4) + (i % 2) + (i == 17 ? 12 : 0));
        }
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_BOXES, .of = "t", .x = "layer", .y = "part", .value = "norm",
                                          .title = "Norms of what is written" });
}

static void big(sonde_result *r) {
    float *x = sonde_array_data(sonde_result_array(r, "weights", "row column", (const int64_t[]){ 600, 900 }));
    for (int i = 0; i < 600; i++)
        for (int k = 0; k < 900; k++) x[i * 900 + k] = (float)(sin(i / 90.0) * cos(k / 140.0));
    for (int i = 0; i < 9; i++) x[(300 + i / 3) * 900 + 400 + i % 3] = NAN;
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "weights", .title = "A matrix of 600 by 900" });
}

static void panels(sonde_result *r) {
    sonde_table *t = TABLE(r, { "layer", SONDE_INT }, { "position", SONDE_INT }, { "metric", SONDE_TEXT }, { "value",
            SONDE_FLOAT });
    static const char *const metric[] = { "logit difference", "probability", "rank" };
    for (int m = 0; m < 3; m++)
        for (int l = 0; l < 8; l++)
            for (int p = 0; p < 10; p++) {
                if (m == 1 && p > l) continue;
                sonde_table_row(t);
                sonde_cell_int(t, l);
                sonde_cell_int(t, p);
                sonde_cell_text(t, metric[m]);
                if (m == 2 && p == 3) sonde_cell_null(t);
                else sonde_cell_float(t, l == 4 && p == 4 ? NAN : l == 5 && p == 2 ? -INFINITY : normal() + l - 4);
            }
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_HEATMAP, .of = "t", .x = "position", .y = "layer",
                                          .panel = "metric", .value = "value",
                                          .title = "Three metrics in one scale" });
}

static void architecture(sonde_result *r) {
    sonde_table *t = TABLE(r, { "name", SONDE_TEXT }, { "block", SONDE_TEXT }, { "x", SONDE_FLOAT }, { "y", SONDE_FLOAT },
                           { "z", SONDE_FLOAT },
                           { "width", SONDE_FLOAT }, { "height", SONDE_FLOAT }, { "depth", SONDE_FLOAT }, { "norm",
                                   SONDE_FLOAT }, { "operands", SONDE_TEXT });
    for (int l = 0; l < 6; l++)
        for (int h = 0; h < 13; h++) {
            const bool head = h < 12;
            char name[32], block[32];
            snprintf(name, sizeof name, head ? "head %d" : "mlp", h);
            snprintf(block, sizeof block, "block %d", l);
            sonde_table_row(t);
            sonde_cell_text(t, name);
            sonde_cell_text(t, block);
            sonde_cell_float(t, head ? h % 6 - 2.5 : 0);
            sonde_cell_float(t, l * 4 + (head ? 0 : 1.6));
            sonde_cell_float(t, head ? h / 6 * 1.2 - 0.6 : 0);
            sonde_cell_float(t, head ? 0.8 : 5.8);
            sonde_cell_float(t, 0.9);
            sonde_cell_float(t, head ? 0.8 : 2);
            sonde_cell_float(t, fabs(normal()) + l);
            sonde_cell_text(t, "q k v");
        }
    sonde_result_view(r, (sonde_drawing){ .kind = SONDE_VIEW_ARCHITECTURE, .of = "t", .label = "name", .value = "norm",
                                          .panel = "block",
                                          .title = "A model to scale" });
}

static void deep_scatter(sonde_result *r) { scatter(r, true); }
static void flat_scatter(sonde_result *r) { scatter(r, false); }

int main(int argc, char **argv) {
    static const struct { const char *name; void (*make)(sonde_result *); } all[] = {
        { "lines", bands }, { "bars", bars }, { "tokens", strip }, { "scatter", flat_scatter }, { "scatter3", deep_scatter },
        { "histogram", histogram }, { "cloud", cloud }, { "boxes", boxes }, { "pooled", big }, { "panels", panels },
        { "architecture", architecture },
    };
    for (size_t i = 0; argc > 1 && i < sizeof all / sizeof *all; i++) {
        sonde_result *r = sonde_result_new();
        all[i].make(r);
        for (int a = 2; a < argc; a++) {                /* endings */
            char path[512];
            sonde_error err = { 0 };
            snprintf(path, sizeof path, "%s/%s%s", argv[1], all[i].name, argv[a]);
            if (sonde_result_save(r, path, &err) != SONDE_OK) { fprintf(stderr, "%s\n", err.message); return 1; }
        }
        sonde_result_free(r);
    }
    return argc < 3;
}
