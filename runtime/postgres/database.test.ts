import { expect, test } from 'vitest'
import { openDatabase, parseInt8 } from './database.ts'
import { migrate } from './migrator.ts'

test('an int8 is a number, or an error where a number cannot hold it exactly', () => {
  expect(parseInt8('9007199254740991')).toBe(Number.MAX_SAFE_INTEGER)
  expect(() => parseInt8('9007199254740992')).toThrow('INTERNAL')
})

test('migrations out of order are refused before the database is asked', async () => {
  await using database = openDatabase('postgres://127.0.0.1:1/none', { applicationName: 'test' })
  const up = async () => {}
  await expect(
    migrate(database, [
      { name: '0002', up },
      { name: '0001', up },
    ]),
  ).rejects.toMatchObject({ code: 'INTERNAL' })
})

test('a database that does not answer is unavailable, which is worth trying again', async () => {
  await using database = openDatabase('postgres://127.0.0.1:1/none', { applicationName: 'test' })
  await expect(migrate(database, [])).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE', retry: true })
})
