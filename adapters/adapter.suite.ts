/** What every adapter holds to, as a function that each adapter's test calls with a file of its own format. */

import { describe, expect, it } from 'vitest'
import { checkBody } from '../schemas/validators.ts'
import type { Adapter, MappedRow, ReadOptions } from './adapter.ts'

export type Sample = {
  readonly adapter: Adapter
  readonly mapping: ReadOptions['mapping']
  /** a file with good rows, refused rows, and personal data that must not come out */
  readonly bytes: Uint8Array
  readonly rows: number
  readonly records: number
  /** texts of the file that may stand nowhere in what comes out */
  readonly personal: readonly string[]
  /** the same file with one row damaged, and how many records are left */
  readonly damaged: { readonly bytes: Uint8Array; readonly records: number }
}

export const NOW = new Date('2026-11-23T00:00:00Z')

export async function* inChunks(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size)
}

export const readAll = async (
  adapter: Adapter,
  bytes: Uint8Array,
  { mapping = null, size = 1 << 16 }: { mapping?: ReadOptions['mapping']; size?: number } = {},
): Promise<readonly MappedRow[]> =>
  Array.fromAsync(adapter.read(inChunks(bytes, size), { file: 'sample', mapping, platform: '530000-01', now: NOW }))

export const recordsIn = (rows: readonly MappedRow[]) => rows.filter(row => row.kind === 'record')
export const refusedIn = (rows: readonly MappedRow[]) => rows.filter(row => row.kind === 'refused')

export const adapterSuite = ({ adapter, mapping, bytes, rows, records, personal, damaged }: Sample): void => {
  describe(`the ${adapter.name} adapter, as every adapter`, () => {
    it('turns each row into a record or a refusal, and loses none', async () => {
      const read = await readAll(adapter, bytes, { mapping })
      expect(read).toHaveLength(rows)
      expect(recordsIn(read)).toHaveLength(records)
    })

    it('yields only records that their schema accepts for sealing', async () => {
      for (const row of recordsIn(await readAll(adapter, bytes, { mapping })))
        if (row.candidate.op === 'put') expect(checkBody(row.dataset, row.candidate.body, 'sealing')).toEqual([])
    })

    it('says of each refusal where it is, which rule was broken, and why in both languages', async () => {
      for (const row of refusedIn(await readAll(adapter, bytes, { mapping }))) {
        expect(row.location.line).toBeGreaterThan(0)
        expect(row.fault.rule).not.toBe('')
        expect(row.fault.en).toMatch(/^[A-Z].*\.$/)
        expect(row.fault.zh).toMatch(/\p{Script=Han}.*。$/u)
      }
    })

    it('lets no personal field out, neither in a record nor in what goes to the quarantine', async () => {
      const said = JSON.stringify([await readAll(adapter, bytes, { mapping }), await readAll(adapter, damaged.bytes, { mapping })])
      const source = new TextDecoder().decode(bytes)
      for (const text of personal) {
        expect(source).toContain(text)
        expect(said).not.toContain(text)
      }
    })

    it('gives the same rows for the same bytes', async () => {
      const first = JSON.stringify(await readAll(adapter, bytes, { mapping }))
      expect(JSON.stringify(await readAll(adapter, bytes, { mapping }))).toBe(first)
    })

    it('gives the same rows wherever a chunk ends', async () => {
      const whole = await readAll(adapter, bytes, { mapping })
      for (const size of [1, 2, 3, 7, 61]) expect(await readAll(adapter, bytes, { mapping, size })).toEqual(whole)
    })

    it('goes on after a damaged row', async () => {
      const read = await readAll(adapter, damaged.bytes, { mapping })
      expect(recordsIn(read)).toHaveLength(damaged.records)
      expect(refusedIn(read).length).toBeGreaterThan(0)
    })
  })
}
