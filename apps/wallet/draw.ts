/**
 * A receipt as a picture, in the order that `Slip` has it on the page. Drawn by the browser, which
 * knows how every script runs.
 */
import { ICONS } from '../lib/design/icons.ts';
import { t, tag } from '../lib/i18n/index.ts';
import { moneyParts } from '../lib/money.ts';
import { namesOn, type Receipt } from './receipt.ts';

const WIDTH = 1080;
const EDGE = 88;
const INK = '#0b1020';
const SOFT = '#545b6e';
const PALE = '#484c58'; // three quarters of the ink on the sheet
const LINE = '#e4e1d8';
const PAPER = '#fbfaf7';
const SHEET = '#ffffff';
const WELL = '#f3f1ea';
const TYPE =
  '"Inter Variable", system-ui, "PingFang SC", "Noto Sans CJK SC", "Noto Sans SC", sans-serif';
/** Texts are as long as they are; a picture is not longer than phones show. */
const MOST_LINES = 12;

interface Style {
  size: number;
  weight: number;
  colour: string;
}

const BIG: Style = { size: 148, weight: 680, colour: INK };
/** Currency and decimals beside the whole, as `Amount` has them. */
const SMALLER = 0.56;
const DISC = 80;
const NAME: Style = { size: 48, weight: 620, colour: INK };
const TEXT: Style = { size: 38, weight: 420, colour: INK };
const NUMBER: Style = { ...TEXT, weight: 650 };
const LABEL: Style = { size: 34, weight: 420, colour: SOFT };

type Context = CanvasRenderingContext2D;

function set(context: Context, style: Style): void {
  context.font = `${style.weight} ${style.size}px ${TYPE}`;
  context.fillStyle = style.colour;
}

/** Set apart from what is around it (UAX 9): a name runs its own way and changes nothing else. */
const apart = (text: string): string => `\u2068${text}\u2069`;

/** A text in lines that fit: broken between words, a word that is too long between characters. */
export function wrapped(text: string, fits: (line: string) => boolean): string[] {
  const lines: string[] = [];
  let line = '';
  const words = [...new Intl.Segmenter(undefined, { granularity: 'word' }).segment(text)];
  for (const { segment } of words) {
    if (fits(line + segment)) {
      line += segment;
      continue;
    }
    if (line.trim() !== '') lines.push(line.trim());
    line = '';
    for (const { segment: one } of new Intl.Segmenter().segment(segment)) {
      if (line !== '' && !fits(line + one)) {
        lines.push(line);
        line = '';
      }
      line += one;
    }
    line = line.trimStart();
  }
  if (line.trim() !== '') lines.push(line.trim());
  if (lines.length <= MOST_LINES) return lines;
  return [...lines.slice(0, MOST_LINES - 1), `${lines[MOST_LINES - 1] ?? ''}…`];
}

interface Placed {
  text: string;
  style: Style;
  align: CanvasTextAlign;
  x: number;
  y: number;
}

/** The amount in its parts, side by side in the middle; a long one is set smaller. */
function amountAt(context: Context, receipt: Receipt, y: number): Placed[] {
  const parts = moneyParts(receipt.minor, receipt.currency, tag(), receipt.sign);
  const sized = (size: number): { text: string; style: Style; wide: number }[] =>
    parts.map(({ kind, text }) => {
      const small = kind === 'currency' || kind === 'decimals';
      const style = {
        ...BIG,
        size: small ? size * SMALLER : size,
        colour: kind === 'currency' ? PALE : INK,
      };
      set(context, style);
      const gap = kind === 'currency' ? style.size * 0.12 : 0;
      return { text, style, wide: context.measureText(text).width + gap };
    });
  const width = (of: { wide: number }[]): number => of.reduce((sum, one) => sum + one.wide, 0);
  const inner = WIDTH - 2 * EDGE;
  const placed = sized(Math.floor(BIG.size * Math.min(1, inner / width(sized(BIG.size)))));
  let x = (WIDTH - width(placed)) / 2;
  return placed.map(({ text, style, wide }) => {
    const at = x;
    x += wide;
    return { text, style, align: 'left', x: at, y };
  });
}

