import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { en } from './en.ts';
import { pieces } from './index.ts';
import { texts as signIn } from '../sign-in/texts/index.ts';
import { en as laterEn } from '../../wallet/texts/later.en.ts';
import { zh as laterZh } from '../../wallet/texts/later.zh.ts';
import { zh } from './zh.ts';

type Texts = Record<string, string>;

const ROOT = new URL('../../', import.meta.url);
/** The texts of faces, and of the parts of faces that are loaded later, by their folder. */
const found = import.meta.glob<{ texts: { en: Texts; zh: Texts } }>(
  ['../../*/texts/index.ts', '../../*/*/texts/index.ts', '!../sign-in/texts/index.ts'],
  { eager: true },
);
const own = Object.entries(found).map(
  ([path, { texts }]) =>
    [path.slice('../../'.length, -'/texts/index.ts'.length), texts] satisfies [
      string,
      typeof texts,
    ] as [string, typeof texts],
);
const FACES = own.map(([face]) => face);
const catalogues: [string, { en: Texts; zh: Texts }][] = [
  ['lib', { en, zh }],
  ['lib', signIn], // loaded by those who sign in
  ['wallet', { en: laterEn, zh: laterZh }], // loaded with the pages that are opened later
  ...own,
];
const all = catalogues.flatMap(([face, texts]) =>
  Object.entries(texts.en).map(([key, text]) => ({ face, key, en: text, zh: texts.zh[key] ?? '' })),
);
const places = (text: string): string[] => (text.match(/\{[a-z]+\}/g) ?? []).sort();

test('the faces have texts of their own', () => {
  expect(FACES).toContain('wallet');
  expect(FACES).toContain('wallet/together');
});

test.each(catalogues)('both languages of %s say everything', (_, texts) => {
  expect(Object.keys(texts.zh).sort()).toEqual(Object.keys(texts.en).sort());
  for (const text of [...Object.values(texts.en), ...Object.values(texts.zh)])
    expect(text.trim()).not.toBe('');
});

test('a key has one text', () => {
  // Two faces that are never loaded together may use a key each for texts of their own.
  const keys = all.map((one) => `${one.face.split('/')[0] ?? ''} ${one.key}`);
  expect(keys.filter((key, at) => keys.indexOf(key) !== at)).toEqual([]);
});

test.each(all)('$key has the same places in both', (one) => {
  expect(places(one.zh)).toEqual(places(one.en));
});

test('Chinese is Chinese', () => {
  // names, which are the same in every language
  const names = [
    'app.name',
    'settings.english',
    'settings.chinese',
    'op.against.akismet',
    'topup.iban',
    'topup.bic',
  ];
  const same = all.filter((one) => one.zh === one.en && /[A-Za-z]{3}/.test(one.en));
  expect(same.map((one) => one.key).filter((key) => !names.includes(key))).toEqual([]);
});

test('Chinese has one word for one thing', () => {
  // a receipt is 收据, a shop 门店, online 线上
  const abandoned = /小票|凭证|店铺|网上/;
  expect(all.filter((one) => abandoned.test(one.zh)).map((one) => one.key)).toEqual([]);
});

/** The source of a folder, without what is generated, its texts, and parts that have their own. */
function sources(folder: string): string {
  const parts = FACES.filter((name) => name.startsWith(`${folder}/`)).map((name) =>
    name.slice(folder.length),
  );
  return readdirSync(new URL(`${folder}/`, ROOT), { recursive: true, encoding: 'utf8' })
    .filter(
      (name) =>
        /\.(?:svelte|ts)$/.test(name) && !/(?:^|\/)(?:i18n|texts|api\/schema)[/.]/.test(name),
    )
    .filter((name) => !parts.some((part) => `/${name}`.startsWith(`${part}/`)))
    .map((name) => readFileSync(new URL(`${folder}/${name}`, ROOT), 'utf8'))
    .join('\n');
}

