/**
 * Electronic seals of GB/T 38540-2020 (version 4): the maker signs the seal's information alone; who may use it is a list of certificates
 * or of their digests; a timestamp over the signature may follow.
 */
import { contentOf, contextOf, type Der, DerReader, inside, malformed, readMany, TAG, wholeOf } from './der.ts'
import { SIGNATURE_LIMITS } from './limits.ts'
import {
  bitsIn,
  bytesOf,
  certificatesIn,
  elementsOf,
  extensionsIn,
  numberIn,
  oidIn,
  type Seal,
  type SealHolders,
  type SealSignature,
  sealInfoOf,
  textOf,
  timeIn,
} from './seal-parts.ts'

const EDITION = 'GB/T 38540-2020'

function digestIn(list: DerReader): { readonly type: string; readonly value: Uint8Array } {
  const reader = list.open(TAG.SEQUENCE)
  const digest = { type: textOf(reader), value: bytesOf(reader) }
  reader.finish()
  return digest
}

/** certListType: 1 certificates, 2 digests (§6.1.1.4). */
const HOLDERS: { readonly [type: number]: (reader: DerReader) => SealHolders } = {
  1: certificatesIn,
  2: reader => ({ kind: 'digests', digests: readMany(reader.open(TAG.SEQUENCE), digestIn, SIGNATURE_LIMITS.sealHolders) }),
}

function holdersIn(reader: DerReader): SealHolders {
  const read = HOLDERS[numberIn(reader)]
  if (read === undefined) throw malformed('expected a list of certificates (1) or of digests (2)')
  return read(reader)
}

/** SESeal ::= SEQUENCE { eSealInfo, cert, signAlgID, signedValue } */
export function sealOf2020(node: Der): Seal {
  const [info] = elementsOf(node)
  if (info === undefined) throw malformed('expected the information of a seal')
  const read = sealInfoOf(info, about => ({
    type: numberIn(about),
    name: textOf(about),
    holders: holdersIn(about),
    createdAt: timeIn(about),
    validFrom: timeIn(about),
    validUntil: timeIn(about),
  }))
  const reader = new DerReader(node.bytes, info.to, node.to)
  const certificate = bytesOf(reader)
  const algorithm = oidIn(reader)
  const signature = bitsIn(reader)
  reader.finish()
  return { edition: EDITION, ...read, maker: { certificate, algorithm, signature, message: wholeOf(info) } }
}

/** SES_Signature ::= SEQUENCE { toSign TBS_Sign, cert, signatureAlgID, signature, timeStamp [0] OPTIONAL } */
export function sealSignatureOf2020(node: Der): SealSignature {
  const reader = inside(node)
  const tbs = reader.read(TAG.SEQUENCE)
  const certificate = bytesOf(reader)
  const algorithm = oidIn(reader)
  const signature = bitsIn(reader)
  const stamp = reader.openOptional(contextOf(0))
  const timestamp = stamp === undefined ? null : stamp.tag === TAG.BIT_STRING ? bitsIn(stamp) : contentOf(stamp.any())
  stamp?.finish()
  reader.finish()
  const inner = inside(tbs)
  const version = numberIn(inner)
  const seal = sealOf2020(inner.read(TAG.SEQUENCE))
  const at = timeIn(inner)
  const digest = bitsIn(inner)
  const property = textOf(inner)
  const extensions = inner.done ? [] : extensionsIn(inner)
  inner.finish()
  const signer = { certificate, algorithm, signature, message: wholeOf(tbs) }
  return { edition: EDITION, version, seal, time: { kind: 'time', at }, digest, property, extensions, signer, timestamp }
}
