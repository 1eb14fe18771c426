/** Begin to pay: a link's or an invoice's visit becomes the page of an order. */
import { settle, type Schemas } from '../lib/api/client.ts';
import { router } from './router.ts';

/**
 * Ask until it is answered, under one key: however often it is pressed, one order is made.
 * `onUnknown` is told when an answer fails to come.
 */
export async function visit(
  post: (key: string) => Promise<Schemas['OpenedPage']>,
  onUnknown: () => void,
): Promise<void> {
  const opened = await settle(post, { key: crypto.randomUUID(), onUnknown });
  router.go(`/s/${opened.token}`, { replace: true });
}
