/* Files of torch and numpy (tests/truth/torch, written by tools/truth/torch_files.py) against what torch and numpy say of
 * them; and the same model in four containers, where the shared data is at hand. */
#define _GNU_SOURCE
#include "test.h"
#include "scratch.h"
#include "format/container.h"
#include "format/torch.h"
#include "sonde/array_file.h"
#include <sys/resource.h>
#include <time.h>
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

static void what_torch_wrote_is_what_is_read(void) { CHECK_EQ((long long)check_rows("tensors.tsv", TRUTH), 20); }

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

static void other_files_of_torch_are_refused_in_words(void) {
    FILE *f = fopen(TRUTH "refused.tsv", "r");
    char line[512], path[512];
    int rows = 0;
    CHECK(f);
    while (fgets(line, sizeof line, f)) {
        if (*line == '#') continue;
        char *at = line;
        const char *name = strsep(&at, "\t"), *status = strsep(&at, "\t"), *message = strsep(&at, "\n");
        weights *w = NULL;
        snprintf(path, sizeof path, TRUTH "%s", name);
        CHECK_EQ(weights_open(path, &w, &err), atoi(status));
        CHECK(!w && strncmp(err.message, path, strlen(path)) == 0);
        CHECK_STR(err.message + strlen(path) + 2, message);
        rows++;
    }
    fclose(f);
    CHECK_EQ(rows, 14);
}

static void an_npz_file_holds_named_arrays(void) {
    sonde_array_file *f;
    float values[6];
    int64_t whole[2];
    CHECK_EQ(sonde_array_file_open(&f, TRUTH "arrays.npz", &err), SONDE_OK);
    CHECK_EQ((long long)sonde_array_file_count(f), 3);
    const size_t a = sonde_array_file_find(f, "a"), b = sonde_array_file_find(f, "b/c"), s = sonde_array_file_find(f, "s");
    const sonde_array_spec *spec = sonde_array_file_spec(f, a);
    CHECK(spec->rank == 2 && spec->dim[0] == 2 && spec->dim[1] == 3);
    CHECK_STR(spec->dtype, "F32");
    CHECK_EQ(sonde_array_read(f, a, 0, 6, values, &err), SONDE_OK);
    for (int i = 0; i < 6; i++) CHECK_NEAR(values[i], i, 0);
    CHECK_EQ(sonde_array_read_int(f, b, 0, 2, whole, &err), SONDE_OK);
    CHECK(whole[0] == 1 && whole[1] == -2);
    CHECK(sonde_array_file_spec(f, s)->rank == 0);
    CHECK_EQ(sonde_array_read(f, s, 0, 1, values, &err), SONDE_OK);
    CHECK_NEAR(values[0], 2.5, 0);
    sonde_array_file_close(f);
    CHECK_EQ(sonde_array_file_open(&f, TRUTH "deflated.npz", &err), SONDE_UNSUPPORTED);
    CHECK_STR(err.message, TRUTH "deflated.npz: is compressed, as numpy.savez_compressed writes; save the arrays again by "
                           "numpy.savez");
    CHECK_EQ(sonde_array_file_open(&f, TRUTH "views.pt", &err), SONDE_OK);          /* as any file of weights */
    CHECK(sonde_array_file_find(f, "whole") != SIZE_MAX);
    sonde_array_file_close(f);
}

static void every_part_of_a_model_is_found(void) {
    weights *w, *second;
    CHECK_EQ(weights_open(TRUTH "meta", &w, &err), SONDE_OK);
    CHECK_EQ(weights_open(TRUTH "meta/consolidated.01.pth", &second, &err), SONDE_OK);
    CHECK_EQ((long long)weights_parts(w), 2);
    CHECK_EQ((long long)weights_parts(second), 1);
    CHECK_EQ((long long)weights_count(w), 3);
    for (size_t i = 0; i < 3; i++) {
        const stored_tensor *first = weights_at(w, i), *other = weights_find_part(w, 1, first->name);
        CHECK(weights_find(w, first->name) == first && weights_find_part(w, 0, first->name) == first);
        CHECK(other && other->data != first->data);
        CHECK_EQ(checksum(other), checksum(weights_find_part(second, 0, first->name)));
    }
    CHECK(!weights_find_part(w, 0, "absent") && !weights_find_part(w, 1, "absent"));
    weights_close(second);
    weights_close(w);
}

static void copy_file(const scratch *s, const char *from, const char *to) {
    static uint8_t bytes[1 << 16];
    FILE *f = fopen(from, "rb");
    CHECK(f);
    const size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    scratch_write(s, to, bytes, n);
}

