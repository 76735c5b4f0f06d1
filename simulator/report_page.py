"""The shell of the report: one file that asks the network for nothing, on screen, in the dark, and on paper."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
    "base-uri 'none'; form-action 'none'"
)
"""Content Security Policy: the browser itself refuses every request, whatever stands in the page."""

STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --faint: #595959; --line: #d9d9d9; --paper: #fff; --wash: #f5f6f8;
  --accent: #0072b2; --warn: #8a4b00; }
@media screen and (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --faint: #a8a8a8; --line: #3d4148;
  --paper: #16181c; --wash: #21242a; --accent: #6fb7e6; --warn: #e6a04d; } }
* { box-sizing: border-box; }
html { scroll-padding-top: 1rem; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; }
main, header.page, footer { max-width: 1080px; margin: 0 auto; padding: 0 24px; }
header.page { padding-top: 28px; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .7rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.02rem; margin: 1.6rem 0 .4rem; overflow-wrap: anywhere; }
p { margin: .5rem 0; max-width: 78ch; overflow-wrap: anywhere; }
.faint, caption, figcaption { color: var(--faint); font-size: .875rem; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; padding: 0; margin: .9rem 0 0;
  font-size: .9rem; }
a { color: var(--accent); text-underline-offset: 2px; }
.answer { border-left: 5px solid var(--accent); background: var(--wash); padding: .9rem 1.2rem; margin: 1.2rem 0; }
.answer p { font-size: 1.2rem; line-height: 1.45; margin: .2rem 0; }
.answer p + p { font-size: 1rem; }
.answer .close { color: var(--warn); font-weight: 600; font-size: 1rem; }
li { margin: .25rem 0; max-width: 78ch; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: .6rem 0 1.2rem; }
table { border-collapse: collapse; width: 100%; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 0 0 .4rem; }
th, td { text-align: left; vertical-align: top; padding: .38rem .6rem; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
thead th { background: var(--wash); vertical-align: bottom; }
tbody th { min-width: 8.5rem; overflow-wrap: anywhere; }
td code { overflow-wrap: anywhere; }
td.n, th.n { text-align: right; } td.n { white-space: nowrap; }
tfoot td, tfoot th { border-bottom: 0; border-top: 2px solid var(--line); font-weight: 600; }
tr.choice > * { background: color-mix(in srgb, var(--accent) 12%, transparent); }
tr:target > * { background: color-mix(in srgb, #e69f00 30%, transparent); }
.tag { display: inline-block; font-size: .86em; font-weight: 400; color: var(--faint); }
.warn { color: var(--warn); }
code { font: .86em ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
figure { margin: 1.2rem 0 1.8rem; padding: .5rem; background: #fff; border: 1px solid var(--line); border-radius: 6px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; font-size: .9rem; margin: .6rem 0; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
footer { padding: 1.6rem 24px 3rem; color: var(--faint); font-size: .875rem; }
@media print {
  @page { size: A4; margin: 14mm; }
  body { font-size: 10.5pt; }
  main, header.page, footer { max-width: none; padding: 0; }
  nav { display: none; }
  h2 { break-after: avoid; margin-top: 1.6rem; } h3 { break-after: avoid; }
  figure, tr, .answer { break-inside: avoid; }
  figure { border: 0; padding: 0; }
  .scroll { overflow: visible; }
  table { font-size: 8pt; } th, td { padding: .22rem .35rem; }
  thead { display: table-header-group; } tfoot { display: table-row-group; }
  a { color: inherit; text-decoration: none; }
  .answer, thead th, tr.choice > * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .modebar { display: none !important; }
}
"""

PAPER = """
(function () {
  var charts = function (each) { document.querySelectorAll(".chart").forEach(each); };
  addEventListener("beforeprint", function () {
    charts(function (chart) { Plotly.relayout(chart, {width: 680, autosize: false}); });
  });
  addEventListener("afterprint", function () {
    charts(function (chart) {
      Plotly.relayout(chart, {width: null, autosize: true});
      Plotly.Plots.resize(chart);
    });
  });
})();
"""
"""Charts are drawn to the width of A4 before the page is printed, at once: a drawing does not shrink by itself."""

NUMBER = ' class="n"'
"""A cell set flush right."""


def escape(words: object) -> str:
    r"""Any text as text: what looks like a tag is shown, not obeyed; a percent sign stays with its number.

    >>> escape('<script>"&"'), escape("76 %")
    ('&lt;script&gt;&quot;&amp;&quot;', '76\xa0%')
    """
    return html.escape(str(words)).replace(" %", "\xa0%")


def section(place: str, title: str, *inside: str) -> str:
    """A part of the page with a heading that can be linked to."""
    return f'<section id="{place}" aria-labelledby="{place}-title"><h2 id="{place}-title">{escape(title)}</h2>' + \
        "".join(inside) + "</section>\n"


def items(sentences: Iterable[str]) -> str:
    """A list of sentences, escaped; nothing if there are none."""
    points = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f"<ul>{points}</ul>" if points else ""


def table(caption: str, heads: Sequence[str], rows: Iterable[str], foot: str = "") -> str:
    """A table of finished rows; a head that begins with `#` stands over numbers."""
    columns = "".join(
        f'<th scope="col" class="n">{escape(head[1:])}</th>' if head.startswith("#") else
        f'<th scope="col">{escape(head)}</th>' for head in heads
    )
    foot = f"<tfoot>{foot}</tfoot>" if foot else ""
    return (
        f'<div class="scroll"><table><caption>{escape(caption)}</caption><thead><tr>{columns}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody>{foot}</table></div>\n"
    )


def row(cells: Sequence[str], *, place: str = "", kind: str = "", numbers: frozenset[int] = frozenset()) -> str:
    """A row of finished cells, the first one its head; `numbers` are the columns set flush right."""
    marks = (f' id="{place}"' if place else "") + (f' class="{kind}"' if kind else "")
    inside = "".join(
        f'<th scope="row">{cell}</th>' if i == 0 else f"<td{NUMBER * (i in numbers)}>{cell}</td>"
        for i, cell in enumerate(cells)
    )
    return f"<tr{marks}>{inside}</tr>\n"


def picture(place: str, alt: str, height: int) -> str:
    """The room of a chart, with the picture in words for whoever does not see it."""
    return (
        f'<figure><div class="chart" id="{place}" role="img" aria-label="{escape(alt)}" style="height:{height}px">'
        f"<noscript><p>{escape(alt)}</p></noscript></div></figure>\n"
    )


def page(title: str, header: str, body: str, footer: str, scripts: Sequence[str]) -> str:
    """The whole file; `scripts` are the drawing library first, then what draws."""
    code = "".join(f"<script>{script}</script>\n" for script in (*scripts, PAPER))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<header class="page">{header}</header>\n<main>\n{body}</main>\n<footer>{footer}</footer>\n'
        f"{code}</body>\n</html>\n"
    )
