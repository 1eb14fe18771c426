/** The sounds of an outcome, made on the spot: two notes up for success, one low for a refusal. */
import { settings } from '../settings.svelte.ts';

const NOTES = { success: [659.25, 987.77], refused: [196], waiting: [587.33] } as const;
const NOTE_S = 0.11;

let context: AudioContext | null = null;

/** Let sound be played later: browsers allow it after a press only. */
export function readySound(): void {
  if (settings.sound) context ??= new AudioContext();
}

export function chime(kind: keyof typeof NOTES): void {
  if (!settings.sound) return;
  // A page that nobody has touched may not shake the phone, and a browser complains if it tries.
  if (navigator.userActivation?.hasBeenActive !== false)
    navigator.vibrate?.(kind === 'success' ? [20, 60, 30] : 80);
  if (context?.state !== 'running') return;
  NOTES[kind].forEach((frequency, at) => {
    if (context === null) return;
    const start = context.currentTime + at * NOTE_S;
    const tone = new OscillatorNode(context, { type: 'sine', frequency });
    const volume = new GainNode(context, { gain: 0 });
    volume.gain.linearRampToValueAtTime(0.16, start + 0.012);
    volume.gain.exponentialRampToValueAtTime(0.001, start + NOTE_S * 2.4);
    tone.connect(volume).connect(context.destination);
    tone.start(start);
    tone.stop(start + NOTE_S * 2.5);
  });
}
