/** What went wrong, as a person is told: the money first, then what to do. */
import { RefusedError } from './api/client.ts';
import { isKey, t, tag } from './i18n/index.ts';
import { money } from './money.ts';

/** A sentence for whatever was thrown. What the API says of its own is English: ours comes first. */
export function sentence(error: unknown): string {
  if (!(error instanceof RefusedError)) return t('problem.away');
  const key = `problem.${error.problem.code}`;
  const { data, detail } = error.problem;
  if (!isKey(key) || data['field'] === '') return t('problem.other', { detail });
  return t(key, { ...valuesOf(data), ...fieldOf(data), detail });
}

/** The field that is not right, by the name that a person knows, if it has one. */
function fieldOf(data: Record<string, unknown>): Record<string, string> {
  if (typeof data['field'] !== 'string') return {};
  const key = `problem.field.${/^\w*/.exec(data['field'])?.[0] ?? ''}`;
  return { field: isKey(key) ? t(key) : data['field'] };
}

function valuesOf(data: Record<string, unknown>): Record<string, string> {
  const values: Record<string, string> = {};
  const currency = typeof data['currency'] === 'string' ? data['currency'] : null;
  for (const [name, value] of Object.entries(data)) {
    if (typeof value === 'number' && currency !== null)
      values[name] = money(value, currency, tag());
    else if (typeof value === 'string' || typeof value === 'number') values[name] = String(value);
  }
  return values;
}
