"""Draws the plots of the drills as plain SVG: lines over time, and bars. For these examples, not a plotting library.

Same numbers in, same text out, so a test can hold a committed picture against the drill that drew it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import log10

WIDTH, HEIGHT = 760, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 64, 48
_COLOURS = ("#c1352b", "#b8860b", "#3f6fb5", "#1d7f4e")  # told apart without red and green too: each differs in light
_INK, _FAINT, _SHADE = "#22272e", "#d5d9de", "#eceff2"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a plot: what it is called, and a value for each step, drawn in its middle."""

    name: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a plot: what it is called, and its length, at least 1."""

    name: str
    value: int


def line_plot(
    lines: Sequence[Line], *, title: str, across: str, up: str, top: float, shaded: tuple[float, float, str]
) -> str:
    """Return an SVG of `lines` over steps, from 0 to `top`. `shaded` is a span of steps and what it is called."""
    steps = max(len(line.values) for line in lines)
    parts = [*_shade(shaded, steps), *_grid(steps, top), *_axis_names(across, up)]
    for number, line in enumerate(lines):
        points = " ".join(f"{_x(step + 0.5, steps):.1f},{_y(value, top):.1f}" for step, value in enumerate(line.values))
        colour = _COLOURS[number % len(_COLOURS)]
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += _legend(number, line.name, colour)
    return _picture(title, parts)


def bar_plot(bars: Sequence[Bar], *, title: str, across: str) -> str:
    """Return an SVG of `bars` on a logarithmic scale, each with its number."""
    longest = log10(max(bar.value for bar in bars))
    room = (HEIGHT - _TOP - _BOTTOM) / len(bars)
    parts = [_text(_LEFT, HEIGHT - 14, f"{across} (logarithmic scale)")]
    for number, bar in enumerate(bars):
        y = _TOP + number * room
        length = max(2.0, log10(bar.value) / longest * (WIDTH - _LEFT - _RIGHT - 60))
        colour = _COLOURS[number % len(_COLOURS)]
        parts.append(_text(_LEFT, y + 14, bar.name))
        parts.append(_rectangle(_LEFT, y + 20, length, room - 32, colour))
        parts.append(_text(_LEFT + length + 8, y + 24 + (room - 32) / 2, f"{bar.value:,}"))
    return _picture(title, parts)


def _picture(title: str, parts: Sequence[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img" font-family="sans-serif" font-size="13" fill="{_INK}">'
    )
    named = f"<title>{escape(title)}</title>"
    heading = f'<text x="{_LEFT}" y="24" font-size="16" font-weight="bold">{escape(title)}</text>'
    return "\n".join([head, named, _rectangle(0, 0, WIDTH, HEIGHT, "#ffffff"), heading, *parts, "</svg>\n"])


def _shade(span: tuple[float, float, str], steps: int) -> list[str]:
    begin, end, name = _x(span[0], steps), _x(span[1], steps), span[2]
    return [
        _rectangle(begin, _TOP, end - begin, HEIGHT - _TOP - _BOTTOM, _SHADE),
        _text((begin + end) / 2, HEIGHT - _BOTTOM - 8, name, anchor="middle"),
    ]


def _grid(steps: int, top: float) -> list[str]:
    """Return five lines across with their values, and the step numbers below."""
    parts = []
    for fifth in range(6):
        value = top * fifth / 5
        y = _y(value, top)
        parts.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{WIDTH - _RIGHT}" y2="{y:.1f}" stroke="{_FAINT}"/>')
        parts.append(_text(_LEFT - 8, y + 4, f"{value:g}", anchor="end"))
    below = HEIGHT - _BOTTOM + 16
    return parts + [_text(_x(step, steps), below, f"{step}", anchor="middle") for step in range(0, steps + 1, 10)]


def _axis_names(across: str, up: str) -> list[str]:
    middle = (_TOP + HEIGHT - _BOTTOM) / 2
    turned = f'<text transform="translate(18 {middle:.1f}) rotate(-90)" text-anchor="middle">{escape(up)}</text>'
    return [_text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 10, across, anchor="middle"), turned]


def _legend(number: int, name: str, colour: str) -> list[str]:
    x = _LEFT + number * (WIDTH - _LEFT - _RIGHT) / len(_COLOURS)
    return [_rectangle(x, 38, 12, 12, colour), _text(x + 18, 49, name)]


def _rectangle(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _x(step: float, steps: int) -> float:
    return _LEFT + step / steps * (WIDTH - _LEFT - _RIGHT)


def _y(value: float, top: float) -> float:
    return HEIGHT - _BOTTOM - value / top * (HEIGHT - _TOP - _BOTTOM)
