/** The console of the operator's staff: its places. */
import type { Place } from '../parts.ts';
import { session } from '../session.svelte.ts';

export const places: Place[] = [];

/** What stands at the top: the operator has no name of its own, its member has. */
export async function nameOf(): Promise<string> {
  return Promise.resolve(session.who?.name ?? '');
}
