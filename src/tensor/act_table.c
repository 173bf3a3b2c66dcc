/* Hendrycks and Gimpel, Gaussian Error Linear Units, 2016 (exact, and their tanh form); Ramachandran et al., Searching for
 * Activation Functions, 2017 (silu). */
#include "act_table.h"

const act_meaning act_table[ACT_COUNT] = {
    [ACT_GELU_TANH] = { "gelu_tanh", "y = 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))" },
    [ACT_GELU]      = { "gelu", "y = 0.5 x (1 + erf(x / sqrt(2)))" },
    [ACT_SILU]      = { "silu", "y = x / (1 + exp(-x))" },
    [ACT_RELU]      = { "relu", "y = max(x, 0)" },
    [ACT_TANH]      = { "tanh", "y = tanh(x)" },
    [ACT_QUICK_GELU] = { "quick_gelu", "y = x / (1 + exp(-1.702 x))" },
};
