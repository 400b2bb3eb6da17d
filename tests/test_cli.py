"""The command line: exit codes, output streams, JSON, error messages."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from charrnn.cli import COMMANDS
from charrnn.cli.signals import signals
from charrnn.runs import checkpoint
from tests.conftest import VERSE, posix_only, put_into_cache, write_names

TINY = ["--hidden", "12", "--layers", "1", "--batch", "4", "--seq", "16", "--steps", "20",
        "--split", "0.8,0.1,0.1"]  # fmt: skip
LOSS = {"nats_per_char", "bits_per_char", "perplexity", "chars"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with texts and one trained run, called small."""
    path = tmp_path_factory.mktemp("work")
    (path / "verse.txt").write_text(VERSE[:6000], "utf-8")
    (path / "诗 歌.txt").write_text("床前看月光，疑是地上霜。\n" * 40, "utf-8")
    (path / "latin.txt").write_bytes("Le café où l’été dure. ".encode("cp1252") * 20)
    (path / "one.txt").write_text("a")
    (path / "same.txt").write_text("aaaa")
    done = charrnn(path, "train", "verse.txt", *TINY, "--name", "small")
    assert done.returncode == 0, done.stderr
    return path


def charrnn(
    where: Path, *arguments: str, stdin: str | bytes = b"", **environment: str
) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "CHARRNN_CACHE": str(where / "cache"), "PYTHONUTF8": "1", **environment}
    data = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        [sys.executable, "-m", "charrnn", *arguments],
        cwd=where, env=env, input=data, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode()
    )


def test_training_writes_plain_lines_to_standard_error_only(folder: Path) -> None:
    done = charrnn(folder, "train", "verse.txt", *TINY, "--eval-every", "10")
    assert done.returncode == 0
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert sum(line.startswith("epoch ") for line in lines) == 2
    assert "\x1b" not in done.stderr
    assert any(line.startswith("test ") and "perplexity" in line for line in lines)
    run = folder / "checkpoints" / "verse-gru-1x12"
    assert {f.name for f in run.iterdir()} == {"best.npz", "last.npz", "log.jsonl"}


def test_train_json_is_one_event_a_line(folder: Path) -> None:
    done = charrnn(folder, "train", "verse.txt", *TINY, "--json", "--name", "j")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [events[0]["event"], events[-1]["event"]] == ["started", "finished"]
    evaluated = next(e for e in events if e["event"] == "evaluated")
    assert LOSS | {"chars_per_second", "seconds"} <= set(evaluated)
    assert {"parameters", "losses", "seconds"} <= set(events[-1])
    assert set(events[-1]["losses"]["test"]) == LOSS


@pytest.mark.slow
def test_an_ngram_model_is_trained_and_used_like_a_network(folder: Path) -> None:
    done = charrnn(folder, "train", "verse.txt", "--cell", "ngram", "--order", "4")
    assert done.returncode == 0, done.stderr
    assert "verse: ngram 4, " in done.stderr
    assert "streams" not in done.stderr
    assert any(line.startswith("test ") for line in done.stderr.splitlines())
    run = "checkpoints/verse-ngram-4"
    assert {f.name for f in (folder / run).iterdir()} == {"best.npz", "log.jsonl"}
    measured = json.loads(charrnn(folder, "eval", run, "verse.txt", "--json").stdout)
    assert measured["nats_per_char"] < 1.5
    shown = charrnn(folder, "info", run).stdout
    assert "ngram 4" in shown
    assert "optimizer" not in shown
    stored = json.loads(charrnn(folder, "info", run, "--json").stdout)
    assert (stored["kind"], stored["parameters"]) == ("ngram", measured["parameters"])
    written = charrnn(folder, "sample", run, "--seed-text", "The ", "--length", "30")
    assert written.stdout.startswith("The ")
    again = charrnn(folder, "train", "--resume", run)
    assert again.returncode == 1
    assert again.stderr.startswith(f"Error: There is nothing to resume in {run}")


