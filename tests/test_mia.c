/* `sonde mia` on stories260K, beside a float64 reference (tools/truth/mia.py): every effect as the command gives it. */
#define _GNU_SOURCE
#include "test.h"
#include "scratch.h"
#include "base/arena.h"
#include "base/float_bits.h"
#include "base/json.h"
#include "format/gguf_writer.h"
#include "sonde/sonde.h"
#include <sys/wait.h>

#ifdef SONDE_CAIRO
#include <cairo.h>
#endif

#define BORN   "'William Shakespeare was born in the year'"
#define JAPAN  "'The capital of Japan is'"
#define SEVENS "'5 6 7 to 7 6 5, 2 3 4 to 4 '"
#define OTHER  "'1 2 3 to 3 2 1, 7 8 9 to 9 '"

enum { HEADS = 8, LAYERS = 5, WIDTH = 64, MOST_TEXT = 1 << 21, MOST_TENSORS = 64 };

static const char small_model[] = SONDE_SOURCE_DIR "/tests/truth/mia/stories260K-Q4_0.gguf";
static const char whole_model[] = SONDE_SOURCE_DIR "/../shared/data/stories260k/gguf/stories260K-F32.gguf";

/* ---- the models ---- */

/* The nearest, ties to even. */
static uint16_t half_of(float f) {
    const float a = fabsf(f);
    uint16_t lo = 0, hi = 0x7bff;
    while (lo < hi) {
        const uint16_t mid = (uint16_t)((lo + hi + 1) / 2);
        if (float_of_half(mid) <= a) lo = mid;
        else hi = (uint16_t)(mid - 1);
    }
    const double below = (double)a - (double)float_of_half(lo), above = (double)float_of_half((uint16_t)(lo + 1)) - (double)a;
    if (above < below || (above == below && lo & 1)) lo++;
    return (uint16_t)(lo | (signbit(f) ? 0x8000 : 0));
}

static size_t put_tensor(gguf_writer *out, const stored_tensor *t, sonde_error *err) {
    size_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= (size_t)t->dim[i];
    float *x = malloc(n * sizeof *x);
    uint16_t *h = malloc(n * sizeof *h);
    dtype_table[t->type].to_f32(x, t->data, n);
    for (size_t i = 0; i < n; i++) h[i] = half_of(x[i]);
    const bool bad = t->rank == 1 ? gguf_writer_put(out, x, n * sizeof *x, err) : gguf_writer_put(out, h, n * sizeof *h, err);
    free(x);
    free(h);
    if (bad) FAIL_("%s", err->message);
    return n;
}

/* The same model, its matrices as F16. */
static void write_halves(const char *from, const char *to) {
    sonde_error err;
    weights *w = NULL;
    gguf_spec spec[MOST_TENSORS];
    gguf_writer *out = NULL;
    if (weights_open(from, &w, &err)) FAIL_("%s", err.message);
    const size_t n = weights_count(w);
    CHECK(n <= MOST_TENSORS);
    for (size_t i = 0; i < n; i++) {
        const stored_tensor *t = weights_at(w, i);
        spec[i] = (gguf_spec){ .name = t->name, .type = t->rank == 1 ? DTYPE_F32 : DTYPE_F16, .rank = t->rank };
        for (int k = 0; k < t->rank; k++) spec[i].dim[k] = t->dim[k];
    }
    const gguf_contents holds = { weights_meta_at(w, 0), weights_meta_count(w), spec, n };
    if (gguf_writer_open(&out, to, &holds, &err)) FAIL_("%s", err.message);
    for (size_t i = 0; i < n; i++) CHECK(put_tensor(out, weights_at(w, i), &err) > 0);
    if (gguf_writer_finish(out, &err)) FAIL_("%s", err.message);
    weights_close(w);
}

/* ---- the command ---- */

typedef struct {
    scratch     folder;
    const char *name;               /* of the model, in truth.tsv */
    char        model[700];
    char       *truth, *out;        /* texts */
    arena      *memory;
    const json *got;                /* of the last run */
    int         status;
} bed;

