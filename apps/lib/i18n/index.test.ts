import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { en } from './en.ts';
import { CATALOGUES, pieces, type Key } from './index.ts';
import { zh } from './zh.ts';

const keys = Object.keys(en) as Key[];
const places = (text: string): string[] => (text.match(/\{[a-z]+\}/g) ?? []).sort();

test('both languages say everything', () => {
  expect(Object.keys(zh).sort()).toEqual([...keys].sort());
  for (const catalogue of Object.values(CATALOGUES)) {
    for (const text of Object.values(catalogue)) expect(text.trim()).not.toBe('');
  }
});

test.each(keys)('%s has the same places in both', (key) => {
  expect(places(zh[key])).toEqual(places(en[key]));
});

test('Chinese is Chinese', () => {
  const same = keys.filter((key) => zh[key] === en[key] && /[A-Za-z]{3}/.test(en[key]));
  // names, which are the same in every language
  expect(same).toEqual(
    ['app.name', 'settings.english', 'settings.chinese'].filter((key) => same.includes(key as Key)),
  );
});

test('every text is used somewhere', () => {
  const root = new URL('../../', import.meta.url);
  const sources = ['lib', 'wallet', 'till', 'gallery']
    .flatMap((folder) =>
      readdirSync(new URL(`${folder}/`, root), { recursive: true, encoding: 'utf8' }).map(
        (name) => `${folder}/${name}`,
      ),
    )
    .filter((name) => /\.(?:svelte|ts)$/.test(name) && !name.includes('i18n/'))
    .map((name) => readFileSync(new URL(name, root), 'utf8'))
    .join('\n');
  // `problem.x`, `line.x`, `status.x` are made from what the API says
  const made = /^(?:problem|line|status)\./;
  expect(
    keys.filter(
      (key) =>
        !made.test(key) && !new RegExp(`['"]${key.replaceAll('.', '\\.')}['"]`).test(sources),
    ),
  ).toEqual([]);
});

test('a text is taken apart at its places', () => {
  expect(pieces('Pay {name} now', { name: 'Lin' })).toEqual([
    { text: 'Pay ', value: false },
    { text: 'Lin', value: true },
    { text: ' now', value: false },
  ]);
});
