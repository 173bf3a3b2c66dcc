#!/usr/bin/env python3
"""pull_against_hub.py SONDE HUB_SERVER - what `sonde pull` leaves in a cache beside what huggingface_hub leaves there.

Both fetch the same models from tests/hub_server.c: blobs, links of the snapshot and refs must be the same, neither fetches
again what the other fetched, and transformers opens what sonde pulled. Needs the environment that tools/venv.sh makes."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

sonde, server = (os.path.abspath(p) for p in sys.argv[1:3])
root = pathlib.Path(__file__).resolve().parent.parent
work = pathlib.Path(tempfile.mkdtemp(prefix="sonde-pull-"))
passed = failed = 0


def check(what, good):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    if not good:
        print(f"{what}: differs")


def content(cache, model):
    """Blobs by name, links by name, refs by name, of one model."""
    folder = cache / ("models--" + model.replace("/", "--"))
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name.split("/")[0] not in ("blobs", "snapshots", "refs") or (path.is_dir() and not path.is_symlink()):
            continue
        found[name] = os.readlink(path) if path.is_symlink() else path.read_bytes()
    return found


files = work / "files"
shutil.copytree(root / "models" / "induction", files)
(files / "sub" / "deep").mkdir(parents=True)
(files / "sub" / "deep" / "a b+c.json").write_text("[1]")
(files / "empty.json").write_text("")
log = work / "log"
hub = subprocess.Popen([server, files, log], stdout=subprocess.PIPE, text=True)
base = "http://127.0.0.1:" + hub.stdout.readline().split()[0]
os.environ.update(HF_ENDPOINT=base, HF_HUB_DISABLE_TELEMETRY="1", HF_HUB_DISABLE_XET="1", HF_HUB_DISABLE_PROGRESS_BARS="1",
                  HF_HOME=str(work / "home"), no_proxy="*", NO_PROXY="*", HF_TOKEN="good")
os.environ.pop("HF_HUB_OFFLINE", None)
import huggingface_hub  # noqa: E402  (it reads the environment when it is imported)


def pull(cache, model, *more):
    env = dict(os.environ, HF_HUB_CACHE=str(cache))
    return subprocess.run([sonde, "pull", model, "--quiet", *more], env=env, capture_output=True, text=True)


def asked(after):
    return [line for line in log.read_text().splitlines()[after:] if "/resolve/" in line or "/blob/" in line]


try:
    for model in ("org/good", "org/weak", "org/pages", "org/moved", "org/hops", "good", "org/good@refs/pr/1"):
        name, _, revision = model.partition("@")
        mine, theirs = work / f"mine-{name.replace('/', '-')}-{len(revision)}", work / f"theirs-{name.replace('/', '-')}-{len(revision)}"
        done = pull(mine, model, "--include", "*")
        check(f"{model}: exit {done.returncode} {done.stderr}", done.returncode == 0)
        huggingface_hub.snapshot_download(name, cache_dir=theirs, revision=revision or None)
        a, b = content(mine, name), content(theirs, name)
        for key in sorted(a.keys() | b.keys()):
            check(f"{model}: {key}: {a.get(key)!r:.80} and {b.get(key)!r:.80}", a.get(key) == b.get(key))
        lines = len(log.read_text().splitlines())
        check(f"{model}: sonde after huggingface_hub", pull(theirs, model, "--include", "*").returncode == 0 and not asked(lines))
        huggingface_hub.snapshot_download(name, cache_dir=mine, revision=revision or None)
        check(f"{model}: huggingface_hub after sonde", not [line for line in asked(lines) if " GET " in line])
        check(f"{model}: the cache is whole", not huggingface_hub.scan_cache_dir(mine).warnings)

    cache = work / "open"
    check("what opening needs", pull(cache, "org/good").returncode == 0)
    code = ("import sys; from transformers import AutoModelForCausalLM, AutoTokenizer; "
            "t = AutoTokenizer.from_pretrained('org/good'); m = AutoModelForCausalLM.from_pretrained('org/good'); "
            "print(m(**t('a b c', return_tensors='pt')).logits.shape)")
    opened = subprocess.run([sys.executable, "-c", code], env=dict(os.environ, HF_HUB_CACHE=str(cache), HF_HUB_OFFLINE="1"),
                            capture_output=True, text=True)
    check(f"transformers opens it: {opened.stderr[-400:]}", opened.returncode == 0)
finally:
    hub.kill()
    shutil.rmtree(work, ignore_errors=True)
print("huggingface_hub", huggingface_hub.__version__)
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
