/* `sonde bench kernels`: the matrix product, beside what this machine can do. */
#include "bench_words.h"

static sonde_status add_row(const sonde_bench_row *row, void *user, sonde_error *err) {
    (void)err;
    bench_put_line(user, &(bench_line){ .name = row->name, .value = row->value, .unit = row->unit, .beside = row->beside,
                                        .share = row->share, .best = row->best, .bar = row->bar, .goal = row->open,
                                        .rounds = row->rounds });
    progress_show(NULL, "bench", row->done, row->all);
    return SONDE_OK;
}

sonde_status bench_kernels(bench_word *w, sonde_error *err) {
    return sonde_bench_kernels((sonde_bench_options){ .seconds = w->seconds, .only = w->only, .stop = stop_asked,
                                                      .row = add_row, .user = w }, err);
}
