/**
 * 统一社会信用代码, the unified social credit code (GB 32100-2015): 18 characters, the last one a check over the first 17. Characters
 * 9 to 17 are the organisation code of GB 11714-1997, which carries a check of its own. Real codes in use fail the outer check, so
 * this module judges and never refuses: the verdict is stored beside the code.
 */

type CheckVerdict = 'right' | 'wrong' | 'unreadable'
export type UsccJudgement = {
  /** check character of all 18 characters, GB 32100 §4.6 */
  readonly outer: CheckVerdict
  /** check character of the organisation code in characters 9 to 17, GB 11714 */
  readonly inner: CheckVerdict
  /** characters 3 to 8 if they are digits: the region of the registering authority, GB/T 2260 */
  readonly region: string | null
  /** half-width, upper case, without spaces and hyphens */
  readonly normalised: string
}

/** Digits and capital letters without I, O, S, V, Z (GB 32100 §4.2). */
const ALPHABET = '0123456789ABCDEFGHJKLMNPQRTUWXY'
const OUTER_WEIGHTS = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28]
const INNER_WEIGHTS = [3, 7, 9, 10, 5, 8, 4, 2]
const OUTER_SHAPE = /^[0-9A-HJ-NP-RTUWXY]{18}$/
const INNER_SHAPE = /^[0-9A-Z]{8}[0-9X]$/
const LONGEST = 64

const weigh = (text: string, weights: readonly number[], value: (character: string) => number): number =>
  weights.reduce((sum, weight, index) => sum + weight * value(text.charAt(index)), 0)

/** The check character of 17 characters of the alphabet. */
const outerCheck = (first17: string): string =>
  ALPHABET.charAt((31 - (weigh(first17, OUTER_WEIGHTS, c => ALPHABET.indexOf(c)) % 31)) % 31)

/** 0–9 are themselves, A–Z are 10–35; 10 is written X and 11 is written 0 (GB 11714 §3). */
const innerCheck = (first8: string): string =>
  '0123456789X0'.charAt(11 - (weigh(first8, INNER_WEIGHTS, c => Number.parseInt(c, 36)) % 11))

const normalise = (code: string): string =>
  code
    .slice(0, LONGEST)
    .normalize('NFKC')
    .replace(/[\s-]+/g, '')
    .toUpperCase()

/** Never throws, whatever the text. */
export function judgeUscc(code: string): UsccJudgement {
  const normalised = normalise(code)
  if (normalised.length !== 18) return { outer: 'unreadable', inner: 'unreadable', region: null, normalised }
  const organisation = normalised.slice(8, 17)
  const region = normalised.slice(2, 8)
  return {
    outer: !OUTER_SHAPE.test(normalised) ? 'unreadable' : outerCheck(normalised) === normalised.charAt(17) ? 'right' : 'wrong',
    inner: !INNER_SHAPE.test(organisation) ? 'unreadable' : innerCheck(organisation) === organisation.charAt(8) ? 'right' : 'wrong',
    region: /^[0-9]{6}$/.test(region) ? region : null,
    normalised,
  }
}

/**
 * A code with both checks right. `organisation8` are 8 characters of the alphabet, `kind` the two characters in front: the
 * registering department and the kind of organisation (91: an enterprise, registered by market regulation).
 */
export function makeUscc(region: string, organisation8: string, kind = '91'): string {
  const first17 = `${kind}${region}${organisation8}${innerCheck(organisation8)}`
  return `${first17}${outerCheck(first17)}`
}
