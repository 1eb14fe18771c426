/** Which page of a face is open: the address is the state, so back, reload and links work. */
import { changed, queryOf } from './query.ts';

export class Router {
  readonly base: string;
  /** below the base: `/` or `/payments/pay_…` */
  path = $state('/');
  /** what stands behind the question mark */
  query = $state.raw(queryOf(''));

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

  /** Open a page, with its query if it has one; `replace` leaves no way back to the one before. */
  go(path: string, { replace = false } = {}): void {
    this.#move(`${this.base}${path}`, replace);
    scrollTo(0, 0);
  }

  /** Change the query of the page that is open: an empty value is left out. It stays in its place. */
  filter(changes: Record<string, string>, { replace = false } = {}): void {
    const query = changed(this.query, changes);
    this.#move(`${this.base}${this.path}${query === '' ? '' : `?${query}`}`, replace);
  }

  /** The address of a page. */
  to(path: string): string {
    return `${this.base}${path}`;
  }

  #move(address: string, replace: boolean): void {
    if (replace) history.replaceState(null, '', address);
    else if (address !== location.pathname + location.search) history.pushState(null, '', address);
    this.#read();
  }

  #read(): void {
    this.query = queryOf(location.search);
    this.path = location.pathname.startsWith(this.base)
      ? location.pathname.slice(this.base.length) || '/'
      : '/';
  }
}
