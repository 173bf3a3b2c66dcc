/* gguf_vocab.h - the vocabulary of a GGUF file, read without any of src/format: truth for tests. */
#ifndef TEST_GGUF_VOCAB_H
#define TEST_GGUF_VOCAB_H
#include "text/pieces.h"

/* The texts lie in `data`, the rest in the arena. False: not such a file. */
bool gguf_vocab(const char *data, size_t size, arena *into, vocab_pieces *out);
#endif
