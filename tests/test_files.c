/* The list of files that open says what the readers do: each format opens under its name, each refused name is refused. */
#define _GNU_SOURCE
#include "test.h"
#include "scratch.h"
#include "base/dtype.h"
#include "format/weights.h"
#include "sonde/files.h"
#include "sonde/model.h"

typedef struct { size_t n; char name[80][80], doc[80][400]; } listing;

static sonde_status take(const sonde_files_row *row, void *user, sonde_error *err) {
    listing *l = user;
    (void)err;
    CHECK(l->n < 80 && row->name && *row->name && row->doc && *row->doc);
    snprintf(l->name[l->n], sizeof l->name[0], "%s", row->name);
    snprintf(l->doc[l->n++], sizeof l->doc[0], "%s", row->doc);
    return SONDE_OK;
}

static const listing *list(sonde_files_kind kind) {
    static listing l;
    sonde_error err;
    l.n = 0;
    CHECK_EQ(sonde_files_list(kind, take, &l, &err), SONDE_OK);
    CHECK(l.n > 0);
    return &l;
}

static const char *doc_of(const listing *l, const char *name) {
    for (size_t i = 0; i < l->n; i++)
        if (!strcmp(l->name[i], name)) return l->doc[i];
    FAIL_("no row %s", name);
    return "";
}

static void every_list_has_rows_of_its_own(void) {
    for (int k = 0; k < SONDE_FILES_KINDS; k++) {
        const listing *l = list((sonde_files_kind)k);
        for (size_t i = 0; i < l->n; i++)
            for (size_t j = 0; j < i; j++) CHECK(strcmp(l->name[i], l->name[j]) != 0);
    }
    sonde_error err;
    CHECK_EQ(sonde_files_list(SONDE_FILES_KINDS, take, NULL, &err), SONDE_USAGE);
}

static void rows_say_what_the_tables_hold(void) {
    CHECK_STR(doc_of(list(SONDE_FILES_TYPES), "Q4_K"), "256 items in 144 bytes, 4.5 bits an item; GGUF's type 12");
    CHECK_STR(doc_of(list(SONDE_FILES_TYPES), "BF16"), "2 bytes; GGUF's type 30");
    CHECK(list(SONDE_FILES_TYPES)->n == DTYPE_COUNT);
    CHECK(strstr(doc_of(list(SONDE_FILES_FAMILIES), "llama"), "Meta's checkpoints"));
    CHECK(!strstr(doc_of(list(SONDE_FILES_FAMILIES), "gpt2"), "Meta's checkpoints"));
    CHECK(strstr(doc_of(list(SONDE_FILES_PRE), "qwen2"), "1 pattern, normal form C"));
    CHECK_STR(list(SONDE_FILES_FOLDER)->name[0], "model.safetensors");
    CHECK_STR(list(SONDE_FILES_CONTAINERS)->name[1], "gguf");
    CHECK_STR(list(SONDE_FILES_TOKENIZERS)->name[0], "tokenizer.json");
    CHECK_STR(doc_of(list(SONDE_FILES_QUANTIZED), "awq"), "AWQ");
}

/* A file of each refused ending, and one of each magic, is exit 4 with the words of the list. */
static void what_is_listed_as_refused_is_refused(void) {
    const scratch s = scratch_new();
    const listing *l = list(SONDE_FILES_REFUSED);
    for (size_t i = 0; i < l->n; i++) {
        char    name[40] = "file", bytes[600] = "nothing";
        size_t  at = 0, n = 7;
        sonde_error err = { 0 };
        weights *w;
        const char *magic = strstr(l->name[i], "bytes at ");
        if (l->name[i][0] == '.') snprintf(name, sizeof name, "file%.*s", (int)strcspn(l->name[i], ","), l->name[i]);
        else {
            at = strtoul(magic + 9, NULL, 10);
            memset(bytes, 0, sizeof bytes);
            for (char *c = strchr(l->name[i], ':') + 1; *c; at++) bytes[at] = (char)strtoul(c, &c, 16);
            n = 512;
        }
        scratch_write(&s, name, bytes, n);
        CHECK_EQ(weights_open(in_scratch(&s, name).text, &w, &err), SONDE_UNSUPPORTED);
        if (!strstr(err.message, "this version reads")) FAIL_("%s: %s", l->name[i], err.message);
        unlink(in_scratch(&s, name).text);
    }
    scratch_end(&s);
}

#define TESTS(T) T(every_list_has_rows_of_its_own) T(rows_say_what_the_tables_hold) T(what_is_listed_as_refused_is_refused)
TEST_MAIN(TESTS)
