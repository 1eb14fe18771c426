import '../lib/design/base.css';
import { mount } from 'svelte';
import { settings } from '../lib/settings.svelte.ts';
import App from './App.svelte';

settings.start();
const target = document.getElementById('app');
if (target !== null) mount(App, { target });
