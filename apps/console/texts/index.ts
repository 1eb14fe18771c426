import { en } from './en.ts';
import { en as merchantEn } from './merchant/en.ts';
import { zh as merchantZh } from './merchant/zh.ts';
import { en as operatorEn } from './operator/en.ts';
import { zh as operatorZh } from './operator/zh.ts';
import { zh } from './zh.ts';

export const texts = {
  en: { ...en, ...merchantEn, ...operatorEn },
  zh: { ...zh, ...merchantZh, ...operatorZh },
};

declare module '../../lib/i18n/index.ts' {
  interface Texts extends Record<keyof (typeof texts)['en'], string> {}
}
