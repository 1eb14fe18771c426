/** Whom the person has chosen lately: kept on this phone, for the next time. */
import type { Schemas } from '../../lib/api/client.ts';
import { read, write } from '../../lib/store.ts';

export type PersonCard = Schemas['PersonCard'];

const PLACE = 'wallet.people';
const MOST = 8;

/** The people who were chosen lately, the last first. */
export async function recent(): Promise<PersonCard[]> {
  return (await read<PersonCard[]>(PLACE)) ?? [];
}

export async function remember(people: readonly PersonCard[]): Promise<void> {
  const chosen = new Set(people.map((one) => one.handle));
  const others = (await recent()).filter((one) => !chosen.has(one.handle));
  await write(
    PLACE,
    [...people.map(({ handle, name }) => ({ handle, name })), ...others].slice(0, MOST),
  );
}
