/* saving.h - what the verbs that write models share. */
#ifndef SONDE_SAVING_H
#define SONDE_SAVING_H
#include "cli.h"
#include "sonde/save.h"

typedef struct { const char *in, *out, *tokenizer; sonde_save_options how; } saving;

/* Opens the model, writes it, and says tensor by tensor what became of it. */
sonde_status saving_run(command *c, saving s, sonde_error *err);
#endif
