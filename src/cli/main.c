/* sonde: one command line, one status, at most one line of error. */
#define _POSIX_C_SOURCE 200809L
#include "cli.h"
#include "base/text.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct { const char *name, *instead; } later_verbs[] = {
#define VERB(name)
#define LATER(name, instead) { #name, instead },
#include "verbs.def"
#undef VERB
#undef LATER
};

static sonde_status fail_verb(const char *name, sonde_error *err) {
    const char *names[64];
    size_t n = 0, near;
    for (size_t i = 0; i < sizeof later_verbs / sizeof *later_verbs; i++)
        SONDE_FAIL_IF(!strcmp(later_verbs[i].name, name), err, SONDE_UNSUPPORTED, "%s: is not supported yet; %s", name,
                      later_verbs[i].instead);
    for (const method *m; n < sizeof names / sizeof *names && (m = about_at(n)) != NULL; ) names[n++] = m->name;
    nearest(name, names, n, &near, 1);
    return sonde_fail(err, SONDE_USAGE, "%s: no such verb, the nearest is %s (sonde help lists them)",
                      name_shown(name).text, names[near]);
}

static void print_version(void) { printf("sonde %s\n", sonde_version()); }

static sonde_status run_verb(command *c, int argc, char **argv, sonde_error *err) {
    const verb *v = verb_find(c->about->name);
    bool help = false;
    sonde_status s = v && v->respell ? v->respell(c, &argc, &argv, err) : SONDE_OK;
    if (s == SONDE_OK) s = options_read(c, argc, argv, &help, err);
    if (s == SONDE_OK && help) return help_about(c->about, c->option[OPTION_JSON].n > 0, err);
    if (s == SONDE_OK && c->option[OPTION_VERSION].n) {
        print_version();
        return SONDE_OK;
    }
    if (s == SONDE_OK) s = options_check(c, err);
    if (s != SONDE_OK) return sonde_fail_at(err, s, "%s", c->about->name);
    return v ? v->run(c, err) : run_method(c, err);
}

sonde_status command_run(int argc, char **argv, sonde_error *err) {
    const char *name = argc ? argv[0] : "--help";
    if (!strcmp(name, "--help") || !strcmp(name, "-h")) {
        help_overview(stdout);
        return SONDE_OK;
    }
    if (!strcmp(name, "--version")) {
        print_version();
        return SONDE_OK;
    }
    SONDE_FAIL_IF(name[0] == '-', err, SONDE_USAGE, "%s: found an option, expected a verb in front of it (sonde help)",
                  name_shown(name).text);
    const method *about = about_find(name);
    if (!about) return fail_verb(name, err);
    command c = { .memory = arena_new(), .about = about };
    const sonde_status s = run_verb(&c, argc, argv, err);
    arena_free(c.memory);
    return s;
}

/* A file must never get the number of a closed stdin, stdout or stderr. */
static void hold_streams(void) {
    int fd;
    do fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) close(fd);
}

int main(int argc, char **argv) {
    sonde_error err = { 0 };
    hold_streams();
    signal(SIGPIPE, SIG_DFL);
    const char *isa = getenv("SONDE_ISA");
    sonde_status s = SONDE_OK;
    if (isa && *isa) s = sonde_isa_choose(isa, &err);
    if (s != SONDE_OK) sonde_fail_at(&err, s, "SONDE_ISA");
    else s = command_run(argc - 1, argv + 1, &err);
    sonde_error why = { 0 };
    if (output_flush(&why) != SONDE_OK && s == SONDE_OK) {
        err = why;
        s = SONDE_IO;
    }
    if (s != SONDE_OK) say("sonde: ", err.message);
    return sonde_status_exit_code(s);
}