/** Where everything stands, and how high the picture is. */
function laidOut(
  context: Context,
  receipt: Receipt,
): { placed: Placed[]; rules: number[]; disc: number; height: number } {
  const placed: Placed[] = [];
  const rules: number[] = [];
  const inner = WIDTH - 2 * EDGE;
  const X = { center: WIDTH / 2, left: EDGE, right: WIDTH - EDGE };
  let y = 240;
  const put = (text: string, style: Style, align: keyof typeof X, most: number): void => {
    set(context, style);
    for (const line of wrapped(text, (one) => context.measureText(one).width <= most)) {
      placed.push({ text: line, style, align, x: X[align], y });
      y += Math.round(style.size * 1.4);
    }
  };
  put(receipt.title, LABEL, 'center', inner);
  const disc = y + DISC - 20;
  y = disc + DISC + 76;
  for (const [at, name] of namesOn(receipt).entries()) {
    put(name, at === 0 ? NAME : LABEL, 'center', inner);
  }
  y += 110;
  placed.push(...amountAt(context, receipt, y));
  y += 96;
  if (receipt.message !== null) put(receipt.message, TEXT, 'center', inner);
  y += 24;
  for (const row of receipt.rows) {
    rules.push(y - 40);
    y += 20;
    const top = y;
    put(row.label, LABEL, 'left', inner * 0.4);
    const after = y;
    y = top;
    put(
      row.value,
      row.is === undefined ? TEXT : row.is === 'long' ? LABEL : NUMBER,
      'right',
      inner * 0.56,
    );
    y = Math.max(y, after) + 10;
  }
  return { placed, rules, disc, height: y + 40 };
}

/** What it is as an icon, or whose it is by the first letter, in a disc. */
function drawDisc(context: Context, { icon, who }: Receipt, y: number): void {
  context.fillStyle = WELL;
  context.beginPath();
  context.arc(WIDTH / 2, y, DISC, 0, 2 * Math.PI);
  context.fill();
  if (icon === undefined) {
    set(context, { ...NAME, size: 64, colour: SOFT });
    context.textAlign = 'center';
    const [letter = ''] = (who ?? '').trim().replace(/^@/, '');
    context.fillText(letter.toLocaleUpperCase(), WIDTH / 2, y + 23);
    return;
  }
  const scale = 3.2; // of the 24 units that icons are drawn on
  context.save();
  context.translate(WIDTH / 2 - 12 * scale, y - 12 * scale);
  context.scale(scale, scale);
  context.strokeStyle = SOFT;
  context.lineWidth = 2;
  context.lineCap = context.lineJoin = 'round';
  context.stroke(new Path2D(ICONS[icon]));
  context.restore();
}

/** The mark: two rings; where they meet the colour changes. */
function mark(context: Context, x: number, y: number, scale: number): void {
  const ring = (at: number, colour: string): void => {
    context.beginPath();
    context.arc(x + at * scale, y + 14 * scale, 10.5 * scale, 0, 2 * Math.PI);
    context.strokeStyle = colour;
    context.stroke();
  };
  context.lineWidth = 5 * scale;
  ring(14, '#0E8F6E');
  ring(30, '#5C7CFA');
  context.save();
  context.beginPath();
  context.arc(x + 14 * scale, y + 14 * scale, 13 * scale, 0, 2 * Math.PI);
  context.clip();
  ring(30, '#E0A100');
  context.restore();
}

/** The picture of a receipt, as PNG. */
export async function pictureOf(receipt: Receipt): Promise<Blob> {
  await document.fonts.load(`620 48px "Inter Variable"`).catch(() => []);
  const canvas = document.createElement('canvas');
  canvas.width = WIDTH;
  canvas.height = 100;
  const context = canvas.getContext('2d');
  if (context === null) throw new Error('nothing can be drawn here');
  const { placed, rules, disc, height } = laidOut(context, receipt);
  canvas.height = height;
  context.fillStyle = PAPER;
  context.fillRect(0, 0, WIDTH, height);
  context.fillStyle = SHEET;
  context.beginPath();
  context.roundRect(36, 150, WIDTH - 72, height - 190, 40);
  context.fill();
  context.strokeStyle = LINE;
  context.lineWidth = 2;
  context.stroke();
  mark(context, EDGE - 20, 50, 2.2);
  set(context, { ...NAME, weight: 680 });
  context.textAlign = 'left';
  context.fillText(t('app.name'), EDGE + 96, 98);
  context.fillStyle = LINE;
  for (const rule of rules) context.fillRect(EDGE, rule, WIDTH - 2 * EDGE, 2);
  drawDisc(context, receipt, disc);
  for (const { text, style, align, x, y } of placed) {
    set(context, style);
    context.textAlign = align;
    context.fillText(apart(text), x, y);
  }
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => {
      if (blob === null) reject(new Error('no picture was made'));
      else resolve(blob);
    }, 'image/png');
  });
}
