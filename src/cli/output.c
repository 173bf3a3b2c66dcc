/* What a person or a pipe gets: files first, each whole or not at all, then stdout. */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"
#include "base/text.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool color_wanted(const command *c) {
    const char *no = getenv("NO_COLOR"), *kind = getenv("TERM");
    if ((no && *no) || (c && option_given(c, OPTION_NO_COLOR))) return false;
    return isatty(STDOUT_FILENO) && !(kind && !strcmp(kind, "dumb"));
}

static int width(void) {
    struct winsize w;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0) return w.ws_col;
    const char *columns = getenv("COLUMNS");
    const long n = columns ? strtol(columns, NULL, 10) : 0;
    return n > 0 && n < 10000 ? (int)n : 80;
}

/* COLORFGBG is "ink;page" or "ink;other;page"; 7 and 15 are light pages. */
static bool light_page(void) {
    const char *text = getenv("COLORFGBG"), *page = text ? strrchr(text, ';') : NULL;
    return page && (!strcmp(page, ";7") || !strcmp(page, ";15"));
}

static bool palette_only(void) {
    const char *text = getenv("COLORTERM");
    return !text || (strcmp(text, "truecolor") != 0 && strcmp(text, "24bit") != 0);
}

sonde_text_style output_style(const command *c) {
    return (sonde_text_style){ .color = color_wanted(c), .width = width(), .light = light_page(),
                               .palette = palette_only() };
}

void print_shown(FILE *to, const char *text, size_t left) {
    enum { PIECE = 60 };
    while (left) {
        size_t n = left < PIECE ? left : PIECE;
        while (n < left && n > 1 && ((unsigned char)text[n] & 0xc0) == 0x80) n--;       /* not inside a character */
        fputs(text_shown(text, n).text, to);
        text += n;
        left -= n;
    }
}

void say(const char *before, const char *text) {
    fputs(before, stderr);
    print_shown(stderr, text, strlen(text));
    fputc('\n', stderr);
}

static struct { int most, seen; } limit;

void output_limit(int lines) {
    if (limit.most && limit.seen > limit.most) printf("(%d more lines)\n", limit.seen - limit.most);
    limit.most = lines;
    limit.seen = 0;
}

/* Bytes of the text that lie within the limit of lines. */
static size_t within_limit(const char *text, size_t n) {
    size_t end = limit.seen < limit.most ? n : 0;
    for (size_t i = 0; i < n; i++)
        if (text[i] == '\n' && ++limit.seen == limit.most) end = i + 1;
    return end;
}

static sonde_status to_stdout(void *user, const char *text, size_t n, sonde_error *err) {
    (void)user;
    const size_t part = limit.most ? within_limit(text, n) : n;
    SONDE_FAIL_IF(fwrite(text, 1, part, stdout) != part, err, SONDE_IO, "stdout: %s", strerror(errno));
    return SONDE_OK;
}

sonde_status output_flush(sonde_error *err) {
    SONDE_FAIL_IF(fflush(stdout) || ferror(stdout), err, SONDE_IO, "stdout: %s", strerror(errno));
    return SONDE_OK;
}

sonde_status output_check(const command *c, sonde_error *err) {
    const value *out = &c->option[OPTION_OUT];
    SONDE_FAIL_IF(option_given(c, OPTION_JSON) && option_given(c, OPTION_CSV), err, SONDE_USAGE,
                  "found --json and --csv, expected one of them");
    for (size_t i = 0; i < out->n; i++) {
        SONDE_FAIL_IF(!*out->list[i], err, SONDE_USAGE, "out: \"\", expected the name of a file");
        if (!(c->about->takes & WRITES_OUT)) SONDE_TRY(sonde_result_can_save(out->list[i], err));
        const char *slash = strrchr(out->list[i], '/');
        const char *folder = slash ? arena_printf(c->memory, "%.*s/", (int)(slash - out->list[i]), out->list[i]) : ".";
        SONDE_FAIL_IF(access(folder, W_OK), err, errno == ENOENT ? SONDE_NOT_FOUND : SONDE_IO, "%s: %s: %s",
                      name_shown(out->list[i]).text, name_shown(folder).text, strerror(errno));
    }
    return SONDE_OK;
}

static sonde_status print(const command *c, const sonde_result *r, sonde_error *err) {
    if (option_given(c, OPTION_JSON)) SONDE_TRY(sonde_result_json(r, to_stdout, NULL, err));
    else if (option_given(c, OPTION_CSV)) SONDE_TRY(sonde_result_csv(r, to_stdout, NULL, err));
    else if (c->option[OPTION_OUT].n == 0) SONDE_TRY(sonde_result_text(r, output_style(c), to_stdout, NULL, err));
    return output_flush(err);
}

sonde_status output_write(command *c, const sonde_result *r, sonde_error *err) {
    const value *out = &c->option[OPTION_OUT];
    const bool page = option_given(c, OPTION_JSON) || option_given(c, OPTION_CSV) || out->n;
    const bool with_notes = !page && output_style(c).color;     /* the text has them already */
    for (size_t i = 0; !with_notes && !option_given(c, OPTION_QUIET) && sonde_result_note_at(r, i); i++)
        say("note: ", sonde_result_note_at(r, i));
    for (size_t i = 0; i < out->n && !(c->about->takes & WRITES_OUT); i++)
        SONDE_TRY(sonde_result_save(r, out->list[i], err));
    return print(c, r, err);
}