static char *read_text(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f) FAIL_("%s cannot be read", path);
    char *text = calloc(MOST_TEXT, 1);
    const size_t n = fread(text, 1, MOST_TEXT - 1, f);
    fclose(f);
    CHECK(n > 0 && n < MOST_TEXT - 1);
    return text;
}

static bool open_bed(bed *b, const char *name) {
    const char *from = !strcmp(name, "F16") ? whole_model : small_model;
    *b = (bed){ .name = name };
    if (access(from, R_OK)) {
        printf("skipped: %s is not there\n", from);
        return false;
    }
    b->folder = scratch_new();
    snprintf(b->model, sizeof b->model, "%s", strcmp(name, "Q4_0") ? in_scratch(&b->folder, "f16.gguf").text : small_model);
    if (strcmp(name, "Q4_0")) write_halves(from, b->model);
    b->truth = read_text(SONDE_SOURCE_DIR "/tests/truth/mia/truth.tsv");
    b->out = malloc(MOST_TEXT);
    b->memory = arena_new();
    return true;
}

static void close_bed(bed *b) {
    free(b->truth);
    free(b->out);
    arena_free(b->memory);
    scratch_end(&b->folder);
}

/* In the folder of the bed; its stdout and stderr into b->out. */
static void run_text(bed *b, const char *args) {
    char line[2000];
    snprintf(line, sizeof line, "cd '%s' && '%s' mia -m '%s' %s 2>&1", b->folder.path, SONDE_COMMAND, b->model, args);
    FILE *f = popen(line, "r");
    if (!f) FAIL_("%s", line);
    const size_t n = fread(b->out, 1, MOST_TEXT - 1, f);
    b->out[n] = 0;
    b->status = WEXITSTATUS(pclose(f));
}

static void run_json(bed *b, const char *args) {
    char line[1500];
    sonde_error err;
    snprintf(line, sizeof line, "%s --json --quiet", args);
    run_text(b, line);
    if (b->status) FAIL_("%s: exit %d: %s", args, b->status, b->out);
    if (json_parse(b->out, strlen(b->out), b->memory, &b->got, &err)) FAIL_("%s: %s", args, err.message);
}

static void fails(bed *b, int status, const char *args, const char *says) {
    run_text(b, args);
    if (b->status != status || !strstr(b->out, says))
        FAIL_("%s: exit %d: %s, expected exit %d: .. %s", args, b->status, b->out, status, says);
}

/* ---- what it says, and what it should ---- */

static const json *at(const json *j, size_t i) {
    const json *c = j && i < j->len ? j->child : NULL;
    while (c && i--) c = c->next;
    if (!c) FAIL_("an item is missing");
    return c;
}

static const json *rows_of(const bed *b, const char *table) {
    const json *tables = json_get(b->got, "tables");
    for (const json *t = tables ? tables->child : NULL; t; t = t->next) {
        const char *name;
        size_t n;
        if (json_string(json_get(t, "name"), &name, &n) && n == strlen(table) && !memcmp(name, table, n))
            return json_get(t, "rows");
    }
    FAIL_("no table %s", table);
}

static bool is_text(const json *j, const char *want) {
    const char *text;
    size_t n;
    return json_string(j, &text, &n) && n == strlen(want) && !memcmp(text, want, n);
}

static double number(const json *j) {
    double x = NAN;
    if (!json_double(j, &x)) FAIL_("no number");
    return x;
}

/* The numbers behind model, case and what; NULL: there is no such line. */
static const char *truth_of(const bed *b, const char *name, const char *what) {
    char key[200];
    const int n = snprintf(key, sizeof key, "\n%s\t%s\t%s\t", strcmp(what, "inferno") ? b->name : "any", name, what);
    if (!strncmp(b->truth, key + 1, (size_t)n - 1)) return b->truth + n - 1;
    const char *line = strstr(b->truth, key);
    return line ? line + n : NULL;
}

static const char *truth_must(const bed *b, const char *name, const char *what) {
    const char *x = truth_of(b, name, what);
    if (!x) FAIL_("truth.tsv has no %s, %s, %s", b->name, name, what);
    return x;
}

