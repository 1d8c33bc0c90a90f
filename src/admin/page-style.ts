import { LAYOUT_STYLE } from './page-layout.ts';
import { TABLE_STYLE } from './page-tables.ts';

/**
 * The colours of the status page. Text has a contrast of 4.5 to 1 or more on everything that it stands on, lines of plots 3 to 1. `--c1` to
 * `--c6` are the lines, by their order of use; the last is grey, for what is not worth a colour.
 */
const COLOURS = `
:root {
  color-scheme: light;
  --paper: #f3f5f8; --card: #fff; --ink: #18202c; --soft: #566274; --line: #e1e6ed; --edge: #c6ceda;
  --accent: #2456c7; --accent-bg: #e8eefc; --on-accent: #fff;
  --good: #17693a; --good-bg: #dff3e6; --warn: #7a5200; --warn-bg: #fdf0d0; --bad: #9b1c1c; --bad-bg: #fde4e4; --plain-bg: #e9edf2;
  --c1: #2b63d9; --c2: #0b7d72; --c3: #c2570c; --c4: #8a3fc4; --c5: #c0265f; --c6: #6b7686;
  --shadow: 0 1px 2px rgb(20 30 50 / 6%);
}
:root[data-theme="dark"] {
  color-scheme: dark;
  --paper: #0e1218; --card: #171d26; --ink: #e7ecf3; --soft: #9fabbc; --line: #28313e; --edge: #3d4959;
  --accent: #8fb2ff; --accent-bg: #1e2c4a; --on-accent: #0e1730;
  --good: #7ddba0; --good-bg: #163824; --warn: #f0c674; --warn-bg: #3d300f; --bad: #ff9c9c; --bad-bg: #481d1d; --plain-bg: #273040;
  --c1: #6f9fff; --c2: #3fcabb; --c3: #f39a4f; --c4: #c594f5; --c5: #ff83ad; --c6: #98a4b5;
  --shadow: none;
}
@media (prefers-color-scheme: dark) { :root:not([data-theme]) { background: #0e1218; } }
`;

export const PAGE_STYLE = `${COLOURS}${LAYOUT_STYLE}${TABLE_STYLE}`;
