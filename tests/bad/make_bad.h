/* make_bad.h - the files that make_bad writes into its working directory, part by part. */
#ifndef SONDE_MAKE_BAD_H
#define SONDE_MAKE_BAD_H
void make_bad_gguf(void);
void make_bad_llama2c(void);
void make_bad_model(void);
void make_bad_vocab(void);
#endif
