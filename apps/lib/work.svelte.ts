/** What a page asks for, and what it does: busy, done, or why not. */
import { untrack } from 'svelte';
import { sentence } from './problems.ts';

/** Something that is read whole. */
export class Loaded<T> {
  value = $state.raw<T | null>(null);
  trouble = $state<string | null>(null);
  readonly #read: () => Promise<T>;
  #asked = 0;

  constructor(read: () => Promise<T>) {
    this.#read = read;
  }

  /** Read it, or read it again; what is shown stays until the answer. */
  async load(): Promise<void> {
    const asked = (this.#asked += 1);
    try {
      const value = await this.#read();
      if (asked !== this.#asked) return;
      this.value = value;
      this.trouble = null;
    } catch (error) {
      if (asked === this.#asked) this.trouble = sentence(error);
    }
  }
}

/** Something that is done once at a time. */
export class Doing {
  busy = $state(false);
  trouble = $state<string | null>(null);

  /** Do it; whether it worked. While it is being done nothing else is. */
  async run(work: () => Promise<void>): Promise<boolean> {
    if (untrack(() => this.busy)) return false;
    this.busy = true;
    this.trouble = null;
    try {
      await work();
      return true;
    } catch (error) {
      this.trouble = sentence(error);
      return false;
    } finally {
      this.busy = false;
    }
  }
}
