import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { en } from './en.ts';
import { pieces } from './index.ts';
import { texts as signIn } from '../sign-in/texts/index.ts';
import { zh } from './zh.ts';

type Texts = Record<string, string>;

const ROOT = new URL('../../', import.meta.url);
/** The faces that have texts of their own. */
const FACES = readdirSync(ROOT).filter((name) =>
  existsSync(new URL(`${name}/texts/index.ts`, ROOT)),
);
const own = await Promise.all(
  FACES.map(async (face) => {
    const { texts } = (await import(`../../${face}/texts/index.ts`)) as {
      texts: { en: Texts; zh: Texts };
    };
    return [face, texts] satisfies [string, typeof texts] as [string, typeof texts];
  }),
);
const catalogues: [string, { en: Texts; zh: Texts }][] = [
  ['lib', { en, zh }],
  ['lib', signIn], // loaded by those who sign in
  ...own,
];
const all = catalogues.flatMap(([face, texts]) =>
  Object.entries(texts.en).map(([key, text]) => ({ face, key, en: text, zh: texts.zh[key] ?? '' })),
);
const places = (text: string): string[] => (text.match(/\{[a-z]+\}/g) ?? []).sort();

test('the faces have texts of their own', () => {
  expect(FACES).toContain('wallet');
});

test.each(catalogues)('both languages of %s say everything', (_, texts) => {
  expect(Object.keys(texts.zh).sort()).toEqual(Object.keys(texts.en).sort());
  for (const text of [...Object.values(texts.en), ...Object.values(texts.zh)])
    expect(text.trim()).not.toBe('');
});

test('a key has one text', () => {
  const keys = all.map((one) => one.key);
  expect(keys.filter((key, at) => keys.indexOf(key) !== at)).toEqual([]);
});

test.each(all)('$key has the same places in both', (one) => {
  expect(places(one.zh)).toEqual(places(one.en));
});

test('Chinese is Chinese', () => {
  // names, which are the same in every language
  const names = ['app.name', 'settings.english', 'settings.chinese'];
  const same = all.filter((one) => one.zh === one.en && /[A-Za-z]{3}/.test(one.en));
  expect(same.map((one) => one.key).filter((key) => !names.includes(key))).toEqual([]);
});

/** The source of a folder, without its texts. */
function sources(folder: string): string {
  return readdirSync(new URL(`${folder}/`, ROOT), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(?:svelte|ts)$/.test(name) && !/(?:^|\/)(?:i18n|texts)\//.test(name))
    .map((name) => readFileSync(new URL(`${folder}/${name}`, ROOT), 'utf8'))
    .join('\n');
}

const said = new Map(['lib', ...FACES].map((folder) => [folder, sources(folder)]));
const uses = (folder: string, key: string): boolean =>
  new RegExp(`['"]${key.replaceAll('.', '\\.')}['"]`).test(said.get(folder) ?? '');

test('every text is used where it stands', () => {
  // these are made from what the API says: a problem's code, a state, a role
  const made = /^(?:problem|line|status|role)\./;
  const idle = all.filter(
    ({ face, key }) =>
      !made.test(key) &&
      !(face === 'lib' ? [...said.keys()] : [face]).some((one) => uses(one, key)),
  );
  expect(idle.map((one) => one.key)).toEqual([]);
});

test('a face says what it has or what all share', () => {
  const astray = all.flatMap(({ face, key }) =>
    face === 'lib'
      ? []
      : [...said.keys()]
          .filter((folder) => folder !== face && uses(folder, key))
          .map((folder) => `${folder}: ${key}`),
  );
  expect(astray).toEqual([]);
});

test('a text is taken apart at its places', () => {
  expect(pieces('Pay {name} now', { name: 'Lin' })).toEqual([
    { text: 'Pay ', value: false },
    { text: 'Lin', value: true },
    { text: ' now', value: false },
  ]);
});
