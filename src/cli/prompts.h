/* prompts.h - what the command line says should be run: prompts, named runs, edits. */
#ifndef SONDE_PROMPTS_H
#define SONDE_PROMPTS_H
#include "cli.h"
#include "source.h"

typedef struct {
    method_prompt   *prompt;   size_t n_prompts;
    method_prompt   *document; size_t n_documents;      /* of --text */
    method_prompt   *another;  size_t n_another;        /* prompts of named runs */
    sonde_named_run *run;      size_t n_runs;
    sonde_capture  **capture;  size_t n_captures;
    sonde_edit     **edit;     size_t n_edits;
    struct { method_prompt *at; size_t n; } param[MOST_PARAMS];     /* prompts of the method's own parameters */
} inputs;

sonde_status inputs_options(const command *c, sonde_token_options *out, sonde_error *err);
/* Safe to free whatever it returns. */
sonde_status inputs_read(inputs *in, command *c, const sonde_model *m, sonde_error *err);
void         inputs_free(inputs *in);

/* Text of a prompt into its tokens, by the options; ids are checked. */
sonde_status prompt_tokens(const command *c, const sonde_model *m, method_prompt *p, sonde_error *err);

/* document_file.c */
sonde_status documents_read(inputs *in, command *c, const sonde_model *m, sonde_error *err);

/* param_file.c: what the files of the method's own parameters hold, into c->args. */
sonde_status params_read(inputs *in, command *c, const sonde_model *m, sonde_error *err);

/* prompt_file.c: the prompts of a file, without tokens where they are texts. */
sonde_status prompt_file(command *c, const char *path, method_prompt **out, size_t *n, sonde_error *err);
/* The same of a text that was read already; `path` for messages and its ending. */
typedef struct { method_prompt **at; size_t *n; } prompt_list;
sonde_status prompt_lines(command *c, const char *path, bytes text, prompt_list to, sonde_error *err);
/* "464,3139" */
sonde_status prompt_ids(const char *text, sonde_tokens *out, sonde_error *err);
void         prompts_drop(method_prompt *p, size_t n);
#endif
