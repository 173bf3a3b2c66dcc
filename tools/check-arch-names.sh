#!/bin/sh
# check-arch-names.sh SRC - a model family is named in arch_*.c, archs.def and load_FAMILY.c (its tokenizer files), nowhere
# else in code; comments and the name of the file format in help texts may say it, and llama.cpp is a program.
cd "$1" || exit 2
families='gpt2|gpt_neo|gptj|llama|mistral|mixtral|qwen|gemma|phi|bloom|opt|olmo|bert|roberta|t5|bart|falcon|pythia'
allowed='^\./(model/arch_[a-z0-9_]*\.c|model/archs\.def|model/arch\.[ch]|text/load_[a-z0-9_]*\.[ch]|text/load\.[ch]|model/site_alias|format/foreign\.c)'
found=$(find . -name '*.[ch]' -o -name '*.inc' -o -name '*.def' | sort | grep -vE "$allowed" | while read -r file; do
    awk '{ line = $0
           if (inside) { if (!sub(/^.*\*\//, "", line)) line = ""; else inside = 0 }
           gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line); if (sub(/\/\*.*$/, "", line)) inside = 1
           if (FILENAME ~ /^\.\/(cli|method)\//) gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
           gsub(/llama\.cpp/, "", line)
           print FILENAME ":" FNR ":" line }' "$file"
done | grep -iE "^[^:]*:[0-9]*:(.*[^a-z0-9_])?($families)([^a-z0-9]|\$)")
[ -z "$found" ] || echo "$found" | sed 's/$/    [family named outside arch_*.c]/'
failed=$(printf '%s' "$found" | grep -c .)
files=$(find . -name '*.[ch]' | grep -c .)
echo "$((files - failed)) passed, $failed failed"
[ "$failed" = 0 ]
