"""The style sheet of the report page: readable on a screen, and on paper with its label on every sheet."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { --ink: #1b1b1b; --quiet: #555; --line: #c9c9c4; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); font: 15px/1.5 Georgia, "Liberation Serif", serif; background: #f1f1ee; }
table.sheet { width: 100%; max-width: 54rem; margin: 0 auto; background: white; border-collapse: collapse; }
table.sheet > tbody > tr > td { padding: 1.2rem 2.2rem 2.5rem; }
table.sheet > thead > tr > td { padding: 0; }
.banner { font: 700 14px/1.3 Arial, "Liberation Sans", sans-serif; padding: .5rem 2.2rem; text-align: center;
  border-bottom: 3px solid #a3160f; color: #a3160f; background: #fff3f1; letter-spacing: .03em; }
.running { font: 12px/1.4 Arial, "Liberation Sans", sans-serif; padding: .4rem 2.2rem; color: var(--quiet);
  border-bottom: 1px solid var(--line); display: flex; justify-content: space-between; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: .4rem 0 .2rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; padding-bottom: .2rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
p { margin: .4rem 0; } .quiet { color: var(--quiet); font-size: .9rem; }
.verdict { border: 2px solid; border-left-width: 10px; padding: .7rem 1rem; margin: 1rem 0; }
.verdict strong { display: block; font-size: 1.2rem; }
.good { border-color: #1a6b2f; } .good strong { color: #1a6b2f; }
.bad, .unreal { border-color: #a3160f; } .bad strong, .unreal strong { color: #a3160f; }
table.facts, table.list { border-collapse: collapse; width: 100%; font-size: .93rem; }
.facts th { text-align: left; font-weight: 600; width: 11.5rem; padding: .25rem .8rem .25rem 0; vertical-align: top; }
.facts td { padding: .25rem 0; vertical-align: top; } .facts tr { border-bottom: 1px solid #ececea; }
.list th { text-align: left; border-bottom: 1.5px solid var(--ink); padding: .2rem .6rem .2rem 0; }
.list td { border-bottom: 1px solid #ececea; padding: .25rem .6rem .25rem 0; vertical-align: top; }
.list td.number { font-weight: 700; }
code, pre { font: 12.5px/1.45 "DejaVu Sans Mono", "Liberation Mono", monospace; overflow-wrap: anywhere; }
pre { background: #f6f6f3; border: 1px solid var(--line); padding: .6rem .8rem; white-space: pre-wrap; }
svg { display: block; width: 100%; height: auto; margin: .5rem 0; }
.stills { display: grid; grid-template-columns: repeat(3, 1fr); gap: .6rem; }
.stills figure { margin: 0; break-inside: avoid; } .stills img { width: 100%; display: block; border: 1px solid #999; }
figcaption { font-size: .82rem; color: var(--quiet); }
.facts tr, .list tr, .verdict, svg, h2, h3 { break-inside: avoid; } h2, h3 { break-after: avoid; }
table.sheet > tbody > tr { break-inside: auto; }
@page { size: A4; margin: 14mm 14mm 16mm;
  @bottom-right { content: "Page " counter(page) " of " counter(pages); font: 9pt Arial, sans-serif; color: #555; } }
@media print {
  body { background: white; font-size: 10.5pt; } table.sheet { max-width: none; }
  table.sheet > tbody > tr > td { padding: .4rem 0 0; } .running, .banner { padding-left: 0; padding-right: 0; }
  .banner, .verdict, pre { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .appendix { break-before: page; } a { color: inherit; text-decoration: none; }
}
"""
