/** One event of a stream of server-sent events. */
export interface StreamEvent {
  event: string;
  data: string;
}

/** Cuts a text that comes in pieces into events; comments, which only say that the other side is there, are events with no data. */
export class EventReader {
  #rest = '';

  read(piece: string): StreamEvent[] {
    const blocks = (this.#rest + piece).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    return blocks.map(eventOf);
  }
}

function eventOf(block: string): StreamEvent {
  const fields = block.split('\n').map((line) => /^(?<name>[a-z]*): ?(?<value>.*)$/.exec(line)?.groups);
  const all = (name: string): string[] => fields.flatMap((field) => (field?.['name'] === name ? [field['value'] ?? ''] : []));
  return { event: all('event').at(-1) ?? 'message', data: all('data').join('\n') };
}
