import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { asked, plates } from './plates.ts';

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
    imports(page).map((name) => new URL(name, `file:///${page}`).pathname.slice(1)),
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

describe('a plate of its own has', () => {
  const names = plates.map((plate) => plate.name);
  const called = (path: string): string => path.replace(/^.*\/|\.svelte$/g, '');

  it.each(components('lib/design').map(called))('%s', (name) => {
    expect(names).toContain(name);
  });

  it.each(components('gallery/plates').map(called))('%s, which its address reaches', (name) => {
    const found = plates.filter((plate) => plate.id === asked(`/gallery/${plate.id}`));
    expect(found.filter((plate) => plate.id === name.toLowerCase())).toHaveLength(1);
  });

  it('an address that no page by itself has', () => {
    const whole = [...read('gallery/Whole.svelte').matchAll(/name === '([a-z]+)'/g)];
    expect(whole.length).toBeGreaterThan(5);
    const ids = plates.map((plate) => plate.id);
    for (const [, name] of whole) expect(ids).not.toContain(name);
  });

  it('no address below it', () => {
    for (const path of ['/gallery', '/gallery/', '/gallery/row/', '/gallery/Row'])
      expect(asked(path)).toBe('');
  });
});
