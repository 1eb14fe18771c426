/** What the apps say in Simplified Chinese: the console of a merchant's staff. */
import { zh as house } from './house.zh.ts';
import { zh as money } from './money.zh.ts';

export const zh = { ...money, ...house };