/** What stands between quotes in the source of each folder: the keys among it. */
const said = new Map(
  ['lib', ...FACES].map((folder) => [
    folder,
    new Set([...sources(folder).matchAll(/['"]([\w.]+)(?=['"])/g)].map((found) => found[1])),
  ]),
);
const uses = (folder: string, key: string): boolean => said.get(folder)?.has(key) ?? false;

/** Whether what is in a folder has a face's texts: a part of a face has that face's, too. */
const sees = (folder: string, face: string): boolean =>
  face === 'lib' || folder === face || folder.startsWith(`${face}/`);

/** Whether a folder sees a text of this key, be it one of its own. */
const has = (folder: string, key: string): boolean =>
  all.some((one) => one.key === key && sees(folder, one.face));

test('every text is used where it stands', () => {
  // these are made from what the API says: a problem's code, a state, a role, a way
  const made =
    /^(?:problem|line|status|role|way|colour|act|camera|tag|history\.type|held\.own|op\.(?:finding|against|line|card|hit|difference|verification|phase|job|account|message|way|verdict|use|proof|delivery|cardkey|state|side|mode|member))\./;
  const idle = all.filter(
    ({ face, key }) =>
      !made.test(key) &&
      ![...said.keys()].some((folder) => sees(folder, face) && uses(folder, key)),
  );
  expect(idle.map((one) => one.key)).toEqual([]);
});

test('a face says what it has or what all share', () => {
  const astray = all.flatMap(({ face, key }) =>
    face === 'lib'
      ? []
      : [...said.keys()]
          .filter((folder) => !sees(folder, face) && uses(folder, key) && !has(folder, key))
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

test('every refusal that a person can meet has a text', () => {
  // what only programs and commands are told: no face asks for what is refused so
  const programs = [
    'already_corrected',
    'body_too_large',
    'correction_not_covered',
    'idempotency_key_missing',
    'malformed_header',
    'malformed_request',
    'media_type_unsupported',
    'method_not_allowed',
    'no_such_path',
    'no_such_scope',
    'overdraft_in_use',
    'payout_not_covered',
    'reason_missing',
    'reference_already_booked',
    'return_refused',
    'reversal_not_covered',
    'settlement_not_covered',
    'tag_keys_withheld',
    'tag_revoked',
    'withdrawal_not_covered',
  ];
  const reference = readFileSync(new URL('../docs/reference/errors.md', ROOT), 'utf8');
  const codes = [...reference.matchAll(/^## (\w+)$/gm)].map((match) => match[1] ?? '');
  expect(codes.length).toBeGreaterThan(100);
  const told = new Set(all.map((one) => one.key));
  expect(codes.filter((code) => !told.has(`problem.${code}`)).sort()).toEqual(programs);
});

test('every rule of a field has a text', () => {
  const errors = readFileSync(new URL('../src/tandem/kernel/errors.py', ROOT), 'utf8');
  const names = /name: Literal\[([^\]]*)\]/.exec(errors)?.[1] ?? '';
  const rules = [...names.matchAll(/"(\w+)"/g)].map((match) => match[1] ?? '');
  expect(rules).toContain('length');
  const told = new Set(all.map((one) => one.key));
  expect(rules.filter((rule) => !told.has(`problem.rule.${rule}`))).toEqual([]);
});

/** What the operator's console says for each value of these: see `word` in console/operator. */
const WORDS = [
  ['AccountView', 'kind', 'account'],
  ['TransferView', 'code', 'line'],
  ['TransferView', 'kind', 'phase'],
  ['HistoryLine', 'type', 'line'],
  ['JobView', 'kind', 'job'],
  ['RingKeyView', 'use', 'use'],
  ['CardKeyView', 'kind', 'cardkey'],
  ['VerificationView', 'status', 'verification'],
  ['HealthView', 'status', 'verdict'],
  ['MemberView', 'status', 'member'],
  ['ScreeningView', 'state', 'message'],
  ['PersonView', 'status', 'state'],
] as const;

test.each(WORDS)('each %s.%s has a word of the console’s', (schema, property, kind) => {
  const { components } = JSON.parse(
    readFileSync(new URL('../docs/reference/openapi.json', ROOT), 'utf8'),
  ) as { components: { schemas: Record<string, { properties: Record<string, unknown> }> } };
  const found = components.schemas[schema]?.properties[property] as { enum: string[] };
  const told = new Set(all.map((one) => one.key));
  expect(found.enum.filter((value) => !told.has(`op.${kind}.${value}`))).toEqual([]);
});
