/** What a part of the console is made of: the merchant's and the operator's have one each. */
import type { Component } from 'svelte';
import type { IconName } from '../lib/design/icons.ts';
import type { Key } from '../lib/i18n/index.ts';

/** A page is given what stands behind its own path: `/payments/pay_…` is `['pay_…']`. */
export type PageComponent = Component<{ rest: string[] }>;

/** A place of the sidebar. */
export interface Place {
  /** below /console: `/payments`; the first place of a part is at `/` */
  path: string;
  text: Key;
  icon: IconName;
  /** what a member of staff must be allowed to see it at all; null: anybody */
  scope: string | null;
  /** the heading in the sidebar under which it stands */
  group: Key | null;
  page: () => Promise<{ default: PageComponent | Component<Record<string, never>> }>;
}

/** Where a path leads: the place, and what stands behind it. */
interface Route {
  place: Place;
  rest: string[];
}

/** The place that a path belongs to; null if there is none. */
export function routeOf(places: readonly Place[], path: string): Route | null {
  const [first = '', ...rest] = path.split('/').filter((part) => part !== '');
  const place = places.find((one) => one.path === `/${first}`);
  return place === undefined ? null : { place, rest };
}
