"""Pages in the terminal, as Markdown and as HTML."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from onnxfi.analysis import Interval
from onnxfi.campaign import CampaignSummary
from onnxfi.errors import ConfigError
from onnxfi.report import (
    Column,
    Fact,
    Page,
    Row,
    TableView,
    draw_interval,
    full_page,
    render_html,
    render_markdown,
    render_text,
    scale_top,
    short_page,
    write_report,
)

MakeSummary = Callable[..., CampaignSummary]

NASTY = "<script>alert(1)</script>|[red]x[/red]`*_\"&'</td>"


def _interval(low: float, value: float, high: float) -> Interval:
    return Interval(value=value, low=low, high=high, confidence=0.95, n=9, method="wilson")


def _nasty_page() -> Page:
    table = TableView(
        title=NASTY,
        columns=(Column(title=NASTY, number=False), Column(title="rate")),
        rows=(Row(cells=(NASTY, "0.5"), interval=_interval(0.1, 0.5, 0.9)),),
        note=NASTY,
    )
    return Page(
        title=NASTY, facts=(Fact(label=NASTY, text=NASTY),), tables=(table,), notes=(NASTY,)
    )


def _text(page: Page, width: int) -> str:
    file = io.StringIO()
    console = Console(file=file, width=width, markup=False, highlight=False, emoji=False)
    for renderable in render_text(page, width):
        console.print(renderable)
    return file.getvalue()


class _Tags(HTMLParser):
    """Checks that tags are closed in order; collects what the tests ask for."""

    VOID = frozenset({"meta", "line", "circle"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _parsed(html: str) -> _Tags:
    tags = _Tags()
    tags.feed(html)
    tags.close()
    assert tags.open == []
    return tags


def test_html_shows_nasty_names_as_text() -> None:
    tags = _parsed(render_html(_nasty_page()))
    assert "script" not in tags.seen
    assert "".join(tags.text).count(NASTY) == 9  # title 2, fact 2, table 4, note 1


def test_html_needs_nothing_from_outside(make_summary: MakeSummary) -> None:
    html = render_html(full_page(make_summary()))
    tags = _parsed(html)
    loading = {"src", "href", "action", "data", "background", "xlink:href", "srcset"}
    assert not loading & {name for name, _ in tags.attributes}
    assert "url(" not in html
    assert "@import" not in html
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in tags.attributes


def test_html_has_every_cell_and_a_drawing_for_every_interval(make_summary: MakeSummary) -> None:
    page = full_page(make_summary())
    tags = _parsed(render_html(page))
    for table in page.tables:
        for row in table.rows:
            assert set(row.cells) <= set(tags.text)
    drawn = sum(row.interval is not None for table in page.tables for row in table.rows)
    assert tags.seen.count("svg") == drawn > 0


def test_long_tables_start_folded(make_summary: MakeSummary) -> None:
    short = render_html(full_page(make_summary()))
    assert "<details>" not in short
    many = make_summary(n=100, layers=tuple(f"l{k}" for k in range(50)))
    assert "<summary>50 lines</summary>" in render_html(full_page(many))


def test_markdown_tables_keep_their_columns() -> None:
    text = render_markdown(_nasty_page())
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [len(re.findall(r"(?<!\\)\|", line)) for line in lines]
    assert cells == [3, 3, 3]
    assert "<script>" not in text
    assert "[red]" not in text


def test_markdown_has_every_cell(make_summary: MakeSummary) -> None:
    page = full_page(make_summary())
    plain = re.sub(r"\\(.)", r"\1", render_markdown(page))
    for table in page.tables:
        for row in table.rows:
            assert "| " + " | ".join(row.cells) + " |" in plain


def test_the_terminal_takes_no_markup_from_names() -> None:
    assert _text(_nasty_page(), 300).count(NASTY) == 8


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_no_rate_is_cut(
    make_summary: MakeSummary, width: int
) -> None:
    summary = make_summary()
    text = _text(short_page(summary), width)
    assert max(map(len, text.splitlines())) <= width
    for row in summary.tables["layer"].rows:
        assert f"[{row.rate.low:.4f}, {row.rate.high:.4f}]" in text
    if width != 100:  # there, the short table of rates has room for its drawing
        assert ("●" in text) == (width >= 120)


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3).map(sorted), st.integers(2, 60))
def test_drawings_are_in_scale(ends: list[float], width: int) -> None:
    interval = _interval(*ends)
    view = TableView(title="", columns=(), rows=(Row(cells=(), interval=interval),))
    top = scale_top(view)
    assert interval.high <= top * (1 + 1e-9) or top == 1
    drawn = draw_interval(interval, top, width)
    assert len(drawn) <= width
    assert drawn.count("●") == 1
    assert drawn.index("●") == round(interval.value / top * (width - 1))
    assert drawn == "" or set(drawn.strip()) <= set("├─●┤")


def test_scales_are_round() -> None:
    def top(high: float) -> float:
        rows = (Row(cells=(), interval=_interval(0, 0, high)),)
        return scale_top(TableView(title="", columns=(), rows=rows))

    assert [top(high) for high in (0.0, 0.013, 0.05, 0.3, 0.7, 1.0)] == [1, 0.02, 0.05, 0.5, 1, 1]


@pytest.mark.parametrize("suffix", [".html", ".md", ".json"])
def test_reports_are_written_by_suffix(
    make_summary: MakeSummary, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"report{suffix}"
    write_report([make_summary()], path)
    starts = {
        ".html": "<!doctype html>",
        ".md": "# made",
        ".json": '{\n  "schema": "onnxfi/report/1"',
    }
    assert path.read_text(encoding="utf-8").startswith(starts[suffix])
    write_report([make_summary(), make_summary()], path)
    assert "2 campaigns" in path.read_text(encoding="utf-8") or suffix == ".json"


def test_other_suffixes_are_refused(make_summary: MakeSummary, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must end in"):
        write_report([make_summary()], tmp_path / "report.pdf")
    assert list(tmp_path.iterdir()) == []


def test_drawings_stand_before_the_numbers_of_wide_tables(make_summary: MakeSummary) -> None:
    text = render_html(full_page(make_summary()))
    rows = re.findall(r"<tr><td>[^<]*</td>(<td>[^<]*</td>)?<td><svg", text)
    assert len(rows) == text.count("<svg")
