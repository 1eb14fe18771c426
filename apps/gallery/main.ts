import '../lib/design/base.css';
import { mount } from 'svelte';
import { addTexts } from '../lib/i18n/index.ts';
import { settings } from '../lib/settings.svelte.ts';
import { texts as checkout } from '../checkout/texts/index.ts';
import { texts as till } from '../till/texts/index.ts';
import { texts as together } from '../wallet/together/texts/index.ts';
import { texts as wallet } from '../wallet/texts/index.ts';
import '../wallet/texts/later.ts';
import App from './App.svelte';
import { LONG } from './names.ts';
import { asked, plates } from './plates.ts';
import Whole from './Whole.svelte';

addTexts(wallet);
addTexts(together);
addTexts(till);
addTexts(checkout);
settings.start();
const target = document.getElementById('app');
const name = asked(location.pathname);
const one = plates.find((plate) => plate.id === name);
if (target !== null) {
  // What is a page by itself, or there once on a page, has no plate but an address: /gallery/away.
  if (name === '' || one !== undefined) mount(App, { target, props: { plates, one } });
  else mount(Whole, { target, props: { name, long: LONG } });
}
