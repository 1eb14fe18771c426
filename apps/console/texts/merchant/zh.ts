/** What the apps say in Simplified Chinese: the console of a merchant's staff. */
import { zh as audit } from './audit.zh.ts';
import { zh as house } from './house.zh.ts';
import { zh as money } from './money.zh.ts';
import { zh as places } from './places.zh.ts';

export const zh = { ...money, ...places, ...house, ...audit };
