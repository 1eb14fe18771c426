/** What went wrong, as a person is told: the money first, then what to do. */
import { RefusedError } from './api/client.ts';
import { isKey, t, tag } from './i18n/index.ts';
import { money } from './money.ts';
import { settings } from './settings.svelte.ts';

/** A sentence for whatever was thrown. What the API says of its own is English: ours comes first. */
export function sentence(error: unknown): string {
  if (!(error instanceof RefusedError)) return t('problem.away');
  const key = `problem.${error.problem.code}`;
  const { data, detail } = error.problem;
  if (!isKey(key) || data['field'] === '') return t('problem.other', { detail });
  const values = valuesOf(data);
  return t(key, { ...values, ...fieldOf(data), ...reasonOf(data, values), detail });
}

/**
 * What the field must be, in the person's language, where the API names the rule; else the API's own
 * words. The nearest text is taken: of the rule for this field, with its bounds, or alone.
 */
function reasonOf(
  data: Record<string, unknown>,
  values: Record<string, string>,
): Record<string, string> {
  if (typeof data['rule'] !== 'string') return {};
  const rule = `problem.rule.${data['rule']}`;
  const field = /(\w*)\W*$/.exec(values['field'] ?? '')?.[1] ?? '';
  const bounds = ['least', 'most'].filter((name) => name in values);
  // Of a form the API says more in its one language than can be said of all forms.
  const ownWords = data['rule'] === 'form' && settings.language === 'en';
  const general = ownWords ? [] : [[rule, ...bounds], [rule]];
  const near = [[rule, field], ...general].map((parts) => parts.join('.'));
  const key = near.find(isKey);
  return key === undefined ? {} : { reason: t(key, values) };
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
