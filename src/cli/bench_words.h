/* bench_words.h - the words of `sonde bench` that run a model: what each measures, and the loop that takes turns. */
#ifndef SONDE_BENCH_WORDS_H
#define SONDE_BENCH_WORDS_H
#include "opened.h"

enum { BENCH_JOBS = 10, BENCH_ROUNDS = 100 };

/* What a word is given, and what it leaves of its bars. */
typedef struct {
    command      *c;
    sonde_result *result;
    double        seconds;              /* about; each job runs once at least */
    int64_t       length;               /* tokens of a prompt; 0: the word's own */
    const char   *only;                 /* kernels: rows whose name has this in it; NULL: all */
    sonde_table  *table, *bars;         /* the word's two: figures beside what ran in turn; best rounds and bars */
    size_t        below;                /* out: rows that missed their bar, and the first of them */
    const char   *worst;
} bench_word;

sonde_status bench_kernels(bench_word *w, sonde_error *err);
sonde_status bench_run(bench_word *w, sonde_error *err);
sonde_status bench_looking(bench_word *w, sonde_error *err);
sonde_status bench_sweeps(bench_word *w, sonde_error *err);

/* ---- for the words ---- */

typedef struct {
    const char *name; double value; const char *unit;
    const char *beside;                 /* NULL: nothing, and no shares */
    double      share, best;
    double      bar, goal;              /* 0: none */
    bool        least;                  /* the less the better, and the bar is the most there may be */
    int64_t     rounds;
} bench_line;
/* A row of each of the word's two tables. Two, because one of them all is wider than a terminal. */
void bench_put_line(bench_word *w, const bench_line *line);

typedef struct bench_race bench_race;
/* Does its work once. The loop takes its time, unless it left a figure of its own in *figure. */
typedef sonde_status (*bench_job)(bench_race *r, double *figure, sonde_error *err);

struct bench_race {
    bench_word   *word;
    opened        o;
    void         *user;                 /* the word's own */
    int32_t      *tokens; sonde_prompt prompt;
    int           threads, jobs, rounds;
    double        figure[BENCH_JOBS][BENCH_ROUNDS];     /* seconds, or what the job said */
};

double bench_now(void);
/* Opens the model and draws a prompt of so many tokens, or as many as leave `behind` of the context. UNSUPPORTED: no model
 * that writes. */
sonde_status bench_open(bench_race *r, bench_word *w, int64_t length, int64_t behind, sonde_error *err);
void         bench_close(bench_race *r);
/* All jobs in turn, until the time is out. A first round that only warms up is dropped, where there are three. */
sonde_status bench_alternate(bench_race *r, const bench_job *jobs, int n, const char *what, sonde_error *err);

/* One row: medians over the rounds, `share` being of `beside`. */
typedef double (*bench_figure)(const bench_race *r, int round, double scale);
typedef struct {
    const char  *name, *unit;
    bench_figure value;  double scale;
    const char  *beside;                /* NULL: nothing */
    bench_figure share;  double share_scale;
    double       bar;                   /* 0: reported */
    bool         least;                 /* the less the better, and the bar is the most there may be */
} bench_row;
void bench_put(bench_race *r, const bench_row *row);
#endif
