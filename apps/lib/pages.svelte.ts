/** A list that is read a page at a time by cursor, as every list of the API is. */
import { sentence } from './problems.ts';

export interface PageOf<Item, Cursor = string> {
  data: readonly Item[];
  next: Cursor | null;
}

export class Pages<Item, Cursor = string> {
  /** what was read; null until the first page is there */
  items = $state.raw<Item[] | null>(null);
  next = $state.raw<Cursor | null>(null);
  busy = $state(false);
  /** why the last page did not come */
  trouble = $state<string | null>(null);
  readonly #read: (after: Cursor | null) => Promise<PageOf<Item, Cursor>>;
  /** counts what was asked for: an answer to an older question is dropped */
  #asked = 0;

  constructor(read: (after: Cursor | null) => Promise<PageOf<Item, Cursor>>) {
    this.#read = read;
  }

  /** Begin anew: other filters, or something happened. What is shown stays until the answer. */
  async load(): Promise<void> {
    await this.#page(null);
  }

  /** The next page, below what is there. */
  async more(): Promise<void> {
    if (this.next !== null && !this.busy) await this.#page(this.next);
  }

  /** The page that failed, once more. */
  async again(): Promise<void> {
    await this.#page(this.items === null ? null : this.next);
  }

  async #page(after: Cursor | null): Promise<void> {
    const asked = (this.#asked += 1);
    this.busy = true;
    this.trouble = null;
    try {
      const page = await this.#read(after);
      if (asked !== this.#asked) return;
      this.items = after === null ? [...page.data] : [...(this.items ?? []), ...page.data];
      this.next = page.next;
    } catch (error) {
      if (asked !== this.#asked) return;
      if (after === null) this.items = null;
      this.trouble = sentence(error);
    } finally {
      if (asked === this.#asked) this.busy = false;
    }
  }
}
