import { describe, expect, it } from 'vitest';
import { readScanned as readAt, type Scanned } from './scanned.ts';

const EMVCO = '00020101021129180014de.elsewhere.x520458125802CN5909Blue Door6008Hangzhou6304ABCD';

const HERE = 'https://pay.example';
const TOKEN = 'mJ0x3o5mR1mM8nq0v3XyZQ';
const HEX = '0199f0a4c0de70008000000000000040';
const readScanned = (text: string): Scanned => readAt(text, HERE);

describe('what a camera read', () => {
  it.each([
    ['https://pay.example/c/Zm9vYmFyYmF6cXV4MTIz', 'pay.example'],
    ['  https://pay.example/c/Zm9vYmFyYmF6cXV4MTIz\n', 'pay.example'],
    ['https://pay.example/t/Zm9vYmFyYmF6cXV4MTIz?picc_data=00&cmac=11', 'pay.example'],
    ['http://127.0.0.1:8080/c/Zm9vYmFyYmF6cXV4MTIz', '127.0.0.1:8080'],
  ])('%s may be a shop’s', (text, host) => {
    expect(readScanned(text)).toEqual({
      kind: 'shop',
      text: text.trim(),
      claims: { host, name: '', place: '' },
    });
  });

  it('an EMVCo payload may be a shop’s, and says who it claims to be', () => {
    expect(readScanned(EMVCO)).toEqual({
      kind: 'shop',
      text: EMVCO,
      claims: { host: null, name: 'Blue Door', place: 'Hangzhou' },
    });
  });

  it.each(['000201', '0002', '00020159ZZ', '0002015999short', '000201' + '9'.repeat(500)])(
    'a torn payload claims nothing and breaks nothing: %s',
    (text) => {
      const read = readScanned(text);
      if (read.kind === 'shop') expect(read.claims).toMatchObject({ name: '', place: '' });
    },
  );

  it.each([
    ['https://elsewhere.example/order?id=7', 'elsewhere.example'],
    // what looks like the letters of another host is shown as what it is
    ['https://p\u0430y.example/x', 'xn--'],
  ])('%s is somebody else’s', (text, host) => {
    const read = readScanned(text);
    expect(read.kind).toBe('other');
    if (read.kind !== 'other') return;
    if (host.startsWith('xn--')) expect(read.host).toMatch(/^xn--/);
    else expect(read.host).toBe(host);
  });

  it.each([
    'WIFI:T:WPA;S:home;P:secret;;',
    'otpauth://totp/you?secret=ABC',
    'javascript:alert(1)',
    'data:text/html,<script>',
    'tel:+49301234',
    'hello',
    '',
  ])('%s stays on the phone', (text) => {
    expect(readScanned(text)).toEqual({ kind: 'other', text, host: null, page: false });
  });

  it.each([
    `/wallet/packet#${TOKEN}`,
    `/wallet/packets/pkt_${HEX}`,
    `/wallet/splits/spl_${HEX}`,
    '/checkout/s/AbCdEfGhIjKlMnOpQrSt',
    '/checkout/l/AbCdEfGhIjKlMnOpQrSt',
    '/checkout/i/AbCd-_GhIjKlMnOpQrSt',
  ])('%s is a page of ours, and nowhere else', (path) => {
    expect(readScanned(` ${HERE}${path}\n`)).toEqual({ kind: 'page', path });
    for (const host of ['elsewhere.example', 'pay.example:8443', 'pay.example.elsewhere.example']) {
      const text = `https://${host}${path}`;
      expect(readScanned(text)).toEqual({ kind: 'other', text, host, page: true });
    }
    expect(readScanned(`http://pay.example${path}`)).toMatchObject({ kind: 'other', page: true });
    expect(readScanned(`https://pay.example@elsewhere.example${path}`)).toMatchObject({
      kind: 'other',
      host: 'elsewhere.example',
    });
  });

  it.each([
    `/wallet/connect#tk_dev_x.12345678.${TOKEN}`,
    '/wallet/packet',
    `/wallet/packet#${TOKEN}x`,
    `/wallet/packet?to=x#${TOKEN}`,
    `/wallet/../console#operator`,
    '/wallet/settings',
    `/join#${TOKEN}`,
    '/checkout/l/AbCdEfGhIjKlMnOpQrSt/x',
  ])('%s is opened by no code', (path) => {
    expect(readScanned(HERE + path)).toMatchObject({ kind: 'other', page: false });
  });

  it('this machine has several names', () => {
    const path = `/wallet/packet#${TOKEN}`;
    const read = (at: string): string => readAt(`${at}${path}`, 'http://localhost:8080').kind;
    expect(read('http://127.0.0.1:8080')).toBe('page');
    expect(read('http://127.0.0.1:8081')).toBe('other');
    expect(readAt(`http://127.0.0.1${path}`, HERE).kind).toBe('other');
  });

  it('a pay code is a person’s', () => {
    expect(readScanned('28 34567890 65134296')).toEqual({ kind: 'person' });
    expect(readScanned('283456789065134296')).toEqual({ kind: 'person' });
  });

  it('a text that no code holds is not looked at', () => {
    const read = readScanned('000201' + 'x'.repeat(9000));
    expect(read).toMatchObject({ kind: 'other', host: null });
  });
});
