# A prompt comes as one argument, a file, stdin, or ids; nothing is trimmed.
. "$CASES/lib.sh"
export SONDE_MODEL=induction
try tokens " red cat"
try tokens -- "-red"
printf ' red\ncat \n' >two.txt
try tokens --file two.txt
printf ' red' | sonde tokens --file -
try tokens --escape ' red\n\t\x41'
try tokens --tokens 258,3
try tokens --prompts two.txt --json >many.json
grep -c '"text"' many.json
printf '{"prompt": " red", "B": " cat"}\n\n{"tokens": [258, 259], "answer": " red"}\n' >both.jsonl
try tokens --prompts both.jsonl --csv
try tokens --bos yes " red"
try tokens "<|endoftext|>"
try tokens --plain "<|endoftext|>"
fails tokens ""
fails tokens --file absent.txt
fails tokens --tokens 1,x
fails tokens --tokens 999999
fails tokens --tokens 1 x
fails tokens --prompts two.txt x
fails tokens --escape 'a\q'
: >empty.txt
fails tokens --prompts empty.txt
echo '{"prompt": 3}' >bad.jsonl
fails tokens --prompts bad.jsonl
echo '{"prompt": "a", "tokens": [1]}' >bad.jsonl
fails tokens --prompts bad.jsonl
echo '{"tokens": [-1]}' >bad.jsonl
fails tokens --prompts bad.jsonl
echo 'red' >bad.jsonl
fails tokens --prompts bad.jsonl
fails lens --tokens "$(seq -s, 0 64)"
printf 'a\0b' >nul.txt
try tokens --file nul.txt
