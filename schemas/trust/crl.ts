/**
 * A certificate revocation list (RFC 5280 §5), complete or delta, direct or indirect, read once and strictly. An entry of an indirect list
 * belongs to the issuer that it or an entry before it names (§5.3.3); entries are found by issuer and serial number.
 */
import { hash } from 'node:crypto'
import { ExchangeError, isExchangeError } from '../errors.ts'
import { algorithmOf, type Certificate, signedOf } from './certificate.ts'
import {
  bufferOf,
  context,
  contextOf,
  type Der,
  type DerReader,
  flagOf,
  inside,
  integerOf,
  malformed,
  namedBitsOf,
  numberOf,
  readDer,
  TAG,
  timeOf,
  wholeOf,
} from './der.ts'
import {
  ALL_REASONS,
  authorityKeyIdOf,
  type DistributionPoint,
  type Extension,
  extensionOf,
  type KnownExtensions,
  pointNameOf,
} from './extensions.ts'
import { INPUT_LIMITS } from './limits.ts'
import { generalNamesOf, type Name, nameOf } from './names.ts'
import type { Fault } from './reasons.ts'

/** CRLReason (§5.3.1), by number; 7 is unused. */
export const REVOCATION_REASONS: readonly (string | undefined)[] = [
  'unspecified',
  'keyCompromise',
  'cACompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'certificateHold',
  undefined,
  'removeFromCRL',
  'privilegeWithdrawn',
  'aACompromise',
]

export type RevokedEntry = {
  readonly serial: string
  readonly revokedAt: number
  readonly reason: string
  readonly invalidAt?: number
}
export type IssuingDistributionPoint = Pick<DistributionPoint, 'fullName' | 'relativeName'> & {
  readonly onlyUser: boolean
  readonly onlyCa: boolean
  readonly onlyAttribute: boolean
  readonly indirect: boolean
  readonly onlyReasons?: number
  /** as it stands: a delta covers its base's scope if these are the same octets (§5.2.4) */
  readonly der: Uint8Array
}

export type Crl = {
  readonly der: Uint8Array
  readonly fingerprint: string
  readonly tbs: Uint8Array
  readonly signature: Certificate['signature']
  readonly issuer: Name
  readonly thisUpdate: number
  readonly nextUpdate?: number
  readonly number?: bigint
  /** of a delta: the number of the list it starts from (§5.2.4) */
  readonly baseNumber?: bigint
  readonly scope?: IssuingDistributionPoint
  readonly authorityKeyId?: NonNullable<KnownExtensions['authorityKeyId']>
  /** a critical extension, of the list or of an entry, that cannot be processed: the list says nothing then (§5.2, §5.3) */
  readonly unprocessable?: string
  readonly faults: readonly Fault[]
  /** how many entries it has */
  readonly size: number
  /** by the canonical name of a certificate's issuer and its serial number */
  entry(issuer: string, serial: string): RevokedEntry | undefined
}

const bigOf = (node: Der): bigint => {
  integerOf(node)
  const hex = node.bytes.toString('hex', node.from, node.to)
  if ((node.bytes[node.from] ?? 0x80) >= 0x80 || hex.length > 42) throw malformed('expected a CRL number of at most 20 octets')
  return BigInt(`0x${hex}`)
}

function scopeOf(value: Der): IssuingDistributionPoint {
  const reader = inside(value)
  const name = reader.openOptional(contextOf(0))
  const point = name && pointNameOf(name)
  const onlyUser = flagOf(reader, context(1))
  const onlyCa = flagOf(reader, context(2))
  const reasons = reader.optional(context(3))
  const indirect = flagOf(reader, context(4))
  const onlyAttribute = flagOf(reader, context(5))
  reader.finish()
  if ([onlyUser, onlyCa, onlyAttribute].filter(Boolean).length > 1)
    throw malformed('expected one kind of certificates in the scope')
  const onlyReasons = reasons && { onlyReasons: namedBitsOf(reasons).set & ALL_REASONS }
  return { ...point, onlyUser, onlyCa, onlyAttribute, indirect, ...onlyReasons, der: wholeOf(value) }
}

