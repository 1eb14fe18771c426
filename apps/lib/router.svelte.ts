/** Which page of a face is open: the address is the state, so back, reload and links work. */
import { changed, valueIn } from './query.ts';

export class Router {
  readonly base: string;
  /** below the base: `/` or `/payments/pay_…` */
  path = $state('/');
  /** what is asked for on the page: `?search=tea`, or nothing */
  query = $state('');

  constructor(base: string) {
    this.base = base;
  }

  /** Follow the address, and open the face's own links without a reload. */
  start(): void {
    this.#read();
    addEventListener('popstate', () => {
      this.#read();
    });
    document.addEventListener('click', (event) => {
      if (event.defaultPrevented || event.button !== 0) return;
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
      const link = event.target instanceof Element ? event.target.closest('a') : null;
      if (link === null || link.target !== '' || link.origin !== location.origin) return;
      if (!link.pathname.startsWith(`${this.base}/`)) return;
      event.preventDefault();
      this.go(link.pathname.slice(this.base.length) + link.search);
    });
  }

  /** Open a page; `replace` leaves no way back to the one before. */
  go(path: string, { replace = false } = {}): void {
    const address = `${this.base}${path}`;
    if (replace) history.replaceState(null, '', address);
    else if (address !== location.pathname + location.search) history.pushState(null, '', address);
    this.#read();
    scrollTo(0, 0);
  }

  /** What the address asks for under this name; empty if nothing. */
  asked(name: string): string {
    return valueIn(this.query, name);
  }

  /** Ask for something else on this page; what is empty leaves the address. */
  ask(values: Record<string, string>): void {
    history.replaceState(null, '', location.pathname + changed(this.query, values));
    this.#read();
  }

  /** The address of a page. */
  to(path: string): string {
    return `${this.base}${path}`;
  }

  #read(): void {
    this.path = location.pathname.startsWith(this.base)
      ? location.pathname.slice(this.base.length) || '/'
      : '/';
    this.query = location.search;
  }
}
