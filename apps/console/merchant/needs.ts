/** What needs somebody: found where one may look, each leading to where it is put right. */
import { answered, type Schemas } from '../../lib/api/client.ts';
import type { IconName } from '../../lib/design/icons.ts';
import { t, tag } from '../../lib/i18n/index.ts';
import { money } from '../../lib/money.ts';
import { session } from '../session.svelte.ts';
import { ofDay } from './filters.ts';

export interface Need {
  icon: IconName;
  text: string;
  path: string;
}

/** Keys that are older than this are about to be old: they ought to be made anew. */
const OLD_DAYS = 365;
const DAY_MS = 86_400_000;
const LOOKED_AT = 20;

/** Whether more payments are declined than usual: three at least, and twice as often. */
export function isDeclinedMore(
  day: Pick<Schemas['DayView'], 'declined' | 'asked' | 'usual_declined' | 'usual_asked'>,
): boolean {
  if (day.declined < 3 || day.asked === 0) return false;
  if (day.usual_asked === 0) return day.declined * 4 > day.asked;
  return day.declined * day.usual_asked > 2 * day.usual_declined * day.asked;
}

export async function needsOf(day: Schemas['DayView']): Promise<Need[]> {
  const found: Need[] = [];
  if (day.reserved > 0)
    found.push({
      icon: 'wait',
      text: t('needs.capture', { amount: money(day.reserved, day.currency, tag()) }),
      // what is reserved is so from any day
      path: `/payments?${new URLSearchParams({ status: 'authorised', currency: day.currency }).toString()}`,
    });
  if (isDeclinedMore(day))
    found.push({
      icon: 'warn',
      text: t('needs.declined', { number: day.declined, all: day.asked }),
      path: ofDay(day, { status: 'declined' }),
    });
  const looked = await Promise.allSettled([failingWebhooks(), oldKeys(day.until)]);
  for (const one of looked) if (one.status === 'fulfilled') found.push(...one.value);
  return found;
}

async function failingWebhooks(): Promise<Need[]> {
  if (!session.may('webhooks:read')) return [];
  const { api } = session;
  const endpoints = await answered(api.GET('/v1/webhooks'));
  const needs = await Promise.all(
    endpoints.data
      .filter((one) => one.enabled)
      .map(async (one) => {
        const sent = await answered(
          api.GET('/v1/webhooks/{endpoint_id}/deliveries', {
            params: { path: { endpoint_id: one.id }, query: { limit: LOOKED_AT } },
          }),
        );
        const failing = sent.data.filter(
          (each) => each.status === 'failed' || (each.status === 'pending' && each.attempts > 0),
        );
        if (failing.length === 0) return [];
        const text = t('needs.webhook', {
          number: failing.length,
          all: sent.data.length,
          host: new URL(one.url).host,
        });
        return [{ icon: 'hook', text, path: `/webhooks/${one.id}` } satisfies Need];
      }),
  );
  return needs.flat();
}

async function oldKeys(now: string): Promise<Need[]> {
  if (!session.may('keys:write')) return [];
  const keys = await answered(session.api.GET('/v1/keys', { params: { query: { limit: 100 } } }));
  const old = keys.data.filter(
    (one) =>
      one.revoked_at === null && Date.parse(now) - Date.parse(one.created_at) > OLD_DAYS * DAY_MS,
  );
  if (old.length === 0) return [];
  return [{ icon: 'key', text: t('needs.keys', { number: old.length }), path: '/keys' }];
}
