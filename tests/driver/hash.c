/* hash.c - prints what `sonde hash -m MODEL TEXT` prints, without the command: for machines that only the library is built for. */
#include "sonde/sonde.h"
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    char            hex[65];
    sonde_error     err = { 0 };
    sonde_model    *m = NULL;
    sonde_session  *s = NULL;
    sonde_tokens    t = { 0 };
    if (argc != 3) return fprintf(stderr, "found %d arguments, expected a model and a text\n", argc - 1), 2;
    sonde_status status = sonde_model_open(&m, argv[1], NULL, &err);
    if (!status) status = sonde_tokenize(m, argv[2], strlen(argv[2]), (sonde_token_options){ 0 }, &t, &err);
    if (!status) status = sonde_session_new(&s, m, (sonde_session_options){ .threads = 2 }, &err);
    const sonde_prompt  p = { .tokens = t.id, .n = t.n, .types = t.type };
    const sonde_variant plain = { 0 };
    const sonde_batch   b = { .bases = &p, .n_bases = 1, .variants = &plain, .n_variants = 1 };
    if (!status) status = sonde_run_hash(s, &b, hex, &err);
    if (status) fprintf(stderr, "%s\n", err.message);
    else puts(hex);
    sonde_session_free(s);
    sonde_tokens_free(&t);
    sonde_model_close(m);
    return (int)status;
}
