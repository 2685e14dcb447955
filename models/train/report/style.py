"""How the page looks: dark on white, one column on a telephone, wide tables scrolled, printable."""

STYLE = """
:root { color-scheme: light; }
body {
  font: 17px/1.55 system-ui, "Segoe UI", "DejaVu Sans", sans-serif;
  color: #1a1a1a; background: #fff;
  max-width: 76rem; margin: 0 auto; padding: 1rem 1.25rem 4rem;
}
h1 { line-height: 1.2; font-size: 2rem; }
h2 { margin-top: 3rem; border-bottom: 2px solid #1a1a1a; font-size: 1.45rem; }
h3 { margin-bottom: .3rem; font-size: 1.1rem; }
p, li { max-width: 46rem; }
a { color: #00528a; }
nav ul { columns: 2; padding-left: 1.2rem; }
.warning { border: 3px solid #a11212; padding: .2rem 1.2rem; margin: 1.2rem 0; }
.beside {
  display: grid; grid-template-columns: minmax(20rem, 1fr) minmax(20rem, 1fr);
  gap: 1.5rem; align-items: start; margin: 1.5rem 0;
}
.below { margin: 1.5rem 0; }
figure { margin: 0; }
figcaption { font-size: .93rem; margin-top: .3rem; max-width: 40rem; }
svg { width: 100%; height: auto; max-width: 40rem; }
svg text { font: 14px system-ui, "DejaVu Sans", sans-serif; fill: #1a1a1a; }
svg .axis { font-size: 15px; }
svg .note { font-weight: 600; stroke: #fff; stroke-width: 4px; paint-order: stroke; }
.table { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .93rem; }
caption { text-align: left; padding-bottom: .4rem; font-weight: 600; max-width: 46rem; }
th, td {
  border-bottom: 1px solid #c4c4c4; padding: .35rem 1rem .35rem 0;
  text-align: left; vertical-align: top;
}
th[scope=row] { font-weight: 500; }
thead th { border-bottom: 2px solid #1a1a1a; vertical-align: bottom; }
td { font-variant-numeric: tabular-nums; }
td.reached, td.missed, td.open { padding-left: .6rem; padding-right: .6rem; }
td.verdict + td { padding-left: .8rem; }
td.reached { background: #e2f1e2; }
td.missed { background: #fbe3dc; }
td.open { background: #ececec; }
td.verdict { font-weight: 700; white-space: nowrap; }
code { overflow-wrap: anywhere; }
@media (max-width: 52rem) {
  .beside { grid-template-columns: 1fr; }
  nav ul { columns: 1; }
}
@media print {
  .beside, tr { break-inside: avoid; }
  body { font-size: 11pt; }
}
"""
