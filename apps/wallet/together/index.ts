/** Red packets and splits: what is loaded when one of their pages is opened. */
import { addTexts } from '../../lib/i18n/index.ts';
import { texts } from './texts/index.ts';

addTexts(texts);

export { default as Pages } from './Pages.svelte';
