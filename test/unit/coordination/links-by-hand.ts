import type { LinkHandler, LinkKind, Links } from '../../../src/coordination/links.ts';

type ByHand = Pick<Links, 'members' | 'onChange' | 'ask' | 'answer'>;

/** The links of one relay, which a test makes and breaks; it sees what goes over them. */
export class LinksByHand implements ByHand {
  /** Relays that are linked. */
  linked: string[] = [];
  /** Tells who listens that a relay comes or goes. */
  changed: (relay: string, isMember: boolean) => void = () => {};
  /** Who answers what comes over a link. */
  handler: LinkHandler | undefined;
  readonly #sent: (relay: string, kind: LinkKind, question: Uint8Array) => Uint8Array;

  /** @param sent answers what is sent; what it throws is the failure of the question */
  constructor(sent: (relay: string, kind: LinkKind, question: Uint8Array) => Uint8Array) {
    this.#sent = sent;
  }

  members(): readonly string[] {
    return this.linked;
  }

  onChange(listener: (relay: string, isMember: boolean) => void): () => void {
    this.changed = listener;
    return () => (this.changed = () => {});
  }

  async ask(relay: string, kind: LinkKind, question: Uint8Array): Promise<Uint8Array> {
    return this.#sent(relay, kind, question);
  }

  answer(_kind: LinkKind, handler: LinkHandler): () => void {
    this.handler = handler;
    return () => (this.handler = undefined);
  }
}
