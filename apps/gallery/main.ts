import '../lib/design/base.css';
import './gallery.css';
import { mount } from 'svelte';
import { addTexts } from '../lib/i18n/index.ts';
import { settings } from '../lib/settings.svelte.ts';
import { texts as checkout } from '../checkout/texts/index.ts';
import { texts as till } from '../till/texts/index.ts';
import { texts as together } from '../wallet/together/texts/index.ts';
import { texts as wallet } from '../wallet/texts/index.ts';
import App from './App.svelte';
import { LONG } from './names.ts';
import Whole from './Whole.svelte';

addTexts(wallet);
addTexts(together);
addTexts(till);
addTexts(checkout);
settings.start();
const target = document.getElementById('app');
// A component that is a page by itself stands at an address of its own: /gallery/away.
const [, name = ''] = /^\/gallery\/([a-z]+)$/.exec(location.pathname) ?? [];
if (target !== null) {
  if (name === '') mount(App, { target });
  else mount(Whole, { target, props: { name, long: LONG } });
}