def test_train_json_of_an_ngram_model_has_the_same_keys(folder: Path) -> None:
    done = charrnn(folder, "train", "verse.txt", "--cell", "ngram", "--json", "--name", "jn")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [e["event"] for e in events] == ["started", "evaluated", "sampled", "saved", "finished"]
    assert LOSS | {"chars_per_second", "seconds"} <= set(events[1])
    assert events[0]["parameters"] == events[-1]["parameters"] > 1000
    assert {"losses", "seconds", "chars_per_second"} <= set(events[-1])


def test_quiet_prints_nothing(folder: Path) -> None:
    done = charrnn(folder, "train", "verse.txt", *TINY, "--quiet", "--name", "q")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_a_chinese_file_name_names_the_run(folder: Path) -> None:
    done = charrnn(folder, "train", "诗 歌.txt", *TINY)
    assert done.returncode == 0, done.stderr
    written = charrnn(
        folder, "sample", "checkpoints/诗 歌-gru-1x12", "--seed-text", "床前", "--length", "20"
    )
    assert written.stdout.startswith("床前")
    assert len(written.stdout) == 23


def test_command_line_options_override_those_of_a_file(folder: Path) -> None:
    (folder / "run.toml").write_text(
        'cell = "lstm"\nhidden = 8\nlayers = 1\nepochs = 3\nbatch = 4\n'
    )
    done = charrnn(
        folder, "train", "verse.txt", "--config", "run.toml", "--hidden", "9", "--steps", "3"
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "checkpoints" / "verse-lstm-1x9").is_dir()
    (folder / "bad.toml").write_text("hidden = ")
    assert (
        "bad.toml is not TOML"
        in charrnn(folder, "train", "verse.txt", "--config", "bad.toml").stderr
    )


def test_a_text_too_short_for_the_batch_is_reported_and_trained_on(folder: Path) -> None:
    done = charrnn(
        folder, "train", "verse.txt", *TINY, "--batch", "500", "--seq", "100", "--name", "short"
    )
    assert done.returncode == 0
    assert "too short for 500 streams" in done.stderr


def test_training_reads_standard_input(folder: Path) -> None:
    done = charrnn(folder, "train", "-", *TINY, "--name", "piped", stdin=VERSE[:5000])
    assert done.returncode == 0, done.stderr


def test_resuming_extends_a_run_and_keeps_its_options(folder: Path) -> None:
    charrnn(folder, "train", "verse.txt", *TINY, "--name", "more")
    done = charrnn(folder, "train", "--resume", "checkpoints/more", "--steps", "30")
    assert "resumed at step 20" in done.stderr
    assert charrnn(folder, "info", "checkpoints/more", "--json").stdout.count('"step": 30')
    done = charrnn(folder, "train", "--resume", "checkpoints/more", "--hidden", "99")
    assert done.returncode == 2
    assert "--hidden cannot change" in done.stderr


@posix_only
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_saves_the_run_and_exits(folder: Path, number: int, code: int) -> None:
    name = f"stopped {code}"
    arguments = ["train", "verse.txt", *TINY[:-4], "--steps", "100000", "--name", name]
    process = subprocess.Popen(
        [sys.executable, "-m", "charrnn", *arguments],
        cwd=folder, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr
    for line in process.stderr:
        if line.startswith("epoch "):
            break
    process.send_signal(number)
    _, complaint = process.communicate(timeout=30)
    assert process.returncode == code
    assert f"--resume 'checkpoints/{name}'" in complaint
    assert "Traceback" not in complaint
    done = charrnn(folder, "train", "--resume", f"checkpoints/{name}", "--steps", "10", "--quiet")
    assert (done.returncode, done.stderr) == (0, "")


@posix_only
def test_a_closed_terminal_saves_the_run(folder: Path) -> None:
    pexpect = pytest.importorskip("pexpect")
    process = pexpect.spawn(
        sys.executable,
        ["-m", "charrnn", "train", "verse.txt", *TINY[:-4], "--steps", "100000", "--name", "hung"],
        cwd=str(folder), encoding="utf-8", timeout=60,
    )  # fmt: skip
    process.expect("validation")
    os.close(process.child_fd)  # the terminal is gone
    deadline = time.monotonic() + 30
    while os.waitpid(process.pid, os.WNOHANG)[0] == 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    meta = checkpoint.read_meta(folder / "checkpoints" / "hung" / "last.npz")
    assert meta["position"]["step"] > 0


@posix_only
def test_nohup_keeps_training() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals(lambda: None, []):
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


@posix_only
def test_a_closed_pipe_ends_training_and_saves_the_run(folder: Path) -> None:
    command = (
        f"{sys.executable} -m charrnn train verse.txt {' '.join(TINY[:-4])} --steps 100000 --json "
        "--name unread | head -3 > /dev/null; echo ${PIPESTATUS[0]}"
    )
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, capture_output=True, timeout=60, check=False
    )
    assert done.stdout.strip() == b"141"
    assert done.stderr == b""
    assert (folder / "checkpoints" / "unread" / "last.npz").exists()


