/* Experiments and their cells in one SQLite file. Numbers are doubles, little-endian, as they are in memory. */
#define _POSIX_C_SOURCE 200809L
#include "sonde/cells.h"
#include "base/arena.h"
#include "base/text.h"
#include "sonde/version.h"
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { APPLICATION = 0x736f6e64, FORMAT = 1, WAIT_MS = 60000 };     /* "sond" */

struct sonde_cells {
    sqlite3      *db;
    sqlite3_stmt *get, *put;
    int64_t       experiment;
    char         *path;
};

static const char schema[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE IF NOT EXISTS experiment (id INTEGER PRIMARY KEY, model TEXT NOT NULL, model_hash TEXT NOT NULL,"
    " method TEXT NOT NULL, params TEXT NOT NULL, sonde TEXT NOT NULL, begun TEXT NOT NULL, finished TEXT, result TEXT,"
    " UNIQUE (model_hash, method, params, sonde));"
    "CREATE TABLE IF NOT EXISTS cell (experiment INTEGER NOT NULL REFERENCES experiment, document TEXT NOT NULL,"
    " cell TEXT NOT NULL, numbers BLOB NOT NULL, PRIMARY KEY (experiment, document, cell)) WITHOUT ROWID;"
    "PRAGMA application_id = 1936682596; PRAGMA user_version = 1;"
    "COMMIT;";

static sonde_status fail(sqlite3 *db, const char *path, sonde_error *err) {
    const int code = sqlite3_errcode(db);
    const bool broken = code == SQLITE_NOTADB || code == SQLITE_CORRUPT || code == SQLITE_ERROR;     /* ERROR: no such table */
    const sonde_status s = broken ? SONDE_FORMAT : SONDE_IO;
    return sonde_fail(err, s, "%s: %s", name_shown(path).text, sqlite3_errmsg(db));
}

static sonde_status number_of(sqlite3 *db, const char *path, const char *sql, int64_t *out, sonde_error *err) {
    sqlite3_stmt *s = NULL;
    sonde_status status = SONDE_OK;
    if (sqlite3_prepare_v2(db, sql, -1, &s, NULL) != SQLITE_OK || sqlite3_step(s) != SQLITE_ROW) status = fail(db, path, err);
    else *out = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return status;
}

/* Is it ours? An empty file is one that nobody has used yet. */
static sonde_status check_file(sqlite3 *db, const char *path, bool *fresh, sonde_error *err) {
    int64_t id = 0, version = 0, tables = 0;
    SONDE_TRY(number_of(db, path, "SELECT count(*) FROM sqlite_master", &tables, err));     /* first: they come with the id */
    SONDE_TRY(number_of(db, path, "PRAGMA application_id", &id, err));
    SONDE_TRY(number_of(db, path, "PRAGMA user_version", &version, err));
    *fresh = tables == 0;
    SONDE_FAIL_IF(!*fresh && id != APPLICATION, err, SONDE_FORMAT, "%s: is an SQLite file of another program, expected results of sonde",
                  name_shown(path).text);
    SONDE_FAIL_IF(!*fresh && version != FORMAT, err, SONDE_UNSUPPORTED, "%s: results of format %d, expected %d",
                  name_shown(path).text, (int)version, FORMAT);
    return SONDE_OK;
}

static sonde_status open_file(sqlite3 **out, const char *path, int flags, sonde_error *err) {
    *out = NULL;
    if (sqlite3_open_v2(path, out, flags, NULL) != SQLITE_OK) {
        const sonde_status s = flags & SQLITE_OPEN_CREATE ? SONDE_IO : SONDE_NOT_FOUND;
        const sonde_status said = sonde_fail(err, s, "%s: %s", name_shown(path).text, *out ? sqlite3_errmsg(*out) : "no memory");
        sqlite3_close(*out);
        *out = NULL;
        return said;
    }
    sqlite3_busy_timeout(*out, WAIT_MS);
    return SONDE_OK;
}

static sonde_status make_tables(sqlite3 *db, const char *path, sonde_error *err) {
    bool fresh;
    SONDE_TRY(check_file(db, path, &fresh, err));
    if (sqlite3_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;", NULL, NULL, NULL) != SQLITE_OK)
        return fail(db, path, err);
    if (fresh && sqlite3_exec(db, schema, NULL, NULL, NULL) != SQLITE_OK) return fail(db, path, err);
    return SONDE_OK;
}

static void now(char out[32]) {
    const time_t t = time(NULL);
    struct tm parts;
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &parts));
}

static void bind_key(sqlite3_stmt *s, const sonde_experiment *e) {
    sqlite3_bind_text(s, 1, e->model_hash, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, e->method, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, e->params, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 4, SONDE_VERSION, -1, SQLITE_STATIC);
}

/* Two processes may come at once: whoever is second finds the first one's row. */
static sonde_status find_experiment(sonde_cells *c, const sonde_experiment *e, sonde_error *err) {
    static const char *const sql[] = {
        "INSERT OR IGNORE INTO experiment (model_hash, method, params, sonde, model, begun) VALUES (?, ?, ?, ?, ?, ?)",
        "SELECT id FROM experiment WHERE model_hash = ? AND method = ? AND params = ? AND sonde = ?",
    };
    char begun[32];
    now(begun);
    sonde_status status = SONDE_OK;
    for (int i = 0; i < 2 && status == SONDE_OK; i++) {
        sqlite3_stmt *s = NULL;
        if (sqlite3_prepare_v2(c->db, sql[i], -1, &s, NULL) != SQLITE_OK) return fail(c->db, c->path, err);
        bind_key(s, e);
        if (i == 0) {
            sqlite3_bind_text(s, 5, e->model, -1, SQLITE_STATIC);
            sqlite3_bind_text(s, 6, begun, -1, SQLITE_STATIC);
        }
        if (sqlite3_step(s) != (i ? SQLITE_ROW : SQLITE_DONE)) status = fail(c->db, c->path, err);
        else if (i) c->experiment = sqlite3_column_int64(s, 0);
        sqlite3_finalize(s);
    }
    return status;
}

sonde_status sonde_cells_open(sonde_cells **out, const char *path, const sonde_experiment *what, sonde_error *err) {
    *out = NULL;
    sonde_cells *c = calloc(1, sizeof *c);
    if (!c || !(c->path = strdup(path))) abort();
    sonde_status s = open_file(&c->db, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err);
    if (s == SONDE_OK) s = make_tables(c->db, path, err);
    if (s == SONDE_OK) s = find_experiment(c, what, err);
    if (s == SONDE_OK &&
        (sqlite3_prepare_v2(c->db, "SELECT numbers FROM cell WHERE experiment = ? AND document = ? AND cell = ?", -1, &c->get, NULL) ||
         sqlite3_prepare_v2(c->db, "INSERT OR IGNORE INTO cell (experiment, document, cell, numbers) VALUES (?, ?, ?, ?)", -1,
                            &c->put, NULL)))
        s = fail(c->db, path, err);
    if (s == SONDE_OK) *out = c;
    else sonde_cells_close(c);
    return s;
}

void sonde_cells_close(sonde_cells *c) {
    if (!c) return;
    sqlite3_finalize(c->get);
    sqlite3_finalize(c->put);
    sqlite3_close(c->db);
    free(c->path);
    free(c);
}

static void bind_cell(sonde_cells *c, sqlite3_stmt *s, const char *document, const char *cell) {
    sqlite3_reset(s);
    sqlite3_bind_int64(s, 1, c->experiment);
    sqlite3_bind_text(s, 2, document, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 3, cell, -1, SQLITE_STATIC);
}

sonde_status sonde_cells_get(sonde_cells *c, const char *document, const char *cell, double **out, size_t *n, sonde_error *err) {
    *out = NULL;
    *n = 0;
    bind_cell(c, c->get, document, cell);
    const int code = sqlite3_step(c->get);
    sonde_status s = SONDE_OK;
    if (code == SQLITE_ROW) {
        const size_t bytes = (size_t)sqlite3_column_bytes(c->get, 0);
        *n = bytes / sizeof **out;
        *out = malloc(bytes + 1);
        if (!*out) abort();
        if (bytes) memcpy(*out, sqlite3_column_blob(c->get, 0), bytes);
    } else if (code != SQLITE_DONE) s = fail(c->db, c->path, err);
    sqlite3_reset(c->get);
    return s;
}

void sonde_cells_free(double *x) { free(x); }

sonde_status sonde_cells_put(sonde_cells *c, const char *document, const char *cell, const double *x, size_t n, sonde_error *err) {
    bind_cell(c, c->put, document, cell);
    sqlite3_bind_blob64(c->put, 4, n ? (const void *)x : "", n * sizeof *x, SQLITE_STATIC);
    const sonde_status s = sqlite3_step(c->put) == SQLITE_DONE ? SONDE_OK : fail(c->db, c->path, err);
    sqlite3_reset(c->put);
    return s;
}

typedef struct { char *at; size_t n, room; } memory;

static sonde_status to_memory(void *user, const char *bytes, size_t n, sonde_error *err) {
    (void)err;
    memory *m = user;
    if (m->n + n > m->room) {
        m->room = 2 * (m->n + n);
        m->at = realloc(m->at, m->room);
        if (!m->at) abort();
    }
    memcpy(m->at + m->n, bytes, n);
    m->n += n;
    return SONDE_OK;
}

sonde_status sonde_cells_finish(sonde_cells *c, const sonde_result *r, sonde_error *err) {
    memory json = { 0 };
    char   finished[32];
    sonde_status s = sonde_result_json(r, to_memory, &json, err);
    sqlite3_stmt *put = NULL;
    now(finished);
    if (s == SONDE_OK && sqlite3_prepare_v2(c->db, "UPDATE experiment SET finished = ?, result = ? WHERE id = ?", -1, &put, NULL))
        s = fail(c->db, c->path, err);
    if (s == SONDE_OK) {
        sqlite3_bind_text(put, 1, finished, -1, SQLITE_STATIC);
        sqlite3_bind_text64(put, 2, json.at, json.n, SQLITE_STATIC, SQLITE_UTF8);
        sqlite3_bind_int64(put, 3, c->experiment);
        if (sqlite3_step(put) != SQLITE_DONE) s = fail(c->db, c->path, err);
    }
    sqlite3_finalize(put);
    free(json.at);
    return s;
}

/* ---- looking into a file ---- */

static bool may_write(const char *path) {
    arena *a = arena_new();
    const char *slash = strrchr(path, '/');
    const char *folder = slash ? arena_printf(a, "%.*s/", (int)(slash - path), path) : ".";
    const bool  log = access(arena_printf(a, "%s-wal", path), F_OK) == 0;
    const bool  may = log || (access(path, W_OK) == 0 && access(folder, W_OK) == 0);
    arena_free(a);
    return may;
}

/* Opened for writing too, since what a killed process left in the log must be read in first. Where nothing may be written
 * and no log lies beside it, the file is read as it is. */
static sonde_status open_any(sqlite3 **db, const char *path, sonde_error *err) {
    if (access(path, F_OK) != 0 || may_write(path)) return open_file(db, path, SQLITE_OPEN_READWRITE, err);
    arena *a = arena_new();
    const char *uri = "file:";
    for (const char *c = path; *c; c++) uri = arena_printf(a, strchr("?#%", *c) ? "%s%%%02x" : "%s%c", uri, (unsigned char)*c);
    const sonde_status s = open_file(db, arena_printf(a, "%s?immutable=1", uri), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
    arena_free(a);
    return s;
}

/* *fresh: nothing was ever kept. */
static sonde_status open_to_read(sqlite3 **db, const char *path, bool *fresh, sonde_error *err) {
    SONDE_TRY(open_any(db, path, err));
    const sonde_status s = check_file(*db, path, fresh, err);
    if (s == SONDE_OK) return s;
    sqlite3_close(*db);
    *db = NULL;
    return s;
}

typedef struct {
    const char  *path, *sql;
    int64_t      experiment;            /* what its ? is, if it has one */
    sonde_status (*row)(sqlite3_stmt *s, const void *call, sonde_error *err);
    const void  *call;
} query;

static sonde_status each_row(const query *q, sonde_error *err) {
    sqlite3 *db;
    sqlite3_stmt *s = NULL;
    bool fresh;
    SONDE_TRY(open_to_read(&db, q->path, &fresh, err));
    sonde_status status = SONDE_OK;
    int code = fresh ? SQLITE_DONE : SQLITE_ROW;
    if (!fresh && sqlite3_prepare_v2(db, q->sql, -1, &s, NULL) != SQLITE_OK) status = fail(db, q->path, err);
    if (s && sqlite3_bind_parameter_count(s)) sqlite3_bind_int64(s, 1, q->experiment);
    while (status == SONDE_OK && code == SQLITE_ROW && (code = sqlite3_step(s)) == SQLITE_ROW) status = q->row(s, q->call, err);
    if (status == SONDE_OK && code != SQLITE_DONE) status = fail(db, q->path, err);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return status;
}

/* The file may be anybody's: what must be a text and is none is an empty one. */
static const char *text_at(sqlite3_stmt *s, int column) {
    const char *text = (const char *)sqlite3_column_text(s, column);
    return text ? text : "";
}

typedef struct { sonde_experiment_fn fn; void *user; } experiment_call;
typedef struct { sonde_cell_fn fn; void *user; } cell_call;

static sonde_status experiment_row(sqlite3_stmt *s, const void *call, sonde_error *err) {
    const experiment_call *c = call;
    const sonde_experiment_info e = {
        .id = sqlite3_column_int64(s, 0), .model = text_at(s, 1), .model_hash = text_at(s, 2), .method = text_at(s, 3),
        .params = text_at(s, 4), .sonde = text_at(s, 5), .begun = text_at(s, 6),
        .finished = (const char *)sqlite3_column_text(s, 7), .result = (const char *)sqlite3_column_text(s, 8),
        .result_len = (size_t)sqlite3_column_bytes(s, 8),
        .documents = sqlite3_column_int64(s, 9), .cells = sqlite3_column_int64(s, 10), .bytes = sqlite3_column_int64(s, 11),
    };
    return c->fn(&e, c->user, err);
}

static sonde_status cell_row(sqlite3_stmt *s, const void *call, sonde_error *err) {
    const cell_call *c = call;
    const size_t bytes = (size_t)sqlite3_column_bytes(s, 2);
    double *x = malloc(bytes + 1);              /* SQLite's own may lie at any address */
    if (!x) abort();
    if (bytes) memcpy(x, sqlite3_column_blob(s, 2), bytes);
    const sonde_status status = c->fn(&(sonde_cell_info){ text_at(s, 0), text_at(s, 1), x, bytes / sizeof *x }, c->user, err);
    free(x);
    return status;
}

sonde_status sonde_cells_list(const char *path, sonde_experiment_fn fn, void *user, sonde_error *err) {
    static const char sql[] =
        "SELECT id, model, model_hash, method, params, sonde, begun, finished, result,"
        " (SELECT count(DISTINCT document) FROM cell WHERE experiment = id), (SELECT count(*) FROM cell WHERE experiment = id),"
        " (SELECT coalesce(sum(length(numbers)), 0) FROM cell WHERE experiment = id) FROM experiment ORDER BY id";
    const experiment_call call = { fn, user };
    return each_row(&(query){ .path = path, .sql = sql, .row = experiment_row, .call = &call }, err);
}

sonde_status sonde_cells_each(const char *path, int64_t experiment, sonde_cell_fn fn, void *user, sonde_error *err) {
    static const char sql[] = "SELECT document, cell, numbers FROM cell WHERE experiment = ? ORDER BY document, cell";
    const cell_call call = { fn, user };
    return each_row(&(query){ path, sql, experiment, cell_row, &call }, err);
}
