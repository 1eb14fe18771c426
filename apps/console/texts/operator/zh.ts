/** What the apps say in Simplified Chinese: the console of the operator's staff. */
import type { en } from './en.ts';

export const zh = {} satisfies Record<keyof typeof en, string>;
