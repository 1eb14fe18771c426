/** What a person set for this browser: language, appearance, sound. Kept in localStorage. */

export type Language = 'en' | 'zh';
export type Appearance = 'auto' | 'light' | 'dark';

interface Kept {
  language?: Language;
  appearance?: Appearance;
  sound?: boolean;
  /** whose staff one was last in the console */
  employer?: 'merchant' | 'operator';
}

const PLACE = 'tandem.settings';

function kept(): Kept {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(PLACE) ?? '{}');
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {}; // storage is shut, or somebody wrote into it: the defaults hold
  }
}

/** The first of the browser's languages that we write, else English. */
export function preferred(languages: readonly string[]): Language {
  for (const tag of languages) {
    if (tag.toLowerCase().startsWith('zh')) return 'zh';
    if (tag.toLowerCase().startsWith('en')) return 'en';
  }
  return 'en';
}

class Settings {
  language = $state<Language>('en');
  appearance = $state<Appearance>('auto');
  sound = $state(true);
  employer = $state<'merchant' | 'operator'>('merchant');

  /** Read what was set, and let the page follow it from now on. */
  start(): void {
    const found = kept();
    this.language =
      found.language === 'zh' || found.language === 'en'
        ? found.language
        : preferred(navigator.languages);
    this.appearance =
      found.appearance === 'light' || found.appearance === 'dark' ? found.appearance : 'auto';
    this.sound = found.sound !== false;
    this.employer = found.employer === 'operator' ? 'operator' : 'merchant';
    this.#show();
  }

  set(change: Kept): void {
    Object.assign(this, change);
    try {
      localStorage.setItem(PLACE, JSON.stringify({ ...kept(), ...change }));
    } catch {
      // It holds until the page is closed.
    }
    this.#show();
  }

  #show(): void {
    const root = document.documentElement;
    root.lang = this.language === 'zh' ? 'zh-Hans' : 'en';
    if (this.appearance === 'auto') delete root.dataset['theme'];
    else root.dataset['theme'] = this.appearance;
  }
}

export const settings = new Settings();
