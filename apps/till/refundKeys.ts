/**
 * The keys under which refunds are asked for, until they are answered: whoever asks for the same
 * again, also after the page was left meanwhile, asks under the same key and gives back nothing more.
 */
const asked = new Map<string, { of: string; key: string }>();

/** The key for this refund of a payment; `of` is all that is asked for. */
export function keyFor(payment: string, of: string): string {
  const before = asked.get(payment);
  if (before?.of === of) return before.key;
  const key = crypto.randomUUID();
  asked.set(payment, { of, key });
  return key;
}

/** There is an answer: the next one is another refund. */
export function answeredOf(payment: string): void {
  asked.delete(payment);
}
