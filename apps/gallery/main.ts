import '../lib/design/base.css';
import { mount } from 'svelte';
import { addTexts } from '../lib/i18n/index.ts';
import { settings } from '../lib/settings.svelte.ts';
import { texts as till } from '../till/texts/index.ts';
import { texts as together } from '../wallet/together/texts/index.ts';
import { texts as wallet } from '../wallet/texts/index.ts';
import App from './App.svelte';

addTexts(wallet);
addTexts(together);
addTexts(till);
settings.start();
const target = document.getElementById('app');
if (target !== null) mount(App, { target });
