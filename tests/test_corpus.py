"""Corpora: vocabularies, decoding, splits and batches of streams."""

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.data.batches import Streams, fitting
from charrnn.data.code_points import code_points
from charrnn.data.code_points import text_of as points_to_text
from charrnn.data.corpus import Corpus
from charrnn.data.encodings import guess_encoding
from charrnn.data.lines import split_code_lines, split_lines
from charrnn.data.reading import Source, TextOptions
from charrnn.data.split import Split
from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import ConfigError, CorpusError, VocabularyError

ALL = Split(1, 0, 0)
CHINESE = "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。这是我的书，不在这里，他来了。"


def read(data: bytes, **options: Any) -> Corpus:
    return Corpus.read([Source("a.txt", data)], split=ALL, options=TextOptions(**options))


def text_of(corpus: Corpus) -> str:
    return corpus.vocabulary.decode(corpus.train)


@given(st.text(min_size=1))
def test_encoding_then_decoding_is_the_text(text: str) -> None:
    vocabulary = Vocabulary.of(text)
    assert vocabulary.decode(vocabulary.encode(text)) == text.encode("utf-8", "replace").decode()


@given(st.text(min_size=1))
def test_symbols_are_sorted_and_survive_json(text: str) -> None:
    vocabulary = Vocabulary.of(text)
    assert vocabulary.code_points.tolist() == sorted({ord(c) for c in text})
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary


@given(st.binary(min_size=2).filter(lambda b: len(set(b)) > 1))
def test_bytes_are_kept_exactly(data: bytes) -> None:
    corpus = read(data, unit="byte")
    assert corpus.vocabulary.decode_bytes(corpus.train) == data
    assert corpus.vocabulary.code_points.tolist() == sorted(set(data))


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=2).filter(lambda t: len(set(t)) > 1)
)
def test_text_round_trips(text: str) -> None:
    corpus = read(text.encode(), keep_newlines=True)
    assert text_of(corpus) == text.removeprefix("\ufeff")


def test_emoji_combining_marks_and_nul_are_symbols_like_others() -> None:
    text = "e\u0301 \U0001f469\u200d\U0001f680 \0 字\n"
    assert text_of(read(text.encode())) == text


def test_one_hot_has_a_single_one() -> None:
    hot = Vocabulary.of("abc").one_hot(np.array([[0, 2], [1, 1]]))
    assert hot.shape == (2, 2, 3)
    assert hot.argmax(-1).tolist() == [[0, 2], [1, 1]]
    assert (hot.sum(-1) == 1).all()


def test_byte_order_marks_are_dropped_and_line_ends_become_lf() -> None:
    assert text_of(read(b"\xef\xbb\xbfa\r\nb\rc\n")) == "a\nb\nc\n"
    assert text_of(read(b"a\r\nb\r", keep_newlines=True)) == "a\r\nb\r"


def test_line_ends_and_characters_can_cross_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charrnn.data.reading._BLOCK", 1)
    assert text_of(read("天\r\n地\r".encode())) == "天\n地\n"


def test_files_are_joined_and_hashed_in_order(tmp_path: Path) -> None:
    (tmp_path / "一.txt").write_text("ab", "utf-8")
    (tmp_path / "二.txt").write_text("ca", "utf-8")
    corpus = Corpus.read([tmp_path / "一.txt", tmp_path / "二.txt"], split=ALL)
    assert text_of(corpus) == "abca"
    assert corpus.sha256 == read(b"abca").sha256


def test_standard_input_is_a_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("hello")
    with (tmp_path / "in").open() as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        assert text_of(Corpus.read(["-"], split=ALL)) == "hello"


@pytest.mark.parametrize("encoding", ["utf-16", "gb18030", "big5", "cp1252"])
def test_the_error_says_where_and_names_the_likely_encoding(encoding: str) -> None:
    text = {
        "cp1252": "Le café où l’été dure, “déjà vu”.",
        "big5": "這是我們的書，不在這裡，他來了說：時間不大。",
    }
    data = text.get(encoding, CHINESE).encode(encoding)
    assert guess_encoding(data) == encoding
    with pytest.raises(
        CorpusError, match=rf"a\.txt is not utf-8: byte \d+ .*--encoding {encoding}"
    ):
        read(data)
    assert text_of(read(data, encoding=encoding)) == text.get(encoding, CHINESE)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("block", [3, 1 << 22])
