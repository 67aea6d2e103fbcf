/**
 * The state of a log at a position: for every key the accepted record with the highest `ver` among the entries up to there. Its root is
 * one digest over all of them, so that an origin can sign where its state stood, every holder can compute the same, and a newcomer can
 * check each piece of a snapshot by itself.
 *
 *   record  → digest of its RFC 8785 text, `at` in one normal form
 *   group   → records in the order of their keys' UTF-8 bytes; digest over one line of each: `<ep>.<seq>.<item> <ver> <digest> <key> LF`
 *   manifest→ the raw digests of all groups behind each other
 *   root    → digest of the manifest
 *
 * A group ends with its 1024th record, or earlier with the record that brings its texts to half a MiB. It travels as a chunk, a line for
 * each record: `<ep>.<seq>.<item> <text> LF`. A record erased since then has its digest in front of a text without content
 * (`<ep>.<seq>.<item> <digest> <text> LF`), so that group, manifest and root stay as they were.
 */
import { createHash, hash } from 'node:crypto'
import { algorithmRow, SIGNING_ALGORITHM } from './algorithms.ts'
import { DIGEST_ALGORITHMS, type Digest, digestOf } from './digest.ts'
import { ExchangeError } from './errors.ts'
import { canonicalText } from './jcs.ts'
import { formatPosition, type LogHead, type Position } from './log.ts'
import type { JsonObject, JsonValue } from './record.ts'

export const GROUP_RECORDS = 1024
export const GROUP_BYTES = 512 * 1024

/** A snapshot as its origin announces it: the state at `at`, its root, the number of its records. */
export type SnapshotMark = { readonly at: LogHead; readonly root: Digest; readonly records: number }

/** Where the log says a record: its envelope, and which of its records. */
export type Place = Position & { readonly item: number }
export type StateRecord = {
  readonly key: string
  readonly op: 'put' | 'retract'
  readonly ver: number
  /** RFC 3339, any offset and fraction: {@link normalInstant} */
  readonly at: string
  readonly platform: string
  readonly body?: JsonObject
  readonly why?: string
}

const algorithm = algorithmRow(SIGNING_ALGORITHM)?.digest ?? 'sha-256'
const digestBytes = (bytes: Uint8Array | string): Buffer => createHash(DIGEST_ALGORITHMS[algorithm]).update(bytes).digest()
export const DIGEST_BYTES = 32

const MICROS = 1_000_000n

/** Half to even, as PostgreSQL rounds a fraction of a second to microseconds. */
function roundHalfEven(value: number): number {
  const low = Math.floor(value)
  const rest = value - low
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1
  return low % 2 === 0 ? low : low + 1
}

/** Microseconds since 1970-01-01T00:00:00Z as the normal form: UTC, six digits of fraction. */
export function formatInstant(micros: bigint): string {
  const fraction = ((micros % MICROS) + MICROS) % MICROS
  const whole = new Date(Number((micros - fraction) / 1000n)).toISOString()
  return `${whole.slice(0, whole.indexOf('.'))}.${String(fraction).padStart(6, '0')}Z`
}

/** An instant as the database states it: seconds since 1970-01-01T00:00:00Z, decimal. */
export function parseEpochSeconds(text: string): bigint {
  const [whole = '0', fraction = ''] = text.split('.')
  const micros = BigInt(whole.replace('-', '')) * MICROS + BigInt(fraction.padEnd(6, '0').slice(0, 6))
  return text.startsWith('-') ? -micros : micros
}

/** The one normal form of a business time: what PostgreSQL keeps of it, in UTC. */
export function normalInstant(text: string): string {
  const point = text.indexOf('.')
  if (point < 0) return formatInstant(BigInt(Date.parse(text)) * 1000n)
  const end = text.slice(point + 1).search(/[^0-9]/) + point + 1
  const micros = roundHalfEven(Number(`0${text.slice(point, end)}`) * 1_000_000)
  return formatInstant(BigInt(Date.parse(text.slice(0, point) + text.slice(end))) * 1000n + BigInt(micros))
}

/** The text that a record's digest covers. */
export function recordText(record: StateRecord): string {
  const { key, op, ver, platform, body, why } = record
  const at = normalInstant(record.at)
  const tail = `"key":${JSON.stringify(key)},"op":"${op}","platform":${JSON.stringify(platform)},"ver":${ver}`
  const content = body === undefined ? '' : `"body":${canonicalText(body as JsonValue)},`
  return `{"at":"${at}",${content}${tail}${why === undefined ? '' : `,"why":${JSON.stringify(why)}`}}`
}
export const recordDigest = (text: string): Digest => `${algorithm}:${hash(DIGEST_ALGORITHMS[algorithm], text, 'base64url')}`

export type StateLine = {
  readonly place: Place
  readonly key: string
  readonly ver: number
  readonly text: string
  readonly digest: Digest
}

export const stateLine = (place: Place, record: StateRecord): StateLine => {
  const text = recordText(record)
  return { place, key: record.key, ver: record.ver, text, digest: recordDigest(text) }
}

const formatPlace = (place: Place): string => `${formatPosition(place)}.${place.item}`
const groupLine = ({ place, ver, digest, key }: Omit<StateLine, 'text'>): string =>
  `${formatPlace(place)} ${ver} ${digest} ${key}\n`

/** The raw digest of a group. */
export const groupDigest = (lines: readonly Omit<StateLine, 'text'>[]): Buffer => digestBytes(lines.map(groupLine).join(''))
export const rootOf = (manifest: Uint8Array): Digest => digestOf(manifest, algorithm)

