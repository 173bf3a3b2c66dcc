/* cli.h - what the files of the command share: one command as typed, and the doors of the files that run it.
 *
 * Only this folder prints and ends the process. A verb is a method (method.h) or a row of verbs.def, which has the same
 * description; so options, help and reference pages are made from one kind of row. */
#ifndef SONDE_CLI_H
#define SONDE_CLI_H
#include "base/arena.h"
#include "method/method.h"
#include <stdio.h>

enum { MAKES_RESULT = 1 << 16, MOST_PARAMS = 32 };      /* MAKES_RESULT: a verb that takes --json, --out and the like */

typedef enum {
#define OPTION(id, name, type, fallback, min, max, takes, help) OPTION_##id,
#define LATER(name, instead)
#include "options.def"
#undef OPTION
#undef LATER
    OPTION_COUNT
} option_id;

typedef struct { param row; int takes; } option_row;       /* takes: which verbs have it, 0: all */
extern const option_row option_rows[OPTION_COUNT];

typedef struct command {
    arena        *memory;
    const method *about;
    value         args[MOST_PARAMS];            /* of about->params, in their order */
    value         option[OPTION_COUNT];
    const char  **word; size_t n_words;         /* what is no option */
} command;

typedef struct {
    method       about;                         /* its `run` is NULL */
    int          words;                         /* so many words go to its first parameters */
    sonde_status (*run)(command *c, sonde_error *err);
    /* Its command line as sonde spells one, for verbs that take another program's flags; NULL: it is one. */
    sonde_status (*respell)(command *c, int *argc, char ***argv, sonde_error *err);
    /* For `again`: how many words of a parameter stand behind one flag (those behind the first are numbers); 0: it names
     * files, -1: it is the prompt. NULL: results of the verb are not run again. */
    int        (*values)(const char *name);
} verb;
extern const verb *const verb_table[];          /* from verbs.def, NULL-terminated */
const verb *verb_find(const char *name);
/* Method or verb, by its name or by its place in the help page; NULL: none. */
const method *about_find(const char *name);
const method *about_at(size_t i);

/* One command line, argv[0] its verb; prints nothing on failure. */
sonde_status command_run(int argc, char **argv, sonde_error *err);

/* options.c: words and texts into c->word and the rows. *help: --help was there, and nothing was checked. */
sonde_status options_read(command *c, int argc, char **argv, bool *help, sonde_error *err);
sonde_status options_check(command *c, sonde_error *err);
char         option_letter(const char *name);                  /* 'm' of "model"; 0: none */
/* Does the common option belong to this verb? */
bool         option_applies(const method *about, const option_row *o);
bool         option_given(const command *c, option_id id);
const char  *option_text(const command *c, option_id id);       /* NULL: not given */

/* search.c: where models lie, from the environment. Lives as long as the arena. */
sonde_model_search search_folders(arena *into);

/* verb_pull.c: a model into the local cache, where the environment says that the Hub and the cache are. `include`: NULL: what
 * opening needs. */
sonde_status pull_model(command *c, const char *name, const value *include, sonde_pulled **out, sonde_error *err);

/* run_method.c */
sonde_status run_method(command *c, sonde_error *err);
/* Is it a name under which a result of this method records a parameter or an option? */
bool         is_recorded(const method *about, const char *name);

/* output.c */
sonde_status output_check(const command *c, sonde_error *err);          /* before anything runs */
sonde_status output_write(command *c, const sonde_result *r, sonde_error *err);
sonde_status output_flush(sonde_error *err);
sonde_text_style output_style(const command *c);        /* of stdout; c may be NULL */
/* From here on a result prints so many lines at most, and says how many it had; 0: all. */
void         output_limit(int lines);
/* Text on a stream, fit to be shown. */
void         print_shown(FILE *to, const char *text, size_t n);
/* A line on stderr, fit to be shown. */
void         say(const char *before, const char *text);

/* progress.c: a bar on stderr, where that is a terminal. */
void progress_begin(bool quiet);
void progress_show(void *user, const char *what, int64_t done, int64_t all);
void progress_end(void);

/* stop.c: SIGINT and SIGTERM ask the run to end, a second one ends the process. */
void stop_listen(void);
bool stop_asked(void *unused);

/* help.c, help_json.c; topics: page.h */
void         help_overview(FILE *to);
sonde_status help_about(const method *about, bool json, sonde_error *err);
void         help_json(const method *about, FILE *to);
void         help_json_overview(FILE *to);
const char  *param_type_name(param_type t);
/* "--top N", "--json", with the shape of its value. */
const char  *option_shape(arena *into, const char *name, param_type type);
#endif
