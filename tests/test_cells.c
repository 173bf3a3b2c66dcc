/* What is put into a results file is there afterwards, once, whoever looks. */
#define _POSIX_C_SOURCE 200809L
#include "test.h"
#include "scratch.h"
#include "sonde/cells.h"
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const sonde_experiment one = { "demo", "0123456789abcdef", "layers", "--do=skip\n" };

static sonde_cells *open_cells(const char *path, const sonde_experiment *e) {
    sonde_cells *c;
    sonde_error  err;
    if (sonde_cells_open(&c, path, e, &err)) FAIL_("%s", err.message);
    return c;
}

static void put(sonde_cells *c, const char *document, const char *cell, double first) {
    const double x[3] = { first, -0.0, 1e300 };
    sonde_error  err;
    if (sonde_cells_put(c, document, cell, x, 3, &err)) FAIL_("%s", err.message);
}

static double first_of(sonde_cells *c, const char *document, const char *cell) {
    double *x;
    size_t  n;
    sonde_error err;
    if (sonde_cells_get(c, document, cell, &x, &n, &err)) FAIL_("%s", err.message);
    const double first = x ? x[0] : -1;
    if (x) CHECK(n == 3 && x[2] == 1e300);
    sonde_cells_free(x);
    return first;
}

static void cells_stay(void) {
    const scratch dir = scratch_new();
    const scratch_path at = in_scratch(&dir, "cells.sqlite");
    const char *path = at.text;
    sonde_cells *c = open_cells(path, &one);
    CHECK_NEAR(first_of(c, "d", "a"), -1, 0);
    put(c, "d", "a", 1);
    put(c, "d", "a", 2);                        /* the first one stays */
    put(c, "d", "b", 3);
    sonde_cells_close(c);
    c = open_cells(path, &one);
    CHECK_NEAR(first_of(c, "d", "a"), 1, 0);
    CHECK_NEAR(first_of(c, "d", "b"), 3, 0);
    const sonde_experiment other = { "demo", "0123456789abcdef", "layers", "--do=swap\n" };
    sonde_cells *another = open_cells(path, &other);
    CHECK_NEAR(first_of(another, "d", "a"), -1, 0);
    put(another, "d", "a", 7);
    CHECK_NEAR(first_of(c, "d", "a"), 1, 0);
    sonde_cells_close(another);
    sonde_cells_close(c);
    scratch_end(&dir);
}

typedef struct { int n; int64_t cells, documents; char text[200]; } seen;

static sonde_status look(const sonde_experiment_info *e, void *user, sonde_error *err) {
    (void)err;
    seen *s = user;
    s->n++;
    s->cells += e->cells;
    s->documents += e->documents;
    if (e->result) snprintf(s->text, sizeof s->text, "%.*s", (int)e->result_len, e->result);
    CHECK_STR(e->method, "layers");
    CHECK_STR(e->model, "demo");
    CHECK((e->finished == NULL) == (e->result == NULL));
    return SONDE_OK;
}

static sonde_status sum(const sonde_cell_info *c, void *user, sonde_error *err) {
    (void)err;
    *(double *)user += c->x[0] + (double)c->n;
    return SONDE_OK;
}

static sonde_status names(const sonde_cell_info *c, void *user, sonde_error *err) {
    (void)user, (void)err;
    CHECK(!*c->document && !*c->cell && c->n == 0);
    return SONDE_OK;
}

static void files_can_be_looked_into(void) {
    const scratch dir = scratch_new();
    const scratch_path at = in_scratch(&dir, "listed.sqlite");
    const char *path = at.text;
    sonde_error err;
    sonde_cells *c = open_cells(path, &one);
    put(c, "d1", "a", 1);
    put(c, "d1", "b", 2);
    put(c, "d2", "a", 3);
    seen s = { 0 };
    CHECK_EQ(sonde_cells_list(path, look, &s, &err), SONDE_OK);
    CHECK(s.n == 1 && s.cells == 3 && s.documents == 2 && !*s.text);
    sonde_result *r = sonde_result_new();
    sonde_result_method(r, "layers");
    CHECK_EQ(sonde_cells_finish(c, r, &err), SONDE_OK);
    sonde_result_free(r);
    CHECK_EQ(sonde_cells_list(path, look, &s, &err), SONDE_OK);
    CHECK_HAS(s.text, "\"method\":\"layers\"");
    double total = 0;
    CHECK_EQ(sonde_cells_each(path, 1, sum, &total, &err), SONDE_OK);
    CHECK_NEAR(total, 1 + 2 + 3 + 9, 0);
    sonde_cells_close(c);
    scratch_end(&dir);
}