static double next_number(const char **text) {
    char *end;
    const double x = strtod(*text, &end);
    if (end == *text) FAIL_("truth.tsv has no number at \"%.20s\"", *text);
    *text = *end == '\t' ? end + 1 : end;
    return x;
}

static void check_ids(const bed *b, const char *name, const char *what, const json *list) {
    const char *want = truth_must(b, name, what);
    for (size_t i = 0; i < list->len; i++) {
        const double id = number(json_get(at(list, i), "id")), right = next_number(&want);
        if (id != right) FAIL_("%s, %s: %s %zu is %g, expected %g", b->name, name, what, i, id, right);
    }
    if (*want != '\n') FAIL_("%s, %s: %zu %s, expected more", b->name, name, list->len, what);
}

/* The eight best of a row, from row `first` of the table on. */
static void check_row(const bed *b, const json *first, const char *want, const char *where) {
    for (int k = 0; k < 8; k++, first = first->next) {
        char *end;
        const long id = strtol(want, &end, 10);
        const double score = strtod(end + 1, &end);
        want = end + (*end == '\t');
        if (!is_text(at(first, 0), strtok(strdupa(where), " "))) FAIL_("%s: another tensor stands there", where);
        CHECK_EQ((long long)number(at(first, 2)), k + 1);
        if (!(fabs(number(at(first, 4)) - score) <= 1e-4) || (long)number(json_get(at(first, 3), "id")) != id)
            FAIL_("%s, %s, rank %d: %g of %g, expected %ld of %g", b->name, where, k + 1, number(json_get(at(first, 3), "id")),
                  number(at(first, 4)), id, score);
    }
}

/* All rows of the table `lens`, whatever tensors they are of. */
static void check_lens(const bed *b, const char *name) {
    const json *rows = rows_of(b, "lens"), *row = rows->child;
    size_t seen = 0;
    for (size_t i = 0; i + 8 <= rows->len; i += 8) {
        char what[100], tensor[40], position[20];
        const char *text;
        size_t n;
        CHECK(json_string(at(row, 0), &text, &n) && n < sizeof tensor);
        snprintf(tensor, sizeof tensor, "%.*s", (int)n, text);
        CHECK(json_string(at(row, 1), &text, &n) && n < sizeof position);
        snprintf(position, sizeof position, "%.*s", (int)n, text);
        snprintf(what, sizeof what, "lens %s %s", tensor, position);
        const char *want = truth_of(b, name, what);
        if (want) check_row(b, row, want, what + 5);
        seen += want != NULL;
        for (int k = 0; k < 8; k++) row = row->next;
    }
    CHECK(seen >= 5);
}

static void check_case(bed *b, const char *name, const char *args) {
    char line[1000];
    snprintf(line, sizeof line, "%s --ll l_out-4 8 -n 12", args);
    run_json(b, line);
    const json *prompt = at(json_get(b->got, "prompts"), 0);
    check_ids(b, name, "tokens", json_get(prompt, "tokens"));
    check_ids(b, name, "written", json_get(prompt, "generated"));
    check_lens(b, name);
}

/* ---- the page's examples ---- */

static float *read_floats(const bed *b, const char *name, size_t skip, size_t *n) {
    static float all[1 << 14];
    FILE *f = fopen(in_scratch(&b->folder, name).text, "rb");
    if (!f) FAIL_("%s was not written", name);
    fseek(f, (long)skip, SEEK_SET);
    *n = fread(all, sizeof *all, sizeof all / sizeof *all, f);
    fclose(f);
    return all;
}

static void check_saved(const bed *b, const char *name, size_t skip, const char *what) {
    size_t n;
    const float *x = read_floats(b, name, skip, &n);
    const char *want = truth_must(b, "save", what);
    CHECK_EQ((long long)n, 25 * WIDTH);
    for (int i = 0; i < WIDTH; i++) CHECK_NEAR((double)x[4 * WIDTH + i], next_number(&want), 2e-5);
}

