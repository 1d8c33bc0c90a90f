/** The look of the status page. Below 40rem each row of a table becomes a card, its headings beside its values. */
export const PAGE_STYLE = `
:root {
  --ink: #1c2430; --soft: #5b6675; --line: #d9dee5; --paper: #f6f7f9; --card: #fff;
  --good: #17693a; --good-bg: #dff3e6; --warn: #7a5200; --warn-bg: #fdf0d0; --bad: #9b1c1c; --bad-bg: #fde4e4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6eaf0; --soft: #9aa5b4; --line: #313a46; --paper: #12161c; --card: #1b2129;
    --good: #7ddba0; --good-bg: #173a26; --warn: #f0c674; --warn-bg: #40320f; --bad: #ff9c9c; --bad-bg: #4a1d1d;
  }
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0 auto; padding: 1rem; max-width: 75rem; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
header { display: flex; align-items: center; gap: .75rem; margin-bottom: 1rem; }
h1 { font-size: 1.25rem; margin: 0; }
h2 { font-size: 1rem; margin: 0 0 .5rem; }
h2 .count { color: var(--soft); font-weight: normal; margin-left: .25rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; margin-bottom: 1rem; overflow-x: auto; }
.badge { border-radius: 1rem; padding: 0 .6rem; background: var(--line); white-space: nowrap; }
.good { background: var(--good-bg); color: var(--good); }
.warn { background: var(--warn-bg); color: var(--warn); }
.bad { background: var(--bad-bg); color: var(--bad); }
.notice { background: var(--warn-bg); color: var(--warn); border-radius: .5rem; padding: .5rem 1rem; margin: 0 0 1rem; }
.none { color: var(--soft); margin: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
dd div + div { margin-top: .15rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--soft); font-weight: 600; font-size: .85rem; white-space: nowrap; }
th, td { padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
td { white-space: nowrap; }
td.mono { max-width: 15rem; overflow: hidden; text-overflow: ellipsis; }
td.long { white-space: normal; overflow-wrap: anywhere; min-width: 10rem; }
td.number, th.number { text-align: right; white-space: nowrap; }
.mono { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: .9em; }
label { display: block; margin-bottom: .25rem; }
input { font: inherit; width: min(100%, 30rem); padding: .3rem .5rem; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: .3rem; }
button { font: inherit; padding: .3rem .9rem; }
@media (max-width: 40rem) {
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .5rem; }
  thead { display: none; }
  table, tbody, tr, td { display: block; }
  tr { border-bottom: 1px solid var(--line); padding: .4rem 0; }
  tr:last-child { border-bottom: 0; }
  td, td.number, td.mono { display: flex; gap: .75rem; border: 0; padding: .1rem 0; max-width: none; text-align: left; white-space: normal; overflow-wrap: anywhere; }
  td::before { content: attr(data-label); color: var(--soft); flex: 0 0 6rem; font: 15px/1.5 system-ui, sans-serif; }
}
`;