type Facts = {
  number?: bigint
  baseNumber?: bigint
  scope?: IssuingDistributionPoint
  authorityKeyId?: NonNullable<KnownExtensions['authorityKeyId']>
}
type CrlRow = { readonly tag: number; readonly read: (value: Der, facts: Facts) => void }
const CRL_ROWS: { readonly [oid: string]: CrlRow } = {
  '2.5.29.20': { tag: TAG.INTEGER, read: (value, facts) => Object.assign(facts, { number: bigOf(value) }) },
  '2.5.29.27': { tag: TAG.INTEGER, read: (value, facts) => Object.assign(facts, { baseNumber: bigOf(value) }) },
  '2.5.29.28': { tag: TAG.SEQUENCE, read: (value, facts) => Object.assign(facts, { scope: scopeOf(value) }) },
  '2.5.29.35': { tag: TAG.SEQUENCE, read: (value, facts) => Object.assign(facts, { authorityKeyId: authorityKeyIdOf(value) }) },
  // said about where to look, and about other names: nothing that a verdict needs
  '2.5.29.18': { tag: TAG.SEQUENCE, read: value => void generalNamesOf(inside(value)) },
  '2.5.29.46': { tag: TAG.SEQUENCE, read: () => undefined },
  '1.3.6.1.5.5.7.1.1': { tag: TAG.SEQUENCE, read: () => undefined },
}

function once(list: readonly Extension[]): readonly Extension[] {
  if (list.length > 1 && new Set(list.map(({ oid }) => oid)).size < list.length) throw malformed('expected each extension once')
  return list
}
function extensionsOf(reader: DerReader): readonly Extension[] {
  const list: Extension[] = []
  while (!reader.done) {
    if (list.length === INPUT_LIMITS.extensions) throw malformed(`expected at most ${INPUT_LIMITS.extensions} extensions`)
    list.push(extensionOf(reader))
  }
  if (list.length === 0) throw malformed('expected at least one extension')
  return once(list)
}

type EntryFacts = { reason: string; invalidAt?: number; issuers?: readonly string[] }
const ENTRY_ROWS: { readonly [oid: string]: (value: Buffer, facts: EntryFacts) => void } = {
  '2.5.29.21': (value, facts) => {
    const reason = REVOCATION_REASONS[numberOf(readDer(value, TAG.ENUMERATED))]
    if (reason === undefined) throw malformed('expected a CRLReason')
    facts.reason = reason
  },
  '2.5.29.24': (value, facts) => {
    const node = readDer(value, TAG.GENERALIZED_TIME)
    facts.invalidAt = timeOf(node)
  },
  '2.5.29.29': (value, facts) => {
    const names = generalNamesOf(inside(readDer(value, TAG.SEQUENCE)))
    facts.issuers = names.flatMap(name => (name.kind === 'directory' ? [name.name.canonical] : []))
  },
}

/** by issuer, then by serial number */
type ByIssuer = Map<string, Map<string, RevokedEntry>>
type Entries = { readonly byIssuer: ByIssuer; readonly unprocessable: string | undefined; readonly size: number }

