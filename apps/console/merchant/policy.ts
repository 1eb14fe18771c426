/** An acceptance policy with one thing changed; everything else of it stays as it was. Pure. */
import type { Schemas } from '../../lib/api/client.ts';

export type Way = 'tap' | 'scan' | 'click';
type Acceptance = Schemas['Acceptance'];
type Rule = Schemas['WayRule'];

export function changedWay(acceptance: Acceptance, way: Way, change: Partial<Rule>): Acceptance {
  const ways = acceptance.ways ?? {};
  return { ...acceptance, ways: { ...ways, [way]: { ...ways[way], ...change } } };
}

/** The largest amounts of a way, as a text; empty where there is none. */
export function limitsText(
  limits: Record<string, number>,
  show: (minor: number, currency: string) => string,
): string {
  return Object.entries(limits)
    .map(([currency, minor]) => show(minor, currency))
    .join(', ');
}

/** Names that were typed with commas between them, each once. */
export function namesOf(text: string): string[] {
  return [...new Set(text.split(/[,，、]/).map((one) => one.trim()))].filter((one) => one !== '');
}
