# What is mistyped ends with 2 and the nearest name; what is known and not there yet with 4.
. "$CASES/lib.sh"
fails lenz x
fails --foo
fails lens --topp 3 x
fails lens -x
fails lens
fails lens x y
fails lens --top
fails lens --top 0 x
fails lens --top=2x x
fails lens --bos maybe x
fails lens --quiet=maybe x
fails lens --threads 0 x
fails lens --memory 1Q x
fails lens --memory 0 x
fails lens --json --csv x
fails lens --layers 1-x x
fails info --edit zero:hook_z
fails info x
fails bench foo
fails help lenz
fails docs foo
fails tour --json
fails serve
HF_HUB_OFFLINE=1 fails lens -m gpt2 --pull x
fails lens --tokenizer absent x
fails lens --target a x
fails lens --run B x
fails lens --run A=x x
fails lens --run B=x --run B=y x
fails lens --edit zero:hook_zz x
fails lens --documents 3 x
fails heads --results none x
fails layers --text held-out --order 0,2,1,3 --results none