function entriesOf(reader: DerReader | undefined, issuer: string, version: number): Entries {
  const byIssuer: ByIssuer = new Map()
  let unprocessable: string | undefined
  let issuers: readonly string[] = [issuer]
  let size = 0
  while (reader !== undefined && !reader.done) {
    if (++size > INPUT_LIMITS.revoked) throw malformed(`expected at most ${INPUT_LIMITS.revoked} entries`)
    const inner = reader.open(TAG.SEQUENCE)
    const node = integerOf(inner.read(TAG.INTEGER))
    const serial = node.bytes.toString('hex', node.from, node.to)
    const revokedAt = timeOf(inner.any())
    const facts: EntryFacts = { reason: 'unspecified' }
    if (!inner.done) {
      if (version !== 2) throw malformed('expected extensions of entries in version 2 only')
      for (const { oid, critical, value } of extensionsOf(inner.open(TAG.SEQUENCE))) {
        const read = ENTRY_ROWS[oid]
        if (read !== undefined) read(bufferOf(value), facts)
        else if (critical) unprocessable ??= oid
      }
    }
    inner.finish()
    // (§5.3.3): without the distinguished name nobody knows whose entry it is
    if (facts.issuers?.length === 0) unprocessable ??= '2.5.29.29'
    issuers = facts.issuers ?? issuers
    const entry = { serial, revokedAt, reason: facts.reason, ...(facts.invalidAt !== undefined && { invalidAt: facts.invalidAt }) }
    for (const name of issuers) {
      const entries = byIssuer.get(name)
      if (entries === undefined) byIssuer.set(name, new Map([[serial, entry]]))
      else entries.set(serial, entry)
    }
  }
  return { byIssuer, unprocessable, size }
}

function faultsOf(list: readonly Extension[], { number }: Facts): Fault[] {
  const faults: Fault[] = []
  if (number === undefined) faults.push({ reason: 'CRL_NUMBER_MISSING', detail: 'no cRLNumber' })
  if (list.some(({ oid, critical }) => oid === '2.5.29.20' && critical))
    faults.push({ reason: 'CRL_NUMBER_CRITICAL', detail: 'cRLNumber' })
  return faults
}

const isTime = (tag: number): boolean => tag === TAG.UTC_TIME || tag === TAG.GENERALIZED_TIME

function read(der: Buffer): Crl {
  const { tbs, signature, outer } = signedOf(der)
  const reader = inside(tbs)
  const written = reader.optional(TAG.INTEGER)
  if (written !== undefined && numberOf(written) !== 1) throw malformed('expected version 2, or none')
  const version = written === undefined ? 1 : 2
  const start = reader.at
  algorithmOf(reader)
  if (!outer.equals(der.subarray(start, reader.at))) throw malformed('expected the same signature algorithm twice')
  const issuer = nameOf(reader.read(TAG.SEQUENCE))
  const thisUpdate = timeOf(reader.any())
  const next = isTime(reader.tag) ? timeOf(reader.any()) : undefined
  // §5.1.2.6: left out if there is none
  const revoked = reader.openOptional(TAG.SEQUENCE)
  const { byIssuer, unprocessable, size } = entriesOf(revoked, issuer.canonical, version)
  const listed = reader.openOptional(contextOf(0))
  if (listed !== undefined && version !== 2) throw malformed('expected extensions in version 2 only')
  const list = listed === undefined ? [] : extensionsOf(listed.open(TAG.SEQUENCE))
  listed?.finish()
  reader.finish()
  const facts: Facts = {}
  let unknown = unprocessable
  for (const { oid, critical, value } of list) {
    const row = CRL_ROWS[oid]
    if (row !== undefined) row.read(readDer(value, row.tag), facts)
    else if (critical) unknown ??= oid
  }
  return {
    der,
    fingerprint: hash('sha256', der, 'hex'),
    tbs: wholeOf(tbs),
    signature,
    issuer,
    thisUpdate,
    ...(next !== undefined && { nextUpdate: next }),
    ...facts,
    ...(unknown !== undefined && { unprocessable: unknown }),
    faults: faultsOf(list, facts),
    size,
    entry: (name, serial) => byIssuer.get(name)?.get(serial),
  }
}

/** A copy is read, so that the caller's bytes may change. @throws CRL_MALFORMED */
export function parseCrl(der: Uint8Array): Crl {
  if (der.length > INPUT_LIMITS.crlBytes)
    throw new ExchangeError('CRL_MALFORMED', `expected at most ${INPUT_LIMITS.crlBytes} bytes and found ${der.length}`)
  try {
    return read(Buffer.from(der))
  } catch (error) {
    if (!isExchangeError(error)) throw error
    throw new ExchangeError('CRL_MALFORMED', error.reason, { cause: error })
  }
}