static void check_patches(bed *b) {
    run_json(b, "-p " SEVENS " --save l_out-2 a.raw --save kqv_out-1 k.npy -n 3");      /* generated tokens are not saved */
    run_json(b, "--prompt " OTHER " --save l_out-2 b.raw -n 0");
    check_saved(b, "a.raw", 0, "row l_out-2 4");
    check_saved(b, "k.npy", 128, "row kqv_out-1 4");
    check_case(b, "patch", "-p " OTHER " --patch l_out-2 a.raw 9 6");
    check_case(b, "patch-avg", "-p " OTHER " --patch_avg l_out-2 a.raw b.raw 9 6");
    check_case(b, "both", "-p " OTHER " -a 1 --ablate 3.2 --patch l_out-2 a.raw 9 6 --patch kqv_out-1 k.npy 4 3");
}

static void check_model(const char *name) {
    bed b;
    if (!open_bed(&b, name)) return;
    check_case(&b, "draw", "-p " BORN);
    check_case(&b, "lens", "--prompt " JAPAN " --ll l_out-{0,1,2,3} 8 --logit_lens kqv_out-1 8 --logit-lens ffn_out-3 8");
    check_case(&b, "ablate", "-p " BORN " --ablate 0-8,16-18,20,25,30,35,39");       /* without --draw, and while writing */
    check_case(&b, "select", "-p " BORN " --select 2 5");
    check_patches(&b);
    close_bed(&b);
}

static void effects_on_q4_0(void) { check_model("Q4_0"); }
static void effects_on_f16_of_q4_0(void) { check_model("F16_of_Q4_0"); }
static void effects_on_f16(void) { check_model("F16"); }

/* ---- the picture ---- */

#ifdef SONDE_CAIRO
static int place_in(const char *table, uint32_t colour) {
    for (int i = 0; i < 256; i++, table += 7)
        if (strtoul(table, NULL, 16) == (colour & 0xffffff)) return i;
    FAIL_("colour %06x is not in the table", (unsigned)(colour & 0xffffff));
}

static void the_picture_has_every_weight(void) {
    static const int looked[][3] = { { 0, 0, 24 }, { 1, 3, 10 }, { 2, 7, 5 }, { 4, 7, 24 }, { 3, 4, 0 } };
    enum { TOKENS = 25 };
    bed b;
    if (!open_bed(&b, "Q4_0")) return;
    run_json(&b, "-p " BORN " -n 5 -d map.png");
    cairo_surface_t *s = cairo_image_surface_create_from_png(in_scratch(&b.folder, "map.png").text);
    CHECK_EQ(cairo_image_surface_get_width(s), HEADS * TOKENS + 40);
    CHECK_EQ(cairo_image_surface_get_height(s), LAYERS * (TOKENS + 1));
    for (size_t i = 0; i < sizeof looked / sizeof *looked; i++) {
        char what[40];
        snprintf(what, sizeof what, "pixels %d %d %d", looked[i][0], looked[i][1], looked[i][2]);
        const char *want = truth_must(&b, "draw", what), *table = truth_must(&b, "any", "inferno");
        const unsigned char *row = cairo_image_surface_get_data(s) +
            (looked[i][0] * (TOKENS + 1) + looked[i][2]) * cairo_image_surface_get_stride(s) + 4 * looked[i][1] * TOKENS;
        for (int k = 0; k < TOKENS; k++) {
            uint32_t colour;
            memcpy(&colour, row + 4 * k, sizeof colour);
            CHECK_NEAR(place_in(table, colour) + 0.5, next_number(&want), 0.51);
        }
    }
    cairo_surface_destroy(s);
    close_bed(&b);
}
#else
static void the_picture_has_every_weight(void) { puts("skipped: this build has no cairo"); }
#endif

/* ---- faults of the original ---- */

