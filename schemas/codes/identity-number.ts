/**
 * The citizen identity number (GB 11643-1999), only to refuse it: it must never cross, and it has the length of a unified social
 * credit code. A text is taken for one when region, date of birth and check character (ISO/IEC 7064 MOD 11-2) all fit, and
 * it is not a credit code with a right check.
 */
import { judgeUscc } from './uscc.ts'

const SHAPE = /^[1-8][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]$/
const WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]

export function isIdentityNumber(text: string): boolean {
  if (!SHAPE.test(text)) return false
  const sum = WEIGHTS.reduce((total, weight, index) => total + weight * Number(text.charAt(index)), 0)
  return '10X98765432'.charAt(sum % 11) === text.charAt(17).toUpperCase() && judgeUscc(text).outer !== 'right'
}
