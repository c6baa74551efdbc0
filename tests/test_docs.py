"""The documentation: tables as the code has them, links that resolve, short lines (house rules 8 and 10)."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("tests/**/*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@pytest.fixture
def generate(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import generate

    yield generate
    for name in ("generate", "annotate", "assurance", "claims", "traceability"):
        sys.modules.pop(name, None)


def test_the_tables_are_what_the_code_says(generate) -> None:  # type: ignore[no-untyped-def]
    assert generate.stale() == [], "run `make docs` and commit the pages"


def test_no_meaning_is_written_down_for_a_field_that_is_gone(generate) -> None:  # type: ignore[no-untyped-def]
    pages = "".join((ROOT / "docs" / name).read_text("utf-8") for name in generate.PAGES)
    named = {what.rpartition(".")[2] for what in re.findall(r"<!-- table: (\S+) -->", pages)}
    for struct, fields in generate.meanings().items():
        assert struct in named, f"docs/meanings.toml: [{struct}] stands on no page"
        for field in fields:
            assert f"`{field}`" in pages, f"docs/meanings.toml: {struct}.{field}"


def anchors(page: Path) -> set[str]:
    """The anchors of a page: explicit ones, and those that headings get on the usual sites."""
    text = page.read_text("utf-8")
    found = set(re.findall(r'<a id="([^"]+)">', text))
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.add(re.sub(r"[^\w\- ]", "", words).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        there = (page.parent / name).resolve() if name else page
        assert there.exists(), f"{target} leads nowhere"
        assert there.is_relative_to(ROOT), f"{target} leads out of the repository"
        assert not anchor or anchor in anchors(there), f"{target}: there is no such place on the page"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_path_of_somebodys_machine(page: Path) -> None:
    assert not re.search(r"(?<![\w.])/(home|root|work|tmp|Users)/", page.read_text("utf-8"))


def test_every_make_target_that_a_page_names_exists() -> None:
    declared = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    targets = set(declared)
    assert len(declared) == len(targets), "a target that is declared twice has only its last recipe"
    named = {
        (target, str(page.relative_to(ROOT)))
        for page in PAGES
        for target in re.findall(r"(?:^|`|&& )(?:sudo )?make ([a-z0-9-]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    assert len(named) > 20
    assert [(target, page) for target, page in sorted(named) if target not in targets] == []
