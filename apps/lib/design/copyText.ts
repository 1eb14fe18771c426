/** Takes a text to the clipboard, and says whether it is there. */
import { t } from '../i18n/index.ts';
import { toasts } from './toasts.svelte.ts';

export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toasts.say(t('copy.done'));
  } catch {
    toasts.say(t('copy.failed'));
  }
}
