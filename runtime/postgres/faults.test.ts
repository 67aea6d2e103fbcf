import { DatabaseError } from 'pg'
import { expect, test } from 'vitest'
import { ExchangeError } from '../../schemas/errors.ts'
import { isDataError, translateDatabaseError } from './faults.ts'

const pgError = (code: string, fields: Partial<DatabaseError> = {}) =>
  Object.assign(new DatabaseError('Key (name)=(张三) already exists', 1, 'error'), { code, ...fields })

test.each([
  ['08006', 'DATABASE_UNAVAILABLE'],
  ['53300', 'DATABASE_UNAVAILABLE'],
  ['57014', 'DATABASE_UNAVAILABLE'],
  ['57P01', 'DATABASE_UNAVAILABLE'],
  ['21000', 'RECORD_NOT_STORABLE'],
  ['22P05', 'RECORD_NOT_STORABLE'],
  ['22021', 'RECORD_NOT_STORABLE'],
  ['23505', 'RECORD_NOT_STORABLE'],
  ['54000', 'RECORD_NOT_STORABLE'],
  ['42P01', 'INTERNAL'],
  ['40P01', 'INTERNAL'],
])('SQLSTATE %s becomes %s', (sqlstate, code) => {
  const translated = translateDatabaseError(pgError(sqlstate))
  expect(translated.code).toBe(code)
  expect(isDataError(pgError(sqlstate))).toBe(code === 'RECORD_NOT_STORABLE')
  expect(isDataError(translated)).toBe(code === 'RECORD_NOT_STORABLE')
})

test('a refused datum names its place and never the datum, not even as a cause', () => {
  const translated = translateDatabaseError(pgError('23505', { table: 'records', constraint: 'records_pkey', detail: '张三' }))
  expect(translated.detail).toEqual({ sqlstate: '23505', table: 'records', constraint: 'records_pkey' })
  expect(translated.message).not.toContain('张三')
  expect(translated.cause).toBeUndefined()
})

test.each([
  Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }),
  new AggregateError([Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })]),
  new Error('Connection terminated unexpectedly'),
  new Error('timeout exceeded when trying to connect'),
  new Error('Query read timeout'),
])('a lost connection is worth trying again: %s', error => {
  expect(translateDatabaseError(error)).toMatchObject({ code: 'DATABASE_UNAVAILABLE', retry: true, cause: error })
})

test('an error that has its code keeps it', () => {
  const error = new ExchangeError('LOG_GAP', 'one is missing')
  expect(translateDatabaseError(error)).toBe(error)
  expect(isDataError(error)).toBe(false)
})
