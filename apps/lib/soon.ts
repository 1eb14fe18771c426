/** Many wishes, few acts: what is asked for in a burst is done once, and never twice at a time. */

/** Wishes that come together are one. */
const TOGETHER_MS = 30;
/** No act begins sooner than this after the one before: a burst of events is no burst of requests. */
const APART_MS = 250;

export class Soon {
  readonly #act: () => Promise<void> | void;
  readonly #apart: number;
  #state: 'idle' | 'waiting' | 'acting' | 'acting, and wanted again' = 'idle';
  #began = -Infinity;

  /** An act that fails tells of it itself: it throws nothing. */
  constructor(act: () => Promise<void> | void, apart = APART_MS) {
    this.#act = act;
    this.#apart = apart;
  }

  /** Act soon. What is asked for while it acts is done after that: it may have come too late. */
  ask(): void {
    if (this.#state === 'acting') this.#state = 'acting, and wanted again';
    if (this.#state !== 'idle') return;
    this.#state = 'waiting';
    const ms = Math.max(TOGETHER_MS, this.#began + this.#apart - performance.now());
    setTimeout(() => void this.#begin(), ms);
  }

  async #begin(): Promise<void> {
    this.#began = performance.now();
    this.#state = 'acting';
    await this.#act();
    const again = this.#wantedAgain();
    this.#state = 'idle';
    if (again) this.ask();
  }

  #wantedAgain(): boolean {
    return this.#state === 'acting, and wanted again';
  }
}
