/* A bar on stderr, from the first second of a run on, at most ten times a second:
 *
 *     sweep ━━━━━━━━━━╸         1234/4096  30 %  4 s left */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 24, MOST_WHAT = 24 };
static const double first_after = 1.0, next_after = 0.1;

static struct { bool on, drawn, quiet; double begin, shown; } bar;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int columns(void) {
    struct winsize w;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

static void clear(void) {
    if (bar.drawn) fputs("\r\x1b[K", stderr);
    bar.drawn = false;
}

void progress_begin(bool quiet) {
    bar.quiet = quiet;
    bar.on = !quiet && isatty(STDERR_FILENO);
    bar.begin = now();
    bar.shown = bar.begin + first_after - next_after;
}

void progress_end(void) {
    clear();
    fflush(stderr);
    bar.on = false;
}

static void draw(const char *what, int64_t done, int64_t all, double seconds) {
    char left[32] = "", line[160];
    const double share = (double)done / (double)all, rest = share > 0 ? seconds / share - seconds : 0;
    if (share > 0 && rest < 3600) snprintf(left, sizeof left, "  %.0f s left", rest);
    else if (share > 0) snprintf(left, sizeof left, "  %.1f h left", rest / 3600);
    const int n = snprintf(line, sizeof line, "%*s %" PRId64 "/%" PRId64 "  %.0f %%%s", BAR, "", done, all, 100 * share,
                           left);
    const int filled = (int)(share * BAR + 0.5);
    if (n + MOST_WHAT + 1 >= columns()) {
        fprintf(stderr, "\r\x1b[K%.0f %%", 100 * share);
        return;
    }
    fprintf(stderr, "\r\x1b[K%.*s ", MOST_WHAT, what);
    for (int i = 0; i < BAR; i++) fputs(i < filled ? "━" : "─", stderr);
    fputs(line + BAR, stderr);
}

void progress_show(void *user, const char *what, int64_t done, int64_t all) {
    (void)user;
    if (all <= 0) {
        clear();
        if (!bar.quiet) say("", what);
        return;
    }
    if (!bar.on) return;
    const double t = now();
    if (t - bar.shown < next_after) return;
    bar.shown = t;
    bar.drawn = true;
    draw(what ? what : "", done < all ? done : all, all, t - bar.begin);
    fflush(stderr);
}
