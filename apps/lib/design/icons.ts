/** Our icons: strokes of 2 on a ground of 24, round ends. Each is the `d` of one path. */
export const ICONS = {
  back: 'M15 5l-7 7 7 7',
  next: 'M9 5l7 7-7 7',
  close: 'M6 6l12 12M18 6L6 18',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  home: 'M4 11.2L12 4l8 7.2M6.5 9.5V20h11V9.5',
  pay: 'M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M8 9v6M12 9v6M16 9v6',
  scan: 'M4 8V4h4M16 4h4v4M20 16v4h-4M8 20H4v-4M4 12h16',
  send: 'M12 20V5M5.5 11L12 4.5l6.5 6.5',
  ask: 'M12 4v15M5.5 13l6.5 6.5 6.5-6.5',
  history: 'M4.5 12a7.5 7.5 0 1 0 2.4-5.5L4.5 8.7M4.5 4v4.7h4.7M12 8v4.4l3 1.8',
  settings:
    'M4 7h9M17 7h3M4 17h3M11 17h9M15 4.8a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 1 0 0-4.4M9 14.8a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 1 0 0-4.4',
  search: 'M11 4.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 1 0 0-13M16 16l4.5 4.5',
  shop: 'M4.5 10v10h15V10M3.5 9.5L5.5 4h13l2 5.5a2.8 2.8 0 0 1-5.6 0 2.9 2.9 0 0 1-5.8 0 2.8 2.8 0 0 1-5.6 0M10 20v-5.5h4V20',
  bank: 'M4 9.5L12 4l8 5.5zM6.5 10v7M10.2 10v7M13.8 10v7M17.5 10v7M4 20h16',
  refund: 'M9 5L4.5 9.5 9 14M5 9.5h9.5a5 5 0 0 1 0 10H8',
  lock: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3',
  phone: 'M7 3h10v18H7zM11 18h2',
  away: 'M4 4l16 16M8.2 12.4a6 6 0 0 1 2.6-1.4M4.6 8.8A11 11 0 0 1 8 6.7M19.4 8.8A11 11 0 0 0 11.5 6M12 17.5v.5',
  warn: 'M12 4L2.8 20h18.4zM12 10v4.5M12 17.2v.3',
  stop: 'M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 1 0 0-17M8.5 12h7',
  wait: 'M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 1 0 0-17M12 7.5v5l3 2',
  copy: 'M9 9h11v11H9zM5 15H4V4h11v1',
  backspace: 'M8.5 5.5H21v13H8.5L3 12zM11.5 9.5l5 5M16.5 9.5l-5 5',
  tap: 'M6 8.5a7 7 0 0 1 0 7M10 6a12 12 0 0 1 0 12M14 3.5a17 17 0 0 1 0 17',
  receipt: 'M6 3.5h12v17l-2.4-1.6-2.4 1.6-2.4-1.6-2.4 1.6L6 20.5zM9 8h6M9 12h6',
  items: 'M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z',
  print: 'M7 8V3.5h10V8M7 17H4V8h16v9h-3M7 13.5h10v7H7z',
  out: 'M14 4h5v16h-5M4 12h11M11 8l4 4-4 4',
} as const;

export type IconName = keyof typeof ICONS;
