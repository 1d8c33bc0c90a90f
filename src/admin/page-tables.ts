/** The tables of the status page. On a narrow screen each row is a card, with the headings beside the values and buttons to sort by above. */
export const TABLE_STYLE = `
.tables { padding: 0; }
.tablist { display: flex; overflow-x: auto; border-bottom: 1px solid var(--line); padding: 0 .5rem; scrollbar-width: thin; }
.tablist button { flex: none; border: 0; border-bottom: 2px solid transparent; border-radius: 0; background: none; padding: .7rem .8rem .6rem; color: var(--soft); white-space: nowrap; }
.tablist button[aria-selected="true"] { border-bottom-color: var(--accent); color: var(--ink); font-weight: 600; }
.tablist button:focus-visible { outline-offset: -3px; }
.tablist .count:not(:empty) { margin-left: .45rem; padding: 0 .45rem; border-radius: 1rem; background: var(--plain-bg); color: var(--soft); font-size: .8rem; font-weight: 500; font-variant-numeric: tabular-nums; }
[role="tabpanel"] { padding: .9rem 1rem 1rem; }
[role="tabpanel"] .bar { margin-bottom: .5rem; }
[role="tabpanel"] input { max-width: 22rem; flex: 1 1 12rem; }
.pager { display: flex; align-items: center; gap: .5rem; color: var(--soft); font-variant-numeric: tabular-nums; }
.pager .count { margin-right: .3rem; font-size: .9rem; }
.scroll { overflow-x: auto; margin: 0 -1rem; padding: 0 1rem; }
.empty table { display: none; }
.empty .none { padding: 1.5rem 0; text-align: center; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
th { text-align: left; padding: 0 .9rem 0 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; }
th button { min-height: 2rem; padding: 0; border: 0; background: none; color: var(--soft); font-size: .85rem; font-weight: 600; }
th button::after { content: "↕"; margin-left: .3rem; opacity: .35; font-weight: 400; }
th[aria-sort="ascending"] button, th[aria-sort="descending"] button { color: var(--ink); }
th[aria-sort="ascending"] button::after { content: "↑"; opacity: 1; }
th[aria-sort="descending"] button::after { content: "↓"; opacity: 1; }
td { padding: .42rem .9rem .42rem 0; border-bottom: 1px solid var(--line); vertical-align: baseline; white-space: nowrap; }
tbody tr:last-child td { border-bottom: 0; }
th.number, td.number { text-align: right; }
th.number + th:not(.number), td.number + td:not(.number) { padding-left: 1rem; }
td.long { white-space: normal; overflow-wrap: anywhere; min-width: 16rem; }
td.code { max-width: 20rem; overflow: hidden; text-overflow: ellipsis; }
td.id { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .85em; }
td.id .head { display: inline-block; max-width: 8.5rem; overflow: hidden; text-overflow: ellipsis; vertical-align: bottom; line-height: inherit; }
.badge.plain { background: var(--plain-bg); color: var(--ink); }

@media (max-width: 44rem) {
  [role="tabpanel"] { padding: .75rem; }
  [role="tabpanel"] input { max-width: none; flex-basis: 100%; }
  .scroll { margin: 0; padding: 0; }
  table, thead, tbody, tr, td { display: block; }
  thead tr { display: flex; flex-wrap: wrap; gap: .3rem; padding-bottom: .5rem; border-bottom: 1px solid var(--line); }
  th, th.number + th:not(.number) { padding: 0; border: 0; }
  th button { border: 1px solid var(--line); border-radius: .4rem; padding: 0 .5rem; min-height: 1.8rem; }
  th[aria-sort="ascending"] button, th[aria-sort="descending"] button { border-color: var(--accent); background: var(--accent-bg); color: var(--accent); }
  tbody tr { padding: .55rem 0; border-bottom: 1px solid var(--line); }
  tbody tr:last-child { border-bottom: 0; }
  td, td.number, td.long, td.code, td.number + td:not(.number) { display: flex; justify-content: flex-start; border: 0; padding: .08rem 0; max-width: none; min-width: 0; text-align: left; white-space: normal; overflow-wrap: anywhere; }
  td::before { content: attr(data-label); flex: 0 0 7.5rem; color: var(--soft); font: .9rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
  td > span { min-width: 0; }
  td.id .head { display: inline; }
}
`;
