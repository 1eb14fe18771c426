import { en } from './en.ts';
import { zh } from './zh.ts';

export const texts = { en, zh };

declare module '../../i18n/index.ts' {
  interface Texts extends Record<keyof typeof en, string> {}
}
