"""The style sheet of HTML reports."""

from __future__ import annotations

STYLE = """\
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --line: #d9d9e0;
  --paper: #ffffff; --mark: #0b68cb; --warn: #fff3d6; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #edeef0; --soft: #b0b4ba; --line: #43484e; --paper: #15171a;
    --mark: #6cb2ff; --warn: #453618; }
}
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.6rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.25rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.note { background: var(--warn); padding: .5rem .75rem; border-radius: .3rem; }
.aside { color: var(--soft); font-size: .9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .25rem .6rem; text-align: left; border-bottom: 1px solid var(--line); }
td { max-width: 24rem; overflow-wrap: break-word; }
th, .number { white-space: nowrap; }
th { color: var(--soft); font-weight: 600; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.scale span:last-child { float: right; }
svg { display: block; }
svg .axis { stroke: var(--line); }
svg .range { stroke: var(--mark); stroke-width: 2; }
svg circle { fill: var(--mark); }
summary { cursor: pointer; color: var(--soft); }
@media (max-width: 40rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; } }
@media print { .wide { overflow: visible; } }
"""
