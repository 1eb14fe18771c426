/** Code 128 of digits (ISO/IEC 15417, set C: two digits in one character), for tills' scanners. */

// The widths of bars and gaps of the characters 0 to 105, 11 modules each.
const CHARACTERS = `
  212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232
  122132 122231 113222 123122 123221 223211 221132 221231 213212 223112 312131 311222 321122
  321221 312212 322112 322211 212123 212321 232121 111323 131123 131321 112313 132113 132311
  211313 231113 231311 112133 112331 132131 113123 113321 133121 313121 211331 231131 213113
  213311 213131 311123 311321 331121 312113 312311 332111 314111 221411 431111 111224 111422
  121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 241211 221114 413111
  241112 134111 111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 214121
  412121 111143 111341 131141 114113 114311 411113 411311 113141 114131 311141 411131 211412
  211214 211232
`
  .trim()
  .split(/\s+/);

const START_C = 105;
const STOP = '2331112';
const CHECK_MODULO = 103;

/** The modules of a bar code of an even number of digits, true for dark, without a quiet zone. */
export function code128(digits: string): boolean[] {
  if (!/^(?:[0-9]{2})+$/.test(digits)) throw new RangeError('an even number of digits');
  const values = [START_C, ...(digits.match(/../g) ?? []).map(Number)];
  const sum = values.reduce((total, value, at) => total + value * Math.max(at, 1), 0);
  const widths = [...values, sum % CHECK_MODULO].map((value) => CHARACTERS[value] ?? '').join('');
  return [...(widths + STOP)].flatMap((width, at) =>
    Array<boolean>(Number(width)).fill(at % 2 === 0),
  );
}