def test_the_offset_counts_from_the_start_of_the_file(
    mark: bytes, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charrnn.data.reading._BLOCK", block)
    data = mark + "语言语言".encode() + b"abcdef\xff rest"
    with pytest.raises(CorpusError, match=f"byte {data.index(0xFF)} "):
        read(data)


def test_a_truncated_character_at_the_end_is_an_error() -> None:
    with pytest.raises(CorpusError, match="cut off in its last character: it ends with e8 af"):
        read(b"ab" + "语".encode()[:2])


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "0 characters"), (b"a", "1 characters"), (b"aaaa", "nothing but the character 'a'")],
)
def test_a_text_with_nothing_to_learn_is_an_error(data: bytes, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        read(data)


def test_a_missing_file_an_unknown_encoding_and_a_folder_are_errors(tmp_path: Path) -> None:
    for path, message in [(tmp_path / "no.txt", "no such file"), (tmp_path, "is a directory")]:
        with pytest.raises(CorpusError, match=message):
            Corpus.read([path])
    with pytest.raises(ConfigError, match="no text encoding 'latin-47'"):
        read(b"abc", encoding="latin-47")


def test_rare_characters_fold_into_one_unknown_symbol() -> None:
    corpus = read(b"aaabbbxyz", min_count=2)
    assert corpus.vocabulary.symbols == ["a", "b", "\ufffd"]
    assert text_of(corpus) == "aaabbb\ufffd\ufffd\ufffd"
    assert corpus.vocabulary.encode("aq").tolist() == [0, 2]


def test_an_unseen_character_is_named_or_skipped() -> None:
    vocabulary = Vocabulary.of("abc")
    with pytest.raises(VocabularyError, match=r"'ß' \(U\+00DF\), number 2 of the text"):
        vocabulary.encode("aß")
    assert vocabulary.encode("aßc", skip_unknown=True).tolist() == [0, 2]


def test_splits_are_contiguous_and_in_order() -> None:
    corpus = Corpus.of_text("abcdefghij" * 10, Split.parse("0.8,0.1,0.1"))
    whole = np.concatenate([corpus.train, corpus.valid, corpus.test])
    assert corpus.vocabulary.decode(whole) == "abcdefghij" * 10
    assert [len(p) for p in corpus.parts.values()] == [80, 10, 10]


def test_validation_files_replace_shares(tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("xyz")
    corpus = Corpus.read(
        [Source("a", b"abcdefghij")], valid=tmp_path / "v.txt", split=Split.parse("0.8,0.1,0.1")
    )
    assert corpus.vocabulary.decode(corpus.valid) == "xyz"
    assert [len(p) for p in corpus.parts.values()] == [9, 3, 1]


@pytest.mark.parametrize(
    "split", ["", "a", "nan", "0.5,0.2", "0,0.5,0.5", "0.5,0.6,-0.1", "1,0,0,0"]
)
def test_an_invalid_split_is_an_error(split: str) -> None:
    with pytest.raises(ConfigError):
        Split.parse(split)


def test_an_empty_split_is_an_error_unless_requested() -> None:
    with pytest.raises(CorpusError, match="too few for a validation part"):
        Corpus.of_text("abcabc", Split.parse("0.98,0.01,0.01"))
    assert len(Corpus.of_text("abcabc", ALL).valid) == 0


@given(st.text("a\r\n\u2028\x85") | st.text())
def test_a_line_feed_ends_a_line_and_nothing_else_does(text: str) -> None:
    lines = split_lines(text)
    assert "\n".join(lines) == text.removesuffix("\n")
    assert "\n" not in "".join(lines)
    assert [points_to_text(line) for line in split_code_lines(code_points(text))] == lines


@given(length=st.integers(2, 500), batch=st.integers(1, 40), seq=st.integers(1, 60))
def test_streams_cover_the_text_once_and_targets_are_one_ahead(
    length: int, batch: int, seq: int
) -> None:
    ids = np.arange(length)
    streams = Streams.of(ids, batch, seq)
    fitted_batch, longest = fitting(length, batch, seq)
    chunks = [streams.chunk(n) for n in range(streams.chunks)]
    assert streams.batch == fitted_batch <= batch
    assert all(len(x) <= 1.5 * longest + 1 for x, _ in chunks)
    assert longest <= seq
    assert max(len(x) for x, _ in chunks) - min(len(x) for x, _ in chunks) <= 1
    read_ids = np.concatenate([x for x, _ in chunks]).T.ravel()
    np.testing.assert_array_equal(read_ids, ids[: streams.inputs.size])
    np.testing.assert_array_equal(np.concatenate([y for _, y in chunks]).T.ravel(), read_ids + 1)
    assert length - 1 - streams.inputs.size < fitted_batch


def test_ids_use_the_smallest_integer_type() -> None:
    corpus = Corpus.read([Source("b", bytes(range(256)) * 4)], options=TextOptions("byte"))
    assert corpus.train.dtype == np.uint8


def test_short_reads_of_a_stream_are_handled() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(min(size or 2, 2))

    source = Source("slow", b"")
    object.__setattr__(source, "_open", lambda: Slow("日本語テキスト".encode()))
    assert text_of(Corpus.read([source], split=ALL)) == "日本語テキスト"


def test_a_bad_byte_in_a_text_that_is_utf_8_is_called_damage() -> None:
    data = "Le café où l’été dure. ".encode() * 10 + b"\xe9" + "Déjà vu. ".encode() * 10
    with pytest.raises(CorpusError, match="the file is damaged there"):
        read(data)


def test_the_likely_encoding_is_guessed_around_the_bad_byte() -> None:
    with pytest.raises(CorpusError, match="--encoding gb18030"):
        read(b"ascii " * 20_000 + CHINESE.encode("gb18030"))


def test_byte_order_marks_are_dropped_in_every_encoding() -> None:
    for name in ("utf-16", "utf-16-le", "gb18030", "utf-32"):
        data = ("\ufeff" if name in ("utf-16-le", "gb18030") else "") + "中文中"
        assert text_of(read(data.encode(name), encoding=name)) == "中文中"


@pytest.mark.parametrize("name", ["hex", "rot13", "undefined", "no\nsuch", ""])
def test_codecs_that_are_no_text_encoding_are_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        read(b"abc", encoding=name)
