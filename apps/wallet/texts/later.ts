/** The texts of pages that are loaded when they are opened; such a page imports them. */
import { addTexts } from '../../lib/i18n/index.ts';
import { en } from './later.en.ts';
import { zh } from './later.zh.ts';

addTexts({ en, zh });

declare module '../../lib/i18n/index.ts' {
  interface Texts extends Record<keyof typeof en, string> {}
}
