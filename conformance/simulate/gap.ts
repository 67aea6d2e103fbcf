/**
 * The air gap: a holder that nothing reaches but files. Somebody carries what another holds, whole or in parts, more than once and in
 * any order; it is read and settled in groups like the product's import, and what is damaged ends where the damage is.
 */
import { type BundleItem, formatBundleEntry, readBundle } from '../../schemas/bundle.ts'
import { isExchangeError } from '../../schemas/errors.ts'
import { comparePositions, type Position } from '../../schemas/log.ts'
import { randomOf } from '../samples/random.ts'
import type { Disk, DiskLog, StoredEntry } from './disk.ts'
import type { Carry } from './faults.ts'
import type { Ground, Life } from './ground.ts'
import { createReceiving } from './receiving.ts'

const GROUP_ENTRIES = 4

export type Gapped = { importFile(bytes: Buffer): Promise<void> }

export function createGapped(ground: Ground, life: Life): Gapped {
  const receiving = createReceiving(ground, life, { effect: true, announcedOf: async () => null, early: async () => {} })

  async function settle(items: readonly BundleItem[]): Promise<void> {
    if (items.length === 0) return
    const arrivals = items.map(({ kind, token, redaction, body }) => ({
      kind,
      token,
      body: kind === 'epoch' ? null : Buffer.from(body),
      ...(redaction === undefined ? {} : { redaction }),
      file: true as const,
      subject: null,
    }))
    await receiving.receive(arrivals)
  }

  return {
    async importFile(bytes) {
      let group: BundleItem[] = []
      try {
        for await (const item of readBundle(piecesOf(bytes))) {
          group.push(item)
          if (group.length < GROUP_ENTRIES) continue
          const items = group
          group = []
          await settle(items)
        }
      } catch (error) {
        if (!isExchangeError(error)) throw error
        ground.note(`${life.code} reads a damaged file: ${error.code}`)
      }
      await settle(group)
    },
  }
}

async function* piecesOf(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes
}

/** Entries from a position on, and behind them by themselves what was erased before it. */
function exportLog(on: DiskLog, from: Position, to: Position | null): Buffer {
  const entries = on.entries.filter(
    ({ entry }) => comparePositions(entry, from) >= 0 && (to === null || comparePositions(entry, to) < 0),
  )
  const before = to !== null ? [] : [...on.redactions.values()].filter(({ position }) => comparePositions(position, from) < 0)
  const alone = before.flatMap(({ token, position }) => {
    const body = on.index.get(`${position.epoch}.${position.seq}`)?.body
    return body == null ? [] : [formatBundleEntry({ token, body })]
  })
  return Buffer.concat([...entries.map(formatStored), ...alone])
}

const formatStored = ({ token, redaction, body }: StoredEntry): Buffer =>
  formatBundleEntry({ token, ...(redaction == null ? {} : { redaction }), body: body ?? new Uint8Array() })

/** The files that one journey carries. */
export function filesOf({ plan }: Ground, disk: Disk, { shape, n }: Carry, wanted: (log: DiskLog) => boolean): Buffer[] {
  const random = randomOf(plan.seed, 'carry', n)
  const logs = [...disk.logs.values()].filter(on => on.entries.length > 0 && wanted(on))
  const start = { epoch: 0, seq: 0 }
  if (shape === 'last part first')
    return [true, false].map(last =>
      Buffer.concat(
        logs.map(on => {
          const cut = on.entries[on.entries.length >> 1]?.entry ?? start
          return last ? exportLog(on, cut, null) : exportLog(on, start, cut)
        }),
      ),
    )
  const whole = Buffer.concat(logs.map(on => exportLog(on, start, null)))
  if (shape === 'twice') return [whole, whole]
  if (shape === 'cut off') return [whole.subarray(0, random.integer(0, whole.length))]
  if (shape === 'altered') return whole.length === 0 ? [] : [altered(whole, random.integer(0, whole.length - 1))]
  return [whole]
}

/** A letter more or less in somebody's name, or in a digest or a signature. */
function altered(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes)
  const letter = changed.subarray(at).findIndex(byte => byte >= 0x61 && byte < 0x7a)
  if (letter >= 0) changed[at + letter] = (changed[at + letter] ?? 0) + 1
  return changed
}
