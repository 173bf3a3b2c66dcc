#!/bin/sh
# check-sizes.sh FOLDER.. - files <= 600 lines, functions <= 60 lines (kernels 120) and <= 6 parameters. A function whose
# line before it, or own first line, says NOLINT with a reason is let through.
find "$@" \( -name '*.[ch]' -o -name '*.inc' \) | sort | xargs awk '
    function report(what) { printf "%s:%d: %s\n", FILENAME, start, what; bad++ }
    function end_file() {
        if (!name) return
        files++
        if (lines > 600) { printf "%s: %d lines, expected at most 600\n", name, lines; bad++ }
    }
    function commas(text,    n, i, c, depth) {        # parameters of the outermost pair of brackets
        n = 1; depth = 0
        for (i = index(text, "("); i <= length(text); i++) {
            c = substr(text, i, 1)
            if (c == "(") depth++
            if (c == ")" && --depth == 0) break
            if (c == "," && depth == 1) n++
        }
        return n
    }
    FNR == 1 { end_file(); name = FILENAME; body = 0; head = ""; before = "" }
    { lines = FNR }
    !body && /^[a-zA-Z_].*\(/ && !/;[ \t]*(\/\*.*)?$/ && !/^(typedef|struct|enum|union|#)/ && !/=[^=]*\{/ {
        head = ""; start = FNR; let = before $0 ~ /NOLINT.*[a-z]/
    }
    !body && start { head = head $0 }
    !body && start && /;[ \t]*$/ && !/\{/ { start = 0 }
    !body && start && /\{[ \t]*(\/\*.*)?$/ { body = 1; if (!let && commas(head) > 6) report(commas(head) " parameters, expected at most 6") }
    !body && start && /\{.*\}[ \t\\]*$/ { functions++; if (!let && commas(head) > 6) report(commas(head) " parameters, expected at most 6"); start = 0 }
    body && /^}/ {
        most = FILENAME ~ /\/kernel\// ? 120 : 60
        if (!let && FNR - start + 1 > most) report(FNR - start + 1 " lines in a function, expected at most " most)
        functions++; body = 0; start = 0
    }
    { before = $0 }
    END { end_file(); printf "%d passed, %d failed\n", files + functions - bad, bad; exit bad > 0 || !functions }'