static void other_files_are_refused(void) {
    const scratch dir = scratch_new();
    const scratch_path at = in_scratch(&dir, "text.sqlite");
    const char *path = at.text;
    sonde_cells *c;
    sonde_error  err;
    FILE *f = fopen(path, "w");
    fputs("this is no database, and it is longer than the header of one would be, by far: it goes on and on and on.....", f);
    fclose(f);
    CHECK_EQ(sonde_cells_open(&c, path, &one, &err), SONDE_FORMAT);
    CHECK(c == NULL);
    CHECK_EQ(sonde_cells_list(in_scratch(&dir, "nothing.sqlite").text, look, NULL, &err), SONDE_NOT_FOUND);
    CHECK_EQ(sonde_cells_open(&c, "/nowhere/at/all.sqlite", &one, &err), SONDE_IO);
    scratch_end(&dir);
}

static sonde_status look_at_foreign(const sonde_experiment_info *e, void *user, sonde_error *err) {
    (void)err;
    ++*(int *)user;
    CHECK_STR(e->method, "");
    CHECK_STR(e->params, "");
    CHECK(!e->finished && !e->result);
    return SONDE_OK;
}

/* A file that says it is ours, made by somebody else: nothing is where it must be. */
static void tables_of_others_do_no_harm(void) {
    static const char ours[] = "PRAGMA application_id = 1936682596; PRAGMA user_version = 1;";
    static const char loose[] = "CREATE TABLE experiment (id INTEGER PRIMARY KEY, model, model_hash, method, params, sonde, begun,"
                                " finished, result); CREATE TABLE cell (experiment, document, cell, numbers);"
                                "INSERT INTO experiment (id) VALUES (1); INSERT INTO cell (experiment) VALUES (1);";
    const scratch dir = scratch_new();
    const scratch_path at = in_scratch(&dir, "loose.sqlite"), other = in_scratch(&dir, "other.sqlite");
    sqlite3     *db;
    sonde_error  err;
    int          n = 0;
    double       total = 0;
    CHECK(sqlite3_open(at.text, &db) == SQLITE_OK && !sqlite3_exec(db, ours, NULL, NULL, NULL) && !sqlite3_exec(db, loose, NULL, NULL, NULL));
    sqlite3_close(db);
    CHECK_EQ(sonde_cells_list(at.text, look_at_foreign, &n, &err), SONDE_OK);
    CHECK_EQ(n, 1);
    CHECK_EQ(sonde_cells_each(at.text, 1, names, &total, &err), SONDE_OK);
    CHECK(sqlite3_open(other.text, &db) == SQLITE_OK && !sqlite3_exec(db, ours, NULL, NULL, NULL) &&
          !sqlite3_exec(db, "CREATE TABLE a (b)", NULL, NULL, NULL));
    sqlite3_close(db);
    CHECK_EQ(sonde_cells_list(other.text, look_at_foreign, &n, &err), SONDE_FORMAT);
    CHECK_HAS(err.message, "no such table");
    scratch_end(&dir);
}

/* Four processes write the same 200 cells into one file. */
static void many_writers_make_one_file(void) {
    const scratch dir = scratch_new();
    const scratch_path at = in_scratch(&dir, "shared.sqlite");
    const char *path = at.text;
    pid_t child[4];
    for (int k = 0; k < 4; k++) {
        child[k] = fork();
        if (child[k]) continue;
        sonde_cells *c;
        sonde_error  err;
        int bad = sonde_cells_open(&c, path, &one, &err) != SONDE_OK;
        for (int i = 0; i < 200 && !bad; i++) {
            char name[16];
            const double x = i;
            snprintf(name, sizeof name, "%d", i);
            bad = sonde_cells_put(c, name, "a", &x, 1, &err) != SONDE_OK;
        }
        if (bad) fprintf(stderr, "%s\n", err.message);
        _exit(bad);
    }
    for (int k = 0; k < 4; k++) {
        int how;
        CHECK(waitpid(child[k], &how, 0) == child[k] && WIFEXITED(how) && WEXITSTATUS(how) == 0);
    }
    seen s = { 0 };
    sonde_error err;
    CHECK_EQ(sonde_cells_list(path, look, &s, &err), SONDE_OK);
    CHECK(s.n == 1 && s.cells == 200);
    scratch_end(&dir);
}

#define TESTS(X) X(cells_stay) X(files_can_be_looked_into) X(other_files_are_refused) X(tables_of_others_do_no_harm) X(many_writers_make_one_file)
TEST_MAIN(TESTS)
