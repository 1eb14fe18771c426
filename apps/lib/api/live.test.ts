import { expect, test } from 'vitest';
import { FrameReader } from './live.ts';

const STREAM =
  'retry: 2000\n\nid: evt_1\nevent: send.sent\ndata: {"a":1}\n\n:\n\nid: evt_2\r\ndata: {"b":\r\ndata: 2}\r\n\r\n';

test('events are read from a stream', () => {
  expect(new FrameReader().push(STREAM)).toEqual([
    { id: 'evt_1', data: '{"a":1}' },
    { id: 'evt_2', data: '{"b":\n2}' },
  ]);
});

test('however the stream is cut', () => {
  const stream = STREAM.replaceAll('\r\n', '\n');
  for (let cut = 0; cut <= stream.length; cut += 1) {
    const reader = new FrameReader();
    const found = [...reader.push(stream.slice(0, cut)), ...reader.push(stream.slice(cut))];
    expect(found.map((frame) => frame.id)).toEqual(['evt_1', 'evt_2']);
  }
});
