"""Every text of the dashboard is there in Swedish and in English, and both say the same things."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "api" / "dashboard" / "src"
EDGE = Path(__file__).parents[2] / "edge"
STRING = r'"((?:[^"\\]|\\.)*)"'
PAIR = re.compile(rf"sv:\s*{STRING},\s*en:\s*{STRING}")
TABLES = sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.ts") if "sv:" in path.read_text("utf-8"))
# what is typed and not written
TYPES = {"api.d.ts"}


@pytest.mark.parametrize("table", [table for table in TABLES if table not in TYPES])
def test_every_text_has_both_languages(table: str) -> None:
    source = (SOURCE / table).read_text("utf-8")
    pairs = PAIR.findall(source)
    # a text in one language alone, or in the other order, is found by its beginning
    assert len(pairs) == len(re.findall(r'\bsv:\s*"', source)) == len(re.findall(r'\ben:\s*"', source))
    for swedish, english in pairs:
        assert bool(swedish) == bool(english), f"{swedish!r} and {english!r}: one of them is empty"
        said = [sorted(set(re.findall(r"\{(\w+)\}", text))) for text in (swedish, english)]
        assert said[0] == said[1], f"{swedish!r} and {english!r} do not say the same"
        # what is in quotation marks is marked as English on the page: it is what an edge or the server says
        quoted = re.findall(r"[“”](.*?)”", swedish + english)
        assert set(quoted) <= {"{detail}", "{problem}", "{reason}"}, f"{swedish!r} or {english!r} quotes words of its own"


def test_there_are_texts() -> None:
    assert {"words/texts.ts", "words/visitor.ts"} <= set(TABLES)


@pytest.mark.parametrize("component", sorted(path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.svelte")))
def test_no_component_has_a_text_of_its_own(component: str) -> None:
    markup = re.sub(
        r"<script.*?</script>|<style.*?</style>|<!--.*?-->", "", (SOURCE / component).read_text("utf-8"), flags=re.DOTALL
    )
    # braces within braces: from the inside out
    while (without := re.sub(r"\{[^{}]*\}", "", markup)) != markup:
        markup = without
    # words between tags: what is left is units, signs and names
    found = [text for text in re.findall(r">([^<>]*)<", markup) if re.search(r"[A-Za-zÅÄÖåäö]{4,}", text.replace("&nbsp;", ""))]
    assert [text.strip() for text in found if text.strip() not in {"kullager", "&ensp;"}] == []


def _reasons(path: Path) -> Iterator[str]:
    """Why values were not used, as this file of the edge counts them."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(
                func=ast.Name(id="MessageError") | ast.Attribute(attr="reject"), args=[ast.Constant(value=str(said)), *_]
            ):
                yield said
            case ast.Subscript(value=ast.Name(id="rejected") | ast.Attribute(attr="rejected" | "_rejected")) as counter:
                if isinstance(counter.slice, ast.Constant):
                    yield str(counter.slice.value)
            case ast.Return(value=ast.Tuple(elts=[_, *_, ast.Constant(value=str(said))])):
                yield said


def test_every_reason_why_an_edge_uses_no_value_has_a_text() -> None:
    folders = [EDGE / name for name in ("formats", "data_acquisition")]
    reasons = {reason for folder in folders for path in folder.glob("*.py") for reason in _reasons(path)}
    assert {"not-json", "retained", "no-such-field", "unknown-handle"} <= reasons
    table = (SOURCE / "words" / "texts.ts").read_text("utf-8").partition("export const rejections")[2].partition("};")[0]
    assert reasons - set(re.findall(r'^  "?([a-z-]+)"?: \{', table, re.MULTILINE)) == set()
