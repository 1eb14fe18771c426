/** What the till tells the customer's window: only pages of this origin in this browser hear it. */
import type { Line } from './basket.ts';
import type { Payment } from './till.svelte.ts';

export interface Showing {
  shop: string;
  lines: Line[];
  amount: number;
  currency: string;
  payment: Payment | null;
  ended: boolean;
  payload: string | null;
  tap: boolean;
  scan: boolean;
}

const CHANNEL = 'tandem.till';
type Message = { ask: true } | { showing: Showing };

export function isPaid(payment: Payment): boolean {
  return /^(?:captured|authorised|partially_refunded)$/.test(payment.status);
}

/** Tell the window what to show, whenever it asks and whenever it is another thing. */
export class Teller {
  #channel = new BroadcastChannel(CHANNEL);
  #last: Showing | null = null;

  constructor() {
    this.#channel.onmessage = ({ data }: MessageEvent<Message>): void => {
      if ('ask' in data && this.#last !== null) this.#channel.postMessage({ showing: this.#last });
    };
  }

  tell(showing: Showing): void {
    this.#last = showing;
    this.#channel.postMessage({ showing });
  }

  end(): void {
    this.#channel.close();
  }
}

/** Hear what to show; the function that is returned ends it. */
export function heard(show: (showing: Showing) => void): () => void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = ({ data }: MessageEvent<Message>): void => {
    if ('showing' in data) show(data.showing);
  };
  channel.postMessage({ ask: true });
  return () => {
    channel.close();
  };
}
