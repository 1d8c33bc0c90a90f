import type { Command } from 'commander';
import { RelaydError } from '../lib/errors.ts';
import type { AdminClient } from './admin-client.ts';
import type { CliContext } from './context.ts';
import { addDaemonOptions, findDaemon } from './daemon.ts';
import type { DaemonOptions } from './daemon.ts';
import { EXIT_CODES_HELP } from './exit-codes.ts';
import type { Style } from './format.ts';
import { renderTable } from './table.ts';
import type { Column } from './table.ts';
import { addWatchOption, show } from './watch.ts';
import type { WatchOptions } from './watch.ts';

/** A command that shows the rows of one list of the API. */
export interface Listing<Row> {
  name: string;
  description: string;
  /** What the columns say, and in which unit, where the title is not enough. */
  legend: string;
  columns: readonly Column<Row>[];
  /** Stands where the table would. */
  empty: string;
  /** What is shown, where that is more than the list of the listing's own name. */
  read?: (daemon: AdminClient, how: How) => Promise<string>;
}

export interface How {
  readonly json: boolean;
  readonly style: Style;
  readonly signal: AbortSignal | undefined;
}

interface ListingOptions extends DaemonOptions, WatchOptions {
  wide?: boolean;
}

export function addListing<Row>(program: Command, context: CliContext, listing: Listing<Row>): Command {
  const { name, description, legend } = listing;
  const command = program.command(name).description(description);
  return addWatchOption(addDaemonOptions(command))
    .option('-w, --wide', 'peer ids in full')
    .addHelpText('after', `\n${legend}\n\nExamples:\n  relayd ${name}\n  relayd ${name} --json | jq length\n  relayd ${name} --wide --watch\n\n${EXIT_CODES_HELP}`)
    .action(() => showListing(context, command.optsWithGlobals<ListingOptions>(), listing));
}

async function showListing<Row>(context: CliContext, options: ListingOptions, listing: Listing<Row>): Promise<void> {
  const daemon = await findDaemon(context, options);
  await show(context, options.watch ?? false, async (signal) => {
    const style = { wide: options.wide ?? false, now: Date.now() };
    if (listing.read !== undefined) return await listing.read(daemon, { json: options.json ?? false, style, signal });
    const body = await daemon.get(`/api/v1/${listing.name}`, { signal });
    return options.json ? body : renderListing(listing, JSON.parse(body), style);
  });
}

export function renderListing<Row>(listing: Listing<Row>, rows: unknown, style: Style): string {
  if (!Array.isArray(rows)) {
    throw new RelaydError('INTERNAL', `the daemon did not answer with a list of ${listing.name}; is it of another version?`);
  }
  return rows.length === 0 ? `${listing.empty}\n` : renderTable(listing.columns, rows as Row[], style);
}
