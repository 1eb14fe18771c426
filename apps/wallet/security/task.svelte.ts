/** Something that a person does on the security page: one at a time, and why it did not work. */
import { untrack } from 'svelte';
import { signInSentence } from '../../lib/sign-in/say.ts';

export class Task {
  busy = $state(false);
  trouble = $state<string | null>(null);

  /** Do it; whether it worked. */
  async run(work: () => Promise<unknown>): Promise<boolean> {
    // Whoever begins it in an effect does not begin it anew when it is done.
    if (untrack(() => this.busy)) return false;
    this.busy = true;
    this.trouble = null;
    try {
      await work();
      return true;
    } catch (error) {
      this.trouble = signInSentence(error);
      return false;
    } finally {
      this.busy = false;
    }
  }
}
