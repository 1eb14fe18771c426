/** Short words that pass: what was done, where it cannot be seen by itself. */
class Toasts {
  shown = $state<{ id: number; text: string }[]>([]);
  #last = 0;

  say(text: string, ms = 4000): void {
    const id = (this.#last += 1);
    this.shown.push({ id, text });
    setTimeout(() => (this.shown = this.shown.filter((toast) => toast.id !== id)), ms);
  }
}

export const toasts = new Toasts();
