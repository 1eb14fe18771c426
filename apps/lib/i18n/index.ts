/**
 * What the apps say, in each language. Every text has a key; TypeScript holds that each language
 * has all of them, a test that both have the same places for names and amounts.
 *
 * What all faces share stands here. A face has texts of its own (`wallet/texts`), which it declares
 * as part of `Texts` and gives to `startFace`: nobody loads the texts of another face.
 */
import { settings, type Language } from '../settings.svelte.ts';
import { en } from './en.ts';
import { zh } from './zh.ts';

/** Every text by its key: those that all faces share, and by declaration those of each face. */
export interface Texts extends Record<keyof typeof en, string> {}

export type Key = keyof Texts;
export type Values = Record<string, string | number>;

/** A face's texts, or a part of them that is loaded later. */
export type Catalogues = Record<Language, Record<string, string>>;

const CATALOGUES: Catalogues = { en: { ...en }, zh: { ...zh } };

/** Have these texts said, too. */
export function addTexts(texts: Catalogues): void {
  Object.assign(CATALOGUES.en, texts.en);
  Object.assign(CATALOGUES.zh, texts.zh);
}

/** A text as it was written, with its places. */
export function template(key: Key): string {
  return CATALOGUES[settings.language][key] ?? key;
}

/** Whether there is a text of this key. */
export function isKey(key: string): key is Key {
  return key in CATALOGUES.en;
}

/** The tag by which Intl knows a language, where the browser has no region of its own for it. */
const TAGS: Record<Language, string> = { en: 'en', zh: 'zh-CN' };

export interface Piece {
  text: string;
  value: boolean;
}

/** A text taken apart at its places: `Pay {name}` is `Pay ` and the value of name. */
export function pieces(text: string, values: Values = {}): Piece[] {
  return text
    .split(/(\{[a-z]+\})/)
    .filter((part) => part !== '')
    .map((part) => {
      const name = /^\{([a-z]+)\}$/.exec(part)?.[1];
      if (name === undefined) return { text: part, value: false };
      return { text: String(values[name] ?? ''), value: true };
    });
}

/** A text in the person's language. For a text with a name in it use `Say`, which keeps it apart. */
export function t(key: Key, values?: Values): string {
  return pieces(template(key), values)
    .map((piece) => piece.text)
    .join('');
}

/** The person's language as Intl takes it, with their region: an English date differs by it. */
export function tag(): string {
  const { language } = settings;
  const own = navigator.languages.find((one) => one.toLowerCase().startsWith(`${language}-`));
  return own ?? TAGS[language];
}

const TIME: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit' };
const MOMENT: Intl.DateTimeFormatOptions = { month: 'short', day: 'numeric', ...TIME };
const DAY: Intl.DateTimeFormatOptions = { weekday: 'long', month: 'long', day: 'numeric' };
const DAY_OF_YEAR: Intl.DateTimeFormatOptions = { ...DAY, year: 'numeric' };

/** The formats of dates that were used, in each language: a browser takes long to make one. */
const formats = new WeakMap<Intl.DateTimeFormatOptions, Map<string, Intl.DateTimeFormat>>();

function formatOf(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const made = formats.get(options) ?? new Map<string, Intl.DateTimeFormat>();
  formats.set(options, made);
  const language = tag();
  const format = made.get(language) ?? new Intl.DateTimeFormat(language, options);
  made.set(language, format);
  return format;
}

/** A moment as people say it: today's only by its time. */
export function when(moment: string, now: number): string {
  const date = new Date(moment);
  const today = date.toDateString() === new Date(now).toDateString();
  return formatOf(today ? TIME : MOMENT).format(date);
}

/** A day as a heading. */
export function dayName(moment: string, now: number): string {
  const date = new Date(moment);
  const days = Math.round(
    (new Date(now).setHours(0, 0, 0, 0) - new Date(moment).setHours(0, 0, 0, 0)) / 86_400_000,
  );
  if (days === 0 || days === 1) {
    const text = new Intl.RelativeTimeFormat(tag(), { numeric: 'auto' }).format(-days, 'day');
    return text.charAt(0).toUpperCase() + text.slice(1);
  }
  const sameYear = date.getFullYear() === new Date(now).getFullYear();
  return formatOf(sameYear ? DAY : DAY_OF_YEAR).format(date);
}
