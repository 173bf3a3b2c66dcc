/* Files of torch and numpy (tests/truth/torch, written by tools/truth/torch_files.py) against what torch and numpy say of
 * them; and the same model in four containers, where the shared data is at hand. */
#define _GNU_SOURCE
#include "test.h"
#include "scratch.h"
#include "format/container.h"
#include "format/torch.h"
#include "sonde/array_file.h"
#include <zlib.h>

#define TRUTH SONDE_SOURCE_DIR "/tests/truth/torch/"

static sonde_error err;

typedef struct { char file[64], name[128], dtype[8], shape[64]; unsigned crc; unsigned long long copied; } truth_row;

/* The fields of a line between tabs; false at the end. An empty name is a name. */
static bool next_row(FILE *f, truth_row *r) {
    char line[512], *at = line, *field[6];
    do if (!fgets(line, sizeof line, f)) return false; while (*line == '#');
    line[strcspn(line, "\n")] = 0;
    for (int i = 0; i < 6; i++) CHECK((field[i] = strsep(&at, "\t")));
    snprintf(r->file, sizeof r->file, "%s", field[0]);
    snprintf(r->name, sizeof r->name, "%s", field[1]);
    snprintf(r->dtype, sizeof r->dtype, "%s", field[2]);
    snprintf(r->shape, sizeof r->shape, "%s", field[3]);
    r->crc = (unsigned)strtoul(field[4], NULL, 16);
    r->copied = strtoull(field[5], NULL, 10);
    return true;
}

static void shape_text(const stored_tensor *t, char *out, size_t size) {
    size_t n = (size_t)snprintf(out, size, "%s", t->rank ? "" : "-");
    for (int i = 0; i < t->rank; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%lld", i ? "x" : "", (long long)t->dim[i]);
}

static unsigned checksum(const stored_tensor *t) { return (unsigned)crc32_z(0, t->data, t->bytes); }

/* The file that rows are about, and what was seen of it. */
typedef struct { weights *w; char file[64]; size_t seen, files; uint64_t copied; } reading;

/* No more arrays than rows, and no more bytes copied than they say. */
static void end_file(reading *g) {
    if (g->w && (weights_count(g->w) != g->seen || weights_copied(g->w) != g->copied))
        FAIL_("%s: %zu arrays, %llu bytes copied", g->file, weights_count(g->w), (unsigned long long)weights_copied(g->w));
    weights_close(g->w);
    g->w = NULL;
    g->seen = 0;
    g->copied = 0;
}

static void begin_file(reading *g, const char *folder, const char *file) {
    char path[512];
    end_file(g);
    snprintf(g->file, sizeof g->file, "%s", file);
    snprintf(path, sizeof path, "%s%s", folder, file);
    if (strstr(file, ".npz")) return;                       /* no weights: below */
    if (weights_open(path, &g->w, &err) != SONDE_OK) FAIL_("%s", err.message);
    g->files++;
}

static void check_row(reading *g, const truth_row *r) {
    char shape[64];
    const stored_tensor *t = weights_find(g->w, r->name);
    if (!t) FAIL_("%s: %s is not there", r->file, r->name);
    shape_text(t, shape, sizeof shape);
    CHECK_STR(dtype_table[t->type].name, r->dtype);
    CHECK_STR(shape, r->shape);
    if (checksum(t) != r->crc) FAIL_("%s: %s has other bytes", r->file, r->name);
    g->copied += r->copied;
    g->seen++;
}

/* Every array of every file has the type, shape and bytes of its row. Returns the number of files. */
static size_t check_rows(const char *name, const char *folder) {
    char path[512];
    snprintf(path, sizeof path, TRUTH "%s", name);
    FILE *f = fopen(path, "r");
    CHECK(f);
    reading g = { 0 };
    truth_row r;
    while (next_row(f, &r)) {
        if (strcmp(r.file, g.file) != 0) begin_file(&g, folder, r.file);
        if (g.w) check_row(&g, &r);
    }
    end_file(&g);
    fclose(f);
    return g.files;
}

static void what_torch_wrote_is_what_is_read(void) { CHECK_EQ((long long)check_rows("tensors.tsv", TRUTH), 17); }

#define STORIES SONDE_SOURCE_DIR "/../shared/data/stories260k/"

static bool no_stories(void) {
    if (access(STORIES "hf-bin-zip", F_OK) == 0) return false;
    puts("skipped: ../shared/data/stories260k is not there");
    return true;
}

/* By torch 1.13: flags and fields that later ones do not write, a view with an offset, tied and repeated tensors. */
static void older_files_of_a_whole_model_are_read(void) {
    if (!no_stories()) CHECK_EQ((long long)check_rows("stories260k.tsv", STORIES), 5);
}

static void views_of_one_storage_share_its_bytes(void) {
    static const char *const files[] = { TRUTH "shared.bin", TRUTH "shared_legacy.bin" };
    for (int i = 0; i < 2; i++) {
        weights *w;
        CHECK_EQ(weights_open(files[i], &w, &err), SONDE_OK);
        const uint8_t *embed = weights_find(w, "embed.weight")->data;
        CHECK(weights_find(w, "lm_head.weight")->data == embed && weights_find(w, "half")->data == embed);
        CHECK(weights_copied(w) == 0);
        weights_close(w);
    }
}

#define LIST(X) \
    X(what_torch_wrote_is_what_is_read) \
    X(older_files_of_a_whole_model_are_read) \
    X(views_of_one_storage_share_its_bytes)
TEST_MAIN(LIST)
