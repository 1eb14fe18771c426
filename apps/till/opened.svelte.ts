/** What is open over the pad: an entry of the browser's history each, so that Back leads to the pad. */

export type Page = 'payments' | 'shift' | 'settings' | 'items' | 'tip';

interface Entry {
  page: Page | null;
  /** the payment that a scanned receipt names */
  payment: string | null;
}

const PAD: Entry = { page: null, payment: null };

class Opened {
  now = $state.raw<Entry>(PAD);
  #leaving = false;

  /** Follow the history; a page that is loaded again is where it was. */
  start(): void {
    this.#read();
    addEventListener('popstate', () => {
      this.#leaving = false;
      this.#read();
    });
  }

  open(page: Page, payment: string | null = null): void {
    history.pushState({ page, payment } satisfies Entry, '');
    this.#read();
  }

  /** Back to what it was opened from. Pressed twice at once it goes one step. */
  close(): void {
    if (this.now.page === null || this.#leaving) return;
    this.#leaving = true;
    history.back();
  }

  #read(): void {
    this.now = (history.state as Entry | null) ?? PAD;
  }
}

export const opened = new Opened();
