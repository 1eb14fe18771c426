/**
 * The page in a shop's frame (public/checkout/…/checkout.js is the other side). It speaks only to
 * the window around it, once that has said hello from an origin that the page's merchant named, and
 * only to that origin. What the browser's frame-ancestors refused never gets here; this is the
 * second lock. Nothing secret is said: the state, and the result that the shop is to have.
 */

const PROTOCOL = 'tandem.checkout/1';

export const framed = window.parent !== window;
// Styles leave out there what the shop's page around says already.
if (framed) document.documentElement.dataset['framed'] = '';

type Told =
  | { type: 'ready' | 'close' }
  | { type: 'result'; status: string; result: string | null; url: string | null };

let shop: string | null = null;
let waiting: Told[] = [];

/** Listen for the shop's page; `allowed` are the origins that may frame this one. */
export function listen(allowed: readonly string[]): () => void {
  const heard = (event: MessageEvent<unknown>): void => {
    if (event.source !== window.parent || !allowed.includes(event.origin)) return;
    const said = event.data as { tandem?: unknown; type?: unknown } | null;
    if (typeof said !== 'object' || said?.tandem !== PROTOCOL || said.type !== 'hello') return;
    if (shop !== null) return;
    shop = event.origin;
    tell({ type: 'ready' });
    for (const told of waiting) tell(told);
    waiting = [];
  };
  if (framed) addEventListener('message', heard);
  return () => {
    removeEventListener('message', heard);
  };
}

/** Tell the shop's page something, once it is known. */
export function tell(told: Told): void {
  // A frame that was taken away has no window around it any more, but itself.
  if (window.parent === window) return;
  if (shop === null) waiting.push(told);
  else window.parent.postMessage({ tandem: PROTOCOL, ...told }, shop);
}
