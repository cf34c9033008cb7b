"""The language of pages, messages and code: cited sections exist, and words to avoid are not used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.paths import ROOT

BEHAVIOUR = ROOT / "docs" / "behaviour.md"
GLOSSARY = ROOT / "docs" / "glossary.md"
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
CODE = [path for folder in ("chalicelib", "infra", "tests") for path in sorted((ROOT / folder).rglob("*.py"))]
READ_BY_PEOPLE = [path for path in CODE if path.relative_to(ROOT).parts[0] != "tests"]
CITATION = re.compile(r"docs/([\w-]+)\.md#([\w-]+)")


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def headings(page: Path) -> set[str]:
    """The anchors of a page, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def avoided() -> list[tuple[str, bool]]:
    """Each word of the glossary's last table, and whether it must not be in code either."""
    table = GLOSSARY.read_text().partition("## Words to avoid")[2]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line[:1] == "|"]
    return [(row[0], row[2] == "yes") for row in rows[2:]]


def finder(words: list[str]) -> re.Pattern[str]:
    return re.compile(r"\b(?:" + "|".join(word.replace(" ", r"\s+") for word in words) + r")s?\b", re.IGNORECASE)


def messages(source: str) -> Iterator[str]:
    """Texts of errors, logs and command-line help: what is passed to a call, without single words, which are names."""
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call):
            for argument in [*call.args, *(keyword.value for keyword in call.keywords)]:
                for part in argument.values if isinstance(argument, ast.JoinedStr) else [argument]:
                    if isinstance(part, ast.Constant) and isinstance(part.value, str) and not part.value.isidentifier():
                        yield part.value


def test_cited_rules_exist() -> None:
    known = {page.stem: headings(page) for page in (ROOT / "docs").glob("*.md")}
    cited = [(name(path), *found) for path in CODE for found in CITATION.findall(path.read_text())]

    assert len(cited) > 50
    assert [cite for cite in cited if cite[2] not in known.get(cite[1], set())] == []


def test_anchors_of_the_behaviour_page_are_unique() -> None:
    titles = re.findall(r"^#+ (.+)$", BEHAVIOUR.read_text(), re.MULTILINE)

    assert sorted({title.lower() for title in titles}) == sorted(title.lower() for title in titles)


def test_the_glossary_has_one_row_for_each_term() -> None:
    terms = re.findall(r"^\| ([^|]+) \|[^|]+\|[^|]*\|[^|]*\|$", GLOSSARY.read_text(), re.MULTILINE)
    terms = [term for term in terms if term not in {"term", "---"}]

    assert len(terms) > 60
    assert len(set(terms)) == len(terms)


@pytest.mark.parametrize("page", [path for path in PAGES if path != GLOSSARY], ids=name)
def test_pages_use_no_word_to_avoid(page: Path) -> None:
    prose = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.DOTALL)

    assert finder([word for word, _ in avoided()]).findall(prose) == []


def test_messages_use_no_word_to_avoid() -> None:
    words = finder([word for word, _ in avoided()])
    found = [(name(path), text) for path in READ_BY_PEOPLE for text in messages(path.read_text()) if words.search(text)]

    assert found == []


def test_code_uses_no_word_to_avoid() -> None:
    words = finder([word for word, in_code in avoided() if in_code])

    assert [name(path) for path in CODE if path != Path(__file__) and words.search(path.read_text())] == []


def test_decisions_are_numbered_once() -> None:
    numbers = [path.name.partition("-")[0] for path in (ROOT / "docs" / "adr").glob("*.md")]

    assert sorted(set(numbers)) == sorted(numbers)