def test_training_a_run_that_is_locked_is_refused(folder: Path) -> None:
    run = folder / "checkpoints" / "small"
    code = (
        "import sys; from pathlib import Path; from charrnn.runs.run import Run\n"
        f"with Run(Path({str(run)!r})).locked(): print('locked', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout
        holder.stdout.readline()
        done = charrnn(folder, "train", "--resume", "checkpoints/small", "--steps", "25")
        holder.communicate(b"")
    assert done.returncode == 1
    assert "is being trained by another process" in done.stderr


def test_immediate_divergence_leaves_no_run(folder: Path) -> None:
    arguments = [*TINY, "--optimizer", "sgd", "--lr", "1e9", "--clip", "0", "--name", "boom"]
    done = charrnn(folder, "train", "verse.txt", *arguments)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: The loss exploded")
    assert "last good checkpoint" not in done.stderr
    assert not (folder / "checkpoints" / "boom").exists()


def test_a_run_with_validation_files_resumes_from_another_folder(folder: Path) -> None:
    (folder / "v.txt").write_text(VERSE[6000:7000], "utf-8")
    assert charrnn(
        folder, "train", "verse.txt", *TINY[:-2], "--valid", "v.txt", "--name", "moved"
    ).returncode in (0, 1)
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    done = charrnn(elsewhere, "train", "--resume", "../checkpoints/moved", "--steps", "22")
    assert done.returncode == 0, done.stderr


def test_sampling_writes_text_to_standard_output(folder: Path) -> None:
    done = charrnn(folder, "sample", "--seed-text", "The ", "--length", "50", "--seed", "3")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith("The ")
    assert len(done.stdout) == 4 + 50 + 1
    again = charrnn(folder, "sample", "--seed-text", "The ", "--length", "50", "--seed", "3")
    assert again.stdout == done.stdout


def test_the_bundled_model_can_be_sampled_without_training(tmp_path: Path) -> None:
    done = charrnn(tmp_path, "sample", "--temp", "0.8", "--length", "200", "--seed", "1")
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    assert sum(w.strip(".,;:!?'").lower() in VERSE.lower() for w in words) > len(words) / 2


def test_each_of_several_samples_depends_only_on_its_seed(folder: Path) -> None:
    done = charrnn(folder, "sample", "--count", "3", "--length", "40", "--seed", "7", "--json")
    samples = json.loads(done.stdout)["samples"]
    assert [s["seed"] for s in samples] == [7, 8, 9]
    alone = charrnn(folder, "sample", "--length", "40", "--seed", "8", "--json")
    assert json.loads(alone.stdout)["samples"][0]["text"] == samples[1]["text"]


def test_the_seed_text_can_come_from_a_file_or_a_pipe(folder: Path) -> None:
    (folder / "seed.txt").write_text("Good ")
    for arguments, stdin in [(["--seed-file", "seed.txt"], ""), (["--seed-file", "-"], "Good ")]:
        done = charrnn(folder, "sample", *arguments, "--length", "10", stdin=stdin)
        assert done.stdout.startswith("Good ")


@posix_only
def test_a_closed_pipe_is_quiet(folder: Path) -> None:
    command = f"{sys.executable} -m charrnn sample --length 100000 | head -c 100"
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, capture_output=True, timeout=60, check=False
    )
    assert len(done.stdout) == 100
    assert done.stderr == b""


