/* page_data.S - the style and the script of a result's HTML page, byte for byte.
 *
 * SONDE_RESULT_DIR is a quoted path (src/result of the source tree). */

.macro embed name, folder, file
    .globl  page_\name
    .hidden page_\name
page_\name:
    .incbin "\folder/\file"
    .globl  page_\name\()_end
    .hidden page_\name\()_end
page_\name\()_end:
    .byte 0
.endm

    .section .rodata
    embed css, SONDE_RESULT_DIR, "page.css"
    embed js,  SONDE_RESULT_DIR, "page.js"

    .section .note.GNU-stack, "", %progbits
