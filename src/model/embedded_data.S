/* embedded_data.S - the files of the demo model, byte for byte.
 *
 * SONDE_MODELS_DIR is a quoted path (models/ of the source tree). Every file starts at a multiple of 64 bytes and has
 * a NUL behind it. embedded.c has the list of names. */

.macro embed name, folder, file
    .balign 64
    .globl  embedded_\name
    .hidden embedded_\name
embedded_\name:
    .incbin "\folder/demo/\file"
    .globl  embedded_\name\()_end
    .hidden embedded_\name\()_end
embedded_\name\()_end:
    .byte 0
.endm

    .section .rodata
    embed config,           SONDE_MODELS_DIR, "config.json"
    embed tokenizer,        SONDE_MODELS_DIR, "tokenizer.json"
    embed tokenizer_config, SONDE_MODELS_DIR, "tokenizer_config.json"
    embed model,            SONDE_MODELS_DIR, "model.safetensors"
    embed cases,            SONDE_MODELS_DIR, "cases.json"
    embed text,             SONDE_MODELS_DIR, "held-out.txt"
    embed pairs,            SONDE_MODELS_DIR, "wic.jsonl"

    .section .note.GNU-stack, "", %progbits
