import { describe, expect, it } from 'vitest'
import { IMPORT_LIMITS, type ImportRow } from './import.ts'
import { readRows } from './import-rows.ts'

async function* inPieces(text: string, size: number): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}
async function read(text: string, form: 'ndjson' | 'pem', size = 7): Promise<ImportRow[]> {
  const rows: ImportRow[] = []
  for await (const row of readRows(inPieces(text, size), form, 'file')) rows.push(row)
  return rows
}
const line = (place: string, text: string): string => JSON.stringify({ place, data: Buffer.from(text).toString('base64') })

describe('rows of certificates', () => {
  it.each([1, 7, 1000])('come whole from lines, whatever the pieces (%d bytes)', async size => {
    const rows = await read(`${line('a', 'one')}\n\n${line('b', 'two')}`, 'ndjson', size)
    expect(rows.map(({ place, line: number, bytes }) => [place, number, Buffer.from(bytes).toString()])).toEqual([
      ['a', 1, 'one'],
      ['b', 3, 'two'],
    ])
  })

  it('a line that is none is a row all the same, so that it ends in quarantine', async () => {
    const rows = await read('{"place":1}\nrubbish\n', 'ndjson')
    expect(rows.map(({ place, bytes }) => [place, Buffer.from(bytes).toString()])).toEqual([
      ['line 1', '{"place":1}'],
      ['line 2', 'rubbish'],
    ])
  })

  it('each block of a PEM is a row, one that is cut off too', async () => {
    const block = (text: string): string => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`
    const rows = await read(`comment\n${block('AA')}between\n${block('BB')}-----BEGIN CERTIFICATE-----\nCC`, 'pem')
    expect(rows.map(({ line: number, bytes }) => [number, Buffer.from(bytes).toString()])).toEqual([
      [2, block('AA')],
      [6, block('BB')],
      [9, '-----BEGIN CERTIFICATE-----\nCC\n'],
    ])
  })

  it('a line without an end is cut off and not held', async () => {
    const [row] = await read('x'.repeat(IMPORT_LIMITS.rowBytes * 3), 'ndjson', 65_536)
    expect(row?.bytes.length).toBeLessThanOrEqual(IMPORT_LIMITS.rowBytes)
  })
})
