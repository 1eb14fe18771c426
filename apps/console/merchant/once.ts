/** The key of a request that is done once, however often it is sent. */
import { isRefused, isUncertain } from '../../lib/api/client.ts';

/**
 * One key for what one press means: after a lost answer the next press sends the same one, and it
 * is done once. What was done or refused is over, and the next press means something else; a session
 * that is over is no answer to what was sent before it ended.
 */
export class Once {
  #key = crypto.randomUUID();
  #of = '';

  /** Send it; `of` is what is asked for, where that may change: something else is no second press. */
  async do<T>(send: (header: { 'Idempotency-Key': string }) => Promise<T>, of = ''): Promise<T> {
    if (of !== this.#of) this.#next(of);
    try {
      const answer = await send({ 'Idempotency-Key': this.#key });
      this.#next(of);
      return answer;
    } catch (error) {
      if (!isUnsettled(error)) this.#next(of);
      throw error;
    }
  }

  #next(of: string): void {
    this.#key = crypto.randomUUID();
    this.#of = of;
  }
}

/** Whether what was asked may have been done, by this press or one before. */
function isUnsettled(error: unknown): boolean {
  if (isUncertain(error)) return true;
  return isRefused(error, 'session_over') || isRefused(error, 'unauthenticated');
}
