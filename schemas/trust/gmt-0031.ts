/**
 * Electronic seals of GM/T 0031-2014: the maker signs the seal's information together with its certificate and the algorithm; who
 * may use it is a list of certificates; what the user of the seal signs holds certificate and algorithm too.
 */
import { contentOf, type Der, DerReader, inside, malformed, octetsOf, readDer, TAG, timeOf, wholeOf } from './der.ts'
import {
  bitsIn,
  bytesOf,
  certificatesIn,
  elementsOf,
  extensionsIn,
  numberIn,
  oidIn,
  type Seal,
  type SealSignature,
  type SealTime,
  sealInfoOf,
  sequenceOf,
  textOf,
  timeIn,
} from './seal-parts.ts'

const EDITION = 'GM/T 0031-2014'

/** SESeal ::= SEQUENCE { esealInfo, signInfo }, some makers wrapping the latter in a BIT STRING. */
export function sealOf2014(node: Der): Seal {
  const [info, sign, ...rest] = elementsOf(node)
  if (info === undefined || sign === undefined || rest.length > 0) throw malformed('expected information and signature of a seal')
  const signed = sign.tag === TAG.BIT_STRING ? readDer(octetsOf(sign), TAG.SEQUENCE) : sign
  const reader = inside(signed)
  const [certificateNode, algorithmNode] = elementsOf(signed)
  const certificate = bytesOf(reader)
  const algorithm = oidIn(reader)
  const signature = bitsIn(reader)
  reader.finish()
  if (certificateNode === undefined || algorithmNode === undefined) throw malformed('expected certificate and algorithm')
  const message = sequenceOf(info, certificateNode, algorithmNode)
  const read = sealInfoOf(info, about => ({
    type: numberIn(about),
    name: textOf(about),
    holders: certificatesIn(about),
    createdAt: timeIn(about),
    validFrom: timeIn(about),
    validUntil: timeIn(about),
  }))
  return { edition: EDITION, ...read, maker: { certificate, algorithm, signature, message } }
}

/** timeInfo is a BIT STRING whose content the standard leaves open: a time as DER or as text, or a timestamp. */
function timeOf2014(node: Der): SealTime {
  const octets = node.tag === TAG.BIT_STRING ? octetsOf(node) : contentOf(node)
  try {
    const element = readDer(octets)
    return element.tag === TAG.SEQUENCE ? { kind: 'token', token: octets } : { kind: 'time', at: timeOf(element) }
  } catch {
    const text = octets.toString('latin1')
    const [, ...parts] = /^(\d{4})-?(\d\d)-?(\d\d)[ T]?(\d\d):?(\d\d):?(\d\d)(?:\.\d+)?Z?$/.exec(text) ?? []
    const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts.map(Number)
    return parts.length === 0 ? { kind: 'unreadable' } : { kind: 'time', at: Date.UTC(year, month - 1, day, hour, minute, second) }
  }
}

/** SES_Signature ::= SEQUENCE { toSign TBS_Sign, signature BIT STRING } */
export function sealSignatureOf2014(node: Der): SealSignature {
  const reader = inside(node)
  const tbs = reader.read(TAG.SEQUENCE)
  const signature = bitsIn(reader)
  reader.finish()
  const inner = new DerReader(tbs.bytes, tbs.from, tbs.to)
  const version = numberIn(inner)
  const seal = sealOf2014(inner.read(TAG.SEQUENCE))
  const time = timeOf2014(inner.any())
  const hash = inner.any()
  const digest = hash.tag === TAG.BIT_STRING ? octetsOf(hash) : contentOf(hash)
  const property = textOf(inner)
  const certificate = bytesOf(inner)
  const algorithm = oidIn(inner)
  const extensions = inner.done ? [] : extensionsIn(inner)
  inner.finish()
  const signer = { certificate, algorithm, signature, message: wholeOf(tbs) }
  return { edition: EDITION, version, seal, time, digest, property, extensions, signer, timestamp: null }
}
