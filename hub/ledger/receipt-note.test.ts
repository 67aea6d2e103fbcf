import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openReceiptNote, type ReceiptNote } from './receipt-note.ts'

const log = { origin: '530000', dataset: 'entity', audience: 'all' }
const head = (seq: number, digest = `d${seq}`) => ({ epoch: 1, seq, digest })
const holds = async ({ seq }: { seq: number }) => `d${seq}`

let folder = ''
let path = ''
const told: string[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hutong-receipts-'))
  path = join(folder, 'receipted.json')
  told.length = 0
})
afterEach(() => rm(folder, { recursive: true }))

const open = (fed = 'demo'): Promise<ReceiptNote> => openReceiptNote(path, fed, (_log, why) => void told.push(why))
async function sign(until: number): Promise<void> {
  using note = await open()
  expect(await note.mayReceipt(log, head(until), holds)).toBe(true)
}

describe('the note of what was receipted', () => {
  it('lets a hub that goes on sign on', async () => {
    await sign(4)
    await sign(7)
    expect(told).toEqual([])
  })

  it('has a hub whose database was set back wait until what it had receipted stands there again', async () => {
    await sign(7)
    using note = await open()
    expect(await note.mayReceipt(log, head(5), holds)).toBe(false)
    expect(await note.mayReceipt(log, head(6), holds)).toBe(false)
    expect(await note.mayReceipt(log, head(7), holds)).toBe(true)
    expect(await note.mayReceipt(log, head(8), holds)).toBe(true)
    expect(told).toEqual(['wait'])
  })

  it('keeps it from signing for another entry at that place, or for anything behind it', async () => {
    await sign(7)
    using note = await open()
    expect(await note.mayReceipt(log, head(7, 'other'), holds)).toBe(false)
    expect(await note.mayReceipt(log, head(9), async () => 'other')).toBe(false)
    expect(told).toEqual(['contradicts'])
  })

  it('says nothing of another federation, and nothing where it is torn', async () => {
    await sign(7)
    {
      using other = await open('another')
      expect(await other.mayReceipt(log, head(2), holds)).toBe(true)
    }
    await writeFile(path, 'half a li')
    using torn = await open()
    expect(await torn.mayReceipt(log, head(1), holds)).toBe(true)
  })
})