static void the_lens_reads_residual_rows_alone(void) {
    bed b;
    if (!open_bed(&b, "Q4_0")) return;
    run_json(&b, "-p " JAPAN " --ll all 1 -n 0");
    CHECK_EQ((long long)rows_of(&b, "lens")->len, 16 * (1 + 9 * LAYERS + 3));
    fails(&b, 2, "-p " JAPAN " --ll kq_soft_max-0 3", "ll: rows of kq_soft_max-0 have 16 numbers (axes h t s), the lens reads");
    fails(&b, 2, "-p " JAPAN " --ll Qcur-1", "the lens reads residual ones of 64");
    fails(&b, 2, "-p " JAPAN " --ll l_out-1 0", "K is 0");
    close_bed(&b);
}

static void names_are_exact(void) {
    static const char *const flags[] = { "--save foo-1 x", "--patch foo-1 x 0 0", "--patch-avg foo-1 x x 0 0", "--ll foo-1",
                                         "--save l_out-5 x", "--save out-1 x" };
    bed b;
    if (!open_bed(&b, "Q4_0")) return;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        char line[200];
        snprintf(line, sizeof line, "-p " JAPAN " %s", flags[i]);
        fails(&b, 2, line, "no such site; the nearest are");
    }
    fails(&b, 2, "-p " JAPAN " --save l_out x.raw", "is 5 values, l_out-0 to l_out-4");
    fails(&b, 2, "-p " JAPAN " --drww x", "--drww: no such option, the nearest is --draw");
    fails(&b, 2, "-p " JAPAN " --patch l_out-1 x 0", "found 3 values behind it, expected NAME PATH FROM TO");
    close_bed(&b);
}

static void patches_stay_inside(void) {
    bed b;
    if (!open_bed(&b, "Q4_0")) return;
    run_json(&b, "-p " SEVENS " --save l_out-2 a.raw --save l_out all.safetensors --save l_out-2 a.npy -n 0");
    scratch_write(&b.folder, "odd.raw", "12345", 5);
    fails(&b, 2, "-p " OTHER " --patch l_out-2 a.raw 25 0", "row 25 of a.raw, which has 25");
    fails(&b, 2, "-p " OTHER " --patch l_out-2 a.raw 0 25", "row 25 of l_out-2, the prompt has 25 tokens");
    fails(&b, 2, "-p " OTHER " --patch-avg l_out-2 a.raw a.raw 3000000 0", "row 3000000 of a.raw, which has 25");
    fails(&b, 2, "-p " OTHER " --patch-avg l_out-2 a.raw a.raw 0 3000", "row 3000 of l_out-2");
    fails(&b, 2, "-p " OTHER " --patch l_out-2 a.raw -1 0", "expected a number from 0 on");
    fails(&b, 3, "-p " OTHER " --patch l_out-2 odd.raw 0 0", "5 bytes, expected a multiple of 256");
    fails(&b, 5, "-p " OTHER " --patch l_out-2 none.raw 0 0", "none.raw: No such file");
    fails(&b, 5, "-p " OTHER " --patch ffn_out-2 all.safetensors 0 0", "all.safetensors has no blocks.2.hook_mlp_out");
    fails(&b, 2, "-p " OTHER " --patch kqv-2 a.npy 25 0", "row 25 of a.npy, which has 25");
    fails(&b, 2, "-p " OTHER " --patch Kcur-2 a.npy 0 0", "a.npy has no rows of 32 numbers, which Kcur-2 has");
    fails(&b, 2, "-p " OTHER " --patch Qcur-2 a.raw 99999999999 0", "expected a number from 0 on");
    fails(&b, 2, "-p " OTHER " --patch kq-2 a.raw 0 0", "kq-2 has no row for each token");
    check_case(&b, "patch", "-p " OTHER " --patch l_out-2 a.npy 9 6");
    check_case(&b, "patch", "-p " OTHER " --patch l_out-2 all.safetensors 9 6");
    close_bed(&b);
}

