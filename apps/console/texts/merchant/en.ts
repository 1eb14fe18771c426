/** What the apps say in English: the console of a merchant's staff. */
import { en as house } from './house.en.ts';
import { en as money } from './money.en.ts';

export const en = { ...money, ...house };