@posix_only
def test_sampling_streams_its_output(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "charrnn", "sample", "--length", "100000000"],
        cwd=folder, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    with process.stdout as text:
        assert text.read(20)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130


def test_evaluation_reports_all_three_units(folder: Path) -> None:
    data = json.loads(charrnn(folder, "eval", "checkpoints/small", "verse.txt", "--json").stdout)
    assert data.keys() >= LOSS | {"parameters", "chars_per_second", "seconds"}
    assert data["chars"] == 6000
    table = charrnn(folder, "eval", "checkpoints/small", "-", stdin="The sun")
    assert "nats/char" in table.stdout
    assert re.search(r"\b7\b", table.stdout)


def test_evaluation_agrees_with_the_end_of_training(folder: Path) -> None:
    done = charrnn(folder, "train", "verse.txt", *TINY, "--json", "--name", "agree")
    finished = json.loads(done.stdout.splitlines()[-1])
    (folder / "tail.txt").write_text(VERSE[5400:6000], "utf-8")
    data = json.loads(charrnn(folder, "eval", "checkpoints/agree", "tail.txt", "--json").stdout)
    expected = finished["losses"]["test"]["nats_per_char"]
    assert data["nats_per_char"] == pytest.approx(expected, abs=1e-6)


def test_bytes_are_sampled_as_bytes(folder: Path) -> None:
    (folder / "bytes.bin").write_bytes(bytes(range(256)) * 20)
    done = charrnn(folder, "train", "bytes.bin", *TINY, "--unit", "byte", "--name", "bytes")
    assert done.returncode == 0, done.stderr
    assert charrnn(folder, "sample", "checkpoints/bytes", "--length", "30").returncode == 0
    assert charrnn(folder, "eval", "checkpoints/bytes", "bytes.bin").returncode == 0


def test_corpora_are_listed_and_shown(folder: Path) -> None:
    listed = json.loads(charrnn(folder, "corpora", "--json").stdout)
    names = {e["name"]: e for e in listed}
    assert names["elizabethan"]["here"]
    assert names["tinyshakespeare"]["sha256"].startswith("86c4e6aa")
    assert not names["tinyshakespeare"]["here"]
    assert charrnn(folder, "corpora", "show", "elizabethan").stdout == VERSE


BAD = [
    (["train", "nowhere.txt"], 1, "There is no file 'nowhere.txt'"),
    (["train"], 2, "Name a text"),
    (["train", "verse.txt", "--dropout", "1.5"], 2, "dropout is 1.5; it must be"),
    (["train", "verse.txt", "--cell", "nope"], 2, "'nope'"),
    (["train", "verse.txt", "--split", "0.9,0.9"], 2, "add up to 1.8"),
    (["train", "verse.txt", "--encoding", "nope"], 2, "no text encoding 'nope'"),
    (["sample", "--encoding", "nope"], 2, "no text encoding 'nope'"),
    (["sample", "--encoding", ""], 2, "no text encoding ''"),
    (["train", "verse.txt", "--weight-decay", "inf"], 2, "'inf' is not a valid float"),
    (["train", "verse.txt", "--name", "../up"], 2, "without folders"),
    (["train", "x" * 300], 1, "There is no file"),
    (["sample", "x" * 300], 1, "There is no checkpoint"),
    (["sample", "checkpoints/small", "--stop", "語"], 1, "never seen the character '語'"),
    (["train", "--resume", "checkpoints/small", "--name", "x"], 2, "leave out --name"),
    (["train", "latin.txt"], 1, "not utf-8: byte 6 (0xe9) cannot be decoded; it looks like cp1252"),
    (["train", "verse.txt", "--cell", "ngram", "--lr", "1"], 2, "ngram has no use for --lr"),
    (["train", "verse.txt", "--order", "3"], 2, "gru has no use for --order"),
    (["train", "verse.txt", "--cell", "ngram", "--order", "13"], 2, "between 1 and 12"),
    (["train", "one.txt"], 1, "has 1 characters"),
    (["train", "same.txt"], 1, "nothing but the character 'a'"),
    (["train", "."], 1, "is a directory"),
    (["train", "--resume", "nowhere"], 1, "There is no run nowhere"),
    (["sample", "--temp", "-1"], 2, "temp is -1.0; it must be 0 or more"),
    (["sample", "--top-p", "0"], 2, "top-p is 0.0; it must be above 0 and at most 1"),
    (["sample", "--top-k", "-1"], 2, "top-k is -1; it must be 1 or more"),
    (["sample", "--length", "0"], 2, "x>=1"),
    (["sample", "--count", "0"], 2, "x>=1"),
    (["sample", "checkpoints/small", "--seed-text", "語"], 1, "the character '語' (U+8A9E)"),
    (["sample", "verse.txt"], 1, "not a charrnn checkpoint"),
    (["sample", "nowhere"], 1, "There is no checkpoint nowhere."),
    (["sample", "small"], 1, "There is no checkpoint small; did you mean checkpoints/small?"),
    (["compare", "verse.txt", "--cells", "gru,ngram"], 2, "use --ngram ORDERS"),
    (["eval", "checkpoints/small", "诗 歌.txt"], 1, "never seen"),
    (["eval"], 2, "Missing argument"),
    (["eval", "checkpoints/small"], 2, "name a text too"),
    (["train", "诗 歌.txt", "--encoding", "ascii"], 1, "it looks like UTF-8: leave out"),
    (["nope"], 2, "There is no command 'nope'"),
    (["corpora", "show", "nope"], 1, "There is no corpus 'nope'"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "message"), BAD, ids=lambda v: str(v)[:40])
