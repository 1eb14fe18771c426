/** Begin to pay: a link's or an invoice's visit becomes the page of an order. */
import { settle, type Schemas } from '../lib/api/client.ts';
import { router } from './router.ts';

/** Ask until it is answered, under one key: however often it is pressed, one order is made. */
export async function visit(post: (key: string) => Promise<Schemas['OpenedPage']>): Promise<void> {
  const opened = await settle(post, { key: crypto.randomUUID() });
  router.go(`/s/${opened.token}`, { replace: true });
}
