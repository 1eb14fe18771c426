/**
 * What whoever stands here may not do alone is approved here, by a manager's own passkey, for just
 * this. The refusal says who may and what they sign; the same is sent again with their answer.
 */
import { RefusedError, type Problem, type Schemas } from '../lib/api/client.ts';
import { t, type Key } from '../lib/i18n/index.ts';
import { usePasskey } from '../lib/sign-in/passkeys.ts';
import { signInSentence } from '../lib/sign-in/say.ts';

export type Assertion = Schemas['Assertion'];

interface Approval {
  /** the names of those who may */
  approvers: string[];
  /** what one of them signs; null: none of them has a passkey */
  options: Schemas['RequestOptions'] | null;
}

const REFUSED: Partial<Record<string, Key>> = {
  self: 'approve.not.self',
  role: 'approve.not.role',
  limit: 'approve.not.limit',
  suspended: 'approve.not.suspended',
};
/** What was signed does not do, and something new is to be signed. */
const AGAIN = new Set(['approval_refused', 'passkey_refused']);

export class Approving {
  /** why it is asked for, while it is */
  needed = $state.raw<Problem | null>(null);
  trouble = $state<string | null>(null);
  busy = $state(false);

  get asked(): Approval | null {
    return this.needed === null ? null : approvalIn(this.needed);
  }

  /** Do something, and take it in if that asks for an approval. Throws any other refusal. */
  async around(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.drop();
    } catch (error) {
      if (!(error instanceof RefusedError) || approvalIn(error.problem) === null) throw error;
      this.needed = error.problem;
    }
  }

  /** Ask for the passkey, and do it with the answer; what `work` throws beside comes through. */
  async give(work: (signed?: Assertion) => Promise<void>): Promise<void> {
    const options = this.asked?.options ?? null;
    if (this.busy || options === null) return;
    this.busy = true;
    this.trouble = null;
    try {
      const signed = await usePasskey(options).catch((error: unknown) => {
        this.trouble = signInSentence(error);
      });
      if (signed === undefined) return;
      await this.around(() => work(signed));
    } catch (error) {
      if (!(error instanceof RefusedError) || !AGAIN.has(error.problem.code)) throw error;
      this.trouble = whyNot(error);
      await this.around(() => work());
    } finally {
      this.busy = false;
    }
  }

  drop(): void {
    this.needed = this.trouble = null;
  }
}

function approvalIn(problem: Problem): Approval | null {
  const found = (problem.data as Record<string, unknown>)['approval'];
  return typeof found === 'object' ? (found as Approval | null) : null;
}

function whyNot(error: RefusedError): string {
  const reason = String((error.problem.data as Record<string, unknown>)['reason']);
  const key = error.problem.code === 'approval_refused' ? REFUSED[reason] : undefined;
  return key === undefined ? signInSentence(error) : t(key);
}
