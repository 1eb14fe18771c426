/** What the operator's pages share: where an id leads, why something is done, addresses of lists. */
import { isKey, t, tag } from '../../lib/i18n/index.ts';
import { changed } from '../../lib/query.ts';
import { dayStart } from '../days.ts';
import { router } from '../router.ts';
import { statusText } from '../merchant/states.ts';
import type { Tone } from '../merchant/states.ts';

const LEADS: Record<string, string> = {
  ...{ ppl: '/people', mer: '/merchants', crd: '/cards', pay: '/payments', acc: '/ledger' },
  ...{ ent: '/ledger', top: '/ledger', snd: '/ledger', pyt: '/ledger', wdr: '/ledger' },
  ...{ cor: '/ledger', ist: '/ledger', ver: '/verifications' },
};

/** The page of whatever has this id; null if it has none of its own. */
export function leadOf(id: string): string | null {
  const place = LEADS[id.slice(0, id.indexOf('_'))];
  return place === undefined ? null : router.to(`${place}/${id}`);
}

/** The header that says why: it takes ASCII only, so the text is percent-encoded. */
export function why(reason: string): { 'Tandem-Reason': string } {
  return { 'Tandem-Reason': encodeURIComponent(reason.trim()) };
}

/** The filters of an address that are set, by name, with the cursor of the page that follows. */
export function asked<Name extends string>(
  query: URLSearchParams,
  names: readonly Name[],
  after: string | number | null,
): Partial<Record<Name, never>> & { limit: number; after?: never } {
  const values: Record<string, string | number> = { limit: 50 };
  for (const name of names) {
    const value = query.get(name);
    if (value !== null && value !== '') values[name] = value;
  }
  if (after !== null) values['after'] = after;
  // What an address says is anything; the API answers what it cannot be with a sentence.
  return values as Partial<Record<Name, never>> & { limit: number; after?: never };
}

/** The address of a list with the filters that are set: for its export. */
export function listOf(path: string, query: URLSearchParams, names: readonly string[]): string {
  const kept = new URLSearchParams();
  for (const name of names) kept.set(name, query.get(name) ?? '');
  const text = changed(new URLSearchParams(), Object.fromEntries(kept));
  return text === '' ? path : `${path}?${text}`;
}

/** The word for a value of a kind: a card's state, a job. What has no word stands as it is. */
export function word(kind: string, value: string): string {
  const key = `op.${kind}.${value}`;
  return isKey(key) ? t(key) : statusText(value);
}

const TONES: Record<string, Tone> = {
  ...{ active: 'good', right: 'good', well: 'good', done: 'good', seals: 'good' },
  ...{ waiting_code: 'wait', waiting_operator: 'wait', running: 'wait', invited: 'wait' },
  ...{ attention: 'wait', pending: 'wait', opens: 'plain' },
  ...{ suspended: 'bad', lost: 'bad', blocked: 'bad', differs: 'bad', bad: 'bad', failed: 'bad' },
  ...{ missing: 'bad', refused: 'bad' },
  ...{ clear: 'good', checking: 'wait', held: 'wait', rejected: 'bad' },
};

export function tone(value: string): Tone {
  return TONES[value] ?? 'plain';
}

/** A moment with its day and second: what happened when matters here. */
export function moment(text: string): string {
  return new Intl.DateTimeFormat(tag(), {
    year: 'numeric',
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  }).format(new Date(text));
}

/** A number; below zero with the sign that amounts have. */
export function count(value: number): string {
  return new Intl.NumberFormat(tag()).format(value).replace('-', '−');
}

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

/** A size as people say it. */
export function size(bytes: number): string {
  const step = bytes < 1 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), UNITS.length - 1);
  return new Intl.NumberFormat(tag(), {
    style: 'unit',
    unit: UNITS[step] ?? 'byte',
    unitDisplay: 'short',
    maximumFractionDigits: 1,
  }).format(bytes / 1000 ** step);
}

/** The address has days, the API takes moments: a day is all of it, by this browser's clock. */
export function dated(query: URLSearchParams): URLSearchParams {
  const made = new URLSearchParams(query);
  for (const [name, later] of [
    ['since', 0],
    ['until', 1],
  ] as const) {
    const day = dayStart(query.get(name) ?? '', later);
    if (day !== null) made.set(name, day.toISOString());
  }
  return made;
}
