/** The key of a request that is done once, however often it is sent. */
import { RefusedError } from '../../lib/api/client.ts';

/**
 * One key for what one press means: after a lost answer the next press sends the same one, and it
 * is done once. What was done or refused is over, and the next press means something else.
 */
export class Once {
  #key = crypto.randomUUID();

  async do<T>(send: (header: { 'Idempotency-Key': string }) => Promise<T>): Promise<T> {
    try {
      const answer = await send({ 'Idempotency-Key': this.#key });
      this.#key = crypto.randomUUID();
      return answer;
    } catch (error) {
      if (error instanceof RefusedError) this.#key = crypto.randomUUID();
      throw error;
    }
  }
}
