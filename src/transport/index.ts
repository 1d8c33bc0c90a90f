export { stockDataPath } from './stock.ts';
