"""A small SVG writer: stacked bars in groups, and curves with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

_FONT = "font-family='sans-serif' font-size='12'"
_INK = "#222222"
_GRID = "#dddddd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """One stacked bar.

    Attributes:
        group: The bars that it stands among.
        label: What it is there.
        parts: Heights (shares of 1) and colours, from the bottom.
    """

    group: str
    label: str
    parts: tuple[tuple[float, str], ...]


@dataclass(slots=True, kw_only=True)
class Drawing:
    """An SVG picture with one pair of axes.

    Attributes:
        width: In pixels.
        height: In pixels.
        title: Shown above.
    """

    width: int
    height: int
    title: str
    _marks: list[str] = field(default_factory=list)
    _legend: list[tuple[str, str]] = field(default_factory=list)
    _x: tuple[float, float] = (0, 1)
    _y: tuple[float, float] = (0, 1)

    def axes(
        self,
        x: Sequence[tuple[float, str]],
        y: Sequence[tuple[float, str]],
        labels: tuple[str, str],
    ) -> None:
        """Draw axes with ticks (value, text); the outermost ticks are the limits."""
        self._x, self._y = (x[0][0], x[-1][0]), (y[0][0], y[-1][0])
        left, right, top, bottom = self._frame()
        for value, text in y:
            at = self.at_y(value)
            self.line((left, at), (right, at), _GRID)
            self.word(left - 6, at + 4, text, "end")
        for value, text in x:
            self.word(self.at_x(value), bottom + 16, text, "middle")
        self.line((left, bottom), (right, bottom), _INK)
        self.word((left + right) / 2, bottom + 34, labels[0], "middle")
        self._marks.append(
            f"<text x='14' y='{(top + bottom) / 2:.1f}' {_FONT} fill='{_INK}' text-anchor='middle' "
            f"transform='rotate(-90 14 {(top + bottom) / 2:.1f})'>{escape(labels[1])}</text>"
        )

    def curve(
        self, points: Sequence[tuple[float, tuple[float, float, float]]], colour: str, label: str
    ) -> None:
        """Draw points (value, low, high) over x, joined by lines."""
        path = " ".join(f"{self.at_x(x):.1f},{self.at_y(y[0]):.1f}" for x, y in points)
        self._marks.append(
            f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'/>"
        )
        for x, (value, low, high) in points:
            at = self.at_x(x)
            self.line((at, self.at_y(low)), (at, self.at_y(high)), colour)
            self._marks.append(
                f"<circle cx='{at:.1f}' cy='{self.at_y(value):.1f}' r='3.5' fill='{colour}'/>"
            )
        self._legend.append((label, colour))

    def box(self, x: float, y: float, size: tuple[float, float], colour: str) -> None:
        """Draw a filled rectangle, x and y its upper left corner, in pixels."""
        self._marks.append(
            f"<rect x='{x:.1f}' y='{y:.1f}' width='{size[0]:.1f}' height='{size[1]:.1f}' "
            f"fill='{colour}'/>"
        )

    def line(self, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
        """Draw a line, in pixels."""
        self._marks.append(
            f"<line x1='{start[0]:.1f}' y1='{start[1]:.1f}' x2='{end[0]:.1f}' y2='{end[1]:.1f}' "
            f"stroke='{colour}'/>"
        )

    def word(self, x: float, y: float, text: str, anchor: str) -> None:
        """Write a text."""
        self._marks.append(
            f"<text x='{x:.1f}' y='{y:.1f}' {_FONT} fill='{_INK}' text-anchor='{anchor}'>"
            f"{escape(text)}</text>"
        )

    def key(self, label: str, colour: str) -> None:
        """Add a line to the legend."""
        self._legend.append((label, colour))

    def at_x(self, value: float) -> float:
        """Pixels of a value."""
        left, right, _, _ = self._frame()
        return left + (value - self._x[0]) / (self._x[1] - self._x[0]) * (right - left)

    def at_y(self, value: float) -> float:
        """Pixels of a value."""
        _, _, top, bottom = self._frame()
        return bottom - (value - self._y[0]) / (self._y[1] - self._y[0]) * (bottom - top)

    def text(self) -> str:
        """The picture."""
        left, _, _, _ = self._frame()
        self.word(left, 18, self.title, "start")
        at = float(left)
        for label, colour in self._legend:
            self.box(at, 28, (10, 10), colour)
            self.word(at + 14, 37, label, "start")
            at += 30 + 6.6 * len(label)
        return (
            f"<svg xmlns='http://www.w3.org/2000/svg' width='{self.width}' height='{self.height}' "
            f"viewBox='0 0 {self.width} {self.height}'>\n"
            f"<rect width='{self.width}' height='{self.height}' fill='white'/>\n"
            + "\n".join(self._marks)
            + "\n</svg>\n"
        )

    def _frame(self) -> tuple[float, float, float, float]:
        return 64, self.width - 16, 52, self.height - 48


def stacked_bars(stacks: Sequence[Stack], colours: Sequence[tuple[str, str]], title: str) -> str:
    """Groups of bars; the bars of a group are told apart by their place and a letter."""
    groups = list(dict.fromkeys(stack.group for stack in stacks))
    labels = list(dict.fromkeys(stack.label for stack in stacks))
    letters = {label: chr(ord("a") + place) for place, label in enumerate(labels)}
    names = ", ".join(f"{letter}: {label}" for label, letter in letters.items())
    drawing = Drawing(width=760, height=340, title=f"{title} ({names})")
    wide = len(groups)
    drawing.axes(
        x=[(0, ""), *((place + 0.5, group) for place, group in enumerate(groups)), (wide, "")],
        y=[(value / 5, f"{20 * value} %") for value in range(6)],
        labels=("", "samples"),
    )
    slot = 0.8 / len(labels)
    for stack in stacks:
        place = groups.index(stack.group) + 0.1 + slot * labels.index(stack.label)
        left, right = drawing.at_x(place), drawing.at_x(place + 0.9 * slot)
        level = 0.0
        for height, colour in stack.parts:
            top, bottom = drawing.at_y(level + height), drawing.at_y(level)
            drawing.box(left, top, (right - left, bottom - top), colour)
            level += height
        drawing.word((left + right) / 2, drawing.at_y(level) - 3, letters[stack.label], "middle")
    for name, colour in colours:
        drawing.key(name, colour)
    return drawing.text()
