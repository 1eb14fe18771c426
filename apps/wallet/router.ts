import type { Component } from 'svelte';
import { Router } from '../lib/router.svelte.ts';

export const router = new Router('/wallet');

/** A page that is loaded when it is opened. It is made anew for each address. */
export type Page = () => Promise<{ default: Component<Record<string, never>> }>;

/** What the address says: the page, and what follows it. */
export function here(): { page: string; id: string | undefined; more: string | undefined } {
  const [page = '', id, more] = router.path.slice(1).split('/');
  return { page, id, more };
}
