/**
 * Finds QR codes in pictures: the browser's own BarcodeDetector (W3C Shape Detection) where it has
 * one that knows them, else ZXing as WebAssembly, which is served from here as everything else is.
 */

export interface Found {
  rawValue: string;
  boundingBox: { x: number; y: number; width: number; height: number };
}

export interface Detector {
  detect(picture: HTMLCanvasElement | ImageBitmap): Promise<Found[]>;
}

interface Maker {
  new (options: { formats: string[] }): Detector;
  getSupportedFormats(): Promise<string[]>;
}

let made: Promise<Detector> | null = null;

/** The detector of this browser; it is loaded once. */
export function detector(): Promise<Detector> {
  made ??= make().catch((error: unknown) => {
    made = null;
    throw error;
  });
  return made;
}

async function make(): Promise<Detector> {
  const own = (globalThis as { BarcodeDetector?: Maker }).BarcodeDetector;
  const formats = (await own?.getSupportedFormats().catch(() => [])) ?? [];
  if (own !== undefined && formats.includes('qr_code')) return new own({ formats: ['qr_code'] });
  const [{ BarcodeDetector, prepareZXingModule }, { default: url }] = await Promise.all([
    import('barcode-detector/ponyfill'),
    import('zxing-wasm/reader/zxing_reader.wasm?url'),
  ]);
  prepareZXingModule({ overrides: { locateFile: () => url } });
  return new BarcodeDetector({ formats: ['qr_code'] });
}

/** The texts of the codes in a picture, that which is nearest to its middle first. */
export async function textsIn(picture: HTMLCanvasElement): Promise<string[]> {
  const found = await (await detector()).detect(picture);
  const away = ({ boundingBox: box }: Found): number =>
    Math.hypot(
      box.x + box.width / 2 - picture.width / 2,
      box.y + box.height / 2 - picture.height / 2,
    );
  return found
    .sort((one, other) => away(one) - away(other))
    .map((one) => one.rawValue)
    .filter((text) => text !== '');
}

/** Draw a picture or a frame so that its longer side has at most `most` pixels. */
export function drawn(
  canvas: HTMLCanvasElement,
  source: CanvasImageSource,
  size: { width: number; height: number },
  most: number,
): boolean {
  const scale = Math.min(1, most / Math.max(size.width, size.height));
  canvas.width = Math.round(size.width * scale);
  canvas.height = Math.round(size.height * scale);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (context === null || canvas.width === 0 || canvas.height === 0) return false;
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return true;
}

/** Sizes at which a photo is looked at: a code that fills it, and one that is small in it. */
const SIZES = [1600, 800, 2800];

/** The codes in a file. Throws if it is no picture. */
export async function textsInFile(file: Blob): Promise<string[]> {
  const picture = await createImageBitmap(file);
  try {
    const canvas = document.createElement('canvas');
    for (const most of SIZES) {
      if (!drawn(canvas, picture, picture, most)) break;
      const texts = await textsIn(canvas);
      if (texts.length > 0) return texts;
    }
    return [];
  } finally {
    picture.close();
  }
}
