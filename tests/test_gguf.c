/* What the GGUF reader says of a file, against what gguf-py's reader says (tools/truth/gguf_files.py). */
#define _GNU_SOURCE
#include "weights_lines.h"
#include "gguf_bytes.h"
#include "scratch.h"

static const char truth[] = SONDE_SOURCE_DIR "/tests/truth/gguf";
static const char shared_data[] = SONDE_SOURCE_DIR "/../shared/data";

static void files_of_gguf_py_are_read_as_gguf_py_reads_them(void) {
    char tsv[512];
    snprintf(tsv, sizeof tsv, "%s/files.tsv", truth);
    CHECK_EQ(agree_with(tsv, truth), 5);
}

static void vocabularies_and_the_small_model_are_read_as_gguf_py_reads_them(void) {
    char tsv[512];
    if (access(shared_data, R_OK)) {
        printf("skipped: %s is not there\n", shared_data);
        return;
    }
    snprintf(tsv, sizeof tsv, "%s/shared.tsv", truth);
    CHECK_EQ(agree_with(tsv, shared_data), 13);
}

static void a_key_that_is_not_there_is_null(void) {
    char path[512];
    weights *w = NULL;
    snprintf(path, sizeof path, "%s/kinds.gguf", truth);
    CHECK_EQ(weights_open(path, &w, &err), SONDE_OK);
    CHECK(!weights_meta(w, "") && !weights_meta(w, "one") && !weights_note(w, "general.architecture"));
    int64_t whole;
    double x;
    CHECK(!meta_item_int(weights_meta(w, "one.UINT8.0"), 0, &whole));
    CHECK(!meta_item_int(weights_meta(w, "list.FLOAT32"), 0, &whole));
    CHECK(!meta_item_number(weights_meta(w, "list.INT32"), 0, &x));
    CHECK(!meta_item_number(weights_meta(w, "list.STRING"), 0, &x));
    weights_close(w);
}

/* -- sets of files, and folders -- */

typedef struct { int no, count, tensors; const char *tensor; } part;     /* -1: without that key */

/* A file with one tensor of three numbers, or none. */
static void write_part(const scratch *s, const char *name, part p) {
    gguf_bytes b = { 0 };
    gguf_begin(&b, p.tensor != NULL, (uint64_t)(1 + (p.no >= 0) + (p.count >= 0) + (p.tensors >= 0)));
    gguf_pair_u32(&b, "part", (uint32_t)p.no);
    if (p.no >= 0) gguf_pair_u32(&b, "split.no", (uint32_t)p.no);
    if (p.count >= 0) gguf_pair_u32(&b, "split.count", (uint32_t)p.count);
    if (p.tensors >= 0) gguf_pair_u32(&b, "split.tensors.count", (uint32_t)p.tensors);
    if (p.tensor) gguf_tensor(&b, (gguf_line){ p.tensor, 1, { 3 }, 0, 0 });
    gguf_pad(&b, 32);
    if (p.tensor) gguf_put(&b, "aaaabbbbcccc", 12);
    scratch_write(s, name, b.at, b.n);
    free(b.at);
}

static sonde_status open_in(const scratch *s, const char *name, weights **w) {
    *w = NULL;
    err = (sonde_error){ 0 };
    return weights_open(name ? in_scratch(s, name).text : s->path, w, &err);
}

/* The message, without the folder in front of it. */
static const char *message(const scratch *s) {
    const size_t n = strlen(s->path);
    CHECK(strncmp(err.message, s->path, n) == 0);
    return err.message + n + 1;
}

static void any_file_of_a_set_opens_the_set(void) {
    static const char *const names[] = { "m-00001-of-00003.gguf", "m-00002-of-00003.gguf", "m-00003-of-00003.gguf", NULL };
    static const char *const tensors[] = { NULL, "b", "a" };        /* the first may hold metadata alone */
    const scratch s = scratch_new();
    for (int i = 0; i < 3; i++) write_part(&s, names[i], (part){ i, 3, 2, tensors[i] });
    for (int i = 0; i < 4; i++) {                                   /* and so does the folder */
        weights *w;
        CHECK_EQ(open_in(&s, names[i], &w), SONDE_OK);
        CHECK_EQ((long long)weights_count(w), 2);
        CHECK_STR(weights_at(w, 0)->name, "a");
        CHECK(memcmp(weights_find(w, "b")->data, "aaaabbbbcccc", 12) == 0);
        CHECK_EQ(weights_meta(w, "part")->integer, 0);
        weights_close(w);
    }
    scratch_end(&s);
}

