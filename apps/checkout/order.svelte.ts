/** A checkout page as it is now: read from the API, and followed live. */
import { answered, apiClient, isRefused, type Schemas } from '../lib/api/client.ts';

export type Page = Schemas['CheckoutPage'];

const PAID = new Set(['authorised', 'captured', 'partially_refunded', 'refunded']);
const AGAIN_MS = 5000;

export const isPaid = (page: Page): boolean => PAID.has(page.status);
export const isOpen = (page: Page): boolean =>
  page.status === 'created' || page.status === 'waiting';

export class Order {
  readonly token: string;
  page = $state.raw<Page | null>(null);
  missing = $state(false);
  /** the connection is lost: what is shown may be old */
  away = $state(false);
  #source: EventSource | null = null;
  #again: ReturnType<typeof setTimeout> | undefined;
  #ended = false;

  constructor(token: string) {
    this.token = token;
  }

  /** Read it and follow it, until what is returned is called. */
  follow(): () => void {
    const look = (): void => void this.read();
    const seen = (): void => {
      if (document.visibilityState === 'visible') look();
    };
    look();
    this.#connect();
    // Back from the wallet, or from a sleep: browsers keep pages as they were.
    addEventListener('pageshow', look);
    addEventListener('online', look);
    document.addEventListener('visibilitychange', seen);
    return () => {
      this.#ended = true;
      this.#source?.close();
      clearTimeout(this.#again);
      removeEventListener('pageshow', look);
      removeEventListener('online', look);
      document.removeEventListener('visibilitychange', seen);
    };
  }

  async read(): Promise<void> {
    const path = { params: { path: { page_token: this.token } } };
    try {
      this.#show(await answered(apiClient(null).GET('/v1/checkout/pages/{page_token}', path)));
    } catch (error) {
      if (isRefused(error, 'not_found')) this.missing = true;
      else this.away = true;
    }
  }

  #show(page: Page): void {
    if (this.page !== null && this.page.updated_at > page.updated_at) return;
    this.page = page;
    this.away = false;
  }

  #connect(): void {
    if (this.#ended || this.missing) return;
    const source = new EventSource(`/v1/checkout/pages/${this.token}/stream`);
    this.#source = source;
    source.addEventListener('page', (event: MessageEvent<string>) => {
      this.#show(JSON.parse(event.data) as Page);
    });
    source.addEventListener('error', () => {
      if (this.page === null || isOpen(this.page)) this.away = true;
      if (source.readyState !== EventSource.CLOSED) return; // the browser connects again
      this.#again = setTimeout(() => {
        void this.read();
        this.#connect();
      }, AGAIN_MS);
    });
  }
}
