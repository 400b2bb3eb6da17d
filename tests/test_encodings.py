"""Recognizing encodings, and files that are not text."""

import gzip
import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charrnn.data.encodings import disguised, file_kind, guess_encodings
from charrnn.data.reading import Source, TextOptions
from charrnn.errors import CorpusError

TEXTS = {
    "Russian": (
        "Вечером мы сидели у окна и слушали, как идёт дождь. Старая лампа горела ровно, и никто "
        "не хотел говорить первым. Потом пришла Анна с письмом из города.",
        ["cp1251", "koi8-r", "iso-8859-5", "cp866"],
    ),
    "Greek": (
        "Το βράδυ καθόμασταν στο παράθυρο και ακούγαμε τη βροχή. Η παλιά λάμπα έκαιγε ήσυχα.",
        ["cp1253", "iso-8859-7"],
    ),
    "Hebrew": (
        "בערב ישבנו ליד החלון ושמענו את הגשם יורד על הגגות של העיר",
        ["cp1255", "iso-8859-8"],
    ),
    "Arabic": ("جلسنا في المساء قرب النافذة نسمع المطر وننتظر رسالة من المدينة", ["cp1256"]),
    "Polish": (
        "Wieczorem siedzieliśmy przy oknie i słuchaliśmy, jak pada deszcz. Później przyszła Anna "
        "z listem, którego nikt się nie spodziewał; żółta lampa ćmiła źle.",
        ["cp1250", "iso-8859-2"],
    ),
    "Czech": (
        "Večer jsme seděli u okna a poslouchali, jak prší. Potom přišla Anna s dopisem z města, "
        "který nikdo nečekal, a stará lampa tiše svítila.",
        ["cp1250", "iso-8859-2"],
    ),
    "Hungarian": (
        "Este az ablaknál ültünk és hallgattuk az esőt. Később megjött Anna egy levéllel, amelyet "
        "senki sem várt; a régi lámpa csöndesen égett a könyvek fölött, mint egy őrült tűz.",
        ["cp1250", "iso-8859-2"],
    ),
    "Turkish": (
        "Akşam pencerenin yanında oturup yağmuru dinledik. Sonra Ayşe şehirden gelen bir mektupla "
        "içeri girdi; eski lamba sessizce ışık veriyordu, kimse konuşmadı.",
        ["cp1254"],
    ),
    "French": (
        "Le soir, assis près de la fenêtre, nous écoutions la pluie. « Où est la clé ? » demanda "
        "Hélène ; personne n’était pressé de répondre.",
        ["cp1252"],
    ),
    "German": (
        "Abends saßen wir am Fenster und hörten dem Regen zu. Später kam Käthe mit einem Brief.",
        ["cp1252", "iso-8859-1"],
    ),
    "Spanish": (
        "Por la noche oíamos la lluvia. ¿Quién trajo la carta? Nadie respondió.",
        ["cp1252"],
    ),
    "Swedish": ("På kvällen satt vi vid fönstret och hörde regnet falla på gården.", ["cp1252"]),
    "simplified Chinese": ("晚上我们坐在窗前，听雨下了很久。后来她来了，带着一封信。", ["gb18030"]),
    "traditional Chinese": ("晚上我們坐在窗前，聽雨下了很久。後來她來了，帶著一封信。", ["big5"]),
    "Japanese": (
        "夜、私たちは窓のそばに座って雨の音を聞いていた。それから彼女が手紙を持って来た。",
        ["shift_jis", "euc-jp"],
    ),
    "Korean": ("저녁에 우리는 창가에 앉아 빗소리를 들었다. 나중에 편지가 왔다.", ["euc-kr"]),
}  # fmt: skip
CASES = [(text, encoding) for text, encodings in TEXTS.values() for encoding in encodings]


@pytest.mark.parametrize(("text", "encoding"), CASES)
def test_the_likeliest_encoding_decodes_the_text(text: str, encoding: str) -> None:
    data = text.encode(encoding)
    guesses = guess_encodings(data)
    assert data.decode(guesses[0].encoding) == text
    assert 1 <= len(guesses) <= 3
    assert len({guess.text for guess in guesses}) == len(guesses)


@pytest.mark.parametrize(("text", "encoding"), CASES)
def test_the_error_shows_the_decoded_text(text: str, encoding: str) -> None:
    source = Source("a.txt", text.encode(encoding))
    with pytest.raises(CorpusError) as error:
        list(source.code_points(TextOptions()))
    (best, *_) = guess_encodings(text.encode(encoding))
    assert f"it looks like {best.encoding} («{best.text}»)" in str(error.value)
    assert f"try --encoding {best.encoding}." in str(error.value)
    assert best.text in text


@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_give_at_most_three_printable_guesses(data: bytes) -> None:
    guesses = guess_encodings(data)
    assert len(guesses) <= 3
    assert all(guess.text.isprintable() for guess in guesses)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", ["It rained all evening.\n" * 9, TEXTS["Russian"][0]])
def test_wide_text_without_a_mark_is_refused_with_its_encoding(encoding: str, text: str) -> None:
    source = Source("a.txt", text.encode(encoding))
    with pytest.raises(CorpusError, match=f"looks like {encoding}.*--encoding {encoding}"):
        list(source.code_points(TextOptions()))
    decoded = list(source.code_points(TextOptions(encoding=encoding)))
    assert sum(len(points) for _, points in decoded) == len(text)


@pytest.mark.parametrize(
    ("encoding", "name"), [("iso2022_jp", "Japanese"), ("hz", "simplified Chinese")]
)
def test_seven_bit_encodings_are_not_taken_for_ascii(encoding: str, name: str) -> None:
    data = TEXTS[name][0].encode(encoding)
    assert data.isascii()
    assert disguised(data) == encoding.replace("iso2022_jp", "iso-2022-jp")
    with pytest.raises(CorpusError, match="--encoding"):
        list(Source("a.txt", data).code_points(TextOptions()))


@given(st.text())
def test_ordinary_text_is_not_disguised_without_nulls_and_escapes(text: str) -> None:
    plain = text.replace("\0", "").replace("\x1b", "").replace("~", "")
    assert disguised(plain.encode("utf-8", "ignore")) is None


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_a_text_cut_off_inside_a_character_says_so(cut: int) -> None:
    data = "It ends here: 🌸".encode()[:-cut]
    with pytest.raises(CorpusError, match="is UTF-8, cut off in its last character"):
        list(Source("a.txt", data).code_points(TextOptions()))


def archive(name: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr(name, "x")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"%PDF-1.7\n%...", "a PDF file"),
        (b"\x89PNG\r\n\x1a\n", "a PNG image"),
        (archive("word/document.xml"), "a Word document"),
        (archive("a.txt"), "a zip archive"),
        (gzip.compress(b"text", mtime=0), "a gzip file"),
        (b"{\\rtf1 Hello}", "an RTF document"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_is_not_text_is_named(data: bytes, kind: str, tmp_path: Path) -> None:
    (tmp_path / "poems.txt").write_bytes(data)
    source = Source.of(tmp_path / "poems.txt")
    assert file_kind(data) == kind
    with pytest.raises(CorpusError, match=f"is {kind}, not text; save its content as text"):
        list(source.code_points(TextOptions()))
    raw = list(source.code_points(TextOptions(unit="byte")))
    assert b"".join(block for block, _ in raw) == data
