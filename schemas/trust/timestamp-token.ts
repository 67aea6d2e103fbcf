/** Timestamps (RFC 3161, GB/T 20520): a signed message whose content says that a digest existed at a time. */
import { isExchangeError } from '../errors.ts'
import { algorithmOf } from './certificate.ts'
import { bad, type Decision, type Finding, type Judge, type Sm2Id } from './checks.ts'
import { parseSignedData } from './cms.ts'
import { verifySignedData } from './cms-verification.ts'
import { contentOf, type Der, inside, malformed, numberOf, oidOf, readDer, TAG } from './der.ts'
import { digestBy, digestRow } from './digests.ts'

const TST_INFO = '1.2.840.113549.1.9.16.1.4'

export type TimestampReport = Decision & {
  /** ms since 1970; null if it cannot be read */
  readonly time: number | null
}

/** GeneralizedTime, which here may have a fraction (RFC 3161 §2.4.2). */
function genTimeOf(node: Der): number {
  const [, whole, fraction = ''] = /^(\d{14})(\.\d{1,9})?Z$/.exec(contentOf(node).toString('latin1')) ?? []
  if (whole === undefined || node.tag !== TAG.GENERALIZED_TIME) throw malformed('expected a time of the timestamp')
  const [year, month, day, hour, minute, second] = [whole.slice(0, 4), ...(whole.slice(4).match(/../g) ?? [])].map(Number)
  const time = Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second)
  return time + Math.floor(Number(`0${fraction === '' ? '.0' : fraction}`) * 1000)
}

function readInfo(content: Uint8Array): { readonly algorithm: string; readonly imprint: Buffer; readonly time: number } {
  const reader = inside(readDer(content, TAG.SEQUENCE))
  numberOf(reader.read(TAG.INTEGER))
  oidOf(reader.read(TAG.OID))
  const imprint = reader.open(TAG.SEQUENCE)
  const { oid } = algorithmOf(imprint)
  const value = contentOf(imprint.read(TAG.OCTET_STRING))
  imprint.finish()
  reader.read(TAG.INTEGER)
  return { algorithm: oid, imprint: value, time: genTimeOf(reader.read(TAG.GENERALIZED_TIME)) }
}

/** Whether a timestamp is good and over one of these bytes; its signer is judged at the time that it gives. Throws nothing. */
export function judgeTimestamp<F extends Finding>(
  token: Uint8Array,
  stamped: readonly Uint8Array[],
  judge: Judge<F>,
  sm2Id?: Sm2Id,
): TimestampReport {
  try {
    const message = parseSignedData(token)
    if (message.contentType !== TST_INFO || message.content === null) throw malformed('expected the content of a timestamp')
    const { algorithm, imprint, time } = readInfo(message.content)
    const row = digestRow(algorithm)
    if (row === undefined) return { result: 'unchecked', reason: 'DIGEST_ALGORITHM_UNKNOWN', check: 'timestamp', time }
    if (row.weak === true) return { result: 'bad', reason: 'DIGEST_ALGORITHM_WEAK', check: 'timestamp', time }
    const covers = stamped.some(bytes => imprint.equals(bytes) || imprint.equals(digestBy(row, bytes)))
    if (!covers) return { result: 'bad', reason: 'MESSAGE_DIGEST_DIFFERS', check: 'timestamp', time }
    const verdict = verifySignedData({ message, at: time, judge, purpose: 'timestamp', ...(sm2Id === undefined ? {} : { sm2Id }) })
    return { result: verdict.result, reason: verdict.reason, check: verdict.check, time }
  } catch (error) {
    if (!isExchangeError(error)) throw error
    const { result, reason, check } = bad('timestamp', 'RFC 3161 §2.4.2', 'SIGNED_ATTRIBUTE_INVALID')
    return { result, reason, check, time: null }
  }
}