export type Group = { readonly number: number; readonly lines: readonly StateLine[]; readonly digest: Buffer }
export type StateSum = { readonly root: Digest; readonly manifest: Buffer; readonly records: number; readonly groups: number }

export type StateDigester = {
  /** takes the next record, in the order of keys; the group that it ended, or null */
  add(line: StateLine, bytes?: number): Group | null
  /** the last group, if one is open */
  end(): Group | null
  sum(): StateSum
}

/** Cuts records into groups as they come, and keeps of each group its digest alone. */
export function digestState(): StateDigester {
  const digests: Buffer[] = []
  let lines: StateLine[] = []
  let bytes = 0
  let records = 0
  const close = (): Group | null => {
    if (lines.length === 0) return null
    const group = { number: digests.length, lines, digest: groupDigest(lines) }
    digests.push(group.digest)
    lines = []
    bytes = 0
    return group
  }
  return {
    add(line, size = Buffer.byteLength(line.text)) {
      lines.push(line)
      bytes += size
      records += 1
      return lines.length === GROUP_RECORDS || bytes >= GROUP_BYTES ? close() : null
    },
    end: close,
    sum() {
      const manifest = Buffer.concat(digests)
      return { root: rootOf(manifest), manifest, records, groups: digests.length }
    },
  }
}

/** A UTF-16 unit, moved so that the units of two texts compare as their UTF-8 bytes do: surrogates stand behind everything else. */
const rank = (unit: number): number => (unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit)

/** The order of the UTF-8 bytes: PostgreSQL's `COLLATE "C"`. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at += 1) {
    const [one, other] = [a.charCodeAt(at), b.charCodeAt(at)]
    if (one !== other) return rank(one) - rank(other)
  }
  return a.length - b.length
}

/** A line of a chunk: `erased` keeps the digest of a record whose content is gone. */
export type ChunkLine = StateLine & { readonly erased: boolean; readonly record?: StateRecord }

const formatChunkLine = ({ place, text, digest, erased }: ChunkLine): string =>
  `${formatPlace(place)} ${erased ? `${digest} ` : ''}${text}\n`
export const formatChunk = (lines: readonly ChunkLine[]): Buffer => Buffer.from(lines.map(formatChunkLine).join(''), 'utf8')
export const chunkOf = (group: Group): Buffer => formatChunk(group.lines.map(line => ({ ...line, erased: false })))

const malformed = (reason: string): ExchangeError => new ExchangeError('SNAPSHOT_MALFORMED', reason)
const CHUNK_PLACE = /^([1-9][0-9]{0,9})\.([1-9][0-9]{0,15})\.(0|[1-9][0-9]{0,3}) (?:((?:sha-256|sm3):[A-Za-z0-9_-]{43}) )?$/

/** The parts of a chunk whose digest decides whether they are believed. @throws SNAPSHOT_MALFORMED */
export function parseChunk(plain: Uint8Array): ChunkLine[] {
  const text = Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength).toString('utf8')
  if (!text.endsWith('\n')) throw malformed('expected lines, each ended')
  const lines = text.slice(0, -1).split('\n')
  const texts = lines.map(line => line.slice(Math.max(0, line.indexOf('{'))))
  const records = parseRecords(`[${texts.join(',')}]`)
  if (records.length !== lines.length) throw malformed('expected a record in each line')
  return lines.map((line, index): ChunkLine => {
    const [record, recordText] = [records[index], texts[index] ?? '']
    const [, epoch, seq, item, stated] = CHUNK_PLACE.exec(line.slice(0, line.length - recordText.length)) ?? []
    if (epoch === undefined || typeof record?.key !== 'string' || typeof record.ver !== 'number') {
      throw malformed('expected a place and a record with key and version in each line')
    }
    const place = { epoch: Number(epoch), seq: Number(seq), item: Number(item) }
    const digest = stated ?? recordDigest(recordText)
    return { place, key: record.key, ver: record.ver, text: recordText, digest, erased: stated !== undefined, record }
  })
}

function parseRecords(text: string): readonly (StateRecord | null)[] {
  try {
    return JSON.parse(text) as (StateRecord | null)[]
  } catch (cause) {
    throw new ExchangeError('SNAPSHOT_MALFORMED', 'expected a record in each line', { cause })
  }
}

/** @throws SNAPSHOT_MALFORMED unless the lines are the group whose digest stands in the manifest */
export function checkGroup(lines: readonly ChunkLine[], manifest: Uint8Array, number: number): void {
  const expected = manifest.subarray(number * DIGEST_BYTES, (number + 1) * DIGEST_BYTES)
  if (!groupDigest(lines).equals(expected)) throw malformed(`group ${number}: expected the digest that stands in the manifest`)
  const unordered = lines.findIndex((line, index) => index > 0 && compareKeys(lines[index - 1]?.key ?? '', line.key) >= 0)
  if (unordered >= 0) throw malformed(`group ${number}: expected keys in order, each once`)
}

/** Takes the content of those keys whose record is the one of this very position; null if there is none. */
export function eraseInChunk(plain: Uint8Array, at: Position, keys: ReadonlySet<string>): Buffer | null {
  let changed = false
  const lines = parseChunk(plain).map((line): ChunkLine => {
    const isNamed = line.place.epoch === at.epoch && line.place.seq === at.seq && keys.has(line.key)
    if (!isNamed || line.erased) return line
    const record = JSON.parse(line.text) as StateRecord
    if (record.op !== 'put') return line
    changed = true
    const { key, op, ver, platform } = record
    return { ...line, text: canonicalText({ at: record.at, body: null, key, op, platform, ver }), erased: true }
  })
  return changed ? formatChunk(lines) : null
}