/* The last file that is put into the folder is the one preferred to all before it. */
static void a_folder_has_an_order(void) {
    static const struct { const char *from, *to, *has; } rows[] = {
        { TRUTH "types.pt", "consolidated.safetensors", "odd" },            /* known by its bytes, not by its name */
        { TRUTH "meta/consolidated.00.pth", "consolidated.00.pth", "wq.weight" },
        { TRUTH "shards/pytorch_model.bin.index.json", "pytorch_model.bin.index.json", "c" },
        { TRUTH "views.pt", "pytorch_model.bin", "transposed" },
        { TRUTH "shared.bin", "model.safetensors", "embed.weight" },
    };
    const scratch s = scratch_new();
    copy_file(&s, TRUTH "shards/1.bin", "1.bin");
    copy_file(&s, TRUTH "shards/2.bin", "2.bin");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        weights *w;
        copy_file(&s, rows[i].from, rows[i].to);
        if (weights_open(s.path, &w, &err) != SONDE_OK) FAIL_("%s", err.message);
        if (!weights_find(w, rows[i].has)) FAIL_("%s is not preferred", rows[i].to);
        weights_close(w);
    }
    scratch_end(&s);
}

static size_t peak_bytes(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (size_t)u.ru_maxrss * 1024;
}

/* 2 kB of one opcode, or of a few, behind what they need: neither memory nor time may grow beyond them. */
static void small_files_cost_little(void) {
#define OPS(begin, repeated) { begin, sizeof(begin) - 1, repeated, sizeof(repeated) - 1 }
    static const struct { const char *begin; size_t n; const char *repeated; size_t m; } rows[] = {
        OPS("\200\2", "("), OPS("\200\2", ")"), OPS("\200\2", "]"), OPS("\200\2", "}"), OPS("\200\2", "N\205"),
        OPS("\200\2]q\0", "h\0"), OPS("\200\2]q\0", "h\0a"), OPS("\200\2]", "(]]]e"),
        OPS("\200\2ccollections\nOrderedDict\n", ")R"),
        OPS("\200\2)", "\205"), OPS("\200\4)", "\224"), OPS("\200\2)", "r\377\0\0\0"), OPS("\200\2)", "r\0\0\75\0"),
        OPS("\200\2}", "K\1Ks"),
        OPS("\200\2ccollections\nOrderedDict\nq\0", "h\0)R"), OPS("\200\2]q\0", "(h\0h\0h\0e"),
        OPS("\200\2ctorch\nSize\nq\0)q\1", "h\0h\1\205R"),
    };
    uint8_t bytes[2048];
    const size_t before = peak_bytes();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t n = rows[i].n;
        memcpy(bytes, rows[i].begin, n);
        for (; n + rows[i].m <= sizeof bytes; n += rows[i].m) memcpy(bytes + n, rows[i].repeated, rows[i].m);
        arena *a = arena_new();
        cursor c = { bytes, bytes + n, false };
        pickle_source from = { .from = bytes };
        pickle_value v;
        const clock_t began = clock();
        CHECK_EQ(pickle_read(&c, &from, a, &v, &err), SONDE_FORMAT);
        CHECK((double)(clock() - began) < 0.5 * CLOCKS_PER_SEC);
        arena_free(a);
    }
    CHECK(peak_bytes() - before < 20u << 20);
}

#define TENSOR_OF_4(size, stride) \
    "\200\2}X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\n" \
    "X\1\0\0\0" "0X\3\0\0\0cpuK\4tQK\0" size stride "\211}tRs."

static sonde_status four_floats(const void *data, const pickle_storage *s, torch_bytes *out, sonde_error *e) {
    (void)e;
    CHECK_EQ(s->count, 4);
    *out = (torch_bytes){ data, 16 };
    return SONDE_OK;
}

/* Views of 16 bytes that are copied: they may take twice the file's bytes, however many there are. */
static void copies_of_views_are_bounded(void) {
    static const char pickle[] = TENSOR_OF_4("K\2K\2\206", "K\1K\2\206");
    static const float four[] = { 1, 2, 3, 4 };
    for (size_t size = 0; size < 20; size += 7) {
        arena *a = arena_new();
        cursor c = { (const uint8_t *)pickle, (const uint8_t *)pickle + sizeof pickle - 1, false };
        pickle_source from = { .from = c.at };
        torch_saved saved = { .locate = four_floats, .container = four };
        weights *w = weights_new((file_map){ .data = (const uint8_t *)"", .size = size });
        CHECK_EQ(pickle_read(&c, &from, a, &saved.top, &err), SONDE_OK);
        CHECK_EQ(torch_collect(w, &saved, &err), size < 8 ? SONDE_UNSUPPORTED : SONDE_OK);
        if (size < 8) CHECK_STR(err.message, "tensor w: strided tensors need more than 2 times the file's bytes; save "
                                             ".contiguous() of each");
        else CHECK(memcmp(weights_find(w, "w")->data, (const float[]){ 1, 3, 2, 4 }, 16) == 0 && weights_copied(w) == 16);
        weights_close(w);
        arena_free(a);
    }
}

#define LIST(X) \
    X(what_torch_wrote_is_what_is_read) \
    X(older_files_of_a_whole_model_are_read) \
    X(views_of_one_storage_share_its_bytes) \
    X(other_files_of_torch_are_refused_in_words) \
    X(an_npz_file_holds_named_arrays) \
    X(every_part_of_a_model_is_found) \
    X(a_folder_has_an_order) \
    X(small_files_cost_little) \
    X(copies_of_views_are_bounded)
TEST_MAIN(LIST)
