/** What the apps say in English: the console of a merchant's staff. */
import { en as audit } from './audit.en.ts';
import { en as house } from './house.en.ts';
import { en as money } from './money.en.ts';
import { en as places } from './places.en.ts';

export const en = { ...money, ...places, ...house, ...audit };
