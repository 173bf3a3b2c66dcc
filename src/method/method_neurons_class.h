/* method_neurons_class.h - named classes of tokens, told by the token's text alone. */
#ifndef SONDE_METHOD_NEURONS_CLASS_H
#define SONDE_METHOD_NEURONS_CLASS_H
#include "method_neurons.h"

typedef struct { char name[32]; uint8_t *in; int64_t count; } token_class;      /* in [n]: is this token of the class? */
typedef struct { token_class *at; size_t n; } token_classes;

/* The classes that have a token of the model, and do not have all; names are unique. */
token_classes classes_of(const neuron_weights *w);
void          classes_free(token_classes *c);
#endif
