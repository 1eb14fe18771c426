/** Who did what, as a sentence, and where what it was done to stands in the console. */
import { isKey, pieces, template } from '../../lib/i18n/index.ts';

/** A part of a sentence; `name` says whose text it is if it is not ours. */
export interface Part {
  text: string;
  name: 'who' | 'what' | null;
}

const PLACES: Record<string, string> = {
  ...{ pay: '/payments/{id}', lnk: '/links/{id}', inv: '/invoices/{id}', whe: '/webhooks/{id}' },
  ...{ shp: '/shops/{id}', til: '/shops/{id}', key: '/keys', stf: '/staff' },
};

/** The page of what has this id; null if there is none. */
export function placeOf(id: string): string | null {
  return PLACES[id.slice(0, id.indexOf('_'))]?.replace('{id}', id) ?? null;
}

/**
 * The sentence of an action, `create_refund`, that was done or refused: its parts, in their order.
 * A code without a sentence stands for itself, and so does one whose sentence needs what the record
 * does not name.
 */
export function sentenceOf(
  action: string,
  who: string,
  what: string | null,
  done: boolean,
): Part[] {
  const key = `act.${done ? 'done' : 'tried'}.${action.endsWith('.export') ? 'export' : action}`;
  const text = isKey(key) ? template(key) : null;
  if (text === null || (text.includes('{what}') && what === null))
    return [
      { text: who, name: 'who' },
      { text: ` ${action} `, name: null },
      ...(what === null ? [] : [{ text: what, name: 'what' } satisfies Part]),
    ];
  return text.split(/(?=\{what\})|(?<=\{what\})/).flatMap((part) =>
    part === '{what}'
      ? [{ text: what ?? '', name: 'what' } satisfies Part]
      : pieces(part, { who }).map((piece): Part => ({
          text: piece.text,
          name: piece.value ? 'who' : null,
        })),
  );
}
