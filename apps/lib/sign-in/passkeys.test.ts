import { expect, test } from 'vitest';
import { browserName, passkeysHere } from './passkeys.ts';

test.each([
  ['pay.example', true, true, 'yes'],
  ['localhost', true, true, 'yes'],
  ['127.0.0.1', true, true, 'localhost'],
  ['[::1]', true, true, 'localhost'],
  ['192.168.1.20', true, true, 'digits'],
  ['[2001:db8::1]', true, true, 'digits'],
  ['pay.example', false, false, 'insecure'],
  ['pay.example', true, false, 'browser'],
] as const)('%s (secure %s, able %s): %s', (hostname, secure, browser, ability) => {
  expect(passkeysHere({ hostname }, secure, browser)).toBe(ability);
});

test.each([
  [
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1',
    'Safari, iPhone',
  ],
  [
    'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36',
    'Chrome, Android',
  ],
  [
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0',
    'Edge, Windows',
  ],
  ['curl/8', 'Browser'],
])('a browser has a name', (agent, name) => {
  expect(browserName(agent)).toBe(name);
});