def test_bad_input_gets_one_clear_line(
    arguments: list[str], code: int, message: str, folder: Path
) -> None:
    done = charrnn(folder, *arguments)
    assert done.returncode == code
    assert done.stdout == ""
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    if code == 1:
        assert done.stderr.startswith("Error: ")
        assert done.stderr.count("\n") == 1


def test_unknown_characters_can_be_skipped(folder: Path) -> None:
    done = charrnn(
        folder,
        "sample",
        "checkpoints/small",
        "--seed-text",
        "a語b",
        "--unknown",
        "skip",
        "--length",
        "5",
    )
    assert done.stdout.startswith("ab")


@posix_only
def test_output_that_cannot_be_written_is_a_one_line_error(folder: Path) -> None:
    (folder / "blocked").write_text("a file where a folder should be")
    done = charrnn(folder, "train", "verse.txt", *TINY, "--out", "blocked")
    assert (done.returncode, done.stderr) == (
        1,
        "Error: Cannot make a run in blocked: file exists.\n",
    )
    (folder / "dangling").symlink_to("nowhere")
    done = charrnn(folder, "train", "verse.txt", *TINY, "--out", "dangling/deep")
    assert done.returncode in (0, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", ["sample --length 20", "corpora --json", "info"])
def test_a_full_disk_under_standard_output_is_a_one_line_error(command: str, folder: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m charrnn {command} > /dev/full"],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "Error: Cannot write the output: no space left on device.\n"


@posix_only
def test_closed_standard_streams_are_handled(folder: Path) -> None:
    for command, code in [("sample --length 5 >&-", 0), ("train - <&-", 1), ("info >&-", 0)]:
        done = subprocess.run(
            ["bash", "-c", f"{sys.executable} -m charrnn {command}"],
            cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == code, (command, done.stderr)
        assert "defect" not in done.stderr


def test_an_ascii_terminal_is_supported(folder: Path) -> None:
    done = charrnn(folder, "corpora", PYTHONUTF8="0", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("hidden = 12.5", "hidden is 12.5; it must be a whole number"),
        ("hidden = true", "hidden is True; it must be a whole number"),
        ('keep_newlines = "no"', "keep-newlines is 'no'; it must be true or false"),
        ("valid = 3", "valid is 3; it must be text"),
        ('lr = "fast"', "lr is 'fast'; it must be a number"),
        ("split = [0.9, 0.1]", "split is [0.9, 0.1]; it must be text"),
        ("lr = inf", "lr is inf; it must be a number"),
    ],
)
def test_a_value_of_the_wrong_type_in_a_file_is_named(
    line: str, message: str, folder: Path
) -> None:
    (folder / "wrong.toml").write_text(line)
    done = charrnn(folder, "train", "verse.txt", "--config", "wrong.toml", "--steps", "2")
    assert done.returncode == 2
    assert done.stderr == f"Error: wrong.toml: {message}.\n"


@posix_only
def test_names_with_markup_are_shown_as_they_are(folder: Path) -> None:
    (folder / "q[bold]:smile:.txt").write_text(VERSE[:200], "utf-8")
    done = charrnn(folder, "eval", "checkpoints/small", "q[bold]:smile:.txt")
    assert done.returncode == 0, done.stderr
    assert "q[bold]:smile:.txt" in done.stdout


def test_numbers_in_tables_are_never_cut_in_narrow_terminals(folder: Path) -> None:
    narrow = charrnn(folder, "eval", "checkpoints/small", "verse.txt", COLUMNS="20").stdout
    assert re.search(r"\d\.\d{4} +\d\.\d{4} +\d+\.\d{3} +6,000", narrow)


def examples(name: str) -> list[str]:
    shown = (
        charrnn(Path.cwd(), name, "--help").stdout if name else charrnn(Path.cwd(), "--help").stdout
    )
    return [line.strip() for line in shown.split("Examples:")[1].splitlines() if line.strip()]


@posix_only
@pytest.mark.slow
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_ends_with_examples_that_run(name: str, folder: Path) -> None:
    """Each example runs as printed, except that long budgets are cut to a few steps."""
    lines = examples(name)
    assert lines
    corpora = folder / "corpora"
    corpora.mkdir(exist_ok=True)
    (corpora / "elizabethan.txt").write_text(VERSE[:3000], "utf-8")
    cache = folder / "cache"
    cache.mkdir(exist_ok=True)
    catalogue = put_into_cache(folder)
    if not (folder / "names").exists():
        write_names(folder)
        labelled = ("names/German.txt", "names/Italian.txt", "names/Japanese.txt")
        small = ("--task", "classify", "--hidden", "8", "--steps", "3", "--name", "names")
        charrnn(folder, "train", *labelled, *small)
    charrnn(folder, "train", "elizabethan", *TINY, "--name", "newest")
    bin_dir = Path(sys.executable).parent
    for line in lines:
        quick = re.sub(r"--minutes \d+", "--steps 3", line)
        env = {**os.environ, "PATH": f"{bin_dir}:{os.environ['PATH']}", "CHARRNN_CACHE": str(cache),
               "CHARRNN_CATALOGUE": str(catalogue)}  # fmt: skip
        done = subprocess.run(
            ["bash", "-c", quick], cwd=folder, env=env, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (line, done.stderr)


def test_training_shows_live_progress_in_a_terminal(folder: Path) -> None:
    pexpect = pytest.importorskip("pexpect")
    child = pexpect.spawn(
        sys.executable, ["-m", "charrnn", "train", "verse.txt", *TINY, "--name", "live"],
        cwd=str(folder), dimensions=(24, 80), timeout=60, encoding="utf-8",
    )  # fmt: skip
    screen = child.read()
    child.close()
    assert child.exitstatus == 0
    for shown in (
        "100%",
        "char/s",
        "training",
        "validation",
        "best",
        "perplexity",
        "The best model",
    ):
        assert shown in screen, shown
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen)
    assert max(map(len, re.split(r"[\r\n]+", plain))) <= 80


def test_no_color_is_honoured(folder: Path) -> None:
    pexpect = pytest.importorskip("pexpect")
    child = pexpect.spawn(
        sys.executable, ["-m", "charrnn", "train", "verse.txt", *TINY, "--name", "plain"],
        cwd=str(folder), timeout=60, encoding="utf-8", env={**os.environ, "NO_COLOR": "1"},
    )  # fmt: skip
    screen = child.read()
    assert "100%" in screen
    assert not re.search(r"\x1b\[[0-9;]*3[1-7]m", screen)