static void heads_are_counted_by_the_model(void) {
    bed b;
    if (!open_bed(&b, "Q4_0")) return;
    run_text(&b, "-p " JAPAN " --ablate 0,9-11 --select 3 4 --dry-run");
    CHECK_EQ(b.status, 0);
    CHECK_HAS(b.out, "\nzero:blocks.0.attn.hook_pattern[0]\nzero:blocks.1.attn.hook_pattern[{1,2,3}]\n"
                     "zero:blocks.3.attn.hook_pattern[{0,1,2,3,5,6,7}]\n");
    fails(&b, 2, "-p " JAPAN " --ablate 40", "expected LAYER*8+HEAD from 0 to 39 or LAYER.HEAD from 0.0 to 4.7");
    fails(&b, 2, "-p " JAPAN " --ablate 1.8", "expected LAYER*8+HEAD");
    fails(&b, 2, "-p " JAPAN " --ablate 3-1", "expected LAYER*8+HEAD");
    fails(&b, 2, "-p " JAPAN " --ablate ''", "ablate");
    fails(&b, 2, "-p " JAPAN " --select 5 0", "layers 0 to 4 and heads 0 to 7");
    close_bed(&b);
}

static void the_graph_has_every_weight_once(void) {
    bed b;
    sonde_model *m = NULL;
    sonde_error err;
    if (!open_bed(&b, "Q4_0")) return;
    run_json(&b, "-p " JAPAN " --print_cgraph -n 0");
    CHECK_EQ((long long)rows_of(&b, "leafs")->len, 2 + 9 * LAYERS);
    if (sonde_model_open(&m, small_model, NULL, &err)) FAIL_("%s", err.message);
    int64_t bytes = 0;
    for (const json *row = rows_of(&b, "leafs")->child; row; row = row->next) {
        CHECK_EQ((long long)number(at(row, 11)), bytes);
        bytes += (int64_t)number(at(row, 10));
        CHECK(is_text(at(row, 1), "NONE"));
    }
    CHECK_EQ((long long)bytes, (long long)sonde_model_describe(m)->bytes);
    const json *gate = at(rows_of(&b, "leafs"), 7);
    CHECK(is_text(at(gate, 0), "q4_0") && is_text(at(gate, 12), "blk.0.ffn_gate.weight"));
    CHECK_EQ((long long)number(at(gate, 3)), 64);
    CHECK_EQ((long long)number(at(gate, 4)), 172);
    CHECK_EQ((long long)number(at(gate, 7)), 18);
    CHECK_EQ((long long)number(at(gate, 8)), 36);
    sonde_model_close(m);
    close_bed(&b);
}

typedef struct { const sonde_model *m; const char *name; size_t n; } aliases;

static sonde_status same_site(const sonde_site *s, void *user, sonde_error *err) {
    aliases *a = user;
    (void)err;
    if (strcmp(s->name, a->name) != 0) FAIL_("%s is %s", a->name, s->name);
    a->n++;
    return SONDE_OK;
}

static sonde_status is_its_alias(const sonde_site *s, void *user, sonde_error *err) {
    const aliases *a = user;
    aliases one = { a->m, s->name, 0 };
    if (!s->graph_name) return SONDE_OK;
    const sonde_site_query q = { .pattern = s->graph_name, .n = 4 };
    const sonde_status done = sonde_sites(a->m, &q, same_site, &one, err);
    if (done) FAIL_("%s: %s", s->name, err->message);
    CHECK_EQ((long long)one.n, 1);
    return SONDE_OK;
}

static void names_of_graphs_are_aliases(void) {
    sonde_model *m = NULL;
    sonde_error err;
    if (sonde_model_open(&m, small_model, NULL, &err)) FAIL_("%s", err.message);
    aliases all = { m, NULL, 0 };
    const sonde_site_query q = { .n = 4 };
    CHECK_EQ(sonde_sites(m, &q, is_its_alias, &all, &err), SONDE_OK);
    sonde_model_close(m);
}

#define T_ALL(T)                            \
    T(effects_on_q4_0)                      \
    T(effects_on_f16_of_q4_0)               \
    T(effects_on_f16)                       \
    T(the_picture_has_every_weight)         \
    T(the_lens_reads_residual_rows_alone)   \
    T(names_are_exact)                      \
    T(patches_stay_inside)                  \
    T(heads_are_counted_by_the_model)       \
    T(the_graph_has_every_weight_once)      \
    T(names_of_graphs_are_aliases)
TEST_MAIN(T_ALL)