/* One file of a sound set of two is replaced by that of a row. */
static void what_is_no_set_is_refused_in_words(void) {
    static const char first[] = "m-00001-of-00002.gguf", second[] = "m-00002-of-00002.gguf";
    static const struct { const char *name; part p; const char *message, *opened; } rows[] = {      /* NULL: by that file */
        { second, { 1, 3, 2, "b" }, "m-00002-of-00002.gguf: key split.count: is 3, expected 2", first },
        { first, { 1, 2, 2, "a" }, "m-00001-of-00002.gguf: key split.no: is 1, expected 0", NULL },
        { first, { -1, 2, 2, "a" }, "m-00001-of-00002.gguf: key split.no: is not there, expected 0", NULL },
        { first, { 0, 3, 2, "a" }, "m-00001-of-00002.gguf: split.count is 3, but the file is called one of 2", NULL },
        { first, { 0, 2, 5, "a" }, "m-00001-of-00002.gguf: key split.tensors.count: is 5, expected 2", NULL },
        { first, { 0, 2, -1, "a" }, "m-00001-of-00002.gguf: key split.tensors.count: is not there, expected 2", NULL },
        { first, { 0, 2, 2, "b" }, "m-00001-of-00002.gguf: tensor b lies in two shards, ", NULL },
        { second, { 0, 2, 2, "b" }, "m-00002-of-00002.gguf: key split.no: is 0, expected 1", NULL },
        { second, { 1, 2, 3, "b" }, "m-00002-of-00002.gguf: key split.tensors.count: is 3, expected 2", NULL },
        { "other.gguf", { 0, 2, 2, "a" },
          "other.gguf: split.count is 2, but the file is not called NAME-00001-of-00002.gguf", NULL },
        { "m-00003-of-00002.gguf", { 2, 2, 2, "a" }, "m-00003-of-00002.gguf: the file is called number 3 of 2", NULL },
        { "m-00001-of-65535.gguf", { 0, 65535, 2, "a" },
          "m-00001-of-65535.gguf: split.count is 65535, at most 10000 is allowed", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const scratch s = scratch_new();
        weights *w;
        write_part(&s, first, (part){ 0, 2, 2, "a" });
        write_part(&s, second, (part){ 1, 2, 2, "b" });
        write_part(&s, rows[i].name, rows[i].p);
        CHECK_EQ(open_in(&s, rows[i].opened ? rows[i].opened : rows[i].name, &w), SONDE_FORMAT);
        CHECK(!w);
        if (strncmp(message(&s), rows[i].message, strlen(rows[i].message)) != 0)
            FAIL_("found %s, expected %s", message(&s), rows[i].message);
        scratch_end(&s);
    }
}

static void a_gap_in_a_set_is_a_file_not_found(void) {
    const scratch s = scratch_new();
    weights *w;
    write_part(&s, "m-00001-of-00003.gguf", (part){ 0, 3, 2, "a" });
    write_part(&s, "m-00003-of-00003.gguf", (part){ 2, 3, 2, "b" });
    CHECK_EQ(open_in(&s, "m-00003-of-00003.gguf", &w), SONDE_NOT_FOUND);
    CHECK_STR(message(&s), "m-00002-of-00003.gguf: No such file or directory");
    CHECK_EQ(open_in(&s, NULL, &w), SONDE_NOT_FOUND);
    scratch_end(&s);
}

static void a_folder_with_one_gguf_opens_as_that(void) {
    const scratch s = scratch_new();
    weights *w;
    write_part(&s, "m.gguf", (part){ -1, -1, -1, "a" });
    scratch_write(&s, "README.md", "text", 4);
    CHECK_EQ(open_in(&s, NULL, &w), SONDE_OK);
    CHECK(weights_find(w, "a"));
    weights_close(w);
    write_part(&s, "k-00001-of-00002.gguf", (part){ 0, 2, 2, "a" });
    write_part(&s, "k-00002-of-00002.gguf", (part){ 1, 2, 2, "b" });
    CHECK_EQ(open_in(&s, NULL, &w), SONDE_USAGE);
    CHECK_STR(message(&s) - 1, ": holds 2 models as GGUF, name one of them: k-00001-of-00002.gguf, m.gguf");
    scratch_write(&s, "model.safetensors", "\2\0\0\0\0\0\0\0{}", 10);
    CHECK_EQ(open_in(&s, NULL, &w), SONDE_OK);          /* comes first, whatever else is there */
    CHECK_EQ((long long)weights_count(w), 0);
    weights_close(w);
    scratch_end(&s);
}

#define TESTS(X) \
    X(files_of_gguf_py_are_read_as_gguf_py_reads_them) \
    X(vocabularies_and_the_small_model_are_read_as_gguf_py_reads_them) \
    X(a_key_that_is_not_there_is_null) \
    X(any_file_of_a_set_opens_the_set) \
    X(what_is_no_set_is_refused_in_words) \
    X(a_gap_in_a_set_is_a_file_not_found) \
    X(a_folder_with_one_gguf_opens_as_that)
TEST_MAIN(TESTS)
