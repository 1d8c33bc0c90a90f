/** The frame of the status page: header, tiles, plots, the question for the token and the one before a drain. */
export const LAYOUT_STYLE = `
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html { -webkit-text-size-adjust: 100%; overflow-y: scroll; }
body { margin: 0 auto; padding: 0 1.25rem 2rem; max-width: 84rem; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1, h2, h3, p, dl, dd, ul, figure { margin: 0; padding: 0; }
code, .mono, td.code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: .87em; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: .5rem; z-index: 9; padding: .5rem 1rem; background: var(--card); color: var(--accent); border-radius: .4rem; }

header { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1rem; padding: 1rem 0; }
.brand { display: flex; align-items: center; gap: .6rem; }
.brand img { display: block; }
h1 { font-size: 1.2rem; font-weight: 650; letter-spacing: -.01em; }
.about { color: var(--soft); font-size: .9rem; flex: 1 1 auto; min-width: 0; }
.tools { display: flex; align-items: center; gap: .75rem; }
.link { display: inline-flex; align-items: center; gap: .4rem; color: var(--soft); font-size: .9rem; white-space: nowrap; }
.link::before { content: ""; width: .55rem; height: .55rem; border-radius: 50%; background: var(--c6); }
.link[data-state="live"]::before { background: var(--c2); }
.link[data-state="disconnected"] { color: var(--bad); }
.link[data-state="disconnected"]::before { background: var(--bad); }
.stale main { opacity: .55; }

.badge { display: inline-block; border-radius: 1rem; padding: 0 .6rem; font-size: .85rem; line-height: 1.5rem; background: var(--plain-bg); white-space: nowrap; }
.good { background: var(--good-bg); color: var(--good); }
.warn { background: var(--warn-bg); color: var(--warn); }
.bad { background: var(--bad-bg); color: var(--bad); }
.notice { background: var(--warn-bg); color: var(--warn); border-radius: .5rem; padding: .6rem 1rem; margin-bottom: 1rem; overflow-wrap: anywhere; }
.none { color: var(--soft); }

button, input { font: inherit; color: inherit; }
button { min-height: 2.1rem; padding: .2rem .8rem; border: 1px solid var(--edge); border-radius: .4rem; background: var(--card); cursor: pointer; }
button:hover:not(:disabled) { border-color: var(--accent); color: var(--accent); }
button:disabled { opacity: .45; cursor: default; }
button.danger { border-color: var(--bad); color: var(--bad); }
button.danger:hover:not(:disabled) { background: var(--bad-bg); border-color: var(--bad); color: var(--bad); }
input { min-height: 2.1rem; padding: .2rem .6rem; border: 1px solid var(--edge); border-radius: .4rem; background: var(--card); width: 100%; }
input::placeholder { color: var(--soft); opacity: 1; }
.choice { display: inline-flex; border: 1px solid var(--edge); border-radius: .4rem; background: var(--card); overflow: hidden; }
.choice button { border: 0; border-radius: 0; padding: .2rem .7rem; font-size: .9rem; min-height: 2rem; color: var(--soft); background: none; }
.choice button + button { border-left: 1px solid var(--line); }
.choice button[aria-pressed="true"] { background: var(--accent-bg); color: var(--accent); font-weight: 600; }
.choice button:focus-visible { outline-offset: -2px; }

.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; box-shadow: var(--shadow); padding: 1rem; }
.bar { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: .5rem 1rem; margin-bottom: .75rem; }
.bar h2 { font-size: 1.05rem; font-weight: 650; }

.facts { display: grid; grid-template-columns: repeat(var(--columns, 4), minmax(0, 1fr)); gap: .75rem; margin-bottom: .75rem; }
.fact { padding: .75rem .9rem; min-height: 7rem; display: flex; flex-direction: column; min-width: 0; }
.fact h2 { font-size: .85rem; font-weight: 500; color: var(--soft); }
.fact .value { font-size: 1.45rem; font-weight: 600; line-height: 1.35; letter-spacing: -.01em; font-variant-numeric: tabular-nums; white-space: nowrap; }
.fact .remark { font-size: .85rem; color: var(--soft); font-variant-numeric: tabular-nums; }
meter { -webkit-appearance: none; appearance: none; display: block; width: 100%; height: .3rem; margin-top: auto; border: 0; border-radius: .2rem; background: var(--line); overflow: hidden; }
meter::-webkit-meter-inner-element { display: block; height: 100%; }
meter::-webkit-meter-bar { background: var(--line); border: 0; border-radius: .2rem; height: .3rem; }
meter::-webkit-meter-optimum-value { background: var(--c1); }
meter::-webkit-meter-suboptimum-value { background: var(--c3); }
meter::-webkit-meter-even-less-good-value { background: var(--c5); }
meter:-moz-meter-optimum::-moz-meter-bar { background: var(--c1); }
meter:-moz-meter-sub-optimum::-moz-meter-bar { background: var(--c3); }
meter:-moz-meter-sub-sub-optimum::-moz-meter-bar { background: var(--c5); }

.identity { margin-bottom: 1.25rem; }
.identity dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .4rem 1.25rem; }
.identity dt { color: var(--soft); line-height: 1.7rem; }
.line { line-height: 1.7rem; }
.line .mono { word-break: break-all; }
.copy { margin-left: .6rem; min-height: 0; padding: 0 .45rem; font-size: .78rem; line-height: 1.3rem; color: var(--soft); border-color: var(--line); }

#plots { margin-bottom: 1.25rem; }
.grid { display: flex; flex-wrap: wrap; gap: .75rem; }
.plot { flex: 1 1 24rem; padding: .75rem .9rem .4rem; min-width: 0; }
figcaption { display: flex; justify-content: space-between; gap: 1rem; }
h3 { font-size: .95rem; font-weight: 600; }
.moment { color: var(--soft); font-size: .85rem; font-variant-numeric: tabular-nums; }
.legend { display: flex; flex-wrap: wrap; gap: 0 1rem; list-style: none; font-size: .85rem; color: var(--soft); min-height: 1.4rem; margin-bottom: .25rem; }
.legend li { display: inline-flex; align-items: center; gap: .4rem; white-space: nowrap; }
.figure { color: var(--ink); font-weight: 600; font-variant-numeric: tabular-nums; }
.swatch { width: .7rem; height: .25rem; border-radius: .1rem; }
.swatch.c1 { background: var(--c1); } .swatch.c2 { background: var(--c2); } .swatch.c3 { background: var(--c3); }
.swatch.c4 { background: var(--c4); } .swatch.c5 { background: var(--c5); } .swatch.c6 { background: var(--c6); }
.canvas { height: 150px; overflow: hidden; border-radius: .3rem; }
.u-cursor-x { border-color: var(--soft) !important; }

.ask { max-width: 34rem; margin: 2rem auto; display: grid; gap: .6rem; }
.ask h2, dialog h2 { font-size: 1.1rem; }
.row { display: flex; gap: .5rem; }
.row button, .ask .row button { flex: none; background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
dialog { color: var(--ink); background: var(--card); border: 1px solid var(--edge); border-radius: .7rem; padding: 1.25rem; width: min(32rem, calc(100vw - 2rem)); box-shadow: 0 12px 40px rgb(0 0 0 / 25%); }
dialog::backdrop { background: rgb(10 14 20 / 55%); }
dialog form { display: grid; gap: .9rem; }
dialog label { display: block; margin-bottom: .3rem; color: var(--soft); font-size: .9rem; }
.problem { color: var(--bad); overflow-wrap: anywhere; }
.actions { display: flex; justify-content: flex-end; gap: .6rem; }

@media (max-width: 70rem) { .facts { grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); } }
@media (max-width: 44rem) {
  body { padding: 0 .75rem 1.5rem; }
  header { padding: .75rem 0; }
  .about { flex-basis: 100%; order: 3; }
  .tools { margin-left: auto; }
  header .choice button { padding: .2rem .5rem; }
  .facts { grid-template-columns: 1fr 1fr; gap: .5rem; }
  .fact { min-height: 6.4rem; padding: .6rem .75rem; }
  .fact .value { font-size: 1.25rem; }
  .fact:last-child:nth-child(odd) { grid-column: span 2; }
  .identity dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .identity dd { margin-bottom: .5rem; }
}
`;
