import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const APPS = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(`${APPS}/${path}`, 'utf8');
const components = (...folders: string[]): string[] =>
  folders.flatMap((folder) =>
    readdirSync(`${APPS}/${folder}`, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.svelte'))
      .map((name) => `${folder}/${name}`),
  );

/** What a component imports to be there, not as a type. */
function imports(path: string): string[] {
  const found = read(path).matchAll(/^ {2}import (?!type )[^;]*?from '([^']+)'/gm);
  return [...found].map((one) => one[1] ?? '');
}

const shown = new Set(
  components('gallery').flatMap((page) =>
    imports(page).map((name) => new URL(name, `file:///gallery/`).pathname.slice(1)),
  ),
);
/** What asks the API, or knows where the page is, is no component but a page or a part of one. */
const STATE = /\.svelte\.ts$|client\.ts$|router\.ts$|signIn\.ts$/;
/** The customer's window: a page that only another window of the till fills. */
const PAGES = ['till/Display.svelte'];

describe('the gallery has', () => {
  it.each(components('lib'))('%s', (path) => {
    expect(shown).toContain(path);
  });

  const drawn = components('till', 'checkout').filter(
    (path) => !PAGES.includes(path) && !imports(path).some((name) => STATE.test(name)),
  );
  it.each(drawn)('%s, which is drawn from what it is given', (path) => {
    expect(shown).toContain(path);
  });

  it('something to look for', () => {
    expect(components('lib').length).toBeGreaterThan(30);
    expect(drawn.length).toBeGreaterThan(5);
  });
});
